"""How well closed eyes are told from open ones, and the threshold that `fkp.vision.eyes` has.

    python -m tests.benchmarks.eyes DATA [--model FILE] [--sheet SHEET.png]

DATA holds `fairface/`, `ytf68/` and `judge/`. Lids are warped shut in `judge/lfpw`, by its manual
labels. Real eyes: `CLOSED` were closed to a person who looked at them, and are no part of the
training of the bundled networks; open are those of `judge/lfpw` and `judge/poses` whose manual
labels say so.

Video: frames of ytf68, by person; closed where the label is below SHUT of the person's median, open
above WIDE of it. In these sets such labels agree with what a person sees.

Prints the area under the ROC curve and, for thresholds, how many closed eyes are below and how many
open ones are. The absolute threshold is the opening itself; a relative one its share of the same
face's median, over pictures of it that differ as the frames of a clip do, or over a person's video.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import fkp
from fkp.api import Network
from fkp.keypoints import IBUG68
from fkp.vision.eyes import CLOSED_OPENING, eyes_opening
from fkp.vision.images import Image
from fkp.vision.measures import find_openings

Array = npt.NDArray[np.float64]

CLOSED = {
    "fairface": (
        "train_11056.webp train_33505.webp train_8828.webp train_32747.webp train_28310.webp "
        "train_14414.webp train_9760.webp train_7305.webp train_11481.webp train_39892.webp "
        "train_4704.webp train_21532.webp train_4751.webp train_1496.webp train_29939.webp "
        "train_29808.webp train_36708.webp train_10108.webp train_1231.webp train_26139.webp "
        "train_31984.webp train_11561.webp train_3897.webp train_7830.webp train_21132.webp "
        "train_30105.webp"
    ),
    "judge/infants": (
        "google2__g-00000.jpg google2__g-00005.jpg google2__g-00006.jpg google2__g-00008.jpg "
        "google2__g-00010.jpg google2__g-00011.jpg google2__g-00012.jpg google2__g-00013.jpg "
        "google2__g-00015.jpg google2__g-00017.jpg google2__g-00019.jpg google2__g-00022.jpg "
        "google2__g-00023.jpg google2__g-00029.jpg google2__g-00030.jpg google2__g-00033.jpg "
        "google2__g-00043.jpg google2__g-00049.jpg google2__g-00050.jpg youtube2__018.jpg "
        "youtube2__021.jpg youtube2__032.jpg youtube2__038.jpg youtube2__042.jpg "
        "youtube2__049.jpg ads__15454.Still059.jpg ads__31286.Still084.jpg "
        "ads__39733.Still100.jpg ads__4310.Still025.jpg ads__4330.Still016.jpg "
        "ads__55322.Still156.jpg ads__68303.Still183.jpg ads__68951.Still186.jpg "
        "ads__794.Still005.jpg"
    ),
    "judge/lfpw": "lfpw_test__image_0222.jpg",
    "judge/poses": (
        "2515-image19120.jpg 1800-image02375.jpg 0846-image48649.jpg 0420-image60549.jpg "
        "2513-image56080.jpg 1026-image21731.jpg"
    ),
}

OPEN = 0.25
"""Opening by manual labels from which an eye is open. Closed ones, and those narrower, are not."""

SHUT, WIDE = 0.35, 0.8
"""Shares of a person's median opening by label: closed below the one, open above the other."""

NARROWEST = 25
"""Pixels between the outer eye corners below which a face is not taken."""

FRAMES = 5
"""Pictures of each face whose lids are warped."""

LARGE = 55
"""Pixels between the outer eye corners from which lids are warped."""


