"""The bundled networks against labels made by hand, whole command: detector, network, scores.

DATA/judge has four sets: `lfpw` (300-W's LFPW test), `infants` (InfAnFace) and `poses` (AFLW with
the points of MERL-RAV and which of them can be seen), all with 68 points, and `phone` (pictures
in which all faces are labelled with a box and 21 points).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import located, predict
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.outcome import Annotated
from fkp.annotate.photo.cutting import FaceCutter
from fkp.keypoints import IBUG68, RADIUS_90, Faces
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.score import DetectorScores, iou, score_detections
from fkp.vision.crop import CropTransform
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.images import read_image, to_gray

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PARTS = {"jaw": slice(0, 17), "brows": slice(17, 27), "nose": slice(27, 36),
         "eyes": slice(36, 48), "mouth": slice(48, 68)}  # fmt: skip
LEAST = 0.05  # score down to which faces count for the average precision
PUPILS = [16, 17]  # of the 21 points of `phone`, from the left


@dataclass(frozen=True, slots=True, eq=False)
class Set68:
    """N pictures with one labelled face each: points (N, 68, 2), NaN where there is no label."""

    paths: list[str]
    points: Array
    kind: list[str]
    visible: npt.NDArray[np.int64] | None  # (N, 68): 0 hidden by the face, 1 covered, 2 seen


def read_set(folder: Path) -> Set68:
    """One of the sets with 68 points."""
    table = pd.read_csv(folder / "labels.csv")
    points = table[[f"p{i}_{a}" for i in range(68) for a in "xy"]].to_numpy(np.float64)
    kind = next((table[c].astype(str).tolist() for c in ("side", "subset") if c in table), None)
    visible = None
    if (folder / "visibility.csv").exists():
        seen = table[["image"]].merge(pd.read_csv(folder / "visibility.csv"), on="image")
        visible = seen[[f"v{i}" for i in range(68)]].to_numpy(np.int64)
    paths = [str(folder / "images" / name) for name in table["image"]]
    return Set68(paths, points.reshape(-1, 68, 2), kind or [folder.name] * len(table), visible)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found of each labelled face, NaN where nothing was."""

    points: Array  # (N, 68, 2)
    confidence: Array  # (N, 68)
    more: int  # further faces over the score, in all pictures


def all_faces(
    paths: list[str], network: KeypointNetwork, detector: FaceDetector, min_score: float
) -> Iterator[Faces]:
    """The faces of each picture, as `fkp annotate` finds them."""
    cutter = FaceCutter(detector, network.layout, network.size)
    config = AnnotateConfig(min_score=min_score)
    for start in range(0, len(paths), 100):
        for result in predict([cutter(p) for p in paths[start : start + 100]], network, config):
            assert isinstance(result, Annotated)
            yield result.faces


def find(labels: Set68, network: KeypointNetwork, detector: FaceDetector) -> Found:
    """The face nearest to each label, unless it is another one."""
    n = len(labels.paths)
    points, confidence, more = np.full((n, 68, 2), np.nan), np.full((n, 68), np.nan), 0
    for i, faces in enumerate(all_faces(labels.paths, network, detector, 0.5)):
        if len(faces) == 0:
            continue
        away = np.linalg.norm(faces.points - labels.points[i], axis=2)
        away = np.nanmean(away, axis=1)
        best, extent = int(away.argmin()), np.ptp(_known(labels.points[i]), axis=0).max()
        more += len(faces) - 1
        if away[best] < 0.5 * extent:
            points[i], confidence[i] = faces.points[best], faces.confidence[best]
    return Found(points, confidence, more)


def _known(points: Array) -> Array:
    return points[np.isfinite(points).all(1)]


def nme(found: Array, truth: Array) -> tuple[Array, Array]:
    """(N, 68) distances over the outer-eye distance, and over the root of the box's area."""
    distance = np.linalg.norm(found - truth, axis=2)
    outer = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)[:, None]
    extent = np.nanmax(truth, axis=1) - np.nanmin(truth, axis=1)
    return distance / outer, distance / np.sqrt(extent.prod(1))[:, None]


def report_points(name: str, labels: Set68, found: Found) -> None:
    """Errors by kind of face and by part of the face."""
    by_eyes, by_box = nme(found.points, labels.points)
    ok = np.isfinite(found.points).all((1, 2))
    for kind in sorted(set(labels.kind)):
        here = ok & (np.array(labels.kind) == kind)
        each = np.nanmean(by_eyes[here], axis=1)
        each = each[np.isfinite(each)]
        parts = ", ".join(
            f"{k} {100 * np.nanmean(by_eyes[here][:, v]):.2f}" for k, v in PARTS.items()
        )
        missed = int((np.array(labels.kind) == kind).sum() - here.sum())
        print(
            f"{name} {kind}: {int(here.sum()) + missed} faces, {missed} not found; NME "
            f"{100 * each.mean():.2f} % of the outer eyes ({parts}), over 10 %: "
            f"{100 * (each > 0.1).mean():.1f} %; {100 * np.nanmean(by_box[here]):.2f} % of the box"
        )
    print(f"{name}: {found.more} further faces over 0.5")


def report_visibility(labels: Set68, found: Found, network: KeypointNetwork) -> None:
    """How well low confidence tells hidden points, and whether the 90 % radius holds on them."""
    assert labels.visible is not None
    ok = np.isfinite(found.confidence)
    for name, hidden in (
        ("hidden by the face or covered", labels.visible < 2),
        ("hidden by the face", labels.visible == 0),
        ("covered", labels.visible == 1),
    ):
        use = ok & (hidden | (labels.visible == 2))
        area = auc(-found.confidence[use], hidden[use])
        count = int(hidden[use].sum())
        print(f"poses: low confidence against {name}: AUC {area:.3f} ({count} points)")


