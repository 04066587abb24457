#!/usr/bin/env python3
"""The pictures of docs/ that show what commands make of the sample pictures.

usage: PYTHONPATH=. python docs/pictures.py [--chromium COMMAND] [NAME...]

Writes docs/pictures/NAME.jpg; without names, all that this file makes. Pages are photographed by a
headless Chromium. Blinks and a crooked smile are warped into a sample portrait.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import cv2
import numpy as np

import fkp
from fkp.vision.images import Image, read_image
from tests.benchmarks.events import schedule, write_clip
from tests.benchmarks.symmetry import warp

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_images"
OUT = ROOT / "docs" / "pictures"

PORTRAITS = ("speech", "president", "astronaut", "vice_president")

Picture = Callable[[Path, str], Image]
"""Makes a picture in a working folder, with this Chromium."""


def photographed(page: Path, chromium: str, width: int, height: int) -> Image:
    """A page as a browser shows it."""
    shot = page.with_suffix(".png")
    words = (
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
        f"--user-data-dir={page.parent / 'chromium'}", f"--window-size={width},{height}",
        "--virtual-time-budget=15000", f"--screenshot={shot}", page.as_uri(),
    )  # fmt: skip
    subprocess.run([chromium, *words], check=True, capture_output=True, timeout=120)
    return read_image(shot)


def overlays(work: Path, chromium: str) -> Image:
    """Four portraits with their overlays, side by side."""
    names = [SAMPLES / f"{name}.jpg" for name in PORTRAITS]
    report = fkp.annotate(names, work, jobs=1)
    assert report.folder is not None
    drawn = [read_image(report.folder / "overlays" / path.name) for path in names]
    sizes = [(round(420 * image.shape[1] / image.shape[0]), 420) for image in drawn]
    shown = [
        cv2.resize(i, s, interpolation=cv2.INTER_AREA) for i, s in zip(drawn, sizes, strict=True)
    ]
    return np.asarray(np.hstack(shown), np.uint8)


def gallery(work: Path, chromium: str) -> Image:
    """The page of photos."""
    fkp.annotate(SAMPLES, work, jobs=1)
    return photographed(work / "index.html", chromium, 1150, 490)


def clip(work: Path, chromium: str) -> Image:
    """The page of a clip."""
    with chdir(ROOT):  # the page calls the clip as it was given
        fkp.video("sample_images/clip.mp4", work)
    return photographed(work / "index.html", chromium, 1000, 650)


def events(work: Path, chromium: str) -> Image:
    """The page of a clip in which a portrait blinks."""
    image, points = portrait()
    blinks = schedule(12, np.random.default_rng(1))
    write_clip(work / "interview.mp4", image, points, blinks, 30, 12, 1)
    with chdir(work):
        fkp.video("interview.mp4", "out", events=True)
    return photographed(work / "out" / "index.html", chromium, 1000, 630)


def symmetry(work: Path, chromium: str) -> Image:
    """The page of a person, whose smile is lower on the right."""
    image, points = portrait()
    visit = work / "clinic" / "anna" / "2024-03-01"
    visit.mkdir(parents=True)
    cv2.imwrite(str(visit / "rest.jpg"), image)
    crooked = warp(image, points, (48,), 0.12, 0.25)
    cv2.imwrite(str(visit / "smile.jpg"), crooked)
    fkp.annotate(work / "clinic", work / "results", overlays=False, jobs=1)
    fkp.symmetry(work / "results", work / "symmetry", ipd=62)
    return photographed(work / "symmetry" / "anna.html", chromium, 600, 1250)[675:1195]


def portrait() -> tuple[Image, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """A sample portrait, and its points (68, 2)."""
    image = read_image(SAMPLES / "president.jpg")
    return image, fkp.load(max_faces=1).annotate(image).points[0].astype(np.float64)


PICTURES: dict[str, Picture] = {
    one.__name__: one for one in (overlays, gallery, clip, events, symmetry)
}


def main() -> None:
    """Make the pictures of these names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--chromium", default="chromium")
    given = parser.parse_args()
    for name in given.names or PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            picture = PICTURES[name](Path(folder), given.chromium)
        cv2.imwrite(str(OUT / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
        print(f"docs/pictures/{name}.jpg: {picture.shape[1]} x {picture.shape[0]}")


if __name__ == "__main__":
    main()
