"""What other tools read: each with what it can do, in one object."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp.annotate.inputs import relative_to
from fkp.annotate.output.datasets import YoloFolder, write_coco
from fkp.annotate.output.rows import Record
from fkp.annotate.output.sinks import TableFile
from fkp.annotate.output.text import Rows
from fkp.annotate.output.tool_rows import DeepLabCutRows, KaggleRows, OpenFaceRows, PyFeatRows
from fkp.errors import FkpError, UsageError
from fkp.files import replacing
from fkp.keypoints import IBUG68, KAGGLE15, Scheme
from fkp.vision.head import Camera

Write = Callable[[Path, Scheme, Iterable[Record]], None]
"""Writes a file or folder; the names of the records are relative to the folder of the inputs."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Another tool's format of the results.

    file: its name in the result folder. rows: makes the lines of a single table; otherwise write
    makes the file from all records. points: the only ones that it can hold, None for any; converts:
    whether results are converted to these points by default. posed: whether it has the pose of the
    head. each: whether it needs a confidence for each point. clips: whether it can hold frames of a
    clip. check: raises FkpError if two inputs, by their relative names, would share an entry.
    """

    name: str
    file: str
    rows: Callable[[Scheme, Camera], Rows] | None = None
    write: Write | None = None
    points: Scheme | None = None
    converts: bool = False
    posed: bool = False
    each: bool = False
    clips: bool = True
    check: Callable[[Iterable[str]], None] = lambda names: None

    def check_points(self, scheme: Scheme) -> None:
        """Raise FkpError if it cannot hold these points."""
        if self.points is not None and scheme.names != self.points.names:
            raise FkpError(
                f"{self.name} holds the {len(self.points)} points of {self.points.name}, not these "
                f"{len(scheme)} of {scheme.name}: choose the scheme {self.points.name}, or a "
                "network that finds it"
            )

    def make(
        self, out: Path, scheme: Scheme, records: Iterator[Record], root: str, camera: Camera
    ) -> None:
        """Write it into a result folder. root: the folder of all inputs. camera: for the pose."""
        if self.rows is not None:
            with TableFile(out / self.file, self.rows(scheme, camera)) as table:
                for image, result in records:
                    table.write(image, result)
        elif self.write is not None:
            named = ((relative_to(root, image), result) for image, result in records)
            self.write(out / self.file, scheme, named)


def _coco(path: Path, scheme: Scheme, records: Iterable[Record]) -> None:
    with replacing(path) as part:
        write_coco(part, scheme, records)


def _yolo(path: Path, scheme: Scheme, records: Iterable[Record]) -> None:
    YoloFolder(path, scheme).write(records)


SCHEMAS = {
    schema.name: schema
    for schema in (
        Schema("openface", "openface.csv", OpenFaceRows, points=IBUG68, posed=True),
        Schema("pyfeat", "pyfeat.csv", PyFeatRows, points=IBUG68),
        Schema("dlc", "dlc.csv", DeepLabCutRows, each=True),
        Schema("coco", "coco.json", write=_coco, each=True, clips=False),
        Schema("yolo", "yolo", write=_yolo, clips=False, check=YoloFolder.check),
        Schema(
            "kaggle", "kaggle.csv", KaggleRows, points=KAGGLE15, converts=True, clips=False
        ),
    )
}  # fmt: skip


def chosen(names: Sequence[str]) -> tuple[Schema, ...]:
    """The schemas with these names, each once; raises UsageError for an unknown name."""
    for name in names:
        if name not in SCHEMAS:
            raise UsageError(f"{name}: expected one of {', '.join(SCHEMAS)}")
    return tuple(SCHEMAS[name] for name in dict.fromkeys(names))
