"""All label formats, in the order in which they are tried."""

from fkp.labels.formats.base import Format
from fkp.labels.formats.celeba import CELEBA
from fkp.labels.formats.coco import COCO
from fkp.labels.formats.course import COURSE
from fkp.labels.formats.cvat import CVAT
from fkp.labels.formats.deeplabcut import DEEPLABCUT
from fkp.labels.formats.dlib import DLIB
from fkp.labels.formats.kaggle import KAGGLE
from fkp.labels.formats.labelme import LABELME
from fkp.labels.formats.labelstudio import LABELSTUDIO
from fkp.labels.formats.lists import LIST, MTFL
from fkp.labels.formats.openface import OPENFACE
from fkp.labels.formats.paths import PATHS
from fkp.labels.formats.pts import PTS
from fkp.labels.formats.results import JSONL, PARQUET
from fkp.labels.formats.retinaface import RETINAFACE
from fkp.labels.formats.sleap import SLEAP
from fkp.labels.formats.supervisely import SUPERVISELY
from fkp.labels.formats.via import VIA
from fkp.labels.formats.wflw import WFLW
from fkp.labels.formats.yolo import YOLO

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        # Recognised by their first bytes, or by members that no other format has.
        KAGGLE, PARQUET, DEEPLABCUT, SLEAP, DLIB, CVAT, JSONL, COCO, LABELME, VIA, LABELSTUDIO,
        # Folders, the most specific first.
        YOLO, SUPERVISELY, PTS,
        # Lists and tables, the most specific first.
        RETINAFACE, CELEBA, WFLW, MTFL, LIST, OPENFACE, PATHS, COURSE,
    )
}  # fmt: skip
"""By name; a source is read by the first one that recognises it."""

PLAIN = frozenset(
    format.name for format in (RETINAFACE, CELEBA, WFLW, MTFL, LIST, OPENFACE, PATHS, COURSE)
)
"""Plain text formats, not tried for binary files, JSON and XML."""

WRITERS: dict[str, Format] = {
    n: format for n, format in FORMATS.items() if format.write is not None
}
"""Formats that can be written, by name."""
