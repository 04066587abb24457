"""fkp as a library."""

import inspect
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import cv2
import numpy as np
import pandas as pd
import pytest

import fkp
from fkp.annotate.output.folder import TABLE_FORMATS
from fkp.annotate.output.schemas import SCHEMAS
from fkp.api import choices
from fkp.cli.main import cli
from fkp.errors import DataError, ImageError, ModelError, UsageError
from fkp.keypoints import IBUG68
from fkp.labels.formats.known import WRITERS
from fkp.labels.prepare import CROPS
from fkp.labels.table import SIDES, UNITS
from fkp.learn.evaluation.metrics import NORMS
from fkp.learn.networks.architectures import ARCHITECTURES
from fkp.learn.networks.export import EXPORT_FORMATS
from fkp.learn.training.augment import AUGMENTATIONS
from fkp.learn.training.config import OPTIMIZERS, PRECISIONS, SCHEDULES
from fkp.learn.training.losses import LOSSES
from fkp.vision.covering import METHODS, Method
from fkp.vision.detect import YuNetDetector
from tests.helpers import write_course


def test_a_picture_from_a_file_and_from_memory(samples: Path) -> None:
    network = fkp.load()
    assert network.scheme is IBUG68
    path = samples / "astronaut.jpg"
    of_file = network.annotate(path)
    image = cv2.imread(str(path))
    assert image is not None
    of_array = network.annotate(np.asarray(image, np.uint8))
    assert len(of_file) == len(of_array) == 1
    size = float(of_file.boxes[0, 2])
    assert np.abs(of_file.points - of_array.points).max() < 0.02 * size
    assert of_array.confidence.mean() > 0.5
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert len(network.annotate(np.asarray(gray, np.uint8))) == 1
    assert len(network.annotate(np.zeros((64, 64, 3), np.uint8))) == 0
    # Drawn into what they were found in, whichever it was.
    for faces in (of_file, of_array):
        assert np.abs(faces.draw().astype(int) - image).max(2)[60:170, 170:280].max() > 60
    with pytest.raises(ImageError, match="expected uint8"):
        network.annotate(np.zeros((64, 64, 4), np.uint8))
    with pytest.raises(ImageError, match=r"README\.md: "):
        network.annotate(samples / "README.md")


def test_crops_without_a_detector() -> None:
    network = fkp.load(detector=None)
    crop = np.load(Path(fkp.__file__).parent / "weights" / "crops.npy")[0]
    faces = network.annotate(crop)
    assert len(faces) == 1
    direct = network.model.predict(crop[None]).points[0]
    assert np.abs(faces.points[0] - direct).max() < 0.5
    with pytest.raises(UsageError, match="expected one of fkp, haar, none, got best"):
        fkp.load(detector="best")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no such file"):
        fkp.load("nothing.safetensors")
    with pytest.raises(UsageError, match="expected one of fkp4"):
        fkp.load(scheme="ten")
    with pytest.raises(DataError, match="has no point for w0"):
        fkp.load(scheme="wflw98")


