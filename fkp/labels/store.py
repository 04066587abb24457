"""The prepared data set: `data.csv` (a row a face), `data.npy` (the crops), `data.json`."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, FkpError
from fkp.keypoints import Scheme
from fkp.labels.arrays import load_array
from fkp.labels.table import PointColumns, ReadOptions, find_points

META_COLUMNS = (
    "image", "source", "source_row", "group", "split", "flags",
    "crop_a", "crop_b", "crop_tx", "crop_ty",
)  # fmt: skip
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N face crops with their labels.

    images: (N, S, S) uint8 gray, memory-mapped when read from a file.
    points: (N, K, 2) float32 crop pixels, NaN = not labelled.
    crops: (N, 4) float64: a, b, tx, ty of the similarity from picture to crop pixels.
    framing: how the crops were cut: `face`, or `none` for whole pictures.
    """

    scheme: Scheme
    images: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    group: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    image: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    source_row: npt.NDArray[np.int64]
    flags: npt.NDArray[np.str_]
    crops: npt.NDArray[np.float64]
    framing: str

    def __post_init__(self) -> None:
        n, size = len(self.points), self.size
        if self.images.shape != (n, size, size) or self.images.dtype != np.uint8:
            raise DataError(
                f"crops: expected uint8 ({n}, S, S), "
                f"got {self.images.dtype} {self.images.shape}; prepare the data again"
            )
        if self.points.shape != (n, len(self.scheme), 2):
            raise DataError(f"points: expected {(n, len(self.scheme), 2)}, got {self.points.shape}")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def size(self) -> int:
        """Side of the square crops in pixels."""
        return int(self.images.shape[-1])

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Samples":
        """These rows, in this order."""
        columns = {
            name: getattr(self, name)[rows]
            for name in self.__slots__
            if name not in ("scheme", "framing")
        }
        return Samples(scheme=self.scheme, framing=self.framing, **columns)

    def labelled(self) -> "Samples":
        """The rows with at least one labelled point."""
        return self.take(np.asarray(np.isfinite(self.points).any((1, 2))))

    def part(self, split: str) -> "Samples":
        """The rows of one split, or `all` of them."""
        return self if split == "all" else self.take(self.split == split)


def is_prepared(path: Path) -> bool:
    """Whether a file is a `data.csv` that `prepare` wrote."""
    try:
        with path.open("rb") as file:
            head = file.readline().decode("utf-8", "replace")
    except OSError:
        return False
    return head.startswith(",".join(META_COLUMNS) + ",")


def write_samples(path: Path, samples: Samples, report: dict[str, object]) -> None:
    """Write `path` (.csv), and beside it the crops (.npy) and how they were made (.json)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text: dict[str, Sequence[object] | npt.NDArray[np.generic]] = {
        name: getattr(samples, name) for name in META_COLUMNS[:6]
    }
    for i, name in enumerate(META_COLUMNS[6:]):
        text[name] = samples.crops[:, i]
    flat = samples.points.reshape(len(samples), -1)
    points = {name: flat[:, i] for i, name in enumerate(samples.scheme.columns)}
    frame = pd.DataFrame({**text, **points})
    flip = samples.scheme.flip_order
    meta = {"framing": samples.framing, "size": samples.size, "flip_order": flip, **report}
    temporary = [path.with_suffix(f"{suffix}.part") for suffix in (".npy", ".json", ".csv")]
    try:
        with temporary[0].open("wb") as file:
            np.save(file, samples.images)
        temporary[1].write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        frame.to_csv(temporary[2], index=False)
        for part in temporary:
            os.replace(part, part.with_suffix(""))
    finally:
        for part in temporary:
            part.unlink(missing_ok=True)


def read_samples(path: Path) -> Samples:
    """Read a prepared data set; the crops stay on the disk until they are used."""
    if not is_prepared(path):
        raise DataError(f"{path}: not a data set of fkp prepare")
    frame = pd.read_csv(
        path,
        dtype={name: str for name in META_COLUMNS if name in ("image", "source", "group", "flags")},
        keep_default_na=False,
        na_values={c: [""] for c in _columns(path) if c not in META_COLUMNS[:6]},
    )
    meta = _read_meta(path.with_suffix(".json"))
    array_path = path.with_suffix(".npy")
    images = load_array(array_path)
    if images.dtype != np.uint8:
        raise DataError(f"{array_path}: expected uint8 crops, got {images.dtype}")
    if len(images) != len(frame):
        raise DataError(
            f"{path} has {len(frame)} rows, but {array_path} has {len(images)} crops; "
            "prepare the data again"
        )
    scheme = _scheme(path, meta)
    try:
        points = frame[scheme.columns].to_numpy(np.float32).reshape(len(frame), -1, 2)
        crops = frame[list(META_COLUMNS[6:])].to_numpy(np.float64)
    except ValueError as error:
        raise DataError(f"{path}: expected numbers in the point columns: {error}") from error
    return Samples(
        scheme=scheme, images=images.view(np.uint8), points=points, crops=crops,
        framing=str(meta.get("framing", "face")),
        source_row=frame["source_row"].to_numpy(np.int64),
        **{n: frame[n].to_numpy(str) for n in ("group", "split", "image", "source", "flags")},
    )  # fmt: skip


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return file.readline().rstrip("\r\n").split(",")


def _scheme(path: Path, meta: dict[str, object]) -> Scheme:
    found: PointColumns | None = find_points(_columns(path)[len(META_COLUMNS) :])
    if found is None:
        raise DataError(f"{path}: expected point columns <name>_x, <name>_y")
    scheme, _ = found.scheme(ReadOptions())
    flip = meta.get("flip_order")
    if isinstance(flip, list) and scheme.name == "custom":
        return Scheme(
            scheme.name, scheme.names, tuple(flip), scheme.edges, scheme.anchors, scheme.outer_eyes
        )
    return scheme


def _read_meta(path: Path) -> dict[str, object]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FkpError(f"{path}: cannot be read: {error}; prepare the data again") from error
    if not isinstance(meta, dict):
        raise DataError(f"{path}: expected a JSON object; prepare the data again")
    return meta
