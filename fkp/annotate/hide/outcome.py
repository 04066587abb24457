"""The outcome for an input, as rows of `hidden.csv` and `hidden_faces.csv`."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from fkp.annotate.hide.plan import CLEAR, HIDDEN, Plan, Verdict
from fkp.annotate.hide.tracks import Track
from fkp.annotate.output.text import csv_line

COLUMNS = (
    "image", "kind", "status", "copy", "image_width", "image_height", "frames", "hidden", "clear",
    "to_check", "reason",
)  # fmt: skip
FACE_COLUMNS = (
    "image", "face", "status", "score", "likeness", "first", "last", "frames_found",
    "frames_hidden", "frame", "box_x", "box_y", "box_w", "box_h", "reason", "picture",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One face.

    first, last: frames. found, hidden: numbers of frames. box: (x, y, width, height) in the frame
    of the verdict. picture: its name in the review folder, or "".
    """

    number: int
    verdict: Verdict
    score: float
    first: int
    last: int
    found: int
    hidden: int
    box: tuple[float, float, float, float]
    picture: str = ""

    @classmethod
    def of(cls, track: Track, verdict: Verdict, picture: str = "") -> "FaceRow":
        """The row of a face."""
        x, y, width, height = (float(v) for v in track.spots[verdict.frame].box)
        frames = sorted(track.spots)
        hidden = len(frames) if verdict.status == HIDDEN else 0
        return cls(
            track.number, verdict, track.score, frames[0], frames[-1], track.seen,
            hidden, (x, y, width, height), picture,
        )  # fmt: skip

    def cells(self, path: str, clip: bool) -> list[str]:
        """The cells of its row."""
        likeness = self.verdict.likeness
        times = [self.first, self.last, self.found, self.hidden, self.verdict.frame]
        own = [str(n) for n in times] if clip else [""] * 5
        return [
            path, str(self.number), self.verdict.status,
            "" if math.isnan(self.score) else f"{self.score:.4f}",
            "" if math.isnan(likeness) else f"{likeness:.3f}",
            *own, *(f"{v:.2f}" for v in self.box), self.verdict.reason, self.picture,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for an input.

    kind: photo or clip. status: ok, no_face, unreadable, or failed if it was read but its copy
    could not be written. copy: path below the folder of the results, "" if there is none. size_wh:
    None if it could not be read. frames: of a clip. reason: explains the status, or notes.
    """

    path: str
    kind: str
    status: str
    copy: str = ""
    size_wh: tuple[int, int] | None = None
    frames: int = 0
    faces: Sequence[FaceRow] = ()
    reason: str = ""

    @classmethod
    def of(
        cls,
        path: str,
        copy: str,
        plan: Plan,
        verdicts: dict[int, Verdict],
        pictures: dict[int, str],
        notes: Sequence[str],
    ) -> "Outcome":
        """The outcome of an input whose copy was written."""
        footage = plan.footage
        rows = [
            FaceRow.of(one, verdicts[number], pictures.get(number, ""))
            for number, one in sorted(footage.tracks.items())
        ]
        named = {row.face for row in plan.corrections if row.face is not None}
        unknown = sorted(named - footage.tracks.keys())
        said = [*notes, *(f"a correction is about face {n}, which does not exist" for n in unknown)]
        clip = len(footage.stamps) > 0
        return cls(
            path, "clip" if clip else "photo", "ok" if rows else "no_face", copy, footage.size_wh,
            len(footage.times) if clip else 0, rows, "; ".join(dict.fromkeys(filter(None, said))),
        )  # fmt: skip

    def count(self, status: str) -> int:
        """How many of its faces have a status."""
        return sum(row.verdict.status == status for row in self.faces)

    @property
    def to_check(self) -> int:
        """How many of its faces a person should check; 1 if no face was found."""
        doubtful = sum(bool(row.verdict.reason) for row in self.faces)
        return max(doubtful, int(self.status == "no_face"))

    def line(self) -> str:
        """Its row in `hidden.csv`."""
        width, height = ("", "") if self.size_wh is None else map(str, self.size_wh)
        copied = self.status in ("ok", "no_face")
        counts = [str(n) for n in (self.count(HIDDEN), self.count(CLEAR), self.to_check)]
        frames = str(self.frames) if self.kind == "clip" and copied else ""
        cells = [
            self.path, self.kind, self.status, self.copy, width, height, frames,
            *(counts if copied else ("", "", "")), self.reason,
        ]  # fmt: skip
        return csv_line(cells)

    def face_lines(self) -> str:
        """Its rows in `hidden_faces.csv`."""
        clip = self.kind == "clip"
        return "".join(csv_line(row.cells(self.path, clip)) for row in self.faces)


def copy_name(below: str, kept: frozenset[str], added: str, others: frozenset[str]) -> str:
    """The name of a copy: that of the input, with `added` if its format cannot be written.

    below: the input, relative to the common folder. kept: suffixes that can be written. others: all
    inputs, so that no two share a copy.
    """
    if os.path.splitext(below)[1].lower() in kept:
        return below
    name = below + added
    while name in others:
        name = f"{name}{added}"
    return name
