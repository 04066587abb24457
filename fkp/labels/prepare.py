"""From foreign label tables to one checked data set."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, LabelError
from fkp.keypoints import Scheme
from fkp.labels import check
from fkp.labels.cut import Crops, Progress, cut_crops
from fkp.labels.formats.coco import looks_like_coco, read_coco
from fkp.labels.formats.course import find_array, read_array_csv
from fkp.labels.formats.deeplabcut import looks_like_deeplabcut, read_deeplabcut
from fkp.labels.formats.kaggle import looks_like_pixel_csv, read_pixel_csv
from fkp.labels.formats.labelme import labelme_files, looks_like_labelme, read_labelme
from fkp.labels.formats.mtfl import looks_like_mtfl, read_mtfl
from fkp.labels.formats.paths import path_column, read_frame, read_path_csv
from fkp.labels.formats.pts import is_pts_folder, read_pts
from fkp.labels.formats.wflw import looks_like_wflw, read_wflw
from fkp.labels.schemes import joined
from fkp.labels.split import merge_groups, persons_from_names, split_groups
from fkp.labels.store import META_COLUMNS, Samples, is_prepared, write_samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected

FORMATS = ("kaggle", "course", "paths", "mtfl", "pts", "coco", "dlc", "wflw", "labelme")


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How sources become a data set."""

    sources: tuple[Path, ...]
    output: Path
    format: str | None = None  # one of FORMATS; None: by looking at the file
    crop: str | None = None  # face | none; None: none for ready-made crops, else face
    size: int = 96
    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    person_pattern: str | None = None
    drop_suspicious: bool = False
    read: ReadOptions = field(default_factory=ReadOptions)


@dataclass(frozen=True, slots=True, eq=False)
class PrepareReport:
    """What was found; `samples` is what was written."""

    samples: Samples
    rows_read: int
    rejected: list[Rejected]
    notes: list[str]
    flags: Counter[str]
    missing: npt.NDArray[np.float64]  # (K,) share of rows
    outside: npt.NDArray[np.int64]  # (K,) points outside their picture
    persons: str
    duplicates: int  # rows whose crop is identical to an earlier row's


def prepare(config: PrepareConfig, progress: Progress) -> PrepareReport:
    """Read, check, crop and split the sources, and write the data set.

    Writes `output` (.csv), .npy and .json beside it, and .rejected.csv where rows were left out.
    """
    tables = [read_source(path, options, config.format) for path, options in _label_files(config)]
    crop_mode = _crop_mode(tables, config)
    parts = [cut_crops(table, crop_mode, config.size, progress) for table in tables]
    pairs = list(zip(tables, parts, strict=True))
    named = [_persons(t, c, config) for t, c in pairs]
    hashes = [hashlib.blake2b(image.tobytes()).hexdigest() for c in parts for image in c.images]
    persons = merge_groups([name for names, _ in named for name in names], hashes)
    flags = [f for t, c in pairs for f in check.suspicious(c.labels, t.scheme)]
    samples = _samples(pairs, crop_mode, persons, flags, config)
    rejected = [r for t in tables for r in t.rejected] + [r for c in parts for r in c.rejected]
    if config.drop_suspicious:
        samples, dropped = _drop(samples)
        rejected += dropped
    report = PrepareReport(
        samples=samples,
        rows_read=sum(len(t.rows) + len(t.rejected) for t in tables),
        rejected=rejected,
        notes=[f"{t.source}: {note}" for t in tables for note in t.notes],
        flags=Counter(flag for row in flags for flag in row),
        missing=1 - np.isfinite(samples.points).all(-1).mean(0),
        outside=np.sum(
            [
                _into(samples.scheme, t.scheme, check.outside(c.labels, c.sizes_wh).sum(0), 0)
                for t, c in pairs
            ],
            axis=0,
        ),
        persons="; ".join(dict.fromkeys(how for _, how in named)),
        duplicates=len(hashes) - len(set(hashes)),
    )
    _write(config, report)
    return report


def read_source(path: Path, options: ReadOptions, kind: str | None = None) -> LabelTable:
    """Read one label file in the format (one of FORMATS) that it is seen, or said, to have."""
    try:
        if path.is_dir():
            return _read_folder(path, options)
        with path.open("rb") as file:
            head = file.read(1 << 16)
        if not head.strip():
            raise LabelError(f"{path}: the file is empty; expected a header and labelled rows")
        if is_prepared(path):
            raise LabelError(f"{path}: is prepared already; give it to fkp train or fkp evaluate")
        kind = kind or _look(path, head, options)
        if kind in _READERS:
            return _READERS[kind](path, options)
        if kind == "course":
            array = find_array(path, options)
            if array is None:
                raise LabelError(
                    f"{path}: no picture column, and no single array of pictures beside it; "
                    f"give it too: fkp prepare {path.name} faces.npy"
                )
            return read_array_csv(path, array, options)
        return read_path_csv(path, options)
    except OSError as error:
        raise LabelError(f"{path}: {(error.strerror or str(error)).lower()}") from error


_READERS = {
    "kaggle": read_pixel_csv,
    "mtfl": read_mtfl,
    "wflw": read_wflw,
    "labelme": read_labelme,
    "coco": read_coco,
    "dlc": read_deeplabcut,
}


def _read_folder(path: Path, options: ReadOptions) -> LabelTable:
    if is_pts_folder(path):
        return read_pts(path, options)
    if labelme_files(path):
        return read_labelme(path, options)
    raise LabelError(
        f"{path}: expected a label file or a folder of .pts files, got a folder without (nor "
        "with LabelMe's)"
    )