class Half:
    """A detector of one's own: it looks at the left half of a picture."""

    name = "half"
    det_size = 640

    def __init__(self) -> None:
        self.inner = YuNetDetector()

    def detect(self, image: np.ndarray[Any, np.dtype[np.uint8]]) -> fkp.Detections:
        return self.inner.detect(np.ascontiguousarray(image[:, : image.shape[1] // 2]))


def test_a_detector_and_points_of_one_s_own(samples: Path) -> None:
    every, half = (
        fkp.load(scheme="kaggle15", detector=detector).annotate(samples / "group.jpg")
        for detector in ("fkp", Half())
    )
    assert len(every) == 3
    middle = 1662 / 2
    assert len(half) == int((every.boxes[:, 0] + every.boxes[:, 2] < middle).sum()) > 0
    assert half[0].point("nose_tip").shape == (2,)
    with pytest.raises(DataError, match="has no point chin; it has left_eye_center"):
        half[0].point("chin")


def test_photos_and_their_table_are_what_the_command_writes(tmp_path: Path, samples: Path) -> None:
    told: list[tuple[int, int]] = []
    given = [samples / "astronaut.jpg", samples / "coffee.jpg", samples / "README.md"]
    given.append(samples / "group.jpg")
    photos = list(fkp.load().photos(given, jobs=1, progress=lambda *now: told.append(now)))
    assert [photo.status for photo in photos] == ["ok", "no_face", "unreadable", "ok"]
    assert [len(photo.faces) for photo in photos] == [1, 0, 0, 3]
    assert photos[0].size == (512, 512)
    assert photos[2].size is None
    assert "not a picture" in photos[2].reason
    assert told[-1] == (4, 4)
    report = fkp.annotate(
        given, tmp_path / "out", jobs=1, overlays=False, confidence=True, measures=True
    )
    assert report.exit_code == 3
    assert report.summary.statuses == {"ok": 2, "no_face": 1, "unreadable": 1}
    written = pd.read_csv(tmp_path / "out" / "keypoints.csv")
    table = fkp.to_frame(photos, confidence=True, measures=True)
    assert list(table.columns) == list(written.columns)
    assert table["face"].dtype == "Int64"
    numbers = written.select_dtypes("number").columns
    ours = table[numbers].astype("float64")
    # As in the file but for its rounding; the confidence is not rounded to 0 either.
    np.testing.assert_allclose(ours, written[numbers], atol=6e-3)
    assert list(table["reason"].fillna("")) == list(written["reason"].fillna(""))
    assert fkp.to_frame([]).empty
    own = photos[3].faces.to_frame()
    assert list(own["face"]) == [0, 1, 2]
    assert list(own.columns[1:6]) == ["score", "box_x", "box_y", "box_w", "box_h"]
    np.testing.assert_array_equal(own["p30_x"], photos[3].faces.points[:, 30, 0])


def test_frames_of_a_clip_have_times_and_identities(tmp_path: Path, samples: Path) -> None:
    clip = samples / "clip.mp4"
    frames = list(fkp.load().video(clip, start=1.5, end=1.8))
    assert [frame.number for frame in frames] == list(range(38, 46))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(38, 46)])
    who = [face.number for frame in frames for face in frame.faces]
    assert who == [0, 0, 1, 1, 1, 1, 1, 1]  # a cut
    assert not any(frame.filled.any() for frame in frames)
    (report,) = fkp.video(clip, tmp_path / "out", start=1.5, end=1.8, overlays=False)
    assert (report.inputs, report.exit_code) == (8, 0)
    written = pd.read_csv(tmp_path / "out" / "keypoints.csv")
    table = fkp.to_frame(frames)
    assert list(table.columns) == list(written.columns)
    columns = ["frame", "timestamp", "face", *IBUG68.columns]
    np.testing.assert_allclose(table[columns].astype("float64"), written[columns], atol=6e-4)
    (tmp_path / "a.mp4").write_text("no clip")
    with pytest.raises(ImageError, match=r"a\.mp4: invalid data"):
        list(fkp.load().video(tmp_path / "a.mp4"))
    with pytest.raises(UsageError, match="the start, 2 s, is after the end, 1 s"):
        list(fkp.load().video(clip, start=2, end=1))


def test_a_whole_run_resumes_and_streams(tmp_path: Path, samples: Path) -> None:
    said: list[str] = []

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt) as stopped:
        fkp.annotate(samples, out, jobs=1, overlays=False, progress=stop)
    assert stopped.value.__notes__ == [f"partial results are in {out}; resume the run to continue"]
    with pytest.raises(fkp.FkpError, match="holds an unfinished run; resume or overwrite it"):
        fkp.annotate(samples, out, overlays=False)
    report = fkp.annotate(samples, out, jobs=1, overlays=False, resume=True, say=said.append)
    assert report.page == out / "keypoints.csv"
    again = fkp.annotate(samples, out, jobs=1, overlays=False, resume=True)
    assert again.finished_before
    assert (again.inputs, again.summary.faces) == (report.inputs, report.summary.faces)
    stream = io.BytesIO()
    fkp.annotate(samples, stream, jobs=1)
    assert stream.getvalue() == (out / "keypoints.csv").read_bytes()
    for wrong in ({"overwrite": True, "resume": True}, {"shard": (3, 2)}, {"backend": "dask"}):
        with pytest.raises(UsageError):
            fkp.annotate(samples, out, **wrong)
    with pytest.raises(UsageError, match="not a stream"):
        fkp.annotate(samples, io.BytesIO(), crops=True)


