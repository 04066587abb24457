"""A plot of each face's points over the time of a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.files import replacing
from fkp.keypoints import Scheme

MOST_FACES = 8
"""Faces drawn: those seen in the most frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A face through a clip. times: (T,) seconds; points: (T, K, 2) pixels; confidence: (T, K)."""

    number: int
    times: npt.NDArray[np.float64]
    points: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]

    def broken(self, gap: float) -> "Series":
        """With NaN where the face was out of sight for longer than `gap` seconds: lines break."""
        after = np.flatnonzero(np.diff(self.times) > gap) + 1
        return Series(
            self.number,
            np.insert(self.times, after, np.nan),
            np.insert(self.points, after, np.nan, axis=0),
            np.insert(self.confidence, after, np.nan, axis=0),
        )


def draw_series(path: Path, scheme: Scheme, records: Iterator[Record]) -> None:
    """Write the picture whole or not at all."""
    with replacing(path) as part:
        write_series(part, scheme, list(_series(records)))


def _series(records: Iterator[Record]) -> Iterator[Series]:
    """Each face's points over time."""
    lives: dict[int, list[tuple[float, Annotated, int]]] = {}
    for _, result in records:
        if isinstance(result, Annotated) and result.moment is not None:
            for i in range(len(result.faces)):
                own = lives.setdefault(result.number(i), [])
                own.append((result.moment.time, result, i))
    for number, life in sorted(lives.items()):
        yield Series(
            number,
            np.array([time for time, _, _ in life]),
            np.array([result.faces.points[i] for _, result, i in life]),
            np.array([result.faces.confidence[i] for _, result, i in life]),
        )


def write_series(path: Path, scheme: Scheme, faces: Sequence[Series]) -> None:
    """Draw a row of plots per face: x and y of each point, and the confidences, over time."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    most = sorted(faces, key=lambda face: -len(face.times))[:MOST_FACES]
    shown = sorted(most, key=lambda face: face.number)
    figure, axes = plt.subplots(
        max(len(shown), 1), 3, figsize=(15, 1 + 2.7 * max(len(shown), 1)), squeeze=False,
        sharex=True, layout="constrained",
    )  # fmt: skip
    colours = plt.get_cmap("turbo")(np.linspace(0.05, 0.95, len(scheme)))
    for row, face in zip(axes, shown, strict=False):
        step = float(np.median(np.diff(face.times))) if len(face.times) > 1 else 1.0
        _draw_face(row, face.broken(2.5 * step), colours)
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    title = f"{len(faces)} faces, {len(scheme)} points ({scheme.name})"
    if len(shown) < len(faces):
        title += f"; the {len(shown)} seen most are shown"
    if len(scheme) <= 15 and shown:
        named = zip(scheme.names, colours, strict=True)
        lines = [Line2D([], [], color=colour, label=name) for name, colour in named]
        figure.legend(handles=lines, loc="outside lower center", ncols=5, fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=100, format="png")
    plt.close(figure)


def _draw_face(row: Sequence[Any], face: Series, colours: npt.NDArray[np.float64]) -> None:
    x, y, confidence = row
    for k, colour in enumerate(colours):
        x.plot(face.times, face.points[:, k, 0], color=colour, linewidth=0.7)
        y.plot(face.times, face.points[:, k, 1], color=colour, linewidth=0.7)
    # Filled frames have no confidence, hence no percentiles.
    known = np.isfinite(face.confidence).all(1)
    low, middle, high = np.full((3, len(face.times)), np.nan)
    if known.any():
        spread = np.percentile(face.confidence[known], [5, 50, 95], axis=1)
        low[known], middle[known], high[known] = spread
    confidence.fill_between(face.times, low, high, alpha=0.3, linewidth=0)
    confidence.plot(face.times, middle, linewidth=1)
    confidence.set_ylim(0, 1.02)
    x.set_title(f"face {face.number}: x, pixels", fontsize="medium")
    y.set_title("y, pixels (down)", fontsize="medium")
    title = "confidence: median, 5 to 95 % of the points"
    if np.array_equal(low, high, equal_nan=True):
        title = "mean confidence of the points"
    confidence.set_title(title, fontsize="medium")
    y.invert_yaxis()
