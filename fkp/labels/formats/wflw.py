"""WFLW's lists (Wu et al., CVPR 2018): 98 points, perhaps a box and attributes, and a path."""

import re

from fkp.errors import LabelError
from fkp.keypoints import WFLW98
from fkp.labels.formats.base import FaceList, Format, floats, pairs
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

ATTRIBUTES = ("pose", "expression", "illumination", "make_up", "occlusion", "blur")
_COORDINATES, _BOX = 2 * len(WFLW98), 4
_COUNTS = (_COORDINATES + _BOX + len(ATTRIBUTES), _COORDINATES + _BOX, _COORDINATES)
"""Possible counts of numbers before the path, the largest first."""

_NUMBERS = re.compile(r"\s*((?:[-+.\deE]+\s+)+)(\S.*)")


def _recognise(source: Source) -> bool:
    match = _NUMBERS.fullmatch(source.first_lines[0]) if source.first_lines else None
    return match is not None and len(match[1].split()) in _COUNTS


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read 98 points per line; attributes become further columns."""
    faces = FaceList(source, options)
    expected = next((n for n in _COUNTS if _count(source.first_lines[0]) == n), _COUNTS[0])
    for number, line in enumerate(source.text.splitlines(), start=1):
        if not line.strip():
            continue
        words = line.split(maxsplit=expected)
        try:
            if len(words) != expected + 1:
                raise LabelError(f"expected {expected} numbers and a path, got {len(words)} words")
            points = pairs(floats(words[:_COORDINATES]))
            told = words[_COORDINATES + _BOX : expected]
            other = dict(zip(ATTRIBUTES, told, strict=True)) if told else {}
            faces.add(number, words[-1].strip(), points, other=other)
        except LabelError as error:
            faces.reject(number, error)
    return faces.table(WFLW.title, scheme=WFLW98)


def _count(line: str) -> int:
    match = _NUMBERS.fullmatch(line)
    return len(match[1].split()) if match else 0


WFLW = Format("wflw", "WFLW's lists of 98 points (.txt)", _recognise, _read)
