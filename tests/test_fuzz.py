"""A few broken files of each form; `make stress` reads many more."""

import warnings

import pytest

from tests.fuzz import TARGETS, fuzz


@pytest.mark.parametrize("name", TARGETS)
def test_broken_files_are_errors_that_say_so(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzz(TARGETS[name], 25, derandomize=True)