def shut(image: Image, points: Array, how_far: float) -> Image:
    """The picture with both upper lids drawn down: 0 leaves them, 1 closes the eyes.

    Below the brow the lid's skin is stretched, and what it covers is pressed towards the lower lid.
    """
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    source = y.copy()
    for eye, brow in ((points[36:42], points[17:22]), (points[42:48], points[22:27])):
        columns = slice(int(eye[:, 0].min()), int(np.ceil(eye[:, 0].max())) + 1)
        at = x[0, columns]
        upper = _curve(eye[[0, 1, 2, 3]], at)
        lower = np.maximum(_curve(eye[[0, 5, 4, 3]], at), upper)
        top = np.minimum(_curve(brow, at), upper - 2)
        moved = upper + how_far * (lower - upper)
        own = y[:, columns]
        lid = top + (own - top) * (upper - top) / np.maximum(moved - top, 1)
        ball = lower - (lower - own) * (lower - upper) / np.maximum(lower - moved, 1e-3)
        there = np.where(own < moved, lid, ball)
        source[:, columns] = np.where((own > top) & (own < lower), there, own)
    drawn = cv2.remap(image, x, source, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


def _curve(points: Array, at: Array) -> Array:
    """Heights at columns, of a line through points (N, 2) from left to right."""
    order = np.argsort(points[:, 0])
    return np.asarray(np.interp(at, points[order, 0], points[order, 1]))


def varied(image: Image, rng: np.random.Generator) -> Image:
    """Another frame of the same: turned and scaled a little, brighter or darker, with noise."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(
        (width / 2, height / 2), rng.uniform(-8, 8), rng.uniform(0.85, 1.0)
    )
    moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    noisy = moved * rng.uniform(0.75, 1.2) + rng.normal(0, 4, moved.shape)
    _, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def opening(network: Network, image: Image, centre: Array | None = None) -> float:
    """How far the eyes of the face nearest to a point are open; NaN without a face."""
    faces = network.annotate(image)
    if not len(faces):
        return float("nan")
    middles = faces.points[:, 36:48].mean(1)
    aim = np.array(image.shape[1::-1]) / 2 if centre is None else centre
    best = int(np.linalg.norm(middles - aim, axis=1).argmin())
    return float(eyes_opening(find_openings(faces.points[best : best + 1]))[0])


def labelled(
    folder: Path, labels: str, pictures: str = "images"
) -> Iterator[tuple[str, Image, Array]]:
    """Name, picture and points (68, 2) of each row."""
    for row in pd.read_csv(folder / labels).to_dict("records"):
        points = np.array([[row[f"{name}_{axis}"] for axis in "xy"] for name in IBUG68.names])
        image = cv2.imread(str(folder / pictures / Path(str(row["image"])).name))
        if image is not None and np.linalg.norm(points[36] - points[45]) > NARROWEST:
            yield str(row["image"]), np.asarray(image, np.uint8), points


def real(data: Path, network: Network) -> tuple[Array, Array]:
    """Openings of closed and of open eyes in photographs."""
    closed, opened = [], []
    for folder, names in CLOSED.items():
        labels = "labels_ibug.csv" if folder == "fairface" else "labels.csv"
        wanted = set(names.split())
        manual = folder in ("judge/lfpw", "judge/poses")
        for name, image, points in labelled(data / folder, labels):
            centre = points[36:48].mean(0)
            by_hand = eyes_opening(find_openings(points[None]))[0]
            if name in wanted:
                closed.append(opening(network, image, centre))
            elif manual and by_hand >= OPEN:
                opened.append(opening(network, image, centre))
    return _known(closed), _known(opened)


def warped(data: Path, network: Network, sheet: Path | None) -> dict[str, Array]:
    """By what was done to the lids, the openings (P, F) of the frames of each face."""
    rng = np.random.default_rng(0)
    found: dict[str, list[list[float]]] = {"open": [], "half": [], "closed": []}
    shown = []
    for _, image, points in labelled(data / "judge/lfpw", "labels.csv"):
        large = np.linalg.norm(points[36] - points[45]) > LARGE
        by_label = eyes_opening(find_openings(points[None]))[0]
        if not large or not by_label >= OPEN:
            continue
        for name, how_far in zip(found, (0.0, 0.5, 1.0), strict=True):
            drawn = shut(image, points, how_far)
            frames = [varied(drawn, rng) for _ in range(FRAMES)]
            found[name].append([opening(network, frame) for frame in frames])
            shown.append(cv2.resize(drawn, (160, 160)))
    if sheet is not None:
        rows = [np.hstack(shown[i : i + 9]) for i in range(0, len(shown) // 9 * 9, 9)]
        cv2.imwrite(str(sheet), np.vstack(rows))
    return {name: np.array(values) for name, values in found.items()}


def videos(data: Path, network: Network) -> tuple[Array, Array]:
    """Openings of closed and of open eyes in frames, as shares of the person's median."""
    persons: dict[str, list[tuple[float, float]]] = {}
    for name, image, points in labelled(data / "ytf68", "labels_ibug.csv", "training"):
        by_label = eyes_opening(find_openings(points[None]))[0]
        found = opening(network, image, points[36:48].mean(0))
        person = name.rsplit("_", 1)[0]
        persons.setdefault(person, []).append((by_label, found))
    closed, opened = [], []
    for frames in persons.values():
        labels, found = np.array(frames).T
        usual, own = np.median(labels), np.nanmedian(found)
        if len(frames) >= 5 and usual >= OPEN:
            closed += (found[labels < SHUT * usual] / own).tolist()
            opened += (found[labels > WIDE * usual] / own).tolist()
    return np.array(closed), np.array(opened)


def _known(values: list[float]) -> Array:
    array = np.array(values)
    print(f"  {np.isnan(array).sum()} of {len(array)} faces not found")
    return np.asarray(array[np.isfinite(array)])


def show(what: str, closed: Array, opened: Array, own: float = np.nan) -> None:
    """Print the area under the curve, and what thresholds do."""
    closed, opened = (a[np.isfinite(a)] for a in (closed.ravel(), opened.ravel()))
    area = (closed[:, None] < opened).mean() + 0.5 * (closed[:, None] == opened).mean()
    both = np.unique(np.concatenate([closed, opened]))
    kept = [(closed < t).mean() - (opened < t).mean() for t in both]
    best = float(both[int(np.argmax(kept))])
    print(
        f"{what}: {closed.size} closed (median {np.median(closed):.3f}), {opened.size} open "
        f"(median {np.median(opened):.3f}); area under the ROC curve {area:.3f}"
    )
    rare = float(np.quantile(opened, 0.01))
    named = (("best", best), ("1 % of the open", rare), ("fkp.vision.eyes", own))
    for name, t in ((name, t) for name, t in named if np.isfinite(t)):
        share, wrong = 100 * (closed < t).mean(), 100 * (opened < t).mean()
        print(f"  below {t:.3f} ({name}): {share:.0f} % of the closed, {wrong:.1f} % of the open")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--sheet", type=Path, help="a picture of the warped lids")
    given = parser.parse_args()
    network = fkp.load(given.model)
    by_lids = warped(given.data, network, given.sheet)
    closed, opened = real(given.data, network)
    show("warped lids, opening", by_lids["closed"], by_lids["open"], CLOSED_OPENING)
    show("real eyes, opening", closed, opened, CLOSED_OPENING)
    usual = np.nanmedian(by_lids["open"], axis=1, keepdims=True)
    shares = {name: values / usual for name, values in by_lids.items()}
    show("warped lids, share of the median", shares["closed"], shares["open"])
    show("video frames, share of the median", *videos(given.data, network))
    print(f"lids half down: median share {np.nanmedian(shares['half']):.2f}")


if __name__ == "__main__":
    main()
