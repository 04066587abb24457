"""The prepared data set: `data.csv` (one row per face), `data.npy` (the crops), `data.json`."""

import csv
import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, FkpError, parse_json
from fkp.files import is_special, replacing
from fkp.keypoints import Scheme
from fkp.labels.arrays import load_array
from fkp.labels.columns import PointColumns, find_points
from fkp.labels.schemes import covering, joined
from fkp.labels.table import ReadOptions
from fkp.vision.crop import CropTransform

META_COLUMNS = (
    "image", "source", "source_row", "person", "split", "flags",
    "crop_a", "crop_b", "crop_tx", "crop_ty",
)  # fmt: skip
SPLITS = ("train", "val", "test")
NAMES: Final = "surrogateescape"
"""How text is encoded and decoded, since file names may be any bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N face crops with their labels.

    schemes: the schemes of the sources.
    crops: (N, S, S) uint8 gray, memory-mapped when read from a file.
    points: (N, K, 2) float32 crop pixels of the points in `scheme`, NaN = not labelled.
    transforms: (N, 4) float64: a, b, tx, ty of the similarity from picture to crop pixels.
    crop_mode: how the crops were cut: `face`, or `none` for whole pictures.
    folders: the folder where the picture paths of each source start, if it has picture files.
    other: further columns of the sources, (N,) each, "" for sources without them.
    """

    schemes: tuple[Scheme, ...]
    crops: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    person: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    image: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    source_row: npt.NDArray[np.int64]
    flags: npt.NDArray[np.str_]
    transforms: npt.NDArray[np.float64]
    crop_mode: str
    folders: dict[str, str] = field(default_factory=dict)
    other: dict[str, npt.NDArray[np.str_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, size = len(self.points), self.size
        if self.crops.shape != (n, size, size) or self.crops.dtype != np.uint8:
            raise DataError(
                f"crops: expected uint8 ({n}, S, S), "
                f"got {self.crops.dtype} {self.crops.shape}; prepare the data again"
            )
        if self.points.shape != (n, len(self.scheme), 2):
            raise DataError(f"points: expected {(n, len(self.scheme), 2)}, got {self.points.shape}")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def scheme(self) -> Scheme:
        """The union of the sources' schemes."""
        return joined(self.schemes)

    @property
    def target(self) -> Scheme:
        """The points for a network to predict, from which all labelled ones can be computed."""
        return covering(self.schemes)

    def anchor_points(self) -> npt.NDArray[np.float64]:
        """(N, 5, 2) the five anchor points of each crop, NaN = unknown."""
        scheme = self.scheme
        anchors = np.full((len(self), 5, 2), np.nan)
        for own in self.schemes:
            known = own.anchor_points(scheme.convert(self.points, own))
            anchors = np.where(np.isnan(anchors), known, anchors)
        return anchors

    @property
    def size(self) -> int:
        """Side of the square crops in pixels."""
        return int(self.crops.shape[-1])

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Samples":
        """These rows, in this order."""
        arrays = (n for n in self.__slots__ if isinstance(getattr(self, n), np.ndarray))
        other = {name: column[rows] for name, column in self.other.items()}
        return replace(self, **{n: getattr(self, n)[rows] for n in arrays}, other=other)

    def transform(self, row: int) -> CropTransform:
        """The transform from a row's picture to its crop."""
        a, b, tx, ty = (float(v) for v in self.transforms[row])
        return CropTransform(a, b, tx, ty, self.size)

    def paths(self) -> list[str]:
        """The picture file of each row; DataError if a source has none, or they are missing."""
        paths = []
        for source, image in zip(self.source.tolist(), self.image.tolist(), strict=True):
            if source not in self.folders:
                raise DataError(f"{source} has no picture files: its pictures are in the table")
            paths.append(str(Path(self.folders[source]) / image))
        for path in paths[:1]:
            if not os.path.isfile(path):
                raise DataError(f"{path}: file not found; prepare the data again")
        return paths

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Indices of the rows of a split (or `all`) with at least one labelled point."""
        known = np.isfinite(self.points).any((1, 2))
        return np.flatnonzero(known if split == "all" else known & (self.split == split))

    def labelled(self, split: str = "all") -> "Samples":
        """The rows of a split (or `all`) with at least one labelled point."""
        return self.take(self.rows(split))

    def part(self, split: str) -> "Samples":
        """The rows of a split, or `all`."""
        return self if split == "all" else self.take(self.split == split)


def is_prepared(path: Path) -> bool:
    """Whether a file is a `data.csv` written by `prepare`."""
    if is_special(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.readline().decode("utf-8", "replace")
    except OSError:
        return False
    return head.startswith(",".join(META_COLUMNS) + ",")


def write_samples(path: Path, samples: Samples, report: dict[str, object]) -> None:
    """Write `path` (.csv), the crops (.npy), and a description (.json)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, npt.NDArray[Any]] = {"source_row": samples.source_row}
    numbers |= {name: samples.transforms[:, i] for i, name in enumerate(META_COLUMNS[6:])}
    text = {name: getattr(samples, name) for name in META_COLUMNS if name not in numbers}
    # As objects, since the text type of pandas cannot hold names that are not UTF-8.
    objects = {n: pd.Series(t, dtype=object) for n, t in {**text, **samples.other}.items()}
    flat = samples.points.reshape(len(samples), -1)
    points = {name: flat[:, i] for i, name in enumerate(samples.scheme.columns)}
    columns = (*META_COLUMNS, *points, *samples.other)
    found = {**numbers, **objects, **points}
    frame = pd.DataFrame({name: found[name] for name in columns})
    schemes = [{"names": s.names, "flip_order": s.flip_order} for s in samples.schemes]
    meta = {
        "crop": samples.crop_mode,
        "size": samples.size,
        "schemes": schemes,
        "folders": samples.folders,
        **report,
    }
    with ExitStack() as parts:
        csv_part, json_part, array_part = (
            parts.enter_context(replacing(path.with_suffix(suffix)))
            for suffix in (path.suffix, ".json", ".npy")  # replaced in reverse order
        )
        with array_part.open("wb") as file:
            # NumPy writes into a real file by itself, and does not say why that failed.
            np.lib.format.write_array(SimpleNamespace(write=file.write), samples.crops)
        json_part.write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        frame.to_csv(csv_part, index=False, errors=NAMES)


def rewrite_samples(path: Path, samples: Samples, original: Path) -> None:
    """Write some rows of a prepared data set as a new one, with the original's report."""
    meta = _read_meta(original.with_suffix(".json"))
    report = {k: v for k, v in meta.items() if k not in ("crop", "size", "schemes", "folders")}
    splits = {name: int((samples.split == name).sum()) for name in SPLITS}
    write_samples(path, samples, {**report, "splits": splits, "from": str(original)})


def read_samples(path: Path) -> Samples:
    """Read a prepared data set; the crops stay on disk until they are used."""
    if not is_prepared(path):
        raise DataError(f"{path}: not a prepared data set; run prepare first")
    meta = _read_meta(path.with_suffix(".json"))
    schemes = _schemes(path, meta)
    header, numbers = _columns(path), {*META_COLUMNS[6:], *joined(schemes).columns}
    other = [name for name in header if name not in (*META_COLUMNS, *numbers)]
    try:
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(("image", "source", "person", "split", "flags", *other), object),
            keep_default_na=False,
            encoding_errors=NAMES,
            na_values={name: [""] for name in numbers},
        )
        points = frame[joined(schemes).columns].to_numpy(np.float32).reshape(len(frame), -1, 2)
        transforms = frame[list(META_COLUMNS[6:])].to_numpy(np.float64)
        source_row = frame["source_row"].to_numpy(np.int64)
    except (ValueError, KeyError, OverflowError) as error:
        raise DataError(f"{path}: not a valid data set: {error}; prepare the data again") from error
    array_path = path.with_suffix(".npy")
    crops = load_array(array_path)
    if crops.dtype != np.uint8:
        raise DataError(f"{array_path}: expected uint8 crops, got {crops.dtype}")
    if len(crops) != len(frame):
        raise DataError(
            f"{path} has {len(frame)} rows, but {array_path} has {len(crops)} crops; "
            "prepare the data again"
        )
    return Samples(
        schemes=schemes, crops=crops.view(np.uint8), points=points, transforms=transforms,
        crop_mode=str(meta.get("crop", "face")),
        folders=_folders(meta),
        other={name: frame[name].to_numpy(str) for name in other},
        source_row=source_row,
        **{n: frame[n].to_numpy(str) for n in ("person", "split", "image", "source", "flags")},
    )  # fmt: skip


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv.reader(file), [])


