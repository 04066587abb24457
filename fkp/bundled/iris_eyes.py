"""Pictures of eyes to train and to measure the iris network on, and how they are varied."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.keypoints import IBUG68, FloatArray
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image
from fkp.vision.iris import CORNERS, PATCH, SPAN
from fkp.vision.measures import find_openings

Array = npt.NDArray[np.float64]

BASE, ACROSS = 96, 52.0
"""Side of the picture of an eye from which patches are cut, and the distance of its corners there,
in pixels."""

SPREAD = 0.025
"""Disagreement of the teacher's views, in outer-eye distances, above which a label is not used."""

OPEN, SHUT = 0.2, 0.12
"""Openings by label: an eye above the one shows its iris, one below the other does not."""

ROTATION, SCALE, SHIFT = 4.0, 0.08, 0.06
"""Standard deviations of how a patch is cut beside its place: degrees, log, and eye widths. The
points of the bundled network are off by as much."""

WIDE = 0.15
"""Share of the patches that are cut twice as far off."""

LIDS = 0.3
"""Share of the eyes whose upper lid is drawn down."""

HALF, CLOSED = 0.5, 0.92
"""How far: up to the one the iris counts as seen, from the other on as not seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """N eyes, the left ones mirrored, in pictures of BASE pixels with the corners level.

    bases: (N, BASE, BASE) uint8; contours: (N, 6, 2), and brows: (N, 5, 2), in their pixels, from
    left to right; irises: (N, 3) x, y, radius, NaN where not labelled; seen: (N,) 1 if the iris is
    seen, 0 if not. image, side: which eye of which picture; val: (N,) whether of a validation
    person.
    """

    bases: npt.NDArray[np.uint8]
    contours: Array
    brows: Array
    irises: Array
    seen: Array
    image: npt.NDArray[np.str_]
    side: npt.NDArray[np.int64]
    val: npt.NDArray[np.bool_]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Eyes":
        """Some of the eyes."""
        return Eyes(*(getattr(self, name)[rows] for name in self.__slots__))


def read_eyes(faces: Path, labels: Path) -> Eyes:
    """The eyes of `faces.csv`, of `fkp.bundled.make`, that `fkp.bundled.iris_teacher` labelled.

    Eyes on which its views disagree, and those of the test people, are left out.
    """
    both = pd.read_csv(faces, low_memory=False).merge(
        pd.read_csv(labels), on=["image", "source_row"]
    )
    both = both[both.split != "test"]
    parts = []
    names = [f"p{k}_{axis}" for k in range(len(IBUG68)) for axis in "xy"]
    points = both[names].to_numpy(np.float64).reshape(-1, len(IBUG68), 2)
    framed = both[["crop_a", "crop_b", "crop_tx", "crop_ty"]].to_numpy(np.float64)
    columns = [f"{side}_{what}" for side in ("right", "left") for what in ("x", "y", "r", "spread")]
    irises = both[columns].to_numpy(np.float64).reshape(-1, 2, 4)
    for i, (image, split) in enumerate(zip(both.image, both.split, strict=True)):
        a, b, x, y = framed[i].tolist()
        face = CropTransform(a, b, x, y, 1).invert(points[i])
        parts += _of_face(str(image), face, irises[i], split == "val")
    return Eyes(*(np.array(column) for column in zip(*parts, strict=True)))


def _of_face(path: str, points: Array, irises: Array, val: bool) -> list[tuple[object, ...]]:
    """The fields of `Eyes` for the eyes of a face that can be used."""
    openings = find_openings(points[None])[0, :2]
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if image is None or not np.isfinite(points).all():
        return []
    found: list[tuple[object, ...]] = []
    for side, (*iris, spread) in enumerate(irises):
        if spread > SPREAD or SHUT < openings[side] < OPEN:
            continue
        base = cut_eye(np.asarray(image, np.uint8), points, side)
        x, y = base.place(np.array(iris[:2]))
        seen = float(openings[side] >= OPEN)
        own = np.array([x, y, iris[2] * base.scale]) if seen else np.full(3, np.nan)
        fields = (base.picture, base.contour, base.brow, own, seen, path, side, val)
        found.append(fields)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One eye in a picture of BASE pixels, and how to get there."""

    picture: Image
    contour: Array
    brow: Array
    transform: CropTransform
    mirrored: bool

    @property
    def scale(self) -> float:
        """Its pixels per pixel of the whole picture."""
        return self.transform.scale

    def place(self, points: FloatArray) -> Array:
        """Pixels (..., 2) of the whole picture as its own."""
        return _mirrored(self.transform.apply(points), BASE, self.mirrored)


