"""Small real and drawn pictures that the tests share."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fkp.keypoints import FKP4, KAGGLE15, Scheme

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"

# Where a drawn face has its points, in a crop of 96 pixels.
FACE = {
    "left_eye_center": (64.0, 38.0),
    "right_eye_center": (32.0, 38.0),
    "nose_tip": (48.0, 56.0),
    "mouth_center_bottom_lip": (48.0, 74.0),
}


@pytest.fixture
def samples() -> Path:
    """The folder of sample pictures."""
    return SAMPLES


def draw_face(
    points: npt.NDArray[np.float64], size: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """A gray picture with a dark spot at each point (K, 2) of the course's scheme."""
    y, x = np.mgrid[:size, :size].astype(float)
    image = np.full((size, size), 190.0) + rng.normal(0, 3, (size, size))
    for i, (px, py) in enumerate(points):
        image -= (150 - 25 * i) * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (size / 24) ** 2))
    return np.clip(image, 0, 255).astype(np.uint8)


def faces(
    count: int, size: int = 96, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Drawn faces (N, size, size) and their points (N, 4, 2), each somewhat elsewhere."""
    rng = np.random.default_rng(seed)
    base = np.array([FACE[name] for name in FKP4.names]) * size / 96
    points = base + rng.uniform(-0.06, 0.06, (count, 1, 2)) * size
    points = points + rng.normal(0, 0.01 * size, points.shape)
    return np.stack([draw_face(p, size, rng) for p in points]), points


def label_frame(points: npt.NDArray[np.float64], scheme: Scheme) -> pd.DataFrame:
    """Points (N, K, 2) as a table of labels."""
    return pd.DataFrame(points.reshape(len(points), -1), columns=scheme.columns)


def write_kaggle(
    path: Path, count: int, size: int = 96, empty: float = 0.3
) -> npt.NDArray[np.float64]:
    """A CSV like Kaggle's training.csv; returns its points (N, 15, 2), NaN where left empty."""
    images, four = faces(count, size)
    rng = np.random.default_rng(1)
    points = rng.uniform(0.2, 0.8, (count, 15, 2)) * size
    for i, name in enumerate(FKP4.names):
        points[:, KAGGLE15.names.index(name)] = four[:, i]
    points = points.round(4)
    points[rng.random((count, 15)) < empty] = np.nan
    frame = label_frame(points, KAGGLE15)
    frame["Image"] = [" ".join(map(str, image.reshape(-1))) for image in images]
    frame.to_csv(path, index=False)
    return points


def write_course(
    folder: Path, count: int, unit: bool = True, persons: int = 0
) -> npt.NDArray[np.float64]:
    """labels.csv and faces.npy (96, 96, N); returns the points (N, 4, 2) in pixels."""
    images, points = faces(count)
    frame = label_frame(points / 96 if unit else points, FKP4)
    if persons:
        frame.insert(0, "person", [f"p{i % persons}" for i in range(count)])
    frame.to_csv(folder / "labels.csv", index=False)
    np.save(folder / "faces.npy", np.moveaxis(images, 0, -1))
    return points


def write_pictures(folder: Path, count: int) -> npt.NDArray[np.float64]:
    """pictures/*.png of two pictures a person, and labels.csv with paths; returns the points."""
    images, points = faces(count, 128)
    (folder / "pictures").mkdir()
    names = [f"pictures/Ann_{chr(97 + i // 2)}_{i % 2:04d}.png" for i in range(count)]
    for name, image in zip(names, images, strict=True):
        assert cv2.imwrite(str(folder / name), image)
    frame = label_frame(points, FKP4)
    frame.insert(0, "image", names)
    frame.to_csv(folder / "labels.csv", index=False)
    return points


@pytest.fixture
def quiet() -> Callable[[int, int], None]:
    """A progress callback that does nothing."""
    return lambda done, total: None
