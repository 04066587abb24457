"""RetinaFace's label.txt for WIDER FACE (Deng et al., CVPR 2020).

After a line `# picture`, there is a line per face: a box, perhaps followed by x, y and a flag of
five points and a blur score. Points that are not labelled are -1.
"""

from fkp.errors import LabelError
from fkp.keypoints import MTFL5
from fkp.labels.formats.base import MISSING, FaceList, Format, NoLabelsError, floats
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_BOX, _POINTS = 4, 5


def _recognise(source: Source) -> bool:
    lines = source.first_lines[:50]
    if len(lines) < 2 or not lines[0].startswith("#"):
        return False
    rows = [line.split() for line in lines if not line.startswith("#")]
    try:
        return bool(rows) and all(len(floats(row)) >= _BOX for row in rows)
    except LabelError:
        return False


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read faces with points: the eyes, nose tip and mouth corners, from left to right."""
    faces = FaceList(source, options)
    image = ""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if line.startswith("#"):
            image = line[1:].strip()
            continue
        if not line.strip():
            continue
        try:
            numbers = floats(line.split())
            if len(numbers) == _BOX:
                raise NoLabelsError("a box without points")
            if len(numbers) < _BOX + 3 * _POINTS:
                raise LabelError(
                    f"expected a box and five points of x, y and a flag, got {len(numbers)} numbers"
                )
            own = [numbers[_BOX + 3 * i : _BOX + 3 * i + 3] for i in range(_POINTS)]
            points = [MISSING if min(x, y) < 0 and flag < 0 else (x, y) for x, y, flag in own]
            faces.add(number, image, points)
        except LabelError as error:
            faces.reject(number, error)
    return faces.table(RETINAFACE.title, scheme=MTFL5)


RETINAFACE = Format("retinaface", "RetinaFace's label.txt", _recognise, _read)
