"""How repeatable `fkp symmetry` is, and how much of a known asymmetry it recovers.

    python -m tests.benchmarks.symmetry DATA [--faces 40] [--model FILE]

DATA holds `judge/lfpw/`, faces with manual labels. Repeatability: standard deviation of each
measure of the same picture cropped elsewhere and scaled, lit otherwise, and turned by up to one
degree. The recovered share: one corner of the mouth is moved, one brow raised, or one lid lowered
in the picture, by a smooth warp around it; the measured change of the difference of both sides over
the true one, which is that of the moved labels. A network that makes faces symmetric recovers less
than 1.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import fkp
from fkp.api import Network
from fkp.vision.head import Camera
from fkp.vision.images import Image
from fkp.vision.measures import find_openings
from fkp.vision.symmetry import MEASURES, Frontal, frontal
from tests.benchmarks.eyes import OPEN, labelled

Array = npt.NDArray[np.float64]

LARGE = 70
"""Pixels between the outer eye corners from which a face is taken."""

MOVED = {
    "mouth_corner_height": ((48,), 0.10, 0.22),
    "brow_height": ((17, 18, 19, 20, 21), -0.08, 0.20),
    "eye_opening": ((37, 38), 0.05, 0.07),
}
"""By measure: the points of the right side that are moved down, by how much, and how far around
them the picture moves: in distances of the outer eye corners."""


def warp(image: Image, points: Array, among: tuple[int, ...], by: float, around: float) -> Image:
    """The picture with what is around some points moved down, less and less with the distance."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    size = np.linalg.norm(points[36] - points[45])
    line = points[list(among)]
    steps = np.linspace(0, len(line) - 1, 40)
    dense = np.column_stack([np.interp(steps, np.arange(len(line)), line[:, a]) for a in (0, 1)])
    seat = dense + np.array([0, by * size])  # where they are in the new picture
    away = np.min([np.hypot(x - a, y - b) for a, b in seat], axis=0)
    share = np.exp(-((away / (around * size)) ** 2) * 2)
    source = (y - share * by * size).astype(np.float32)
    drawn = cv2.remap(image, x, source, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


def cropped(image: Image, rng: np.random.Generator) -> Image:
    """Smaller or larger, with a part of the border away."""
    cut = [round(rng.uniform(0, 0.06) * side) for side in (*image.shape[:2], *image.shape[:2])]
    height, width = image.shape[:2]
    part = image[cut[0] : height - cut[2], cut[1] : width - cut[3]]
    scale = rng.uniform(0.8, 1.25)
    return np.asarray(
        cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )


def lit(image: Image, rng: np.random.Generator) -> Image:
    """Brighter or darker, more from one side."""
    slope = np.linspace(1 - rng.uniform(-0.25, 0.25), 1, image.shape[1])[None, :, None]
    return np.asarray(np.clip(image * slope * rng.uniform(0.75, 1.25), 0, 255), np.uint8)


def tilted(image: Image, rng: np.random.Generator) -> Image:
    """Turned in the picture by up to one degree."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-1, 1), 1)
    drawn = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


VARIATIONS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "crop": cropped, "light": lit, "turn": tilted,
}  # fmt: skip


def seen(network: Network, image: Image) -> Frontal | None:
    """The largest face of a picture, from in front."""
    faces = network.annotate(image)
    if not len(faces):
        return None
    best = int(np.argmax(faces.boxes[:, 2]))
    return frontal(faces.points[best], Camera().matrix(image.shape[1], image.shape[0]))


def sides(network: Network, image: Image) -> Array:
    """(M, 2) right and left, in eye distances; NaN without a face."""
    face = seen(network, image)
    return np.full((len(MEASURES), 2), np.nan) if face is None else face.sides()


def run(data: Path, network: Network, count: int) -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    faces = [
        (image, points)
        for _, image, points in labelled(data / "judge/lfpw", "labels.csv")
        if np.linalg.norm(points[36] - points[45]) > LARGE
        and find_openings(points[None])[0, :2].min() >= OPEN
    ]
    faces = faces[:: max(1, len(faces) // count)][:count]
    spread: dict[str, list[Array]] = {name: [] for name in VARIATIONS}
    shares: dict[str, list[float]] = {name: [] for name in MOVED}
    for image, points in faces:
        for name, vary in VARIATIONS.items():
            spread[name].append(
                np.std([sides(network, vary(image, rng)) for _ in range(4)], axis=0, ddof=1)
            )
        before = sides(network, image)
        for name, (among, by, around) in MOVED.items():
            after = sides(network, warp(image, points, among, by, around))
            row = MEASURES.index(name)
            moved = points.copy()
            moved[list(among), 1] += by * np.linalg.norm(points[36] - points[45])
            matrix = Camera().matrix(image.shape[1], image.shape[0])
            truth = [frontal(p, matrix) for p in (points, moved)]
            if truth[0] is None or truth[1] is None:
                continue
            true = np.diff([face.sides()[row] for face in truth if face is not None], axis=0)[0]
            shares[name].append(float(np.diff(after[row] - before[row])[0] / np.diff(true)[0]))
    print(f"{len(faces)} faces; standard deviation in eye distances (millimetres at 63 mm)")
    for i, measure in enumerate(MEASURES):
        cells = []
        for name, values in spread.items():
            deviation = float(np.sqrt(np.nanmean(np.array(values)[:, i] ** 2)))
            cells.append(f"{name} {deviation:.4f} ({63 * deviation:.2f})")
        print(f"  {measure}: {', '.join(cells)}")
    for name, found in shares.items():
        low, median, high = np.nanpercentile(found, [10, 50, 90])
        print(f"{name}: recovered share {median:.2f} (10 to 90 %: {low:.2f} to {high:.2f})")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--faces", type=int, default=40)
    parser.add_argument("--model", default="bundled")
    given = parser.parse_args()
    run(given.data, fkp.load(given.model), given.faces)


if __name__ == "__main__":
    main()
