"""WIDER FACE, validation part (Yang et al., CVPR 2016): average precision, easy, medium, hard."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.annotate.faces import face_scores
from fkp.errors import DataError
from fkp.labels.cut import Progress
from fkp.learn.evaluation.benchmarks.faces import CHUNK, Picture, load
from fkp.learn.evaluation.benchmarks.files import find, needed, read_mat
from fkp.learn.evaluation.benchmarks.report import Metric, ScoreTable, SubsetScores
from fkp.learn.networks.checkpoint import Model
from fkp.vision.crop import CropTransform
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.images import Image, to_gray
from fkp.vision.process import settle

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TITLE = "WIDER FACE"
SETTINGS = ("easy", "medium", "hard")
COUNT = 3226
"""Pictures of the validation part."""

MATCH = 0.5
"""Intersection over union from which a box matches a face."""

LEVELS = 1000
"""Number of score thresholds of the official curve."""

LEAST = 0.05
"""Boxes with lower scores are ignored: on 320 street scenes, the 255 additional boxes per picture
from 0.02 on changed the average precision by 0.01 percentage points."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScenes:
    """Pictures in which all faces are labelled.

    boxes: (B, 4) float64 xywh for each picture; counted: for each setting and picture, which (B,)
    faces count; the others are ignored.
    """

    pictures: list[Picture]
    boxes: list[Array]
    counted: dict[str, list[Bools]]


def read_wider(folder: Path) -> LabelledScenes:
    """`wider_face_val.mat`, `wider_{easy,medium,hard}_val.mat` and the pictures of `WIDER_val`.

    The three are in `eval_tools/ground_truth` of the official evaluation; `wider_face_val.mat` is
    also in `wider_face_split`. Raises DataError.
    """
    truth = read_mat(needed(folder, TITLE, "wider_face_val.mat"), "event_list", "file_list")
    images = find(folder, "WIDER_val/images", "WIDER_val", "images")
    if images is None:
        raise DataError(f"{folder}: expected WIDER_val/images here or below")
    parts = {}
    for setting in SETTINGS:
        path = find(folder, f"wider_{setting}_val.mat")
        if path is None:
            raise DataError(
                f"{folder}: expected wider_{setting}_val.mat; it is in the folder ground_truth of "
                "eval_tools.zip, WIDER FACE's official evaluation"
            )
        parts[setting] = read_mat(path, "gt_list")["gt_list"]
    pictures: list[Picture] = []
    boxes: list[Array] = []
    counted: dict[str, list[Bools]] = {setting: [] for setting in SETTINGS}
    for e, event in enumerate(_cells(truth["event_list"])):
        files, faces = (_cells(_cells(truth[n])[e]) for n in ("file_list", "face_bbx_list"))
        kept = {setting: _cells(_cells(part)[e]) for setting, part in parts.items()}
        for i, name in enumerate(files):
            pictures.append(images / _text(event) / f"{_text(name)}.jpg")
            boxes.append(np.asarray(faces[i], np.float64).reshape(-1, 4))
            for setting, cells in kept.items():
                chosen = np.zeros(len(boxes[-1]), bool)
                chosen[np.asarray(cells[i]).reshape(-1).astype(int) - 1] = True
                counted[setting].append(chosen)
    return LabelledScenes(pictures, boxes, counted)


def _cells(value: Any) -> list[Any]:
    return list(np.asarray(value, object).reshape(-1))


def _text(value: Any) -> str:
    return str(np.asarray(value).reshape(-1)[0])


def wider_table(
    model: Model, detector: FaceDetector, scenes: LabelledScenes, progress: Progress
) -> ScoreTable:
    """Average precision of the detector alone, and combined with the network's face probability.

    detector: with a minimum score of LEAST.
    """
    alone: list[Detections] = []
    joined: list[Array] = []
    for found, image in _detected(detector, scenes.pictures, progress):
        alone.append(found)
        joined.append(_with_network(model, found, image))
    metrics = [
        Metric(
            "AP, detector", "%",
            "area under the precision-recall curve, by the official evaluation: 1,000 score "
            "thresholds, a match from an intersection over union of 0.5 on, faces of other "
            "settings ignored; with the detector's scores",
        ),
        Metric(
            "AP, with network", "%",
            "the same with the scores of fkp annotate: the geometric mean of the detector's score "
            "and the network's face probability",
        ),
    ]  # fmt: skip
    if np.isnan(np.concatenate([*joined, np.zeros(1)])).any():
        del metrics[1]
    given = {
        "AP, detector": [found.scores.astype(np.float64) for found in alone],
        "AP, with network": joined,
    }
    boxes = [found.boxes.astype(np.float64) for found in alone]
    rows = []
    for setting, counted in scenes.counted.items():
        values = {
            metric.name: 100 * average_precision(boxes, given[metric.name], scenes.boxes, counted)
            for metric in metrics
        }
        rows.append(SubsetScores(setting, int(sum(part.sum() for part in counted)), None, values))
    notes = [f"the detector saw each picture once, with a long side of {detector.det_size} px"]
    if len(scenes.pictures) != COUNT:
        notes.append(
            f"{len(scenes.pictures)} pictures, but the published part has {COUNT}: these figures "
            "are not comparable with papers"
        )
    source = "Yang et al., CVPR 2016: validation part, official evaluation"
    return ScoreTable(TITLE, source, detector.name, tuple(metrics), tuple(rows), tuple(notes))


