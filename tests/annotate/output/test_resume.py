"""A run that is killed goes on to the same bytes as one that is not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp.annotate.names import JOURNAL
from fkp.annotate.output.journal import Journal, fingerprint
from fkp.annotate.output.merge import merge
from fkp.errors import FkpError
from tests.helpers import SAMPLES, contents

COUNT = 330


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small views of two sample pictures, some of them broken."""
    folder = tmp_path_factory.mktemp("photos")
    views = []
    for name in ("astronaut.jpg", "coffee.jpg"):
        image = cv2.imread(str(SAMPLES / name))
        assert image is not None
        views.append(cv2.resize(image, (160, 120)))
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        noise = rng.integers(0, 8, views[0].shape)
        picture = np.clip(views[i % 2] + noise, 0, 255).astype(np.uint8)
        assert cv2.imwrite(str(folder / f"{i:04d}.jpg"), picture)
    (folder / "0007.jpg").write_bytes(b"")
    (folder / "0200.jpg").write_text("no picture")
    return folder


def start(photos: Path, out: Path, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "fkp", "annotate", str(photos), "-o", str(out), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--jobs", "2", "--det-size", "160"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path, photos: Path) -> None:
    whole = start(photos, tmp_path / "whole")
    begun = time.monotonic()
    output, _ = whole.communicate()
    duration = time.monotonic() - begun
    assert whole.returncode == 3, output
    expected = contents(tmp_path / "whole")
    assert expected["keypoints.csv"].count(b"\n") == COUNT + 1
    moments, kills, out = random.Random(0), 0, tmp_path / "killed"
    for _ in range(3):
        run = start(photos, out, "--resume")
        time.sleep(moments.uniform(0.3, 0.95) * duration)
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            kills += 1
        run.communicate()
    assert kills
    last = start(photos, out, "--resume")
    output, _ = last.communicate()
    assert last.returncode == 3, output
    assert contents(out) == expected
    assert json.loads((out / "run.json").read_text())["statuses"]["unreadable"] == 2


@pytest.mark.slow
def test_a_finished_run_is_left_alone(tmp_path: Path, photos: Path) -> None:
    few, out = tmp_path / "few", tmp_path / "out"
    few.mkdir()
    for i in range(5):
        shutil.copy(photos / f"{i:04d}.jpg", few)
    for options, code, said in (
        ((), 0, b"5 pictures"),
        (("--resume",), 0, b"already finished"),
        ((), 1, b"holds results"),
        (("--resume", "--overwrite"), 2, b"cannot be combined"),
    ):
        run = start(few, out, "--no-overlays", *options)
        output, _ = run.communicate()
        assert run.returncode == code, output
        assert said in output
        if code == 0 and not options:
            facts = (out / "run.json").read_text()
    assert (out / "run.json").read_text() == facts


@pytest.mark.slow
def test_shards_join_to_the_whole(tmp_path: Path, photos: Path) -> None:
    few = tmp_path / "few"
    (few / "sub").mkdir(parents=True)
    for i in range(5):
        shutil.copy(photos / f"{i:04d}.jpg", few / ("sub" if i > 2 else ""))
    shutil.copy(photos / "0007.jpg", few)  # an empty file
    runs = [start(few, tmp_path / "whole")]
    runs += [start(few, tmp_path / f"part{i}", "--shard", f"{i}/3") for i in (1, 2, 3)]
    runs.append(start(few, tmp_path / "other", "--shard", "2/3", "--max-faces", "1"))
    for run in runs:
        output, _ = run.communicate()
        assert run.returncode in (0, 3), output
    parts = [tmp_path / f"part{i}" for i in (3, 1, 2)]
    merged = merge(parts, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")
    assert merged.inputs == 6
    assert merged.statuses["unreadable"] == 1
    before = contents(tmp_path / "merged")
    for wrong, message in (
        ([parts[0], parts[1]], r"shards 1 to 3 once, got 1, 3"),
        ([*parts, parts[0]], r"got 1, 2, 3, 3"),
        ([parts[0], parts[1], tmp_path / "other"], "part of another run: max_faces: 1"),
        ([parts[0], tmp_path / "few"], "no finished run"),
    ):
        with pytest.raises(FkpError, match=message):
            merge(wrong, tmp_path / "merged", overwrite=True)
    # What was there is gone only once the parts are known to fit.
    assert contents(tmp_path / "merged") == before
    with pytest.raises(FkpError, match="holds results"):
        merge(parts, tmp_path / "merged")


def test_links_in_a_shard_are_not_followed(tmp_path: Path, photos: Path) -> None:
    few, part = tmp_path / "few", tmp_path / "part"
    few.mkdir()
    shutil.copy(photos / "0000.jpg", few)
    run = start(few, part)
    run.communicate()
    (tmp_path / "secret").write_text("secret")
    (part / "overlays" / "link.jpg").symlink_to(tmp_path / "secret")
    (part / "overlays" / "up").symlink_to(tmp_path)
    merge([part], tmp_path / "merged")
    assert [p.name for p in (tmp_path / "merged" / "overlays").iterdir()] == ["0000.jpg"]


def test_a_journal_tells_how_far_a_run_came(tmp_path: Path) -> None:
    class Counts:
        faces = 3
        statuses = {"ok": 2, "unreadable": 1}  # noqa: RUF012
        failures = [("a\udcff.jpg", "empty")]  # noqa: RUF012
        notes = {"animated": 1}  # noqa: RUF012

    identity = {"inputs": "5 files", "scheme": None}
    journal = Journal.resume(tmp_path, identity)
    assert journal.past.done == 0
    journal.commit(Counts(), 700, 60)
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"done": 5, "byt')  # a line that was not finished
    again = Journal.resume(tmp_path, identity)
    past = again.past
    assert (past.done, past.bytes, past.raw, past.faces) == (3, 700, 60, 3)
    assert again.past.failures == [("a\udcff.jpg", "empty")]
    again.commit(Counts(), 900)
    assert Journal.resume(tmp_path, identity).past.bytes == 900
    with pytest.raises(FkpError, match="differs in inputs: '5 files' then, '6 files' now"):
        Journal.resume(tmp_path, {**identity, "inputs": "6 files"})
    (tmp_path / JOURNAL).write_text("what?\n")
    with pytest.raises(FkpError, match="damaged"):
        Journal.resume(tmp_path, identity)


def test_fingerprints_keep_parts_apart() -> None:
    assert fingerprint(b"ab", b"c") != fingerprint(b"a", b"bc")
    assert fingerprint(b"ab") == fingerprint(b"ab")
