"""The mean head is found again from faces of known shape."""

import numpy as np

from fkp.bundled.mean_head import mean_head
from fkp.vision.head import HEAD
from tests.faces68 import rotation


def test_the_shape_comes_back_though_lips_and_jaw_move() -> None:
    rng = np.random.default_rng(0)
    spread = np.full((68, 1), 1.0)  # millimetres: of noise and of differences between persons
    spread[:17], spread[48:] = 5.0, 3.0
    faces = []
    for yaw in rng.uniform(-45, 45, 400):
        turn = rotation(yaw, rng.uniform(-15, 15), rng.uniform(-10, 10))
        shape = HEAD + rng.normal(0, 1, (68, 3)) * spread
        faces.append(rng.uniform(0.3, 0.6) * (shape @ turn.T)[:, :2] + rng.uniform(40, 70, 2))
    found = mean_head(np.array(faces))
    error = np.linalg.norm(found - HEAD, axis=1)
    assert np.sqrt((error[17:] ** 2).mean()) < 1.5
    nose = found[30, 2] - found[[36, 45], 2].mean(), HEAD[30, 2] - HEAD[[36, 45], 2].mean()
    assert abs(nose[0] / nose[1] - 1) < 0.05
