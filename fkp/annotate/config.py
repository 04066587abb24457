"""How to annotate."""

from dataclasses import dataclass

from fkp.annotate.photo.drawing import Drawing
from fkp.keypoints import Scheme
from fkp.vision.images import MAX_PIXELS

MIN_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class AnnotateConfig:
    """How to annotate.

    scheme: the points wanted, where not the network's own.
    min_score: faces of a lower score (see `faces.face_scores`) are left out.
    max_faces: of a picture at most, the surest; 0 for all.
    jobs: worker processes. batch: crops in a batch of the network.
    drawing: None draws nothing.
    """

    scheme: Scheme | None = None
    min_score: float = MIN_SCORE
    max_faces: int = 0
    jobs: int = 1
    batch: int = 64
    drawing: Drawing | None = None
    max_pixels: int = MAX_PIXELS
