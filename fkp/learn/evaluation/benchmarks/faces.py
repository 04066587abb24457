"""The labelled faces of a published set, and the points that a network finds on them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.photo.cutting import Cut, FaceCutter
from fkp.errors import DataError, ImageError
from fkp.keypoints import Faces, FloatArray, PointIndices, Scheme, mean_points
from fkp.labels.cut import Progress
from fkp.learn.networks.checkpoint import Model
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.detect import FaceDetector
from fkp.vision.images import Image, read_image, to_gray
from fkp.vision.process import settle

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Picture = Path | Image
"""A file, or a picture in memory: (H, W) gray or (H, W, 3) BGR."""

CHUNK = 64
"""Number of pictures in memory at a time."""

PASSES = 5
"""Passes with crops cut by the points found, after the first crop by the ground-truth box. On 400
AFLW faces in all poses, without labels on hidden points, 0, 1, 3, 5 and 7 passes gave an NME of
5.90, 4.33,
3.61, 3.44 and 3.44 % of the box; on 224 near-frontal faces the number makes no difference."""

APART = 0.5
"""A detected face is the labelled one if their middles are within this share of its box."""


@dataclass(frozen=True, slots=True)
class MeanBox:
    """The tight box of a set's points on the mean frontal face, in crops framed by UPRIGHT_LAYOUT.

    centre: x, y; side: the geometric mean of its sides; all in fractions of the crop's side.
    """

    centre: tuple[float, float]
    side: float


WITH_JAW = MeanBox((0.502, 0.599), 0.638)
CHIN_ALONE = MeanBox((0.5, 0.599), 0.575)
"""For points that follow the jaw from ear to ear, and for those with the chin only; medians of the
labels of 2,538 official portraits."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How papers score a set.

    source: the papers. norms: of `metrics.NORMS`; the first one ranks methods and is used for
    failure rates and AUC. limits: their thresholds. counts: published numbers of faces by subset.
    """

    source: str
    norms: tuple[str, ...]
    limits: tuple[float, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """N labelled faces of a published set.

    pictures: one for each face. points: (N, K, 2) pixels, NaN = not labelled.
    covered: (N, K) labelled points that are covered by something; None if the set does not say.
    subsets: masks (N,) by name, in the order of the papers' tables.
    angles: (N, 3) degrees: pitch, yaw, roll as in AFLW2000-3D; None without.
    """

    title: str
    scheme: Scheme
    pictures: Sequence[Picture]
    points: Array
    subsets: dict[str, Bools]
    protocol: Protocol
    covered: Bools | None = None
    angles: Array | None = None
    mean_box: MeanBox = WITH_JAW
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        shape = (len(self.pictures), len(self.scheme), 2)
        if self.points.shape != shape:
            raise ValueError(f"points: expected {shape}, got {self.points.shape}")
        if not np.isfinite(self.points).any((1, 2)).all():
            raise DataError(f"{self.title}: a face has no labelled point")

    def boxes(self) -> tuple[Array, Array]:
        """Middle (N, 2) and size (N,) of the tight box of each face's labelled points, pixels.

        The size is the geometric mean of the sides.
        """
        low, high = np.nanmin(self.points, axis=1), np.nanmax(self.points, axis=1)
        return (low + high) / 2, np.sqrt(np.prod(high - low, axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class FoundPoints:
    """The points that a network finds on N labelled faces.

    points: (N, P, 2) in its own scheme, pixels of the pictures, NaN if the face was missed; missed:
    (N,) not found by the detector; sizes_wh: (N, 2) of the pictures.
    """

    points: Array
    missed: Bools
    sizes_wh: Array


def load(picture: Picture) -> Image:
    """A picture as BGR (H, W, 3); raises DataError if its file cannot be read."""
    if isinstance(picture, Path):
        try:
            return read_image(picture)
        except ImageError as error:
            raise DataError(f"{picture}: {error}") from error
    return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)


def find_in_boxes(model: Model, faces: FaceSet, progress: Progress) -> FoundPoints:
    """Find points in crops that are cut by the ground-truth boxes.

    A box gives the position and size of a face, not its rotation; and if the hidden half of a
    profile is not labelled, it covers only the visible half. So a first, upright crop is cut by the
    box, and PASSES more by the five points found in the one before.
    """
    middles, sides = faces.boxes()
    upright = CropTransform.framed(UPRIGHT_LAYOUT - 0.5, model.layout, model.size)
    place = upright.apply(np.array(faces.mean_box.centre) - 0.5)
    scales = faces.mean_box.side * upright.scale / sides
    points, sizes = np.empty((len(middles), len(model.scheme), 2)), np.empty((len(middles), 2))
    for rows, pictures in _chunks(faces.pictures, progress):
        grays = [to_gray(picture) for picture in pictures]
        sizes[rows] = [gray.shape[::-1] for gray in grays]
        shifts = place - scales[rows, None] * middles[rows]
        transforms = [
            CropTransform(float(scale), 0.0, float(x), float(y), model.size)
            for scale, (x, y) in zip(scales[rows], shifts, strict=True)
        ]
        found = _points(model, grays, transforms)
        for _ in range(PASSES if sum(map(bool, model.scheme.anchors)) >= 2 else 0):
            anchors = model.scheme.anchor_points(found)
            transforms = [CropTransform.framed(a, model.layout, model.size) for a in anchors]
            found = _points(model, grays, transforms)
        points[rows] = found
    return FoundPoints(points, np.zeros(len(middles), bool), sizes)


def _points(model: Model, grays: Sequence[Image], transforms: Sequence[CropTransform]) -> Array:
    crops = [transform.cut(gray) for transform, gray in zip(transforms, grays, strict=True)]
    said = model.predict(np.stack(crops)).points
    return np.stack([t.invert(p) for t, p in zip(transforms, said, strict=True)])


def find_by_detector(
    model: Model, faces: FaceSet, detector: FaceDetector, progress: Progress
) -> FoundPoints:
    """Find points on the faces that a detector finds in whole pictures, as `annotate` does.

    Of several faces the one whose middle is nearest to that of the labels counts; if it is farther
    away than half of the labels' box, the face was missed.
    """
    middles, sides = faces.boxes()
    indices = None
    if model.scheme.can_convert(faces.scheme):
        indices = model.scheme.point_indices(faces.scheme)
    cutter = FaceCutter(detector, model.layout, model.size)
    points = np.full((len(middles), len(model.scheme), 2), np.nan)
    sizes = np.empty((len(middles), 2))
    for rows, pictures in _chunks(faces.pictures, progress):
        sizes[rows] = [picture.shape[1::-1] for picture in pictures]
        cuts: list[Cut | Failure] = [cutter.cut_image(picture) for picture in pictures]
        for i, result in zip(rows, predict(cuts, model, AnnotateConfig()), strict=True):
            if not isinstance(result, Annotated) or len(result.faces) == 0:
                continue
            known = np.isfinite(faces.points[i]).all(1)
            away = np.linalg.norm(_middles(result.faces, indices, known) - middles[i], axis=1)
            if away.min() <= APART * sides[i]:
                points[i] = result.faces.points[int(away.argmin())]
    return FoundPoints(points, np.isnan(points).any((1, 2)), sizes)


def _middles(found: Faces, indices: PointIndices | None, known: Bools) -> Array:
    """(F, 2): the centre of the box of each face's points, of the labelled ones if possible."""
    points: FloatArray = found.points
    if indices is not None:
        points = mean_points(points, indices)[:, known]
    return np.asarray((points.min(1) + points.max(1)) / 2, np.float64)


def _chunks(
    pictures: Sequence[Picture], progress: Progress
) -> Iterator[tuple[npt.NDArray[np.int64], list[Image]]]:
    """Row numbers and their pictures (H, W, 3) BGR, CHUNK at a time, decoded in parallel."""
    settle()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), CHUNK):
            part: Iterable[Picture] = pictures[start : start + CHUNK]
            loaded = list(pool.map(load, part))
            yield np.arange(start, start + len(loaded)), loaded
            progress(start + len(loaded), len(pictures))
