"""What is measured on each face of a clip, over time, and where it can be trusted."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.vision.head import Camera
from fkp.vision.measures import MEASURES, measure

YAW, PITCH = 30.0, 20.0
"""Degrees by which a head may be turned from how this face is usually held. Beyond them the far eye
is hidden, or lids look lowered that are not."""

FARTHEST = 45.0
"""Degrees of yaw from the camera beyond which half of the face is a guess."""

CONFIDENT = 0.5
"""Mean confidence of the points from which they count."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A face through a clip, in order of time.

    times: (T,) seconds. openings: (T, 3) right eye, left eye, mouth, as `find_openings` gives them.
    yaw, pitch: (T,) degrees. confidence: (T,). seen: (T,) bool, False where the face was filled in.
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
        """(T,): whether the openings can be trusted, by pose and confidence."""
        turned = np.abs(self.yaw - np.nanmedian(self.yaw)) if np.isfinite(self.yaw).any() else 0
        tilted = (
            np.abs(self.pitch - np.nanmedian(self.pitch)) if np.isfinite(self.pitch).any() else 0
        )
        posed = (turned <= YAW) & (tilted <= PITCH) & (np.abs(self.yaw) <= FARTHEST)
        sure = ~(self.confidence < CONFIDENT)  # a network that gives none is believed
        return np.asarray(self.seen & posed & sure & np.isfinite(self.openings).all(1))

    @property
    def step(self) -> float:
        """Seconds from frame to frame, as a rule; NaN of a single frame."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else float("nan")


def traces(records: Iterable[Record], camera: Camera) -> list[Trace]:
    """The faces of a clip by their numbers. camera: what the head's pose is measured with."""
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
