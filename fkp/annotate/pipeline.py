"""From inputs to results: workers read, find and cut; the parent runs the network and writes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import joblib
import numpy as np
import numpy.typing as npt

from fkp.annotate.inputs import Inputs
from fkp.annotate.results import OVERLAYS, TABLE, Failure, KeypointTable
from fkp.errors import ImageError
from fkp.keypoints import Faces, Prediction, Scheme
from fkp.vision.crop import CropTransform
from fkp.vision.detect import FaceDetector
from fkp.vision.draw import KeypointAnnotator
from fkp.vision.images import overlay_name, read_image, single_thread, to_gray, write_image

CHUNK = 48
"""Inputs for each worker between two runs of the network; bounds the memory."""

MIN_SCORE = 0.5

TOLERANCE = 0.02
"""A point's confidence is the probability that it lies within this share of the crop's side of its
true place: about 5 % of the distance of the outer eye corners."""


class KeypointNetwork(Protocol):
    """What finds the points in crops."""

    @property
    def scheme(self) -> Scheme:
        """The points it finds."""
        ...

    @property
    def size(self) -> int:
        """Side of its crops in pixels."""
        ...

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        """Where the five anchor points lie in its crops, (5, 2) fractions of the side."""
        ...

    def predict(self, crops: npt.NDArray[np.uint8], batch: int) -> Prediction:
        """What it says of crops (N, S, S)."""
        ...


@dataclass(frozen=True, slots=True)
class AnnotateConfig:
    """How to annotate.

    scheme: the points wanted, where not the network's own.
    min_score: faces of a lower score are none; see `judge`.
    max_faces: the most faces of a picture, the surest ones; 0 for all.
    confidence: whether the table has that of each point, besides their mean.
    """

    out: Path
    scheme: Scheme | None = None
    min_score: float = MIN_SCORE
    max_faces: int = 0
    confidence: bool = False
    jobs: int = 1
    batch: int = 64
    overlays: bool = True
    annotator: KeypointAnnotator = field(default_factory=KeypointAnnotator)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The faces of one picture, cut out: crops (F, S, S) uint8, and where they come from.

    boxes: (F, 4), scores: (F,) as in `Faces`.
    """

    crops: npt.NDArray[np.uint8]
    transforms: list[CropTransform]
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


@dataclass(slots=True)
class Summary:
    """What a run came to."""

    statuses: Counter[str] = field(default_factory=Counter)  # inputs: ok, no_face, unreadable
    faces: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # path, reason
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, wall clock of the parent


@dataclass(frozen=True, slots=True)
class FaceCutter:
    """The first stage, run in workers: read a picture, find its faces, cut their crops.

    detector: None takes the whole picture for one face crop.
    """

    detector: FaceDetector | None
    layout: npt.NDArray[np.float64]  # (5, 2)
    size: int

    def __call__(self, path: str) -> Cut | Failure:
        """The faces of one picture, or why there are none to be had."""
        single_thread()
        try:
            image = read_image(path)
        except ImageError as error:
            return Failure(str(error))
        height, width = image.shape[:2]
        if self.detector is None:
            transforms = [CropTransform.whole(width, height, self.size)]
            boxes = np.array([[0, 0, width, height]], np.float32)
            scores = np.full(1, np.nan, np.float32)
        else:
            found = self.detector.detect(image)
            transforms = [CropTransform.framed(a, self.layout, self.size) for a in found.anchors]
            boxes, scores = found.boxes, found.scores
        crops = np.empty((len(transforms), self.size, self.size), np.uint8)
        for i, transform in enumerate(transforms):
            crops[i] = to_gray(transform.cut(image))
        return Cut(crops, transforms, boxes, scores)


def annotate(
    inputs: Inputs,
    network: KeypointNetwork,
    detector: FaceDetector | None,
    config: AnnotateConfig,
    progress: Callable[[int, int], None],
) -> Summary:
    """Write `keypoints.csv` and the overlays of all inputs into the folder `config.out`.

    Rows come in the order of the inputs. An unreadable input is a row, and never ends the run.
    """
    scheme = config.scheme or network.scheme
    network.scheme.convert(np.zeros((len(network.scheme), 2)), scheme)  # raises before any work
    summary = Summary()
    clock = _Clock(summary.seconds)
    cutter = FaceCutter(detector, network.layout, network.size)
    done = 0
    with (
        joblib.Parallel(n_jobs=config.jobs, return_as="generator") as pool,
        KeypointTable(config.out / TABLE, scheme, config.confidence) as table,
    ):
        for paths in _chunks(inputs.paths, CHUNK * config.jobs):
            cuts: list[Cut | Failure] = []
            with clock("detect"):
                for cut in pool(joblib.delayed(cutter)(path) for path in paths):
                    cuts.append(cut)
                    progress(done + len(cuts), len(inputs.paths))
            with clock("network"):
                results = predict(cuts, network, config)
            if config.overlays:
                with clock("draw"):
                    results = _draw(paths, results, inputs, config, pool)
            with clock("write"):
                for path, result in zip(paths, results, strict=True):
                    table.write(path, result)
                    _count(summary, path, result)
            done += len(paths)
    return summary


