"""Scoring a face detector: average precision and false alarms."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.learn.detector.scenes import Scene
from fkp.vision.detect import Detections
from fkp.vision.images import Image

Array = npt.NDArray[np.float64]

MATCH = 0.5
"""Minimum intersection over union of a box and the face that it matches."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorScores:
    """The scores over some pictures.

    ap: area under the precision-recall curve, NaN without labelled faces. recall, false_alarms:
    by a threshold of the score; false alarms per picture without any face, known or possible, of
    which there are `empty`. A box on a possible face is ignored.
    """

    faces: int
    pictures: int
    empty: int
    ap: float
    scores: Array  # (D,) of all boxes that count, in descending order
    hits: npt.NDArray[np.bool_]  # (D,)
    alarms: Array  # scores of the boxes in pictures without a face

    def recall(self, threshold: float) -> float:
        """Share of the faces found with at least this score."""
        return float((self.hits & (self.scores >= threshold)).sum()) / max(self.faces, 1)

    def precision(self, threshold: float) -> float:
        """Share of the boxes with at least this score that are faces."""
        kept = self.scores >= threshold
        return float((self.hits & kept).sum()) / max(int(kept.sum()), 1)

    def false_alarms(self, threshold: float) -> float:
        """Boxes with at least this score per picture without a face."""
        return float((self.alarms >= threshold).sum()) / max(self.empty, 1)


def score_detector(
    scenes: Iterable[Scene], detect: Callable[[Image], Detections]
) -> DetectorScores:
    """Compare the faces that `detect` finds with the labels."""
    labelled = list(scenes)
    return score_detections(labelled, [detect(scene.image) for scene in labelled])


def score_detections(
    scenes: Sequence[Scene], found: Sequence[Detections], match: float = MATCH
) -> DetectorScores:
    """Compare the faces found in each picture with the labels; each face is matched once, by the
    highest-scoring box that overlaps it enough.
    """
    scores: list[float] = []
    hits: list[bool] = []
    alarms: list[float] = []
    for scene, boxes in zip(scenes, found, strict=True):
        if len(scene.boxes) == 0:
            alarms += boxes.scores.tolist()
        for score, hit in _matches(scene, boxes, match):
            scores.append(score)
            hits.append(hit)
    order = np.argsort(-np.array(scores), kind="stable")
    ordered = np.array(hits, bool)[order]
    faces = sum(int(scene.sure.sum()) for scene in scenes)
    empty = sum(len(scene.boxes) == 0 for scene in scenes)
    return DetectorScores(
        faces, len(scenes), empty, average_precision(ordered, faces),
        np.array(scores)[order], ordered, np.array(alarms),
    )  # fmt: skip


def _matches(scene: Scene, found: Detections, match: float) -> Iterator[tuple[float, bool]]:
    """Score of each box that counts, and whether it matches a face not taken by a better box."""
    overlap = iou(found.boxes.astype(np.float64), scene.boxes)
    free = scene.sure.copy()
    for i in np.argsort(-found.scores, kind="stable"):
        row = np.where(free | ~scene.sure, overlap[i], 0.0)
        best = int(row.argmax()) if len(row) else -1
        hit = best >= 0 and bool(scene.sure[best]) and row[best] >= match
        if not hit and (np.where(scene.sure, 0.0, overlap[i]) > 0.3).any():
            continue
        if hit:
            free[best] = False
        yield float(found.scores[i]), bool(hit)


def average_precision(hits: npt.NDArray[np.bool_], faces: int) -> float:
    """Area under the interpolated precision-recall curve of boxes in order of their score.

    Everingham et al., IJCV 88, 2010, over all points.
    """
    if faces == 0:
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].sum() / faces)


def iou(a: Array, b: Array) -> Array:
    """(A, B): intersection over union of boxes (A, 4) and (B, 4), xywh."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    inner = (high - low).clip(min=0).prod(2)
    union = a[:, 2:].prod(1)[:, None] + b[:, 2:].prod(1)[None] - inner
    return np.asarray(inner / union.clip(min=1e-9))
