# SPDX-License-Identifier: Apache-2.0
"""The protocol between shim and sentry, as models/handover.pml has it, in every order of events; and models with a mistake in them."""

import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).resolve().parent / "models" / "handover.pml"
MUTANTS = sorted({word for word in MODEL.read_text().split() if word.startswith("MUTANT_") and word != "MUTANT_"})
DEPTH = 100_000

pytestmark = pytest.mark.skipif(not shutil.which("spin"), reason="spin is not installed")


def search(directory, *defines):
    """What the exhaustive search says."""
    subprocess.run(["spin", *[f"-D{name}" for name in defines], "-a", str(MODEL)], cwd=directory, check=True, capture_output=True)
    subprocess.run(["gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], cwd=directory, check=True)
    done = subprocess.run(["./pan", f"-m{DEPTH}"], cwd=directory, capture_output=True, text=True, timeout=90)
    assert "max search depth too small" not in done.stdout, done.stdout
    return done.stdout


def test_no_request_and_no_answer_goes_astray(tmp_path):
    said = search(tmp_path)
    assert "errors: 0" in said, said
    assert "unreached in proctype shim\n\t(0 of" in said, said


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_is_found(tmp_path, mutant):
    assert "errors: 1" in search(tmp_path, mutant)