def predict(
    cuts: Sequence[Cut | Failure], network: KeypointNetwork, config: AnnotateConfig
) -> list[Faces | Failure]:
    """The faces of many pictures from their crops, in common batches, in picture pixels."""
    crops = [cut.crops for cut in cuts if isinstance(cut, Cut)]
    if not crops:
        return [cut for cut in cuts if isinstance(cut, Failure)]
    said = network.predict(np.concatenate(crops), config.batch)
    results: list[Faces | Failure] = []
    start = 0
    for cut in cuts:
        if isinstance(cut, Failure):
            results.append(cut)
            continue
        rows = slice(start, start + len(cut.transforms))
        start = rows.stop
        own = Prediction(said.points[rows], said.scale[rows], said.face[rows])
        results.append(_faces(cut, own, network, config))
    return results


def _faces(cut: Cut, said: Prediction, network: KeypointNetwork, config: AnnotateConfig) -> Faces:
    """The faces of one picture: those that are sure enough, the surest first."""
    scheme = config.scheme or network.scheme
    scores = judge(cut.scores, said.face)
    # A crop that is said to be a face (NaN: no detector) is taken for one.
    kept = np.flatnonzero(~(scores < config.min_score))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    if config.max_faces:
        kept = kept[: config.max_faces]
    points = np.array([cut.transforms[i].invert(said.points[i]) for i in kept])
    points = points.reshape(len(kept), len(network.scheme), 2)
    confidence = said.confidence(TOLERANCE * network.size)[kept]
    return Faces(
        scheme,
        cut.boxes[kept],
        scores[kept],
        network.scheme.convert(points, scheme).astype(np.float32),
        network.scheme.convert(confidence[..., None], scheme)[..., 0].astype(np.float32),
    )


def judge(
    detected: npt.NDArray[np.float32], face: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Scores (F,) of faces: the geometric mean of the detector's score and the network's
    probability of a face. Where one of them is NaN, the other alone.
    """
    together = np.sqrt(detected * face)
    return np.where(np.isnan(face), detected, np.where(np.isnan(detected), np.nan, together))


def _draw(
    paths: Sequence[str],
    results: list[Faces | Failure],
    inputs: Inputs,
    config: AnnotateConfig,
    pool: joblib.Parallel,
) -> list[Faces | Failure]:
    """Draw what was found; a picture that has gone since becomes a failure."""
    drawn = [i for i, result in enumerate(results) if isinstance(result, Faces)]
    folder = config.out / OVERLAYS
    problems = pool(
        joblib.delayed(draw_overlay)(
            paths[i], folder / overlay_name(inputs.relative(paths[i])), results[i], config.annotator
        )
        for i in drawn
    )
    results = list(results)
    for i, problem in zip(drawn, problems, strict=True):
        if problem is not None:
            results[i] = Failure(problem)
    return results


def draw_overlay(path: str, target: Path, faces: Faces, annotator: KeypointAnnotator) -> str | None:
    """The last stage, run in workers: draw into a copy; why the picture cannot be read, or None."""
    single_thread()
    try:
        image = read_image(path)
    except ImageError as error:
        return str(error)
    write_image(target, annotator.draw(image, faces))
    return None


def _count(summary: Summary, path: str, result: Faces | Failure) -> None:
    if isinstance(result, Failure):
        summary.statuses["unreadable"] += 1
        summary.failures.append((path, result.reason))
    else:
        summary.statuses["ok" if len(result) else "no_face"] += 1
        summary.faces += len(result)


def _chunks(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


class _Clock:
    """Adds up wall-clock seconds by stage: `with clock("network"): ...`."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds

    def __call__(self, stage: str) -> "_Clock":
        self.stage = stage
        return self

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self.started
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + spent
