"""Which faces are aligned, and how."""

from dataclasses import dataclass
from pathlib import Path

from fkp.errors import UsageError
from fkp.vision.templates import Framing
from fkp.vision.warp import colour_from

WHICH = ("largest", "first", "each")
"""Which faces of a picture are aligned: the largest, the first in the table, or each."""

PERIODS = ("day", "week")

SORTS = ("inputs", "date")


@dataclass(frozen=True, slots=True)
class AlignConfig:
    """Which faces are aligned, and how.

    faces: one of WHICH. border: see `fkp.vision.warp`. one_per: align only the best picture per
    period, None for all pictures. timelapse: a video of all pictures, None for none. sort: its
    order, one of SORTS; with one_per it is always by date. hold, fade: how long it shows each
    picture, and how long a picture fades into the next one, in seconds. Raises UsageError.
    """

    framing: Framing
    faces: str = "largest"
    border: str = "reflect"
    one_per: str | None = None
    sort: str = "inputs"
    timelapse: Path | None = None
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
            raise UsageError("hold and fade: expected at least 1/30 second together")
        if self.timelapse is not None and self.timelapse.suffix.lower() != ".mp4":
            raise UsageError(f"timelapse: expected a name that ends in .mp4, got {self.timelapse}")
