"""Fixtures that all tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import SAMPLES


@pytest.fixture
def samples() -> Path:
    """The folder of sample pictures."""
    return SAMPLES


@pytest.fixture
def quiet() -> Callable[[int, int], None]:
    """A progress callback that does nothing."""
    return lambda done, total: None
