"""Files of every form that fkp reads, broken in every way: only `FkpError` may come of it."""

import json
import shutil
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fkp.annotate.output.journal import Journal
from fkp.annotate.output.text import TABLES
from fkp.annotate.photo.cutting import FaceCutter
from fkp.annotate.pipeline import Past
from fkp.annotate.video.state import State
from fkp.annotate.video.steady import Steady
from fkp.errors import FkpError
from fkp.keypoints import FKP4, IBUG68
from fkp.labels.convert import convert
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import read_samples
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.crop import UPRIGHT_LAYOUT
from fkp.vision.detect import YuNetDetector
from fkp.vision.headers import look
from fkp.vision.tracking import Track
from fkp.vision.video import look_through
from tests.helpers import SAMPLES, write_course, write_kaggle, write_pictures

PATIENCE = 10.0
"""Seconds that a small broken file may take."""

ROWS = 8


@dataclass(frozen=True)
class Target:
    """A form. make: writes sound files into a folder, and returns the one that is to be broken;
    read: reads that one.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], object]


def _prepare(path: Path) -> object:
    sources: tuple[Path, ...] = (path,)
    if (path.parent / "faces.npy").exists():
        sources = (path.parent / "labels.csv", path.parent / "faces.npy")
    folder = path if path.is_dir() else path.parent
    if (path.parent / "one.pts").exists():
        sources = (folder,)
    config = PrepareConfig(sources, path.parent / "out.csv", val=0, test=0)
    return prepare(config, lambda done, total: None)


def _kaggle(folder: Path) -> Path:
    write_kaggle(folder / "training.csv", ROWS, size=24)
    return folder / "training.csv"


def _course(folder: Path) -> Path:
    write_course(folder, ROWS)
    return folder / "labels.csv"


def _array(folder: Path) -> Path:
    write_course(folder, ROWS)
    return folder / "faces.npy"


def _paths(folder: Path) -> Path:
    write_pictures(folder, ROWS)
    return folder / "labels.csv"


def _mtfl(folder: Path) -> Path:
    points = write_pictures(folder, ROWS)
    lines = []
    for i, p in enumerate(points):
        five = np.concatenate([p, p[:1] + 3])
        numbers = [*five[:, 0], *five[:, 1]]
        name = f"pictures/Ann_{chr(97 + i // 2)}_{i % 2:04d}.png"
        lines.append(" ".join([name, *(f"{v:.2f}" for v in numbers)]))
    (folder / "training.txt").write_text("\n".join(lines) + "\n")
    return folder / "training.txt"


def _wflw(folder: Path) -> Path:
    write_pictures(folder, 2)
    rng = np.random.default_rng(0)
    lines = []
    for i in range(2):
        points = " ".join(f"{v:.3f}" for v in rng.uniform(20, 100, 196))
        lines.append(f"{points} 10 10 110 110 0 0 0 0 0 0 pictures/Ann_a_000{i}.png")
    (folder / "list_98pt_rect_attr_train.txt").write_text("\n".join(lines) + "\n")
    return folder / "list_98pt_rect_attr_train.txt"


def _pts(folder: Path) -> Path:
    cv2.imwrite(str(folder / "one.png"), np.zeros((64, 64, 3), np.uint8))
    rng = np.random.default_rng(0)
    body = "\n".join(f"{x:.3f} {y:.3f}" for x, y in rng.uniform(5, 60, (68, 2)))
    (folder / "one.pts").write_text(f"version: 1\nn_points: 68\n{{\n{body}\n}}\n")
    return folder / "one.pts"


def _labelme(folder: Path) -> Path:
    write_pictures(folder, 2)
    shapes = [
        {"label": name, "points": [[20.0 + 9 * i, 30.0]], "group_id": None, "shape_type": "point"}
        for i, name in enumerate(FKP4.names)
    ]
    about = {"version": "5", "shapes": shapes, "imagePath": "Ann_a_0000.png", "imageData": None}
    (folder / "pictures" / "a.json").write_text(json.dumps(about))
    return folder / "pictures" / "a.json"


def _converted(form: str, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_pictures(folder, ROWS)
        prepare(
            PrepareConfig((folder / "labels.csv",), folder / "data.csv"), lambda done, total: None
        )
        convert(read_samples(folder / "data.csv"), form, folder / name)
        return folder / name

    return make


def _store(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_course(folder, ROWS, persons=4)
        sources = (folder / "labels.csv", folder / "faces.npy")
        prepare(PrepareConfig(sources, folder / "data.csv"), lambda done, total: None)
        return folder / name

    return make


def _sample(name: str, side: int = 0) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        if not side:
            shutil.copy(SAMPLES / name, folder)
            return folder / name
        picture = cv2.imread(str(SAMPLES / "astronaut.jpg"))
        assert picture is not None
        cv2.imwrite(str(folder / name), cv2.resize(picture, (side, side)))
        return folder / name

    return make


def _model(folder: Path) -> Path:
    shutil.copy(find_model("bundled"), folder / "model.safetensors")
    return folder / "model.safetensors"


def _journal(folder: Path) -> Path:
    journal = Journal(folder, {"fkp": "0"}, Past())
    for _ in range(3):
        journal.commit(Past(3, 100, 0, 2, {"ok": 3}, [("a", "b")], {"note": 1}), 100)
    return folder / "journal.jsonl"


def _state(folder: Path) -> Path:
    track = Track(np.zeros(4), 0.5, np.zeros(256, np.float32))
    State(252, [track], 1, Steady(0.5, 2)).save(folder, 240)
    return folder / "state-000000240.json"


def _table(form: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        lines = (SAMPLES / "README.md").read_text().splitlines()
        rows = TABLES[form](IBUG68, True, False)
        (folder / f"keypoints.{form}").write_text(rows.header() + "\n".join(lines[:1]))
        return folder / f"keypoints.{form}"

    return make


def _clip(folder: Path) -> Path:
    with av.open(str(folder / "clip.mkv"), "w") as out:
        stream = out.add_stream("mjpeg", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i in range(6):
            image = np.full((48, 64, 3), 30 * i, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return folder / "clip.mkv"


_CUTTER = FaceCutter(YuNetDetector(), UPRIGHT_LAYOUT, 48, max_pixels=4_000_000)

TARGETS: dict[str, Target] = {
    "kaggle csv": Target(_kaggle, _prepare),
    "course csv": Target(_course, _prepare),
    "npy": Target(_array, _prepare),
    "csv of paths": Target(_paths, _prepare),
    "mtfl txt": Target(_mtfl, _prepare),
    "wflw txt": Target(_wflw, _prepare),
    "pts": Target(_pts, _prepare),
    "labelme json": Target(_labelme, lambda path: _prepare(path.parent)),
    "coco json": Target(_converted("coco", "labels.json"), _prepare),
    "deeplabcut csv": Target(_converted("dlc", "CollectedData_a.csv"), _prepare),
    "data.csv": Target(_store("data.csv"), read_samples),
    "data.json": Target(_store("data.json"), lambda path: read_samples(path.with_suffix(".csv"))),
    "data.npy": Target(_store("data.npy"), lambda path: read_samples(path.with_suffix(".csv"))),
    "jpeg": Target(_sample("a.jpg", 96), lambda path: _CUTTER(str(path))),
    "png": Target(_sample("a.png", 64), lambda path: _CUTTER(str(path))),
    "webp": Target(_sample("a.webp", 96), lambda path: _CUTTER(str(path))),
    "tiff": Target(_sample("a.tiff", 32), lambda path: _CUTTER(str(path))),
    "picture header": Target(_sample("a.png", 32), lambda path: look(path.read_bytes())),
    "model": Target(_model, load_model),
    "journal": Target(_journal, lambda path: Journal.resume(path.parent, {"fkp": "0"})),
    "state of a clip": Target(_state, lambda path: State.load(path.parent, 240, FKP4)),
    "clip": Target(_clip, look_through),
}  # fmt: skip

NASTY = [
    b"", b"\0", b"\xff\xfe", b"nan", b"inf", b"-1", b"1e999", b"9" * 40, b'"', b"'", b",", b";",
    b"\n", b"\r", b"\t", b"{", b"}", b"[" * 2000, b"null", b"\xc3\x28", b"../../etc/passwd",
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\xff\xff\xff\xff", struct.pack("<q", 2**62),
]  # fmt: skip

Change = tuple[str, float, float, int]

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "insert", "replace", "repeat", "flip", "swap"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=6,
)


def changed(data: bytes, changes: list[Change]) -> bytes:
    """Broken data."""
    for how, place, length, value in changes:
        at = int(place * len(data))
        # Most changes are small, some are not.
        end = min(len(data), at + 1 + int(length**4 * len(data)))
        piece, nasty = data[at:end], NASTY[value % len(NASTY)]
        if how == "cut":
            data = data[:at]
        elif how == "drop":
            data = data[:at] + data[end:]
        elif how == "insert":
            data = data[:at] + nasty + data[at:]
        elif how == "replace":
            data = data[:at] + nasty + data[at + len(nasty) :]
        elif how == "repeat":
            data = data[:end] + piece * (1 + value % 4) + data[end:]
        elif how == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (value or 1)]) + data[at + 1 :]
        elif how == "swap":
            data = data[:at] + data[end:] + piece
    return data[: 1 << 23]


def fuzz(target: Target, examples: int, derandomize: bool) -> None:
    """Read so many broken files; raises what is no `FkpError`, or what takes too long."""
    with tempfile.TemporaryDirectory() as temporary:
        sound = Path(temporary) / "sound"
        sound.mkdir()
        broken = target.make(sound).relative_to(sound)
        data = (sound / broken).read_bytes()
        target.read(_copy(sound, Path(temporary) / "as it is") / broken)

        @settings(
            max_examples=examples, deadline=None, derandomize=derandomize, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(CHANGES)
        def try_one(changes: list[Change]) -> None:
            with tempfile.TemporaryDirectory(dir=temporary) as folder:
                place = _copy(sound, Path(folder) / "a")
                (place / broken).write_bytes(changed(data, changes))
                started = time.perf_counter()
                with suppress(FkpError):
                    target.read(place / broken)
                assert time.perf_counter() - started < PATIENCE

        try_one()


def _copy(sound: Path, folder: Path) -> Path:
    shutil.copytree(sound, folder)
    return folder
