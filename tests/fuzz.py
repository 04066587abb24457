"""Files of every form that fkp reads, broken in every way: only `FkpError` may come of it."""

import shutil
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import h5py
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 - Pillow writes the format once this is imported
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fkp.annotate.output.journal import Journal
from fkp.annotate.output.text import TABLES
from fkp.annotate.photo.cutting import FaceCutter
from fkp.annotate.pipeline import Past
from fkp.annotate.video.state import State
from fkp.annotate.video.steady import Steady
from fkp.errors import FkpError
from fkp.keypoints import FKP4, IBUG68
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import read_samples
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.crop import UPRIGHT_LAYOUT
from fkp.vision.detect import YuNetDetector
from fkp.vision.headers import look
from fkp.vision.tracking import Track
from fkp.vision.video import look_through
from tests.helpers import SAMPLES, write_course, write_pictures
from tests.labels.examples import EXAMPLES, picture_names
from tests.labels.hdf5 import write_fixed, write_project

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
    config = PrepareConfig((path,), path.parent / "out.csv", val=0, test=0)
    return prepare(config, lambda done, total: None)


def _labels(name: str, broken: str = "") -> Target:
    """A label format; broken: which file of a source of several is to be broken."""

    def make(folder: Path) -> Path:
        made = EXAMPLES[name](folder).path
        return next(made.rglob(broken)) if broken else made

    def read(path: Path) -> object:
        root = next((p for p in path.parents if p.name in ("pictures", "project", "yolo")), path)
        return _prepare(root if broken else path)

    return Target(make, read)


def _array(folder: Path) -> Path:
    write_course(folder, ROWS)
    return folder / "faces.npy"


def _hdf5(folder: Path) -> Path:
    write_pictures(folder, 2)
    with h5py.File(folder / "CollectedData_me.h5", "w") as file:
        index = [("pictures", f"Ann_a_000{i}.png") for i in range(2)]
        write_fixed(file, [("me", name, axis) for name in FKP4.names for axis in "xy"], index)
    return folder / "CollectedData_me.h5"


def _sleap(folder: Path) -> Path:
    points = write_pictures(folder, 4)
    video = {"backend": {"filenames": picture_names()}}
    write_project(folder / "a.slp", points, [video], 1.4)
    return folder / "a.slp"


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


def _pillow(name: str, **options: Any) -> Callable[[Path], Path]:
    """A picture in a container that OpenCV does not write."""

    def make(folder: Path) -> Path:
        pillow_heif.register_heif_opener()
        format = {"heic": "HEIF", "avif": "AVIF", "jxl": "JXL", "jp2": "JPEG2000", "mpo": "MPO"}
        with Image.open(SAMPLES / "astronaut.jpg") as picture:
            small = picture.resize((64, 48))
            small.save(folder / name, format[name.split(".")[1]], **options)
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
    State(252, [track], 1, 10.0, Steady(0.5, 2)).save(folder, 240)
    return folder / "state-000000240.json"


def _table(format: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        lines = (SAMPLES / "README.md").read_text().splitlines()
        rows = TABLES[format](IBUG68, True, None)
        (folder / f"keypoints.{format}").write_text(rows.header() + "\n".join(lines[:1]))
        return folder / f"keypoints.{format}"

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

SEVERAL = {"pts": "*.pts", "labelme": "*.json", "supervisely": "*.png.json", "yolo": "*.yaml"}
"""Formats of several files, and which of these are to be broken."""

TARGETS: dict[str, Target] = {
    **{f"labels {name}": _labels(name) for name in EXAMPLES if name not in SEVERAL},
    **{f"labels {name}": _labels(name, broken) for name, broken in SEVERAL.items()},
    "labels dlc hdf5": Target(_hdf5, _prepare),
    "labels sleap": Target(_sleap, _prepare),
    "npy": Target(_array, lambda path: _prepare(path.with_name("labels.csv"))),
    "data.csv": Target(_store("data.csv"), read_samples),
    "data.json": Target(_store("data.json"), lambda path: read_samples(path.with_suffix(".csv"))),
    "data.npy": Target(_store("data.npy"), lambda path: read_samples(path.with_suffix(".csv"))),
    "jpeg": Target(_sample("a.jpg", 96), lambda path: _CUTTER(str(path))),
    "png": Target(_sample("a.png", 64), lambda path: _CUTTER(str(path))),
    "webp": Target(_sample("a.webp", 96), lambda path: _CUTTER(str(path))),
    "tiff": Target(_sample("a.tiff", 32), lambda path: _CUTTER(str(path))),
    "heif": Target(_pillow("a.heic"), lambda path: _CUTTER(str(path))),
    "avif": Target(_pillow("a.avif"), lambda path: _CUTTER(str(path))),
    "jpeg xl": Target(_pillow("a.jxl"), lambda path: _CUTTER(str(path))),
    "jpeg 2000": Target(_pillow("a.jp2"), lambda path: _CUTTER(str(path))),
    "mpo": Target(_pillow("a.mpo", save_all=True), lambda path: _CUTTER(str(path))),
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