def _look(path: Path, head: bytes, options: ReadOptions) -> str:
    if looks_like_pixel_csv(head):
        return "kaggle"
    if looks_like_mtfl(head):
        return "mtfl"
    if looks_like_wflw(head):
        return "wflw"
    if looks_like_labelme(head):
        return "labelme"
    if looks_like_coco(head):
        return "coco"
    if looks_like_deeplabcut(head):
        return "dlc"
    if options.images is not None and options.images.suffix in (".npy", ".npz"):
        return "course"
    frame, _, _ = read_frame(path)
    return "course" if path_column(frame) is None else "paths"


def _label_files(config: PrepareConfig) -> list[tuple[Path, ReadOptions]]:
    """The label files among the sources; an array belongs to the label file before it."""
    files: list[tuple[Path, ReadOptions]] = []
    for path in config.sources:
        if not path.exists():
            raise LabelError(f"{path}: no such file")
        if path.suffix not in (".npy", ".npz"):
            files.append((path, config.read))
        elif files:
            files[-1] = (files[-1][0], replace(config.read, images=path))
        else:
            raise LabelError(f"{path}: give the label file first: fkp prepare labels.csv {path}")
    return files


def _crop_mode(tables: list[LabelTable], config: PrepareConfig) -> str:
    """The one way in which all crops are cut: as said, else `none` for ready-made ones."""
    modes = {config.crop or ("face" if t.pixels is None else "none") for t in tables}
    if len(modes) > 1:
        raise DataError("ready-made crops and pictures in one call: say --crop face or --crop none")
    return modes.pop()


def _persons(table: LabelTable, crops: Crops, config: PrepareConfig) -> tuple[list[str], str]:
    """Who is in each kept row, and how that is known."""
    if table.images is None and table.persons is None:
        names = [f"{table.source}:{table.rows[i]}" for i in crops.kept]
        return names, "not known: each picture is taken for another person"
    if table.persons is not None and (config.person_pattern is None or table.images is None):
        return [table.persons[i] for i in crops.kept], "by the table's own column"
    images = [(table.images or [])[i] for i in crops.kept]
    found, how = persons_from_names(images, config.person_pattern)
    if found is None:
        return images, "not known: each picture is taken for another person (--person-pattern)"
    return found, how


def _samples(
    pairs: list[tuple[LabelTable, Crops]],
    crop_mode: str,
    persons: list[str],
    flags: list[list[str]],
    config: PrepareConfig,
) -> Samples:
    parts = [c for _, c in pairs]
    schemes = tuple(dict.fromkeys(t.scheme for t, _ in pairs))
    every = joined(schemes)
    return Samples(
        schemes=schemes,
        crops=parts[0].images if len(parts) == 1 else np.concatenate([c.images for c in parts]),
        points=np.concatenate(
            [
                _into(every, t.scheme, c.points.swapaxes(0, 1), np.nan).swapaxes(0, 1)
                for t, c in pairs
            ]
        ).astype(np.float32),
        person=np.array(persons, str),
        split=np.array(split_groups(persons, config.val, config.test, config.seed), str),
        image=np.array([t.images[i] if t.images else "" for t, c in pairs for i in c.kept], str),
        source=np.array([t.source for t, c in pairs for _ in c.kept], str),
        source_row=np.array([t.rows[i] for t, c in pairs for i in c.kept], np.int64),
        flags=np.array(["; ".join(row) for row in flags], str),
        transforms=np.array([[t.a, t.b, t.tx, t.ty] for c in parts for t in c.transforms]),
        crop_mode=crop_mode,
        folders={t.source: str(c.folder.resolve()) for t, c in pairs if t.images},
        other=_other(pairs),
    )


def _other(pairs: list[tuple[LabelTable, Crops]]) -> dict[str, npt.NDArray[np.str_]]:
    """The further columns of all sources, for the kept rows."""
    names = dict.fromkeys(name for table, _ in pairs for name in table.other)
    return {
        name: np.array(
            [t.other[name][i] if name in t.other else "" for t, c in pairs for i in c.kept]
        )
        for name in names
        if name not in META_COLUMNS
    }


def _into(every: Scheme, own: Scheme, values: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
    """Values (K, ...) of a source's own points at their places among all points; else `missing`."""
    placed = np.full((len(every), *values.shape[1:]), missing, values.dtype)
    placed[[every.names.index(name) for name in own.names]] = values
    return placed


def _drop(samples: Samples) -> tuple[Samples, list[Rejected]]:
    odd = samples.flags != ""
    if odd.all():
        raise DataError("every row looks suspicious; look at --preview before dropping them")
    dropped = samples.take(odd)
    rejected = [
        Rejected(str(source), int(row), "", str(why), malformed=False)
        for source, row, why in zip(dropped.source, dropped.source_row, dropped.flags, strict=True)
    ]
    return samples.take(~odd), rejected


def _write(config: PrepareConfig, report: PrepareReport) -> None:
    counts = {name: int((report.samples.split == name).sum()) for name in ("train", "val", "test")}
    write_samples(
        config.output,
        report.samples,
        {
            "sources": [str(path) for path in config.sources],
            "rows_read": report.rows_read,
            "rows_rejected": len(report.rejected),
            "splits": counts,
            "persons": report.persons,
            "seed": config.seed,
        },
    )
    write_rejected(config.output, report.rejected)


def write_rejected(output: Path, rejected: Sequence[Rejected]) -> None:
    """List the rows that are not in a data set beside it, in `.rejected.csv`."""
    path = output.with_suffix(".rejected.csv")
    if not rejected:
        path.unlink(missing_ok=True)  # of an earlier run with the same output
        return
    rows = [(r.source, r.row, r.column, r.reason) for r in rejected]
    part = path.with_suffix(".csv.part")
    pd.DataFrame(rows, columns=["source", "row", "column", "reason"]).to_csv(part, index=False)
    os.replace(part, path)
