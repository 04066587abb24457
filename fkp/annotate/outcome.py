"""The result of one input: its faces, or why it could not be read."""

import math
from dataclasses import dataclass

from fkp.keypoints import Faces


@dataclass(frozen=True, slots=True)
class Moment:
    """The number and times of a frame in a clip.

    frame: counted from 0. time: seconds since the first frame, always after the frame before.
    timestamp: seconds by the clip's own clock, which may start anywhere and go back; NaN: unknown.
    """

    frame: int
    time: float
    timestamp: float = math.nan


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an input, or a frame of a clip, could not be read."""

    reason: str
    moment: Moment | None = None

    @property
    def status(self) -> str:
        """The status of its row."""
        return "unreadable"


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """The faces of a picture that was read, or of a frame. width, height: its pixels, upright.

    note: for the user, for example that only the first frame of an animation was read. numbers: in
    a clip, the number of each face; filled: which faces were interpolated between frames in which
    they were found.
    """

    faces: Faces
    width: int
    height: int
    note: str = ""
    moment: Moment | None = None
    numbers: tuple[int, ...] = ()
    filled: tuple[bool, ...] = ()

    @property
    def status(self) -> str:
        """The status of the picture or frame."""
        return "no_face" if len(self.faces) == sum(self.filled) else "ok"

    def number(self, i: int) -> int:
        """The number of face i in its row."""
        return self.numbers[i] if self.numbers else i

    def status_of(self, i: int) -> str:
        """The status of the row of face i."""
        return "filled" if self.filled and self.filled[i] else "ok"


Result = Annotated | Failure
