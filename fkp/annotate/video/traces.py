"""The measures of each face of a clip over time, and in which frames they are reliable."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.vision.head import Camera
from fkp.vision.measures import MEASURES, measure

YAW, PITCH = 30.0, 20.0
"""Maximum rotation from how this face is usually held, in degrees: beyond it, the far eye is hidden
or the lids seem lowered."""

FARTHEST = 45.0
"""Maximum yaw relative to the camera, in degrees: beyond it, half of the face is a guess."""

CONFIDENT = 0.5
"""Minimum mean confidence of the points."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A face through a clip, in order of time.

    times: (T,) seconds. openings: (T, 3) right eye, left eye, mouth, see `find_openings`. yaw,
    pitch: (T,) degrees. confidence: (T,). seen: (T,) bool, False if the face was interpolated.
    """

    number: int
    times: FloatArray
    openings: FloatArray
    yaw: FloatArray
    pitch: FloatArray
    confidence: FloatArray
    seen: npt.NDArray[np.bool_]

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(T,): whether the openings are reliable, by pose and confidence."""
        turned = np.abs(self.yaw - np.nanmedian(self.yaw)) if np.isfinite(self.yaw).any() else 0
        tilted = (
            np.abs(self.pitch - np.nanmedian(self.pitch)) if np.isfinite(self.pitch).any() else 0
        )
        posed = (turned <= YAW) & (tilted <= PITCH) & (np.abs(self.yaw) <= FARTHEST)
        confident = ~(self.confidence < CONFIDENT)  # NaN, from a network that gives none, passes
        return np.asarray(self.seen & posed & confident & np.isfinite(self.openings).all(1))

    @property
    def step(self) -> float:
        """Median seconds between frames; NaN for a single frame."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else float("nan")


def traces(records: Iterable[Record], camera: Camera) -> list[Trace]:
    """The faces of a clip by their numbers. camera: for the head's pose."""
    rows: dict[int, list[tuple[float, ...]]] = {}
    for _, result in records:
        if not isinstance(result, Annotated) or result.moment is None:
            continue
        values = measure(result.faces.points, result.width, result.height, camera)
        confidence = result.faces.confidence.mean(1)
        for i in range(len(result.faces)):
            row = (result.moment.time, *values[i], confidence[i], result.status_of(i) == "ok")
            rows.setdefault(result.number(i), []).append(row)
    yaw, pitch = (1 + MEASURES.index(name) for name in ("yaw", "pitch"))
    found = []
    for number, life in sorted(rows.items()):
        table = np.array(life, np.float64)
        found.append(
            Trace(
                number, table[:, 0], table[:, 1:4], table[:, yaw], table[:, pitch], table[:, -2],
                table[:, -1] == 1,
            )
        )  # fmt: skip
    return found