def auc(score: Array, positive: Bools) -> float:
    """The share of pairs in which the positive has the higher score (Mann and Whitney)."""
    ranks = pd.Series(score).rank().to_numpy()
    count = int(positive.sum())
    most = count * (len(positive) - count)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / max(most, 1))


def report_radius(
    name: str, labels: Set68, network: KeypointNetwork, detector: FaceDetector
) -> None:
    """The share of manual points within the 90 % radius, seen and hidden."""
    inside, seen = [], []
    for i, path in enumerate(labels.paths):
        image = read_image(Path(path))
        found = detector.detect(image)
        if len(found.boxes) == 0:
            continue
        crop = [CropTransform.framed(a, network.layout, network.size) for a in found.anchors]
        gray = to_gray(image)
        said = network.predict(
            np.stack([c.cut(gray) for c in crop]), 64, np.zeros(len(crop), np.float32)
        )
        points, _ = located(said, crop, network, IBUG68)
        away = np.linalg.norm(points - labels.points[i], axis=2)
        best = int(np.nanmean(away, axis=1).argmin())
        if np.nanmean(away[best]) > 0.5 * np.ptp(_known(labels.points[i]), axis=0).max():
            continue
        inside.append(away[best] * crop[best].scale <= RADIUS_90 * said.scale[best])
        seen.append(np.full(68, 2) if labels.visible is None else labels.visible[i])
    held, how = np.array(inside), np.array(seen)
    shares = {
        w: 100 * held[m].mean() for w, m in (("seen", how == 2), ("hidden", how < 2)) if m.any()
    }
    words = ", ".join(f"{k} {v:.1f} %" for k, v in shares.items())
    print(f"{name}: the 90 % radius holds {100 * held.mean():.1f} % of manual points ({words})")


def read_phone(folder: Path) -> tuple[list[str], list[Scene], list[Array]]:
    """Paths, labelled pictures and the pupils (F, 2, 2) of their faces."""
    table = pd.read_csv(folder / "labels.csv")
    paths, scenes, pupils = [], [], []
    for name in sorted(p.name for p in (folder / "images").iterdir()):
        rows = table[table["image"] == name]
        boxes = rows[["box_x", "box_y", "box_w", "box_h"]].to_numpy(np.float64)
        points = rows[[f"p{i}_{a}" for i in range(21) for a in "xy"]].to_numpy(np.float64)
        paths.append(str(folder / "images" / name))
        image = np.zeros((1, 1, 3), np.uint8)
        none = np.zeros((len(rows), 5, 2))
        scenes.append(Scene(image, boxes, none, np.ones(len(rows), bool)))
        pupils.append(points.reshape(-1, 21, 2)[:, PUPILS])
    return paths, scenes, pupils


def report_phone(folder: Path, network: KeypointNetwork, detector: FaceDetector) -> None:
    """Recall, precision and pupils; two definitions of a box match if they overlap by a third."""
    paths, scenes, pupils = read_phone(folder)
    every = list(all_faces(paths, network, detector, LEAST))
    found = [Detections(f.boxes, f.scores, np.zeros((len(f), 5, 2))) for f in every]
    scores = score_detections(scenes, found, match=0.33)
    report_scores("phone", scores)
    sides = np.concatenate([np.sqrt(s.boxes[:, 2:].prod(1)) for s in scenes])
    hit = np.concatenate([_hits(s, f) for s, f in zip(scenes, found, strict=True)])
    for low, high in ((0, 24), (24, 48), (48, 1e9)):
        here = (sides >= low) & (sides < high)
        print(
            f"phone: faces of {low} to {high:g} px: recall {hit[here].mean():.3f} of {here.sum()}"
        )
    errors = []
    for faces, scene, truth in zip(every, scenes, pupils, strict=True):
        eyes = np.stack([faces.points[:, s].mean(1) for s in (slice(36, 42), slice(42, 48))], 1)
        for box, own in zip(scene.boxes, truth, strict=True):
            if len(faces) == 0:
                continue
            best = int(iou(box[None], faces.boxes.astype(np.float64))[0].argmax())
            away = np.linalg.norm(eyes[best] - own, axis=1).mean() / np.linalg.norm(own[0] - own[1])
            errors += [away] if away < 0.5 else []
    print(f"phone: eye centres from manual pupils: median {100 * np.median(errors):.2f} %, "
          f"mean {100 * np.mean(errors):.2f} % of their distance ({len(errors)})")  # fmt: skip


def _hits(scene: Scene, found: Detections) -> Bools:
    over = found.scores >= 0.5
    overlap = iou(scene.boxes, found.boxes[over].astype(np.float64))
    return np.asarray((overlap >= 0.33).any(1))


def report_scores(name: str, scores: DetectorScores) -> None:
    """Average precision, recall and false alarms in words."""
    wrong = int((~scores.hits & (scores.scores >= 0.5)).sum())
    print(
        f"{name}: AP {scores.ap:.3f} on {scores.faces} faces in {scores.pictures} pictures; "
        f"at 0.5: recall {scores.recall(0.5):.3f}, precision {scores.precision(0.5):.3f}, "
        f"{wrong} false alarms"
    )


def report(judge: Path, network: KeypointNetwork, detector: FaceDetector) -> None:
    """All four sets."""
    for name in ("lfpw", "poses", "infants"):
        labels = read_set(judge / name)
        found = find(labels, network, detector)
        report_points(name, labels, found)
        report_radius(name, labels, network, detector)
        if labels.visible is not None:
            report_visibility(labels, found, network)
    report_phone(judge / "phone", network, detector)
