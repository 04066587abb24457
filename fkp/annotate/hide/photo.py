"""The copy of a photo in which faces are hidden, made by a worker."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp.annotate.hide.clear import ClearFaces
from fkp.annotate.hide.config import HideConfig
from fkp.annotate.hide.corrections import Correction
from fkp.annotate.hide.outcome import Outcome
from fkp.annotate.hide.pictures import write_close_up
from fkp.annotate.hide.plan import Plan
from fkp.annotate.hide.tracks import Footage
from fkp.annotate.names import COPIES, REVIEW
from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.photo.drawing import UNNAMEABLE, DrawOutcome
from fkp.annotate.photo.workers import KILLED, Piece, Task
from fkp.errors import ImageError
from fkp.vision.copying import Original
from fkp.vision.images import to_gray
from fkp.vision.process import settle


@dataclass(frozen=True, slots=True)
class PhotoDone(DrawOutcome):
    """A photo that was processed."""

    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HidePhoto:
    """Hiding the faces of one photo, see `fkp.annotate.photo.workers.Task`.

    out: the folder of the results; copy: the name of the copy in its `copies`. order: the number of
    the input, which names its pictures on the page.
    """

    path: str
    result: Result
    out: Path
    copy: str
    order: int
    config: HideConfig
    clear: ClearFaces | None
    corrections: Sequence[Correction]

    def __call__(self) -> Sequence[Piece]:
        settle()
        return [PhotoDone(None, {}, outcome=self._outcome())]

    def parts(self) -> Sequence[Task]:
        """Itself."""
        return [self]

    def lost(self) -> Sequence[Piece]:
        """It could not be processed."""
        return [PhotoDone(None, {}, outcome=Outcome(self.path, "photo", "failed", reason=KILLED))]

    def _outcome(self) -> Outcome:
        if isinstance(self.result, Failure):
            return Outcome(self.path, "photo", "unreadable", reason=self.result.reason)
        try:
            return self._hidden(self.result)
        except ImageError as error:
            return self._failed(self.result, str(error))
        except OSError as error:
            if error.errno not in UNNAMEABLE:
                raise
            reason = (error.strerror or "its name is not possible").lower()
            return self._failed(self.result, reason)

    def _failed(self, result: Annotated, reason: str) -> Outcome:
        size = result.width, result.height
        return Outcome(self.path, "photo", "failed", size_wh=size, reason=reason)

    def _hidden(self, result: Annotated) -> Outcome:
        original = Original.read(self.path, self.config.max_pixels)
        if original.size_wh != (result.width, result.height):
            raise ImageError("size or orientation differ from when its faces were found")
        plan = self._plan(result, original)
        verdicts = {number: plan.verdict(track) for number, track in plan.footage.tracks.items()}
        outlines = plan.outlines(0, verdicts)
        original.cover(outlines, self.config.method)
        original.write(self.out / COPIES / self.copy, self.config.metadata)
        pictures = self._pictures(plan, original)
        notes = (result.note, original.note)
        return Outcome.of(
            self.path, os.path.join(COPIES, self.copy), plan, verdicts, pictures, notes
        )

    def _plan(self, result: Annotated, original: Original) -> Plan:
        footage = Footage.of_photo(result)
        likeness: dict[int, float] = {}
        if self.clear is not None and self.clear.looks and footage.tracks:
            gray = to_gray(original.bgr())
            for number, track in footage.tracks.items():
                points = track.spots[0].points
                assert points is not None
                transform = self.clear.transform(points, footage.size_wh)
                if transform is not None:
                    likeness[number] = self.clear.likeness(transform.cut(gray))
        clear = self.clear.numbers if self.clear is not None else frozenset()
        return Plan(footage, self.config, self.config.min_score, self.corrections, likeness, clear)

    def _pictures(self, plan: Plan, original: Original) -> dict[int, str]:
        """Write the pictures of what to check; returns their names by face."""
        names: dict[int, str] = {}
        image = None
        for number, track in plan.footage.tracks.items():
            if plan.verdict(track).reason:
                image = original.bgr() if image is None else image
                names[number] = f"{self.order:06d}-{number}.jpg"
                write_close_up(self.out / REVIEW / names[number], image, track.spots[0].box)
        if not plan.footage.tracks:
            write_close_up(self.out / REVIEW / f"{self.order:06d}.jpg", original.bgr(), None)
        return names


def photo_outcome(piece: Piece) -> Outcome:
    """The outcome in a worker's result."""
    assert isinstance(piece, PhotoDone)
    assert piece.outcome is not None
    return piece.outcome
