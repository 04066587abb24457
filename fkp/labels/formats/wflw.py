"""WFLW's lines: 196 coordinates, a box, six attributes and a picture (Wu et al., CVPR 2018)."""

import re
from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.keypoints import WFLW98
from fkp.labels.formats.paths import picture_folders
from fkp.labels.table import FARTHEST, LabelTable, ReadOptions, Rejected, decode_text, from_origin

ATTRIBUTES = ("pose", "expression", "illumination", "make_up", "occlusion", "blur")
_WORDS = 196 + 4 + len(ATTRIBUTES) + 1
_LINE = re.compile(rb"^\s*([-+.\deE]+\s+){206}\S.*$")


def looks_like_wflw(head: bytes) -> bool:
    """Whether the first line is 206 numbers and a picture."""
    return _LINE.match(head.split(b"\n", 1)[0]) is not None


def read_wflw(path: Path, options: ReadOptions) -> LabelTable:
    """98 points a line; the attributes become columns of their own."""
    source = str(path)
    images: list[str] = []
    values: list[list[float]] = []
    rows: list[int] = []
    attributes: list[list[str]] = []
    rejected: list[Rejected] = []
    for number, line in enumerate(decode_text(path.read_bytes(), source).splitlines(), start=1):
        words = line.split(maxsplit=_WORDS - 1)
        if not words:
            continue
        if len(words) != _WORDS:
            reason = f"expected {_WORDS - 1} numbers and a path, got {len(words)} words"
            rejected.append(Rejected(source, number, "", reason))
            continue
        try:
            numbers = [float(word) for word in words[:196]]
        except ValueError as error:
            rejected.append(Rejected(source, number, "", f"expected numbers: {error}"))
            continue
        if not (np.abs(numbers) <= FARTHEST).all():
            reason = f"expected coordinates of at most {FARTHEST:.0f}"
            rejected.append(Rejected(source, number, "", reason))
            continue
        images.append(words[-1].strip())
        values.append(numbers)
        rows.append(number)
        attributes.append(words[200:206])
    if not rows:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: the file has no lines")
    array, fraction, notes = from_origin(np.array(values).reshape(-1, 98, 2), options)
    return LabelTable(
        source, WFLW98, array, np.array(rows, np.int64),
        images=images, fraction=fraction, folders=picture_folders(path, options),
        rejected=rejected, notes=notes,
        other={name: [row[i] for row in attributes] for i, name in enumerate(ATTRIBUTES)},
    )  # fmt: skip
