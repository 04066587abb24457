"""Tables of face boxes with five points: `image, box_x .. mouth_left_y[, score[, second]]`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import LabelError
from fkp.keypoints import ANCHOR_NAMES

BOX_COLUMNS = ("box_x", "box_y", "box_w", "box_h")
_POINTS = [f"{name}_{axis}" for name in ANCHOR_NAMES for axis in "xy"]
_OTHER_NAMES = {f"nose_{axis}": f"nose_tip_{axis}" for axis in "xy"}


@dataclass(frozen=True, slots=True, eq=False)
class BoxTable:
    """B face boxes in pictures, B >= 0.

    images: B names; boxes: (B, 4) float64 xywh pixels; anchors: (B, 5, 2) pixels;
    scores: (B,) of the detector that made them, 1 if there is none; second: (B,) of another
    detector, NaN if there is none.
    """

    images: list[str]
    boxes: npt.NDArray[np.float64]
    anchors: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]

    def by_image(self) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
        """Each picture with the indices of its rows."""
        rows = pd.Series(range(len(self.images))).groupby(self.images).indices
        yield from ((str(name), np.asarray(at, np.int64)) for name, at in rows.items())


def read_boxes(path: Path) -> BoxTable:
    """Read a table of face boxes; raises LabelError if a column or a number is missing."""
    try:
        table = pd.read_csv(path, dtype={"image": str})
    except (OSError, ValueError) as error:
        raise LabelError(f"{path}: cannot be read as a table of boxes: {error}") from error
    table = table.rename(columns=_OTHER_NAMES)
    missing = [c for c in ("image", *BOX_COLUMNS, *_POINTS) if c not in table.columns]
    if missing:
        raise LabelError(f"{path}: a table of boxes needs the column {missing[0]}")
    try:
        values = table[[*BOX_COLUMNS, *_POINTS]].to_numpy(np.float64)
        scores = table["score"].to_numpy(np.float64) if "score" in table else np.ones(len(values))
        second = (
            table["second"].to_numpy(np.float64) if "second" in table else values[:, 0] * np.nan
        )
    except ValueError as error:
        raise LabelError(f"{path}: {error}") from error
    whole = np.isfinite(values).all(1) & np.isfinite(scores)
    if not whole.all():
        row = int(np.argmin(whole))
        raise LabelError(f"{path} row {row + 2}: a number is missing")
    return BoxTable(
        table["image"].tolist(),
        values[:, :4],
        values[:, 4:14].reshape(-1, 5, 2),
        scores,
        second,
    )
