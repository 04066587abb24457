"""How well irises are found: three ways on validation people, and against pupils marked by hand.

    python -m tests.benchmarks.iris DATA [--faces FACES.csv --labels IRIS.csv]

DATA holds `judge/phone` and what `tests.benchmarks.eyes` needs. FACES and LABELS are what
`fkp.bundled.iris` was trained on; with them three ways are compared on its validation people: the
bundled network, a dark disc inside the lids' contour, and the middle of that contour. All get the
same contour, that of fkp's own points.

Errors are the median and the 90 % quantile over the eyes for which there is an iris, in percent of
the distance of the two pupils, and the median also of the outer eye corners.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import fkp
from fkp.annotate.photo.cutting import FaceCutter
from fkp.api import Network
from fkp.bundled.iris_eyes import ACROSS, Cut, cut_eye, read_eyes
from fkp.vision.images import Image
from fkp.vision.iris import FINER, find_irises
from tests.benchmarks.eyes import CLOSED, labelled

Array = npt.NDArray[np.float64]

NEAR = 0.35
"""Distance of the middle of two eyes from the labelled one, in pupil distances, within which a face
is the labelled one."""

LARGE = 30
"""Pixels between the pupils of a face whose errors are also printed by themselves."""

MEAN_RADIUS = 0.235
"""Of an iris in eye widths, on average over the training people."""


def dark_disc(eye: Cut) -> Array:
    """x, y and radius (3,) of the darkest disc in a brighter ring, inside the lids' contour."""
    inside = np.zeros(eye.picture.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(eye.contour).astype(np.int32)], 1)
    picture = cv2.GaussianBlur(eye.picture, (0, 0), 1.5).astype(np.float32)
    best, found = -np.inf, np.full(3, np.nan)
    for radius in np.arange(0.16, 0.30, 0.02) * ACROSS:
        reach = int(1.5 * radius) + 1
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        away = np.hypot(x, y)
        kernel = np.zeros(away.shape, np.float32)
        for part, sign in ((away <= radius, -1), ((away > radius) & (away <= 1.4 * radius), 1)):
            kernel[part] = sign / part.sum()
        # Lids cover the iris above and below: there the ring says nothing.
        kernel[(np.abs(y) > 0.7 * radius) & (away > radius)] = 0
        kernel[kernel > 0] /= kernel[kernel > 0].sum()
        response = cv2.filter2D(picture, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
        response[inside == 0] = -np.inf
        row, column = np.unravel_index(int(response.argmax()), response.shape)
        if response[row, column] > best:
            best, found = float(response[row, column]), np.array([column, row, radius])
    return found


def lid_middle(eye: Cut) -> Array:
    """x, y and radius (3,): the middle of the lids' contour, and the mean radius."""
    return np.array([*eye.contour.mean(0), MEAN_RADIUS * ACROSS])


def in_picture(eye: Cut, iris: Array) -> Array:
    """An iris (3,) of an eye's own picture, in the whole one."""
    x = len(eye.picture) - 1 - iris[0] if eye.mirrored else iris[0]
    return np.array([*eye.transform.invert(np.array([x, iris[1]])), iris[2] / eye.scale])


def nearest(faces: fkp.Faces, pupils: Array) -> int | None:
    """The face whose eyes are those of these pupils (2, 2); None without one."""
    if not len(faces):
        return None
    middles = np.stack([faces.points[:, 36:42].mean(1), faces.points[:, 42:48].mean(1)], 1).mean(1)
    away = np.linalg.norm(middles - pupils.mean(0), axis=1)
    best = int(away.argmin())
    return best if away[best] < NEAR * np.linalg.norm(pupils[0] - pupils[1]) else None


def compared(data: Path, faces: Path, labels: Path, network: Network) -> None:
    """Print what the three ways do on the validation people."""
    eyes = read_eyes(faces, labels)
    table = pd.read_csv(labels).set_index("image")
    rows = np.flatnonzero(eyes.val & (eyes.seen == 1))
    errors: dict[str, list[list[float]]] = {"network": [], "dark disc": [], "middle of lids": []}
    blank = 0
    for row in rows:
        path, side = str(eyes.image[row]), int(eyes.side[row])
        label = table.loc[path]
        both = [[label[f"{s}_{what}"] for what in "xyr"] for s in ("right", "left")]
        truth = np.array(both, np.float64)
        image = np.asarray(cv2.imread(path), np.uint8)
        found = network.annotate(image)
        face = nearest(found, truth[:, :2])
        if face is None or found.iris is None:
            continue
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        eye = cut_eye(gray, found.points[face].astype(np.float64), side)
        own = found.iris[face, side].astype(np.float64)
        blank += bool(np.isnan(own[0]))
        ways = (own, in_picture(eye, dark_disc(eye)), in_picture(eye, lid_middle(eye)))
        apart = np.linalg.norm(truth[0, :2] - truth[1, :2])
        for way, iris in zip(errors.values(), ways, strict=True):
            away = np.linalg.norm(iris[:2] - truth[side, :2]) / apart
            way.append([float(away), float(abs(iris[2] / truth[side, 2] - 1))])
    print(f"validation people: {len(errors['network'])} eyes, {blank} blank with the network")
    blanks = np.isnan(np.array(errors["network"])[:, 0])
    for name, values in errors.items():
        away, size = 100 * np.array(values)[~blanks].T
        print(
            f"  {name}: centre {np.median(away):.2f}, 90 % {np.quantile(away, 0.9):.2f}; "
            f"radius off by {np.median(size):.1f} %"
        )


def phone(data: Path) -> Iterator[tuple[Image, Array, float]]:
    """Pictures, pupils by hand (2, 2), from left to right, and the outer eye corners' distance."""
    folder = data / "judge" / "phone"
    for row in pd.read_csv(folder / "labels.csv").to_dict("records"):
        points = np.array([[row[f"p{k}_{axis}"] for axis in "xy"] for k in (16, 17, 6, 9)])
        image = cv2.imread(str(folder / "images" / str(row["image"])))
        assert image is not None
        yield np.asarray(image, np.uint8), points[:2], float(np.linalg.norm(points[2] - points[3]))


def judged(data: Path, network: Network) -> None:
    """Print the errors against the pupils marked by hand."""
    away, outer, middle, large, sizes, uneven = [], [], [], [], [], []
    blank = missed = 0
    for image, pupils, corners in phone(data):
        found = network.annotate(image)
        face = nearest(found, pupils)
        if face is None or found.iris is None:
            missed += 1
            continue
        irises = found.iris[face].astype(np.float64)
        if found.points[face, 36, 0] > found.points[face, 45, 0]:
            irises = irises[::-1]
        apart = float(np.linalg.norm(pupils[0] - pupils[1]))
        blank += int(np.isnan(irises[:, 0]).sum())
        off = np.linalg.norm(irises[:, :2] - pupils, axis=1)
        away += (off / apart).tolist()
        outer += (off / corners).tolist()
        large += [apart >= LARGE] * 2
        lids = np.stack([found.points[face, k : k + 6].mean(0) for k in (36, 42)])
        middle += (np.linalg.norm(lids - pupils, axis=1) / apart).tolist()
        if np.isfinite(irises).all():
            sizes.append(2 * irises[:, 2].mean() / np.linalg.norm(irises[0, :2] - irises[1, :2]))
            uneven.append(abs(irises[0, 2] - irises[1, 2]) / irises[:, 2].mean())
    known = np.isfinite(away)
    own, far, lids_off = (100 * np.array(v)[known] for v in (away, outer, middle))
    print(
        f"judge/phone, pupils by hand: {len(away)} eyes of faces found ({missed} are not), "
        f"{blank} blank; centre {np.median(own):.2f} of the pupil distance, 90 % "
        f"{np.quantile(own, 0.9):.2f}, over 10: {100 * (own > 10).mean():.1f} %; "
        f"{np.median(far):.2f} of the outer corners'"
    )
    near = np.array(large)[known]
    print(
        f"  middle of lids, the same eyes: {np.median(lids_off):.2f}; the {near.sum()} eyes with "
        f"pupils at least {LARGE} pixels apart: centre {np.median(own[near]):.2f}, middle of lids "
        f"{np.median(lids_off[near]):.2f}; {np.median(far[near]):.2f} of the outer corners'"
    )
    print(
        f"  iris diameter over pupil distance: median {np.median(sizes):.3f} "
        f"(11.7 mm / 63 mm = 0.186); right and left radius differ by "
        f"{100 * np.median(uneven):.1f} %"
    )


def closed(data: Path, network: Network) -> None:
    """Print how many irises closed eyes have; nobody marked which of both eyes, all are closed."""
    count = given = 0
    for folder, names in CLOSED.items():
        labels = "labels_ibug.csv" if folder == "fairface" else "labels.csv"
        wanted = set(names.split())
        for name, image, points in labelled(data / folder, labels):
            if name not in wanted:
                continue
            found = network.annotate(image)
            face = nearest(found, np.stack([points[36:42].mean(0), points[42:48].mean(0)]))
            if face is not None and found.iris is not None:
                count += 2
                given += int(np.isfinite(found.iris[face, :, 0]).sum())
    print(f"closed eyes: {given} of {count} are given an iris")


def timed(data: Path, network: Network) -> None:
    """Print the time that a face's irises take, without reading the picture."""
    image = next(phone(data))[0]
    own = network.keypoints
    cut = FaceCutter(network.detector, own.layout, own.size, finer=FINER).cut_image(image)
    assert cut.fine is not None
    faces = network.annotate(image)
    large = [transform.enlarged(FINER) for transform in cut.transforms]
    size = (image.shape[1], image.shape[0])
    spent = []
    for _ in range(300):
        start = time.perf_counter()
        crop = large[0].cut_gray(image)
        middle = time.perf_counter()
        find_irises([crop], large[:1], faces.points[:1], size)
        spent.append((middle - start, time.perf_counter() - middle))
    crop_ms, network_ms = 1000 * np.median(spent, axis=0)
    print(f"time per face: {crop_ms:.2f} ms to cut, {network_ms:.2f} ms for both eyes")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--validation", action="store_true", help="only the validation people")
    given = parser.parse_args()
    network = fkp.load(iris=True)
    if given.faces and given.labels:
        compared(given.data, given.faces, given.labels, network)
    if not given.validation:
        judged(given.data, network)
        closed(given.data, network)
        timed(given.data, network)


if __name__ == "__main__":
    main()
