"""The MTFL text form: `path x1..x5 y1..y5` a line (TCDCN, ECCV 2014)."""

import re
from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.keypoints import MTFL5
from fkp.labels.formats.paths import picture_folders
from fkp.labels.table import FARTHEST, LabelTable, ReadOptions, Rejected, decode_text, from_origin

_LINE = re.compile(rb"^\s*\S.*\.\w{2,5}(\s+[-+.\deE]+){10,}\s*$")


def looks_like_mtfl(head: bytes) -> bool:
    """Whether the first line is a picture path and ten or more numbers."""
    lines = head.replace(b"\\", b"/").splitlines()
    return bool(lines) and _LINE.match(lines[0]) is not None


def read_mtfl(path: Path, options: ReadOptions) -> LabelTable:
    """Read five points a line: the eyes, nose tip and mouth corners, left to right as seen.

    The original files carry four attributes behind the ten coordinates; they are not used.
    """
    source = str(path)
    images: list[str] = []
    points: list[list[float]] = []
    rows: list[int] = []
    rejected: list[Rejected] = []
    for number, line in enumerate(decode_text(path.read_bytes(), source).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) not in (11, 15):
            reason = (
                f"expected a path and 10 coordinates (and 4 attributes), got {len(words)} words"
            )
            rejected.append(Rejected(source, number, "", reason))
            continue
        try:
            values = [float(word) for word in words[1:11]]
        except ValueError as error:
            rejected.append(Rejected(source, number, "", f"expected numbers: {error}"))
            continue
        if not (np.abs(values) <= FARTHEST).all():
            rejected.append(
                Rejected(source, number, "", f"expected coordinates of at most {FARTHEST:.0f}")
            )
            continue
        images.append(words[0].replace("\\", "/"))
        points.append(values)
        rows.append(number)
    if not rows:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: the file has no lines")
    array = np.array(points).reshape(-1, 2, 5).transpose(0, 2, 1)
    array, fraction, notes = from_origin(array, options)
    return LabelTable(
        source, MTFL5, array, np.array(rows, np.int64),
        images=images, fraction=fraction, folders=picture_folders(path, options),
        rejected=rejected, notes=notes,
    )  # fmt: skip