def _detected(
    detector: FaceDetector, pictures: Sequence[Picture], progress: Progress
) -> Iterator[tuple[Detections, Image]]:
    """The detections in each picture, and the picture in gray; in parallel."""

    def look(picture: Picture) -> tuple[Detections, Image]:
        image = load(picture)
        return detector.detect(image), to_gray(image)

    settle()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), CHUNK):
            yield from pool.map(look, pictures[start : start + CHUNK])
            progress(min(start + CHUNK, len(pictures)), len(pictures))


def _with_network(model: Model, found: Detections, gray: Image) -> Array:
    """Scores (F,) of detector and network; NaN from a network that estimates no faces."""
    if len(found.scores) == 0:
        return np.zeros(0)
    cuts = [CropTransform.framed(a, model.layout, model.size).cut(gray) for a in found.anchors]
    never = np.full(len(cuts), np.inf, np.float32)  # no points are needed
    face = model.predict(np.stack(cuts), least=never).face
    return np.where(np.isnan(face), np.nan, face_scores(found.scores, face)).astype(np.float64)


def average_precision(
    boxes: Sequence[Array],
    scores: Sequence[Array],
    truth: Sequence[Array],
    counted: Sequence[Bools],
) -> float:
    """The official figure for boxes (F, 4) xywh with scores (F,), over pictures with faces (B, 4).

    Scores are stretched to 0..1 over all pictures. In order of score, a box belongs to the face
    that it overlaps most, if by MATCH or more. A box on an ignored face does not count; the first
    box on another face finds it, further ones are false alarms. Pictures without a labelled face,
    or without a box, take no part.
    """
    every = np.concatenate([np.zeros(0), *scores])
    faces = int(sum(part.sum() for part in counted))
    if len(every) == 0 or faces == 0:
        return 0.0 if faces else float("nan")
    low, spread = every.min(), max(float(np.ptp(every)), 1e-12)
    levels = 1 - np.arange(1, LEVELS + 1) / LEVELS
    shown, hits = np.zeros(LEVELS), np.zeros(LEVELS)
    for own, score, there, kept in zip(boxes, scores, truth, counted, strict=True):
        if len(own) == 0 or len(there) == 0:
            continue
        order = np.argsort(-score, kind="stable")
        counts, found = _matched(own[order], there, kept)
        ranked = (score[order] - low) / spread
        upto = np.searchsorted(-ranked, -levels, side="right")  # boxes over each level
        shown += np.concatenate([[0], np.cumsum(counts)])[upto]
        hits += np.concatenate([[0], found])[upto]
    precision = np.divide(hits, shown, out=np.zeros(LEVELS), where=shown > 0)
    return _area(hits / faces, precision)


def _matched(boxes: Array, truth: Array, counted: Bools) -> tuple[Bools, npt.NDArray[np.int64]]:
    """Which boxes (F,), best first, count; and how many faces are found up to each."""
    overlaps = _overlaps(boxes, truth)
    counts, found = np.ones(len(boxes), bool), np.zeros(len(truth), bool)
    sums = np.zeros(len(boxes), np.int64)
    for i, row in enumerate(overlaps):
        face = int(row.argmax())
        if row[face] >= MATCH:
            if counted[face]:
                found[face] = True
            else:
                counts[i] = False
        sums[i] = found.sum()
    return counts, sums


def _overlaps(boxes: Array, truth: Array) -> Array:
    """(F, B): intersection over union of xywh boxes in whole pixels, as boxoverlap.m counts."""
    low = np.maximum(boxes[:, None, :2], truth[None, :, :2])
    ends, other = boxes[:, :2] + boxes[:, 2:], truth[:, :2] + truth[:, 2:]
    inner = (np.minimum(ends[:, None], other[None]) - low + 1).clip(min=0).prod(2)
    areas, own = (boxes[:, 2:] + 1).prod(1), (truth[:, 2:] + 1).prod(1)
    return np.asarray(inner / (areas[:, None] + own[None] - inner))


def _area(recall: Array, precision: Array) -> float:
    """VOCap: the area under the interpolated curve (Everingham et al., IJCV 88, 2010)."""
    r = np.concatenate([[0.0], recall, [1.0]])
    p = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    steps = np.flatnonzero(r[1:] != r[:-1])
    return float(np.sum((r[steps + 1] - r[steps]) * p[steps + 1]))
