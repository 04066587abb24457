"""The pictures that the detector is trained on, held in memory, split by person and by picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import ImageError, LabelError
from fkp.keypoints import IBUG68
from fkp.labels.boxes import BoxTable, read_boxes
from fkp.labels.reading import read_source
from fkp.labels.split import split_persons
from fkp.labels.table import ReadOptions
from fkp.learn.detector.scenes import Scene
from fkp.vision.images import read_image

FACE_SCORE, MAYBE_SCORE = 0.7, 0.4
AGREED = 0.5
"""A box is a face if its detector's score is at least FACE_SCORE and that of a second detector, if
there is one, at least AGREED. It is background if the first score is below MAYBE_SCORE and the
second detector finds nothing. In between it is unknown, unless a person has looked."""

ALONE = 0.72
"""Minimum score of the first detector if there is no second one."""

TEST_SCENES = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class DetectorData:
    """Training data (everyday scenes and sets of portraits), and test sets by name.

    scenes: many have no face. portraits: sets of pictures with one main face; shares: how often
    each set is used; close: the sets whose pictures are cropped close to the face.
    """

    scenes: list[Scene]
    portraits: tuple[list[Scene], ...]
    shares: tuple[float, ...]
    close: tuple[bool, ...]
    test_scenes: dict[str, Scene]
    test_frames: dict[str, Scene]
    test_portraits: list[Scene]


def load(folder: Path, persons: Mapping[str, str], checked: Path) -> DetectorData:
    """Read `scenes`, `street`, `ytf68`, `faces68`, `fairface` and `portraits` below a folder.

    persons: the split of each person; people who are not in it are used for training. checked: a
    table of boxes of `scenes` that were looked at, see `read_verdicts`.
    """
    verdicts = read_verdicts(checked)
    everyday: dict[str, Scene] = {}
    for name in ("scenes", "street"):
        table = read_boxes(folder / name / "boxes.csv")
        everyday |= read_scenes(folder / name / "images", table, verdicts)
    names = sorted(everyday)
    part = dict(zip(names, split_persons(names, 0.0, TEST_SCENES, 0), strict=True))
    frames = read_scenes(folder / "ytf68" / "training", read_boxes(folder / "ytf68" / "boxes.csv"))
    side = {name: persons.get(name.rsplit("_", 1)[0], "train") for name in frames}

    def faces(name: str, person: Callable[[str], str]) -> dict[str, list[Scene]]:
        pictures = folder / name / "images"
        parts: dict[str, list[Scene]] = {"train": [], "val": [], "test": []}
        for image, scene in read_scenes(pictures, read_boxes(folder / name / "boxes.csv")).items():
            if scene.known.any():
                parts[persons.get(person(image), "train")].append(scene)
        return parts

    people = faces("fairface", lambda image: f"fairface/{image}")
    officials = faces("portraits", lambda image: Path(image).stem)
    portraits = (
        [frames[n] for n in sorted(frames) if side[n] == "train" and frames[n].known.any()],
        _faces(folder / "faces68", persons, _edges_from_points(folder, frames)),
        people["train"],
        officials["train"],
    )
    return DetectorData(
        [everyday[n] for n in names if part[n] == "train"],
        portraits,
        (0.25, 0.15, 0.4, 0.2),
        (False, True, True, False),
        {n: everyday[n] for n in names if part[n] == "test"},
        {n: frames[n] for n in sorted(frames) if side[n] == "test"},
        people["test"] + officials["test"],
    )


Verdicts = Mapping[tuple[str, float, float], str]
"""What is in a box, by picture, left and top."""


def read_verdicts(path: Path) -> Verdicts:
    """Read a table `image, box_x, box_y, what` of boxes that a person looked at: `face`, `nothing`
    or `unknown`. Raises LabelError for any other word.
    """
    table = pd.read_csv(path, dtype={"image": str})
    other = set(table["what"]) - {"face", "nothing", "unknown"}
    if other:
        raise LabelError(f"{path}: expected face, nothing or unknown, not {min(other)}")
    keys = zip(table["image"], table["box_x"], table["box_y"], strict=True)
    return dict(zip(keys, table["what"], strict=True))


def read_scenes(
    folder: Path, table: BoxTable, verdicts: Verdicts | None = None
) -> dict[str, Scene]:
    """Every picture in a folder with its boxes from a table.

    verdicts: of boxes that were looked at; they count more than the scores.
    """
    rows = dict(table.by_image())
    scenes = {}
    for path in sorted(folder.iterdir()):
        at = rows.get(path.name, np.zeros(0, np.int64))
        score, second = table.scores[at], table.second[at]
        alone = np.isnan(second)
        keep = alone | (second > 0) | (score >= MAYBE_SCORE)
        known = np.where(alone, score >= ALONE, (second >= AGREED) & (score >= FACE_SCORE))
        for i, row in enumerate(at):
            seen = (verdicts or {}).get((path.name, *table.boxes[row, :2].tolist()))
            if seen is not None:
                keep[i], known[i] = seen != "nothing", seen == "face"
        scenes[path.name] = Scene(
            read_image(path), table.boxes[at[keep]], table.anchors[at[keep]], known[keep]
        )
    return scenes


def _extent(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Corners (N, 4) of the rectangles around points (N, K, 2): left, top, right, bottom."""
    return np.concatenate([points.min(1), points.max(1)], 1)