def test_a_network_from_training_is_one_from_loading(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FKP_CACHE", str(tmp_path / "cache"))
    write_course(tmp_path, 40, persons=20)
    data = tmp_path / "labels.csv"
    network = fkp.train(data, tmp_path / "run", arch="lecture", epochs=2, aug="light", lr="auto")
    assert network.path == tmp_path / "run" / "best.safetensors"
    assert network.model.training["augmentation"] is not None
    assert 1e-4 < float(str(network.model.training["lr"])) < 5
    result = network.evaluate(data, split="val")
    assert result.scores.rmse == pytest.approx(network.model.scores["val_rmse"], rel=1e-3)
    same = fkp.evaluate(network.path, data, split="val")
    assert same.scores.nme == result.scores.nme
    assert len(network.annotate(samples / "astronaut.jpg")) == 1
    predicted = network.predict(data, out=tmp_path / "predicted.csv")
    assert len(predicted) == 40
    assert list(pd.read_csv(tmp_path / "predicted.csv")) == list(predicted)
    done = network.export(tmp_path / "network.pt")
    assert done.difference < 0.05
    with pytest.raises(UsageError, match=r"ends in \.onnx"):
        network.export(tmp_path / "network.bin")
    with pytest.raises(UsageError, match="aug: expected one of"):
        fkp.train(data, tmp_path / "other", aug="much")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        fkp.train(data, tmp_path / "other", colour="red")  # type: ignore[call-arg]
    with pytest.raises(DataError, match="this run is already finished"):
        fkp.resume_training(tmp_path / "run")


def test_data_is_prepared_audited_and_converted(tmp_path: Path) -> None:
    write_course(tmp_path, 12, persons=6)
    report = fkp.prepare(
        [tmp_path / "labels.csv", tmp_path / "faces.npy"], tmp_path / "data.csv",
        val=0, test=0, preview=tmp_path / "sheet.png",
    )  # fmt: skip
    assert len(report.samples) == 12
    assert (tmp_path / "sheet.png").exists()
    converted = fkp.convert(tmp_path / "data.csv", "coco", tmp_path / "coco.json")
    assert (converted.faces, converted.rejected) == (12, ())
    said: list[str] = []
    found = fkp.audit(
        tmp_path / "data.csv", model="kfold", folds=2, epochs=1, report=tmp_path,
        clean=tmp_path / "clean.csv", say=said.append,
    )  # fmt: skip
    assert len(found.samples) == 12
    assert len(pd.read_csv(tmp_path / "audit.csv")) == 12
    assert (tmp_path / "clean.csv").exists()
    assert [line.split(":")[0] for line in said] == ["fold 1/2 epoch 1", "fold 2/2 epoch 1"]
    with pytest.raises(UsageError, match="another name"):
        fkp.audit(tmp_path / "data.csv", clean=tmp_path / "data.csv")


def test_importing_fkp_is_quick_and_lists_what_is_public() -> None:
    code = (
        "import sys, fkp; fkp.__version__, dir(fkp); "
        "sys.exit(bool({'torch', 'cv2', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {"Faces", "Scheme", "FkpError", "annotate", "load", "to_frame"} <= set(dir(fkp))
    assert dir(fkp) == sorted(fkp.__all__)
    for name in fkp.__all__:
        value = getattr(fkp, name)
        assert callable(value) or name in ("SCHEMES", "__version__")
        assert not callable(value) or inspect.getdoc(value), f"fkp.{name} has no docstring"
    with pytest.raises(AttributeError, match="no attribute nothing"):
        _ = fkp.nothing


def test_the_function_is_not_hidden_by_the_room_of_its_name() -> None:
    code = (
        "import fkp, fkp.annotate.inputs; from fkp.annotate import outcome; "
        "assert callable(fkp.annotate), fkp.annotate"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_choices_are_those_that_there_are() -> None:
    for kind, known in {
        choices.Also: SCHEMAS, choices.TableFormat: TABLE_FORMATS,
        choices.ExportFormat: EXPORT_FORMATS,
        choices.Architecture: ARCHITECTURES, choices.Optimizer: OPTIMIZERS,
        choices.Schedule: SCHEDULES, choices.Loss: LOSSES, choices.Augment: AUGMENTATIONS,
        choices.Precision: PRECISIONS, choices.Norm: NORMS, choices.LabelFormat: WRITERS,
        choices.Crop: CROPS,
        Method: METHODS, choices.Sides: SIDES, choices.Units: ("auto", *UNITS),
    }.items():  # fmt: skip
        assert set(get_args(kind)) == set(known)


OPTIONS: dict[str, tuple[Callable[..., Any], str, dict[str, str | None]]] = {
    "annotate": (fkp.annotate, "photos", {"null": None}),
    "video": (fkp.video, "clip.mp4", {}),
    "train": (fkp.train, "data.csv", {"name": "out", "root": None, "resumed": None}),
    "prepare": (fkp.prepare, "labels.csv -o data.csv", {}),
    "convert": (fkp.convert, "data.csv --to coco", {}),
    "audit": (fkp.audit, "data.csv", {"drop": None, "out": "clean"}),
    "evaluate": (
        fkp.Network.evaluate, "bundled data.csv",
        dict.fromkeys(("models", "by", "as_json", "out", "sheet", "worst", "device")),
    ),
    "hide": (fkp.hide, "photos", {}),
    "merge": (fkp.merge, "one -o two", {}),
    "symmetry": (fkp.symmetry, "results -o out", {}),
    "predict": (
        fkp.Network.predict, "bundled data.csv -o p.csv",
        {"model": None, "device": None, "kaggle": None},
    ),
    "export": (fkp.Network.export, "bundled", {"model": None}),
}  # fmt: skip
"""By command: its function, the least that it needs, and options of other names there, or none."""

OTHERWISE = {
    ("annotate", "out"), ("hide", "out"), ("predict", "out"), ("audit", "report"),
    ("export", "format"), ("prepare", "limits"),
}  # fmt: skip
"""Options whose default the command fills in or has in another form, or that it requires."""


@pytest.mark.parametrize("name", OPTIONS)
def test_arguments_are_the_options_with_the_same_defaults(name: str) -> None:
    function, words, names = OPTIONS[name]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    arguments = inspect.signature(function).parameters
    with command.make_context(name, words.split()) as context:
        for option, value in context.params.items():
            own = names.get(option, option)
            if own is None:
                continue
            assert own in arguments, f"fkp {name}: {option} is no argument of {function}"
            default = arguments[own].default
            if default is not inspect.Parameter.empty and (name, option) not in OTHERWISE:
                assert value == default, f"fkp {name}: {option} is {value}, not {default}"
