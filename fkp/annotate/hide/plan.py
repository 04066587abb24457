"""What becomes of each face of a photo or clip, and what is covered in each frame."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fkp.annotate.hide.config import DOUBTFUL, HideConfig
from fkp.annotate.hide.corrections import Correction
from fkp.annotate.hide.keep import CLEARLY, PERHAPS
from fkp.annotate.hide.tracks import Film, Path, Source
from fkp.vision.covering import Outline, rectangle

HIDDEN, CLEAR, IGNORED = "hidden", "clear", "ignored"

UNSEEN = 0.5
"""Seconds for which a face is covered without being found, from which on a person should look."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a face. frame: the one to show of it, the most doubtful one. likeness: to the
    faces to keep, NaN where it was not compared. check: why a person should look at it, or "".
    """

    state: str
    frame: int
    likeness: float = math.nan
    check: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is covered in a photo or clip; a photo is a film of one frame.

    start: score that makes a face one. likeness: of faces by number. kept: numbers of faces that
    stay clear.
    """

    film: Film
    config: HideConfig
    start: float
    corrections: Sequence[Correction] = ()
    likeness: Mapping[int, float] = field(default_factory=dict)
    kept: frozenset[int] = frozenset()

    def verdict(self, path: Path) -> Verdict:
        """What becomes of a face."""
        likeness = self.likeness.get(path.number, math.nan)
        best = path.best
        for row in self.corrections:
            if row.face == path.number and row.action == "hide":
                return Verdict(HIDDEN, best, likeness)
        if all(self._cleared(path, frame) for frame in path.spots):
            return Verdict(CLEAR, best, likeness)
        if path.number in self.kept:
            return Verdict(CLEAR, best, likeness)
        if likeness >= CLEARLY:
            said = f"left clear: looks like a face to keep (likeness {likeness:.2f})"
            return Verdict(CLEAR, best, likeness, said)
        if path.score < self.start:
            said = f"not hidden: its score never reaches {self.start:g}"
            return Verdict(IGNORED, best, likeness, said)
        if likeness >= PERHAPS:
            said = f"hidden: looks like a face to keep, but not clearly (likeness {likeness:.2f})"
            return Verdict(HIDDEN, best, likeness, said)
        if path.score < DOUBTFUL:
            return Verdict(HIDDEN, best, likeness, "hidden: is it a face? its score is low")
        middle, seconds = self._unseen(path)
        if seconds >= UNSEEN:
            said = f"covered for {seconds:.1f} s without being found: is it covered well?"
            return Verdict(HIDDEN, middle, likeness, said)
        return Verdict(HIDDEN, best, likeness)

    def outlines(self, frame: int, verdicts: Mapping[int, Verdict]) -> list[Outline]:
        """What is covered in a frame. verdicts: on all faces, by number."""
        outlines = []
        for number, path in self.film.paths.items():
            spot = path.spots.get(frame)
            forced = any(
                row.action == "hide" and row.face == number and row.at(frame)
                for row in self.corrections
            )
            wanted = forced or verdicts[number].state == HIDDEN
            if spot is None or not wanted or (not forced and self._cleared(path, frame)):
                continue
            unseen = spot.source is not Source.SEEN
            outlines.append(self.config.outline(spot.box, spot.points, unseen))
        boxes = [row for row in self.corrections if row.action == "hide" and row.box is not None]
        return outlines + [rectangle(row.box_xywh) for row in boxes if row.at(frame)]

    def _cleared(self, path: Path, frame: int) -> bool:
        """Whether a correction leaves a face clear in a frame."""
        box = path.spots[frame].box
        return any(
            row.action == "clear" and row.at(frame) and row.means(path.number, box)
            for row in self.corrections
        )

    def _unseen(self, path: Path) -> tuple[int, float]:
        """The middle of the longest stretch in which a face is followed unseen, and its seconds."""
        sources = (Source.BETWEEN, Source.FOLLOWED)
        stretches: list[list[int]] = []
        for frame in sorted(i for i, spot in path.spots.items() if spot.source in sources):
            if stretches and stretches[-1][-1] == frame - 1:
                stretches[-1].append(frame)
            else:
                stretches.append([frame])
        longest = max(stretches, key=len, default=[path.best])
        times = self.film.times
        return longest[len(longest) // 2], times[longest[-1]] - times[longest[0]]
