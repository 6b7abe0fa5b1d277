# SPDX-License-Identifier: Apache-2.0
"""The protocols between shim and sentry, as models/*.pml have them, in every order of events; and models with a mistake in them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODELS = sorted(Path(__file__).resolve().parent.glob("models/*.pml"))
MUTANTS = [(model, name) for model in MODELS for name in sorted(set(re.findall(r"ifn?def (MUTANT_\w+)", model.read_text())))]
DEPTH = 100_000

pytestmark = pytest.mark.skipif(not shutil.which("spin"), reason="spin is not installed")


def search(directory, model, *defines):
    """What the exhaustive search says."""
    subprocess.run(["spin", *[f"-D{name}" for name in defines], "-a", str(model)], cwd=directory, check=True, capture_output=True)
    subprocess.run(["gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], cwd=directory, check=True)
    done = subprocess.run(["./pan", f"-m{DEPTH}"], cwd=directory, capture_output=True, text=True, timeout=90)
    assert "max search depth too small" not in done.stdout, done.stdout
    return done.stdout


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_nothing_goes_astray(tmp_path, model):
    said = search(tmp_path, model)
    assert "errors: 0" in said, said
    assert "unreached in proctype shim\n\t(0 of" in said, said


@pytest.mark.parametrize(("model", "mutant"), MUTANTS, ids=lambda value: getattr(value, "stem", value))
def test_a_mistake_is_found(tmp_path, model, mutant):
    assert "errors: 1" in search(tmp_path, model, mutant)