def _schemes(path: Path, meta: dict[str, object]) -> tuple[Scheme, ...]:
    """The schemes of the sources according to data.json; without it, a scheme of the columns."""
    found: PointColumns | None = find_points(_columns(path)[len(META_COLUMNS) :])
    if found is None:
        raise DataError(f"{path}: expected point columns <name>_x, <name>_y")
    try:
        schemes = tuple(_scheme(said) for said in meta["schemes"])  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError):
        return (found.scheme(ReadOptions(), str(path))[0],)
    if set(joined(schemes).names) != set(found.names):
        raise DataError(
            f"{path}: its columns differ from those in its .json; prepare the data again"
        )
    return schemes


def _scheme(said: dict[str, list[str] | list[int] | None]) -> Scheme:
    scheme = Scheme.from_names([str(name) for name in said["names"] or ()])
    if scheme.name != "custom":
        return scheme
    order = said["flip_order"]
    return replace(scheme, flip_order=None if order is None else tuple(int(i) for i in order))


def _folders(meta: dict[str, object]) -> dict[str, str]:
    folders = meta.get("folders")
    return {str(k): str(v) for k, v in folders.items()} if isinstance(folders, dict) else {}


def _read_meta(path: Path) -> dict[str, object]:
    try:
        meta = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FkpError(f"{path}: cannot be read: {error}; prepare the data again") from error
    if not isinstance(meta, dict):
        raise DataError(f"{path}: expected a JSON object; prepare the data again")
    return meta
