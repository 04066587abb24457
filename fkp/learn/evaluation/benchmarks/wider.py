"""WIDER FACE, validation part (Yang et al., CVPR 2016): average precision of easy, medium, hard."""

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
from fkp.learn.evaluation.benchmarks.report import Figure, Row, ScoreTable
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
"""Intersection over union from which a box is a face's."""

LEVELS = 1000
"""Thresholds of the score at which the official curve is taken."""

LEAST = 0.02
"""Boxes of a lower score do not change the average precision in its second decimal."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScenes:
    """Pictures with all faces in them.

    boxes: (B, 4) float64 xywh for each picture; counted: by setting, for each picture, which (B,)
    of its faces count; the others are ignored.
    """

    pictures: list[Picture]
    boxes: list[Array]
    counted: dict[str, list[Bools]]


def read_wider(folder: Path) -> LabelledScenes:
    """`wider_face_val.mat`, `wider_{easy,medium,hard}_val.mat` and the pictures of `WIDER_val`.

    The three are in `eval_tools/ground_truth` of the official evaluation; wider_face_val.mat is
    also in `wider_face_split`.
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
                f"{folder}: expected wider_{setting}_val.mat, which is in ground_truth of the "
                "official eval_tools.zip of WIDER FACE"
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
    """Average precision of the detector alone, and with the network's probability of a face.

    detector: one that gives boxes from LEAST up.
    """
    alone: list[Detections] = []
    joined: list[Array] = []
    for found, image in _detected(detector, scenes.pictures, progress):
        alone.append(found)
        joined.append(_with_network(model, found, image))
    figures = [
        Figure(
            "AP, detector", "%",
            "area under the precision-recall curve at 1,000 thresholds of the scores, a face found "
            "at an intersection over union of 0.5; faces of other settings are ignored (the "
            "official evaluation); scores of the detector alone",
        ),
        Figure(
            "AP, with network", "%",
            "the same with the scores of fkp annotate: the geometric mean of the detector's score "
            "and the network's probability of a face",
        ),
    ]  # fmt: skip
    if np.isnan(np.concatenate([*joined, np.zeros(1)])).any():
        del figures[1]
    given = {
        "AP, detector": [found.scores.astype(np.float64) for found in alone],
        "AP, with network": joined,
    }
    boxes = [found.boxes.astype(np.float64) for found in alone]
    rows = []
    for setting, counted in scenes.counted.items():
        values = {
            figure.name: 100 * average_precision(boxes, given[figure.name], scenes.boxes, counted)
            for figure in figures
        }
        rows.append(Row(setting, int(sum(part.sum() for part in counted)), None, values))
    notes = [f"each picture seen once, with a long side of {detector.det_size} px"]
    if len(scenes.pictures) != COUNT:
        notes.append(
            f"{len(scenes.pictures)} pictures, the published part has {COUNT}: these figures "
            "cannot be compared with those of papers"
        )
    source = "Yang et al., CVPR 2016: validation part, official evaluation"
    return ScoreTable(TITLE, source, detector.name, tuple(figures), tuple(rows), tuple(notes))


def _detected(
    detector: FaceDetector, pictures: Sequence[Picture], progress: Progress
) -> Iterator[tuple[Detections, Image]]:
    """What is found in each picture, in parallel, and the picture, gray."""

    def look(picture: Picture) -> tuple[Detections, Image]:
        image = load(picture)
        return detector.detect(image), to_gray(image)

    settle()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), CHUNK):
            yield from pool.map(look, pictures[start : start + CHUNK])
            progress(min(start + CHUNK, len(pictures)), len(pictures))


def _with_network(model: Model, found: Detections, gray: Image) -> Array:
    """Scores (F,) with the network's opinion; NaN from a network that has none."""
    if len(found.scores) == 0:
        return np.zeros(0)
    cuts = [CropTransform.framed(a, model.layout, model.size).cut(gray) for a in found.anchors]
    never = np.full(len(cuts), np.inf, np.float32)  # no points are wanted
    face = model.predict(np.stack(cuts), least=never).face
    return np.where(np.isnan(face), np.nan, face_scores(found.scores, face)).astype(np.float64)


def average_precision(
    boxes: Sequence[Array],
    scores: Sequence[Array],
    truth: Sequence[Array],
    counted: Sequence[Bools],
) -> float:
    """The official figure, of boxes (F, 4) xywh with scores (F,), over pictures with faces (B, 4).

    Scores are stretched to 0..1 over all pictures. In the order of their scores, a box belongs to
    the face that it overlaps most, from MATCH on: to one that is ignored, then it does not count;
    else the first box finds the face, and any further one is a false alarm. A picture without a
    labelled face, or without a box, adds none.
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
    """Which boxes (F,), best first, count; and how many faces each and those before it find."""
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