def cut_eye(image: Image, points: FloatArray, side: int) -> Cut:
    """The eye of a gray picture with these 68 points. side: 0 the right one, 1 the left one."""
    middle, half = (BASE - 1) / 2, ACROSS / 2
    targets = np.array([[middle - half, middle], [middle + half, middle]])
    transform = CropTransform.fit(points[list(CORNERS[side])], targets, BASE)
    contour, brow = points[36 + 6 * side : 42 + 6 * side], points[17 + 5 * side : 22 + 5 * side]
    if side:  # as the mirrored eye has them
        contour, brow = contour[[3, 2, 1, 0, 5, 4]], brow[::-1]
    own, above = (_mirrored(transform.apply(p), BASE, bool(side)) for p in (contour, brow))
    picture = transform.cut(image)
    return Cut(picture[:, ::-1] if side else picture, own, above, transform, bool(side))


def _mirrored(points: Array, size: int, mirrored: bool) -> Array:
    return np.asarray(np.where([mirrored, False], size - 1 - points, points))


def lowered(base: Image, contour: Array, brow: Array, how_far: float) -> Image:
    """The eye with its upper lid drawn down over the ball: 0 leaves it, 1 closes it.

    The skin between brow and lid is stretched.
    """
    y, x = np.mgrid[:BASE, :BASE].astype(np.float32)
    columns = slice(max(0, int(contour[0, 0])), int(np.ceil(contour[3, 0])) + 1)
    at = x[0, columns]
    upper = np.interp(at, contour[:4, 0], contour[:4, 1])
    lower = np.maximum(np.interp(at, contour[[0, 5, 4, 3], 0], contour[[0, 5, 4, 3], 1]), upper)
    top = np.minimum(np.interp(at, brow[:, 0], brow[:, 1]), upper - 4)
    moved = upper + how_far * (lower - upper)
    own = y[:, columns]
    lid = top + (own - top) * (upper - top) / (moved - top)
    source = y.copy()
    source[:, columns] = np.where((own > top) & (own < moved), lid, own)
    drawn = cv2.remap(base, x, source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


def varied(eyes: Eyes, row: int, rng: np.random.Generator) -> tuple[Image, Array, float]:
    """A patch of an eye as the network may get it, its iris (3,) in patch pixels, and whether it is
    seen: 1, 0, or NaN where that is open.
    """
    base, seen = eyes.bases[row], float(eyes.seen[row])
    if rng.random() < LIDS:
        how_far = float(rng.choice([rng.uniform(0, 1), 1.0]))
        base = lowered(base, eyes.contours[row], eyes.brows[row], how_far)
        seen = 0.0 if how_far >= CLOSED else seen if how_far <= HALF else float("nan")
    transform = patch_transform(rng)
    patch = _lit(transform.cut(_blurred(base, rng)), rng)
    x, y, radius = eyes.irises[row]
    place = transform.apply(np.array([x, y]))
    return patch, np.array([*place, radius * transform.scale]), seen


def patch_transform(rng: np.random.Generator | None = None) -> CropTransform:
    """From a base to the patch; with a generator, somewhere beside it."""
    scale, turn, shift = SPAN / ACROSS, 0.0, np.zeros(2)
    if rng is not None:
        far = 2.0 if rng.random() < WIDE else 1.0
        turn = np.deg2rad(rng.normal(0, far * ROTATION))
        scale *= float(np.exp(rng.normal(0, far * SCALE)))
        shift = rng.normal(0, far * SHIFT, 2) * SPAN
    factor = scale * np.exp(1j * turn)
    middle = (BASE - 1) / 2 * (1 + 1j)
    move = (PATCH - 1) / 2 * (1 + 1j) - factor * middle + complex(*shift)
    return CropTransform(factor.real, factor.imag, move.real, move.imag, PATCH)


def _blurred(base: Image, rng: np.random.Generator) -> Image:
    """Out of focus, or of a lower resolution."""
    kind = rng.random()
    if kind < 0.35:
        return np.asarray(cv2.GaussianBlur(base, (0, 0), rng.uniform(0.3, 3.0)), np.uint8)
    if kind < 0.6:
        side = int(BASE / rng.uniform(1.5, 5.0))
        small = cv2.resize(base, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (BASE, BASE), interpolation=cv2.INTER_LINEAR), np.uint8)
    return base


def _lit(patch: Image, rng: np.random.Generator) -> Image:
    """In other light, with noise."""
    values = (patch.astype(np.float32) / 255) ** np.float32(np.exp(rng.normal(0, 0.35)))
    values = (values - 0.5) * rng.uniform(0.6, 1.3) + (0.5 + rng.normal(0, 0.06))
    ramp = np.linspace(-1, 1, PATCH) * rng.normal(0, 0.1)
    values = values + (ramp if rng.random() < 0.5 else ramp[:, None])
    noise = rng.standard_normal(values.shape, np.float32)
    values = values + np.float32(rng.uniform(0, 0.04)) * noise
    return np.asarray(np.clip(values * 255, 0, 255), np.uint8)
