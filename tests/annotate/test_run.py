"""What a run leaves in its folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import fkp
from fkp.annotate import run
from fkp.annotate.output.folder import is_finished
from fkp.annotate.output.results import Output
from fkp.api.choices import Also
from fkp.api.runs import merge
from fkp.errors import FkpError
from fkp.keypoints import IBUG68
from tests.helpers import contents


def facts(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "run.json").read_text()))


def test_whole_paths_can_be_left_out(tmp_path: Path, samples: Path) -> None:
    """Of `run.json` and pages; the table has the names as they were given."""
    given, clip = [samples / "astronaut.jpg", samples / "coffee.jpg"], samples / "clip.mp4"
    for paths in (True, False):
        out = tmp_path / str(paths)
        fkp.annotate(given, out / "photos", jobs=1, paths=paths)
        fkp.video(clip, out / "clip", max_frames=2, paths=paths)
        for kind in ("photos", "clip"):
            text = (out / kind / "run.json").read_text() + (out / kind / "index.html").read_text()
            told = [str(samples) in text, os.getcwd() in text]
            assert told == [paths, paths], (kind, paths)
            assert ("astronaut.jpg" if kind == "photos" else "clip.mp4") in text
    for name in ("photos/keypoints.csv", "photos/overlays/astronaut.jpg", "clip/keypoints.csv"):
        one, other = ((tmp_path / str(paths) / name).read_bytes() for paths in (True, False))
        assert one == other


def test_shards_without_paths_join_without(tmp_path: Path, samples: Path) -> None:
    given = [samples / "astronaut.jpg", samples / "coffee.jpg"]
    fkp.annotate(given, tmp_path / "whole", jobs=1, paths=False, also="yolo")
    parts = [tmp_path / "1", tmp_path / "2"]
    for i, part in enumerate(parts, start=1):
        fkp.annotate(given, part, jobs=1, paths=False, also="yolo", shard=(i, 2))
    merged = merge(parts, tmp_path / "merged")
    assert (merged.inputs, merged.exit_code) == (2, 0)
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")
    assert str(tmp_path) not in (tmp_path / "merged" / "run.json").read_text()


def test_the_facts_have_neutral_names(tmp_path: Path, samples: Path) -> None:
    also: list[Also] = ["openface", "coco"]
    fkp.annotate(samples / "astronaut.jpg", tmp_path / "a", jobs=1, max_faces=1, also=also)
    fkp.video(samples / "clip.mp4", tmp_path / "b", max_frames=2, overlays=False)
    photos, clip = facts(tmp_path / "a"), facts(tmp_path / "b")
    assert photos["inputs"] == 1
    assert clip["frames"] == 2
    assert clip["clip"] == str(samples / "clip.mp4")
    assert photos["statuses"] == {"ok": 1}
    for told in (photos, clip):
        assert {"fkp", "python", "started", "folder", "faces", "notes", "seconds"} <= set(told)
        assert not [key for key in (*told, *told["identity"]) if "-" in key]
    assert photos["identity"]["max_faces"] == 1
    assert photos["identity"]["also"] == ["openface", "coco"]
    assert {"openface.csv", "coco.json"} <= {path.name for path in (tmp_path / "a").iterdir()}


def test_clearing_up_is_repeated_where_it_was_cut_short(tmp_path: Path, samples: Path) -> None:
    pytest.importorskip("pyarrow")
    options: dict[str, Any] = {"max_frames": 2, "overlays": False, "format": "parquet"}
    fkp.video(samples / "clip.mp4", tmp_path, **options)
    assert is_finished(tmp_path)
    (tmp_path / ".parts").mkdir()
    (tmp_path / ".parts" / "state-000000240.json").touch()
    (tmp_path / "keypoints.csv").touch()
    (report,) = fkp.video(samples / "clip.mp4", tmp_path, resume=True, **options)
    assert report.finished_before
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"keypoints.parquet", "index.html", "run.json", ".lock"}


def test_only_the_same_run_is_resumed(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    options: dict[str, Any] = {"jobs": 1, "overlays": False}
    with pytest.raises(KeyboardInterrupt):
        fkp.annotate(samples, tmp_path, progress=stop, **options)
    for other in ({"min_face": 40}, {"confidence": True}, {"detector": "none"}, {"crops": True}):
        (name,) = other
        with pytest.raises(FkpError, match=rf"it differs in .*{name}: .* then, .* now"):
            fkp.annotate(samples, tmp_path, resume=True, **{**options, **other})
    with pytest.raises(FkpError, match=r"differs in inputs: '7 files .* then, '1 files"):
        fkp.annotate(samples / "coffee.jpg", tmp_path, resume=True, **options)
    with monkeypatch.context() as patch:
        patch.setattr(run, "__version__", "0.0.9")
        with pytest.raises(FkpError, match="differs in fkp: "):
            fkp.annotate(samples, tmp_path, resume=True, **options)
    # Numbers are the same however they are written.
    options |= {"min_face": 0.0, "min_score": 0.50}
    assert fkp.annotate(samples, tmp_path, resume=True, **options).exit_code == 0


def test_a_damaged_run_is_told(tmp_path: Path, samples: Path) -> None:
    fkp.annotate(samples / "coffee.jpg", tmp_path, jobs=1, overlays=False)
    for text in ("[]", "{", '{"statuses": 3}', '{"statuses": {"ok": "x"}, "faces": 1}'):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(FkpError, match=r"run\.json: damaged"):
            fkp.annotate(samples / "coffee.jpg", tmp_path, jobs=1, overlays=False, resume=True)


def test_what_cannot_be_written_is_told_before_any_work() -> None:
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"format": "xlsx"}, "expected one of csv, jsonl, parquet, got xlsx"),
        ({"also": ("excel",)}, "excel: expected one of openface"),
    )
    for wrong, said in cases:
        with pytest.raises(fkp.UsageError, match=said):
            Output(IBUG68, **wrong)
