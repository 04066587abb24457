"""Settings of annotation that do not depend on the output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fkp.annotate.outcome import Result
from fkp.annotate.photo.drawing import DrawConfig
from fkp.keypoints import Scheme
from fkp.vision.images import MAX_PIXELS
from fkp.vision.iris import FINER

MIN_SCORE = 0.5

ORDERS = ("surest", "left", "largest")
"""Orders of the faces of a picture: by decreasing score, from the left, by decreasing size."""


class Filter(Protocol):
    """Discards some of the faces that were found."""

    @property
    def expression(self) -> str:
        """What it was made from."""
        ...

    def __call__(self, paths: Sequence[str], results: Sequence[Result]) -> list[Result]:
        """The results of inputs with the faces that are kept."""
        ...


@dataclass(frozen=True, slots=True)
class AnnotateConfig:
    """Which faces and points are wanted, and how inputs are processed.

    scheme: the points wanted, None for the network's own.
    min_score: faces with a lower score (see `faces.face_scores`) are discarded.
    max_faces: the highest-scoring faces kept of each picture; None keeps all.
    jobs: worker processes. batch: crops in a batch of the network.
    drawing: None draws nothing. max_pixels: larger pictures are unreadable.
    quality: whether sharpness and exposure are measured; iris: whether irises are found, which
    needs the network's 68 points. order: of the faces of a picture, one of
    ORDERS. keep: discards some of the faces, None for none.
    """

    scheme: Scheme | None = None
    min_score: float = MIN_SCORE
    max_faces: int | None = None
    jobs: int = 1
    batch: int = 64
    drawing: DrawConfig | None = None
    max_pixels: int = MAX_PIXELS
    quality: bool = False
    iris: bool = False
    order: str = "surest"
    keep: Filter | None = None

    @property
    def finer(self) -> int:
        """How many times the side of the network's crops those need that more is looked at in."""
        return FINER if self.iris else 1

    def identity(self) -> dict[str, object]:
        """The settings that determine the bytes of the results."""
        return {
            "min_score": float(self.min_score),
            "max_faces": self.max_faces,
            "batch": self.batch,
            "max_pixels": self.max_pixels,
            "order": self.order,
            "keep": None if self.keep is None else self.keep.expression,
        }
