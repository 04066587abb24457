"""Turn label sources into one checked data set."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, LabelError, Setting
from fkp.files import replacing
from fkp.keypoints import Scheme
from fkp.labels import check
from fkp.labels.cut import Crops, Progress, cut_crops
from fkp.labels.formats.course import ARRAYS
from fkp.labels.frames import pictures_of
from fkp.labels.reading import read_source
from fkp.labels.schemes import joined
from fkp.labels.split import merge_persons, persons_from_names, split_persons
from fkp.labels.store import META_COLUMNS, NAMES, SPLITS, Samples, write_samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected

CROPS = ("face", "none")


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How sources become a data set.

    format: a name of `formats.known.FORMATS`, None to recognise it. crop: `face` or `none`, None
    for `none` with ready-made crops and `face` otherwise. size: side of the crops in pixels.
    val, test: shares of rows. person_pattern: a regular expression that finds the person in a
    picture's path.
    """

    sources: tuple[Path, ...]
    output: Path
    format: str | None = None
    crop: str | None = None
    size: int = 96
    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    person_pattern: str | None = None
    drop_suspicious: bool = False
    read: ReadOptions = field(default_factory=ReadOptions)


@dataclass(frozen=True, slots=True, eq=False)
class PrepareReport:
    """What was read, left out and written (samples)."""

    samples: Samples
    rows_read: int
    rejected: list[Rejected]
    notes: list[str]
    flags: Counter[str]
    missing: npt.NDArray[np.float64]  # (K,) share of rows
    outside: npt.NDArray[np.int64]  # (K,) points outside their picture
    persons: str
    duplicates: int  # rows whose crop is identical to an earlier row's


def prepare(
    config: PrepareConfig, progress: Progress, tables: Sequence[LabelTable] | None = None
) -> PrepareReport:
    """Read, check, crop and split the sources, and write the data set.

    Writes `output` (.csv), .npy and .json beside it, and .rejected.csv where rows were left out.
    tables: the sources, if they were already read. Raises LabelError, UndecidedError if a setting
    must say what the labels mean, and DataError.
    """
    files = label_files(config)
    if tables is None:
        tables = [read_source(path, options, config.format) for path, options in files]
    crop_mode = _crop_mode(tables, config)
    folder = config.output.with_name(f"{config.output.stem}_frames")
    parts = [
        cut_crops(
            table, pictures_of(table, options, folder), crop_mode, config.size, options, progress
        )
        for table, (_, options) in zip(tables, files, strict=True)
    ]
    pairs = list(zip(tables, parts, strict=True))
    named = [_persons(t, c, config) for t, c in pairs]
    hashes = [hashlib.blake2b(image.tobytes()).hexdigest() for c in parts for image in c.images]
    persons = merge_persons([name for names, _ in named for name in names], hashes)
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
        notes=[f"{t.source}: {note}" for t, c in pairs for note in _notes(t, c)],
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


def _notes(table: LabelTable, crops: Crops) -> list[str]:
    return [f"read as {table.format}", *table.notes, *crops.notes]


def label_files(config: PrepareConfig) -> list[tuple[Path, ReadOptions]]:
    """The label files among the sources; an array belongs to the label file before it."""
    files: list[tuple[Path, ReadOptions]] = []
    for path in config.sources:
        if not path.exists():
            raise LabelError(f"{path}: no such file")
        if path.suffix not in ARRAYS:
            files.append((path, config.read))
        elif files:
            files[-1] = (files[-1][0], replace(config.read, images=path))
        else:
            raise LabelError(f"{path}: an array of pictures; give its label file before it")
    return files


def _crop_mode(tables: Sequence[LabelTable], config: PrepareConfig) -> str:
    """How to cut all crops: as specified, or `none` for ready-made crops."""
    crop_modes = {config.crop or ("face" if t.pixels is None else "none") for t in tables}
    if len(crop_modes) > 1:
        raise DataError(
            "ready-made crops and pictures in one data set",
            Setting("crop", "face", "cut a square around each face"),
            Setting("crop", "none", "take whole pictures"),
        )
    return crop_modes.pop()


def _persons(table: LabelTable, crops: Crops, config: PrepareConfig) -> tuple[list[str], str]:
    """The person in each kept row, and how that is known."""
    if table.images is None and table.persons is None:
        names = [f"{table.source}:{table.rows[i]}" for i in crops.kept]
        return names, "not known: each picture counts as a person of its own"
    if table.persons is not None and (config.person_pattern is None or table.images is None):
        return [table.persons[i] for i in crops.kept], "as the labels say"
    images = [(table.images or [])[i] for i in crops.kept]
    found, how = persons_from_names(images, config.person_pattern)
    if found is None:
        what = "picture" if table.frames is None else "clip"
        return images, f"not known: each {what} counts as a person of its own"
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
        split=np.array(split_persons(persons, config.val, config.test, config.seed), str),
        image=np.array([name for c in parts for name in c.names], str),
        source=np.array([t.source for t, c in pairs for _ in c.kept], str),
        source_row=np.array([t.rows[i] for t, c in pairs for i in c.kept], np.int64),
        flags=np.array(["; ".join(row) for row in flags], str),
        transforms=np.array([[t.a, t.b, t.tx, t.ty] for c in parts for t in c.transforms]),
        crop_mode=crop_mode,
        folders={t.source: str(c.folder.resolve()) for t, c in pairs if t.images},
        other=_other(pairs),
    )


def _other(pairs: list[tuple[LabelTable, Crops]]) -> dict[str, npt.NDArray[np.str_]]:
    """Further columns of all sources, for the kept rows."""
    names = dict.fromkeys(name for table, _ in pairs for name in table.other)
    return {
        name: np.array(
            [t.other[name][i] if name in t.other else "" for t, c in pairs for i in c.kept]
        )
        for name in names
        if name not in META_COLUMNS
    }


def _into(every: Scheme, own: Scheme, values: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
    """Values (K, ...) of a source's points in the order of all points, `missing` elsewhere."""
    placed = np.full((len(every), *values.shape[1:]), missing, values.dtype)
    placed[[every.names.index(name) for name in own.names]] = values
    return placed


def _drop(samples: Samples) -> tuple[Samples, list[Rejected]]:
    odd = samples.flags != ""
    if odd.all():
        raise DataError(
            "every row looks suspicious; look at a preview before dropping them",
            Setting("preview", "SHEET.png"),
        )
    dropped = samples.take(odd)
    rejected = [
        Rejected(str(source), int(row), "", str(why), malformed=False)
        for source, row, why in zip(dropped.source, dropped.source_row, dropped.flags, strict=True)
    ]
    return samples.take(~odd), rejected


def _write(config: PrepareConfig, report: PrepareReport) -> None:
    counts = {name: int((report.samples.split == name).sum()) for name in SPLITS}
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
    """List rejected rows in `.rejected.csv` beside the data set."""
    path = output.with_suffix(".rejected.csv")
    if not rejected:
        path.unlink(missing_ok=True)  # left by an earlier run with the same output
        return
    rows = [(r.source, r.row, r.column, r.reason) for r in rejected]
    with replacing(path) as part:
        table = pd.DataFrame(rows, columns=["source", "row", "column", "reason"], dtype=object)
        table.to_csv(part, index=False, errors=NAMES)
