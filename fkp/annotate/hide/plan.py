"""Which faces of a photo or clip are hidden, and what is covered in each frame."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fkp.annotate.hide.clear import CLEARLY, PERHAPS
from fkp.annotate.hide.config import DOUBTFUL, HideConfig
from fkp.annotate.hide.corrections import Correction
from fkp.annotate.hide.tracks import Footage, Source, Track
from fkp.vision.covering import Outline, rectangle

HIDDEN, CLEAR, IGNORED = "hidden", "clear", "ignored"

UNSEEN = 0.5
"""A face that is covered for this many seconds without being found should be checked by a person.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a face is hidden.

    status: HIDDEN, CLEAR or IGNORED. frame: the most doubtful one, which is shown. likeness: to the
    faces to leave clear, NaN if it was not compared. reason: why a person should check it, or "".
    """

    status: str
    frame: int
    likeness: float = math.nan
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is covered in a photo or clip; a photo is footage of one frame.

    start_score: a face must reach it in any frame. likeness: of faces by number. clear: numbers of
    faces that are left clear.
    """

    footage: Footage
    config: HideConfig
    start_score: float
    corrections: Sequence[Correction] = ()
    likeness: Mapping[int, float] = field(default_factory=dict)
    clear: frozenset[int] = frozenset()

    def verdict(self, track: Track) -> Verdict:
        """Whether a face is hidden."""
        likeness = self.likeness.get(track.number, math.nan)
        best = track.best
        for row in self.corrections:
            if row.face == track.number and row.action == "hide":
                return Verdict(HIDDEN, best, likeness)
        if all(self._cleared(track, frame) for frame in track.spots):
            return Verdict(CLEAR, best, likeness)
        if track.number in self.clear:
            return Verdict(CLEAR, best, likeness)
        if likeness >= CLEARLY:
            reason = f"left clear: looks like a face to keep (likeness {likeness:.2f})"
            return Verdict(CLEAR, best, likeness, reason)
        if track.score < self.start_score:
            reason = f"not hidden: its score never reaches {self.start_score:g}"
            return Verdict(IGNORED, best, likeness, reason)
        if likeness >= PERHAPS:
            reason = f"hidden: may be a face to keep (likeness {likeness:.2f})"
            return Verdict(HIDDEN, best, likeness, reason)
        if track.score < DOUBTFUL:
            return Verdict(HIDDEN, best, likeness, "hidden: low score, may not be a face")
        middle, seconds = self._unseen(track)
        if seconds >= UNSEEN:
            reason = f"hidden: not found for {seconds:.1f} s, the cover may be off"
            return Verdict(HIDDEN, middle, likeness, reason)
        return Verdict(HIDDEN, best, likeness)

    def outlines(self, frame: int, verdicts: Mapping[int, Verdict]) -> list[Outline]:
        """The outlines to cover in a frame. verdicts: on all faces, by number."""
        outlines = []
        for number, track in self.footage.tracks.items():
            spot = track.spots.get(frame)
            forced = any(
                row.action == "hide" and row.face == number and row.at(frame)
                for row in self.corrections
            )
            wanted = forced or verdicts[number].status == HIDDEN
            if spot is None or not wanted or (not forced and self._cleared(track, frame)):
                continue
            unseen = spot.source is not Source.SEEN
            outlines.append(self.config.outline(spot.box, spot.points, unseen))
        boxes = [row for row in self.corrections if row.action == "hide" and row.box is not None]
        return outlines + [rectangle(row.box_xywh) for row in boxes if row.at(frame)]

    def _cleared(self, track: Track, frame: int) -> bool:
        """Whether a correction leaves a face clear in a frame."""
        box = track.spots[frame].box
        return any(
            row.action == "clear" and row.at(frame) and row.means(track.number, box)
            for row in self.corrections
        )

    def _unseen(self, track: Track) -> tuple[int, float]:
        """The middle frame and the length in seconds of the longest stretch without detection."""
        sources = (Source.BETWEEN, Source.FOLLOWED)
        stretches: list[list[int]] = []
        for frame in sorted(i for i, spot in track.spots.items() if spot.source in sources):
            if stretches and stretches[-1][-1] == frame - 1:
                stretches[-1].append(frame)
            else:
                stretches.append([frame])
        longest = max(stretches, key=len, default=[track.best])
        times = self.footage.times
        return longest[len(longest) // 2], times[longest[-1]] - times[longest[0]]
