"""What became of an input, as rows of `hidden.csv` and `hidden_faces.csv`."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from fkp.annotate.hide.plan import CLEAR, HIDDEN, Plan, Verdict
from fkp.annotate.hide.tracks import Path
from fkp.annotate.output.text import csv_line

COLUMNS = (
    "input", "kind", "status", "copy", "width", "height", "frames", "hidden", "clear", "check",
    "reason",
)  # fmt: skip
FACE_COLUMNS = (
    "input", "face", "state", "score", "likeness", "first", "last", "frames_found",
    "frames_covered", "frame", "x", "y", "width", "height", "check", "picture",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One face. box: (x, y, width, height) in the frame `frame`; picture: of it, for the page, or
    "".
    """

    number: int
    verdict: Verdict
    score: float
    first: int
    last: int
    found: int
    covered: int
    box: tuple[float, float, float, float]
    picture: str = ""

    @classmethod
    def of(cls, path: Path, verdict: Verdict, picture: str = "") -> "FaceRow":
        """The row of a face. picture: its name in the review folder."""
        x, y, width, height = (float(v) for v in path.spots[verdict.frame].box)
        frames = sorted(path.spots)
        hidden = verdict.state == HIDDEN
        return cls(
            path.number, verdict, path.score, frames[0], frames[-1], path.seen,
            len(frames) if hidden else 0, (x, y, width, height), picture,
        )  # fmt: skip

    def cells(self, path: str, clip: bool) -> list[str]:
        """The cells of its row."""
        likeness = self.verdict.likeness
        times = [self.first, self.last, self.found, self.covered, self.verdict.frame]
        own = [str(n) for n in times] if clip else [""] * 5
        return [
            path, str(self.number), self.verdict.state,
            "" if math.isnan(self.score) else f"{self.score:.4f}",
            "" if math.isnan(likeness) else f"{likeness:.3f}",
            *own, *(f"{v:.2f}" for v in self.box), self.verdict.check, self.picture,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an input.

    kind: photo or clip. status: ok, no_face, unreadable, or failed, where it was read but its copy
    could not be written. copy: its copy, below the folder of the results, "" where there is none.
    size_wh: None where it could not be read. frames: of a clip. check: why a person should look at
    the whole of it, or "". reason: why it has this status, or notes.
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
        film = plan.film
        rows = [
            FaceRow.of(one, verdicts[number], pictures.get(number, ""))
            for number, one in sorted(film.paths.items())
        ]
        unknown = {row.face for row in plan.corrections if row.face is not None} - film.paths.keys()
        said = [*notes, *(f"a correction names face {n}, which is not there" for n in unknown)]
        clip = len(film.stamps) > 0
        return cls(
            path, "clip" if clip else "photo", "ok" if rows else "no_face", copy, film.size_wh,
            len(film.times) if clip else 0, rows, "; ".join(dict.fromkeys(filter(None, said))),
        )  # fmt: skip

    def count(self, state: str) -> int:
        """How many of its faces have a state."""
        return sum(row.verdict.state == state for row in self.faces)

    @property
    def to_check(self) -> int:
        """How many of its faces a person should look at; 1 where no face was found at all."""
        doubtful = sum(bool(row.verdict.check) for row in self.faces)
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
    """The name for a copy, below the folder of the results: that of the input, where its format can
    be written, otherwise with `added`.

    below: the input below the folder of all. others: all inputs, so that no two share a copy.
    """
    if os.path.splitext(below)[1].lower() in kept:
        return below
    name = below + added
    while name in others:
        name = f"{name}{added}"
    return name
