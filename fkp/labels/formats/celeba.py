"""CelebA's landmarks (Liu et al., ICCV 2015): the original list, or a CSV made from it.

Left and right are the viewer's.
"""

import re

from fkp.errors import LabelError
from fkp.keypoints import MTFL5
from fkp.labels.formats.base import FaceList, Format, floats, pairs
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_NAMES = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
_POINTS = (
    "left_eye_center", "right_eye_center", "nose_tip", "mouth_left_corner", "mouth_right_corner",
)  # fmt: skip
_COLUMNS = [f"{name}_{axis}" for name in _NAMES for axis in "xy"]


def _words(line: str) -> list[str]:
    return [word.strip('"') for word in re.split(r"[\s,;]+", line.strip()) if word.strip('"')]


def _header(source: Source) -> int:
    """Which of the first two lines is the header, -1 if neither is."""
    for i, line in enumerate(source.first_lines[:2]):
        if [word.lower() for word in _words(line)][-len(_COLUMNS) :] == _COLUMNS:
            return i
    return -1


def _recognise(source: Source) -> bool:
    return _header(source) >= 0


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read five points per line."""
    header = source.first_lines[max(0, _header(source))]
    faces = FaceList(source, options)
    begun = False
    for number, line in enumerate(source.text.splitlines(), start=1):
        if not begun or not line.strip():
            begun = begun or line == header
            continue
        words = _words(line)
        try:
            if len(words) != 1 + len(_COLUMNS):
                raise LabelError(f"expected a picture and 10 numbers, got {len(words)} words")
            points = pairs(floats(words[1:]))
            faces.add(number, words[0], dict(zip(_POINTS, points, strict=True)))
        except LabelError as error:
            faces.reject(number, error)
    return faces.table(CELEBA.title, scheme=MTFL5, viewer=True)


CELEBA = Format("celeba", "CelebA's list_landmarks_*.txt or .csv", _recognise, _read)
