"""The faces of finished runs: one subject per face of a picture, or per face of a clip."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.annotate.names import RUN
from fkp.annotate.outcome import Annotated
from fkp.annotate.output.folder import is_finished, read_run
from fkp.annotate.output.merge import output_of
from fkp.annotate.output.results import Output
from fkp.annotate.output.rows import Record
from fkp.errors import DataError, FkpError
from fkp.vision.sources import Opening

VIEWS = 5
"""Maximum number of frames of a clip in which a face's appearance is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A face in one picture or frame. anchors: (5, 2) pixels."""

    anchors: npt.NDArray[np.float64]
    width: int
    height: int
    confidence: float
    frame: int | None = None


@dataclass(slots=True, eq=False)
class Subject:
    """A face of a picture, or of a clip through all its frames.

    run: index of its folder. number: as in the column `face`. frames: those of a clip that show it.
    """

    run: int
    image: str
    number: int
    views: list[View] = field(default_factory=list)
    frames: set[int] = field(default_factory=set)

    @property
    def key(self) -> tuple[int, str, int]:
        """Identifies the face."""
        return self.run, self.image, self.number

    def beside(self, other: "Subject") -> bool:
        """Whether both are in one picture, so that they are two persons."""
        if self.run != other.run or self.image != other.image:
            return False
        return not self.frames or bool(self.frames & other.frames)


@dataclass(frozen=True, slots=True)
class Results:
    """The folder of a finished run. facts: its `run.json`."""

    folder: Path
    facts: dict[str, Any]
    output: Output

    @classmethod
    def of(cls, folder: Path) -> "Results":
        """Read a folder; raises FkpError."""
        if not is_finished(folder):
            raise FkpError(f"{folder}: holds no finished run of annotate or video")
        facts = read_run(folder)
        try:
            output = output_of(facts["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise FkpError(
                f"{folder / RUN}: not of a run over photos or a clip: {error!r}"
            ) from error
        if not output.table(folder).exists():
            raise FkpError(
                f"{folder}: has no {output.table(folder).name}; annotate again as csv or jsonl"
            )
        return cls(folder, facts, output)

    @property
    def is_clip(self) -> bool:
        """Whether it is the run of a clip."""
        return "clip_bytes" in self.facts["identity"]

    @property
    def opening(self) -> Opening:
        """How the clip was read."""
        own = self.facts["identity"]
        return Opening(own["stream"], own["deinterlace"], own["fps"])

    def path(self, image: str) -> str:
        """The path of a picture, which is relative to the folder that the run was started in."""
        return os.path.join(str(self.facts.get("folder", "")), image)

    def records(self) -> Iterator[Record]:
        """The inputs in its table."""
        return self.output.records(self.folder)


def subjects_of(run: int, results: Results) -> list[Subject]:
    """The faces of a run. Raises DataError if the points do not give a face's position."""
    scheme = results.output.scheme
    if sum(bool(group) for group in scheme.anchors) < 2:
        raise DataError(
            f"{results.folder}: expected at least two of eyes, nose tip and mouth corners among "
            f"the points of {scheme.name}"
        )
    found: dict[tuple[int, str, int], Subject] = {}
    for image, result in results.records():
        if not isinstance(result, Annotated):
            continue
        for i, face in enumerate(result.faces):
            anchors = scheme.anchor_points(face.points)
            number = result.number(i)
            own = found.setdefault((run, image, number), Subject(run, image, number))
            frame = None if result.moment is None else result.moment.frame
            if frame is not None:
                own.frames.add(frame)
            mean = float(np.nan_to_num(face.confidence.mean()))
            if result.status_of(i) == "ok" and np.isfinite(anchors).all(1).sum() >= 2:
                _see(own, View(anchors, result.width, result.height, mean, frame))
    return list(found.values())


def _see(subject: Subject, view: View) -> None:
    """Keep a view if it is among the VIEWS best."""
    subject.views.append(view)
    if len(subject.views) > VIEWS:
        worst = min(subject.views, key=lambda one: (one.confidence, -(one.frame or 0)))
        subject.views.remove(worst)
