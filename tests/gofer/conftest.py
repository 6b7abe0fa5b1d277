# SPDX-License-Identifier: Apache-2.0
"""The fixture of the gofer's tests."""

import pytest
from gofer_support import Gofers


@pytest.fixture
def gofers():
    """A starter of gofers."""
    starter = Gofers()
    yield starter
    starter.end()
