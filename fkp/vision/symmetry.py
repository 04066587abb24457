"""Heights, widths and openings on both sides of a face, with the head's pose removed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray
from fkp.vision.head import Fit, fit_head, lifted

Array = npt.NDArray[np.float64]

STABLE = (27, 28, 29, 30, 33, 36, 39, 42, 45)
"""The points that determine the pose: ridge and base of the nose, corners of the eyes. A smile, or
paralysis on one side, moves all others."""

SIDES = ("right", "left")

RIGHT = {
    "brow_height": (18, 19, 20),
    "nostril_height": (31,),
    "mouth_corner_height": (48,),
    "upper_lip_height": (49, 50),
    "lower_lip_height": (58, 59),
}
"""Points of the right side whose height is measured from the line through the eye centres."""

LEFT = {
    "brow_height": (23, 24, 25),
    "nostril_height": (35,),
    "mouth_corner_height": (54,),
    "upper_lip_height": (52, 53),
    "lower_lip_height": (55, 56),
}

MEASURES = (
    "brow_height", "eye_opening", "nostril_height", "mouth_corner_width", "mouth_corner_height",
    "upper_lip_height", "lower_lip_height",
)  # fmt: skip

EXCURSION = "mouth_corner_excursion"
"""Distance of a corner of the mouth from its position at rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Frontal:
    """A face in frontal view.

    points: (68, 2) in eye distances, x to the subject's left, y down, from the point midway between
    the eyes, whose centres are level. yaw, pitch: of the head in the picture, degrees. eyes:
    distance of the eye centres in the picture, pixels.
    """

    points: Array
    yaw: float
    pitch: float
    eyes: float

    def sides(self) -> Array:
        """(len(MEASURES), 2): right and left, in eye distances.

        Heights are measured from the line through the eye centres, upwards for brows and downwards
        for the others; the width of a mouth corner from the middle line.
        """
        x, y = self.points.T
        values = {name: [0.0, 0.0] for name in MEASURES}
        for side, (points, lids, corner) in enumerate(
            ((RIGHT, ((37, 41), (38, 40)), 48), (LEFT, ((44, 46), (43, 47)), 54))
        ):
            for name, among in points.items():
                up = -1 if name == "brow_height" else 1
                values[name][side] = up * float(y[list(among)].mean())
            values["eye_opening"][side] = float(np.mean([y[low] - y[top] for top, low in lids]))
            values["mouth_corner_width"][side] = abs(float(x[corner]))
        return np.array([values[name] for name in MEASURES])

    def excursion(self, rest: "Frontal") -> Array:
        """(2,): distance of the right and left corner of the mouth from their positions at rest."""
        return np.asarray(np.linalg.norm((self.points - rest.points)[[48, 54]], axis=1))


def frontal(points: FloatArray, camera: Array) -> Frontal | None:
    """A face with points (68, 2) in pixels, before a camera (3, 3), from in front.

    The mean head gives the depth of the points and, by STABLE, their pose. None where these fit no
    head, or a point is missing.
    """
    if not np.isfinite(points).all():
        return None
    fit = fit_head(points, camera, STABLE)
    if fit is None:
        return None
    straight = (lifted(points, fit, camera) - fit.at) @ fit.turn
    right, left = straight[[36, 39], :2].mean(0), straight[[42, 45], :2].mean(0)
    across = left - right
    size = float(np.linalg.norm(across))
    axis = across / size
    level = np.array([axis, [-axis[1], axis[0]]])
    flat = (straight[:, :2] - (right + left) / 2) @ level.T / size
    yaw, pitch = _turned(fit)
    seen = np.asarray(points, np.float64)
    eyes = float(np.linalg.norm(seen[[36, 39]].mean(0) - seen[[42, 45]].mean(0)))
    return Frontal(np.asarray(flat), yaw, pitch, eyes)


def _turned(fit: Fit) -> tuple[float, float]:
    """Yaw and pitch relative to the line of sight, in degrees."""
    towards = fit.turn.T @ -fit.at / np.linalg.norm(fit.at)
    return (
        float(np.degrees(np.arctan2(-towards[0], -towards[2]))),
        float(np.degrees(np.arctan2(towards[1], np.hypot(towards[0], towards[2])))),
    )