def _features(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Features that determine a face's box, independent of position and size: (N, F), with origin
    (N, 2) and side (N,).
    """
    corners = _extent(points)
    origin = (corners[:, :2] + corners[:, 2:]) / 2
    side = (corners[:, 2:] - corners[:, :2]).max(1)
    anchors = (IBUG68.anchor_points(points) - origin[:, None]) / side[:, None, None]
    shape = (corners[:, 2:] - corners[:, :2]) / side[:, None]
    return (
        np.concatenate([anchors.reshape(len(points), -1), shape, np.ones((len(points), 1))], 1),
        origin,
        side,
    )


def _edges_from_points(folder: Path, frames: dict[str, Scene]) -> npt.NDArray[np.float64]:
    """(F, 4): a linear map from a face's points to its box, fitted to the frames with both."""
    labels = read_source(folder / "ytf68" / "labels_ibug.csv", ReadOptions(scheme=IBUG68))
    features, origin, side = _features(labels.points)
    rows, wanted = [], []
    for i, name in enumerate(labels.images or []):
        scene = frames[Path(name).name]
        inside = np.abs(scene.boxes[:, :2] + scene.boxes[:, 2:] / 2 - origin[i]).max(1)
        if len(inside) and inside.min() < side[i] / 3:
            box = scene.boxes[int(inside.argmin())]
            corners = np.concatenate([box[:2], box[:2] + box[2:]])
            rows.append(i)
            wanted.append((corners - np.tile(origin[i], 2)) / side[i])
    solution = np.linalg.lstsq(features[rows], np.array(wanted), rcond=None)[0]
    return np.asarray(solution)


def _faces(folder: Path, persons: Mapping[str, str], edges: npt.NDArray[np.float64]) -> list[Scene]:
    """The training faces of `faces68`, with boxes computed from their points."""
    labels = read_source(folder / "labels_ibug.csv", ReadOptions(scheme=IBUG68))
    if labels.images is None or labels.persons is None:
        raise LabelError(f"{folder}/labels_ibug.csv: expected columns image and person")
    features, origin, side = _features(labels.points)
    corners = features @ edges * side[:, None] + np.tile(origin, 2)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
    anchors = IBUG68.anchor_points(labels.points)
    scenes = []
    for i, name in enumerate(labels.images):
        if persons.get(labels.persons[i], "train") != "train":
            continue
        path = folder / "images" / name
        try:
            image = read_image(path)
        except ImageError as error:
            raise LabelError(f"{path}: {error}") from error
        scenes.append(Scene(image, boxes[i : i + 1], anchors[i : i + 1], np.ones(1, bool)))
    return scenes
