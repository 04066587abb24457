"""Made-up faces of 68 points, for tests of what is written of them."""

import numpy as np

from fkp.keypoints import IBUG68, Faces
from tests.faces68 import FRONTAL


def some_faces(count: int, apart: float = 150.0) -> Faces:
    """Frontal faces side by side, each 100 pixels wide, in falling order of their scores."""
    shift = np.array([[i * apart, 0.0] for i in range(count)])
    points = np.array(FRONTAL + shift[:, None], np.float32)
    low, high = points.min(1), points.max(1)
    boxes = np.concatenate([low, high - low], axis=1).astype(np.float32)
    scores = np.linspace(0.99, 0.8, count).astype(np.float32)
    return Faces(IBUG68, boxes, scores, points, np.full((count, 68), 0.9, np.float32))
