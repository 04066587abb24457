"""What becomes of one input."""

from dataclasses import dataclass

from fkp.keypoints import Faces


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an input could not be read."""

    reason: str

    @property
    def status(self) -> str:
        """As rows have it."""
        return "unreadable"


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """The faces of a picture that was read. width, height: its pixels, upright.

    note: what a user should know of it, such as that only its first frame was looked at.
    """

    faces: Faces
    width: int
    height: int
    note: str = ""

    @property
    def status(self) -> str:
        """As rows have it."""
        return "ok" if len(self.faces) else "no_face"


Result = Annotated | Failure
