"""`.pts` files, one per picture (iBUG 300-W, ICCVW 2013)."""

import shutil
from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.files import replace_text, replacing
from fkp.labels.formats.base import FaceList, Format, Point
from fkp.labels.formats.out import picture_files
from fkp.labels.source import Source, decode_text
from fkp.labels.store import Samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected


def _recognise(source: Source) -> bool:
    return bool(source.files(".pts")) if source.is_folder else source.suffix == ".pts"


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read one `.pts` file, or all in a folder, sorted; rows count the files from 1.

    Each belongs to the picture of the same name. iBUG's own files start at pixel 1 (`origin` 1).
    """
    files = source.files(".pts") if source.is_folder else [source.path]
    faces = FaceList(source, options)
    for number, path in enumerate(files, start=1):
        name = source.relative(path)
        try:
            faces.add(number, name[: -len(path.suffix)], points_of_file(path))
        except LabelError as error:
            faces.reject(number, f"{name}: {error}")
    notes = []
    if options.origin is None:
        notes.append(
            "coordinates are assumed to start at 0; in iBUG's own files they start at 1 (origin 1)"
        )
    return faces.table(PTS.title, numbered=True, notes=notes)


def points_of_file(path: Path) -> list[Point]:
    """Read `n_points: N` and N lines of x and y in braces."""
    text = decode_text(path.read_bytes(), path.name)
    head, brace, body = text.partition("{")
    lines = [line.split() for line in body.partition("}")[0].splitlines() if line.strip()]
    said = [line.split(":")[1] for line in head.splitlines() if line.startswith("n_points:")]
    if not brace or "}" not in body:
        raise LabelError("expected points between { and }")
    if said and said[0].strip() != str(len(lines)):
        raise LabelError(f"n_points says {said[0].strip()}, there are {len(lines)}")
    try:
        return [(float(x), float(y)) for x, y in lines]
    except ValueError as error:
        raise LabelError(f"expected two numbers per line: {error}") from error


def _write(samples: Samples, output: Path) -> list[Rejected]:
    """Write a folder of pictures with their `.pts` files, the first pixel at 0.

    The format cannot express missing points; such rows are returned.
    """
    pictures, rejected = picture_files(samples, output), []
    taken: set[str] = set()
    output.mkdir(parents=True, exist_ok=True)
    for i, (path, points) in enumerate(zip(pictures.paths, pictures.points, strict=True)):
        if not np.isfinite(points).all():
            missing = samples.scheme.names[int(np.argmin(np.isfinite(points).all(1)))]
            row = int(samples.source_row[i])
            reason = f"{missing} is not labelled; .pts files need all points"
            rejected.append(Rejected(str(samples.source[i]), row, "", reason, malformed=False))
            continue
        stem, number = path.stem, 1
        while stem in taken:
            number += 1
            stem = f"{path.stem}-{number}"
        taken.add(stem)
        picture = output / f"{stem}{path.suffix}"
        if picture.resolve() != path.resolve():
            with replacing(picture) as part:
                shutil.copyfile(path, part)
        body = "".join(f"{x:.4f} {y:.4f}\n" for x, y in points)
        text = f"version: 1\nn_points: {len(points)}\n{{\n{body}}}\n"
        replace_text(output / f"{stem}.pts", text)
    if len(rejected) == len(samples):
        raise LabelError(f"no row has all its points: {rejected[0]}")
    return rejected


PTS = Format("pts", "iBUG's .pts files (folder or file)", _recognise, _read, _write, "pts")
