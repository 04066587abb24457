"""Files that are written whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fkp.files import PART, replace_text, replacing, temporary_name


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert part.suffix == ".csv"
        assert PART.fullmatch(part.name)
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_a_failure_all_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError), replacing(path):
        pass  # nothing was written


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    stray, own = temporary_name(dead.pid, 0, ".csv"), temporary_name(os.getpid(), 999, ".csv")
    elsewhere = ".0123abcd-1-0.part.csv"  # of another machine, which may be writing
    for name in (stray, own, elsewhere):
        (tmp_path / name).touch()
    replace_text(tmp_path / "a.csv", "new")
    assert {p.name for p in tmp_path.iterdir()} == {"a.csv", own, elsewhere}


def test_names_as_long_as_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".txt")
    replace_text(path, "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
