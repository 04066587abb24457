"""What is to be aligned, and how."""

from dataclasses import dataclass
from pathlib import Path

from fkp.errors import UsageError
from fkp.vision.templates import Framing
from fkp.vision.warp import colour_from

WHICH = ("largest", "first", "each")
"""Faces of a picture that are aligned: the largest, the first in the table, or each."""

PERIODS = ("day", "week")

SORTS = ("inputs", "date")


@dataclass(frozen=True, slots=True)
class Align:
    """How faces are aligned.

    faces: one of WHICH. border: see `fkp.vision.warp`. one_per: a period of which only the best
    picture is aligned, None for all pictures. sort: of the film, one of SORTS; pictures of one per
    period are always in the order of their dates. film: a video of all pictures; hold, fade: how
    long each is shown, and how long it takes to become the next one, seconds. Raises UsageError.
    """

    framing: Framing
    faces: str = "largest"
    border: str = "reflect"
    one_per: str | None = None
    sort: str = "inputs"
    film: Path | None = None
    hold: float = 0.2
    fade: float = 0.2

    def __post_init__(self) -> None:
        colour_from(self.border)
        for name, value, known in (
            ("faces", self.faces, WHICH), ("sort", self.sort, SORTS),
            ("one_per", self.one_per, (None, *PERIODS)),
        ):  # fmt: skip
            if value not in known:
                raise UsageError(
                    f"{name}: expected one of {', '.join(map(str, known))}, got {value}"
                )
        if self.hold < 0 or self.fade < 0 or self.hold + self.fade < 1 / 30:
            raise UsageError("hold and fade: expected together at least a thirtieth of a second")
        if self.film is not None and self.film.suffix.lower() != ".mp4":
            raise UsageError(f"timelapse: expected a name that ends in .mp4, got {self.film}")
