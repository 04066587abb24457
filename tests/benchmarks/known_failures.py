"""Draw what the bundled networks make of hard versions of a sample picture.

usage: python -m tests.benchmarks.known_failures OUT.jpg
Each tile has the faces found, their points, and the score and mean confidence of the best one.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.outcome import Annotated
from fkp.annotate.photo.cutting import FaceCutter
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.detect import YuNetDetector
from fkp.vision.draw import KeypointAnnotator, sheet
from fkp.vision.images import Image, read_image, write_image

PORTRAIT = Path(__file__).resolve().parents[2] / "sample_images" / "president.jpg"
TILE, HEIGHT = 300, 210


def mask(image: Image) -> Image:
    """A cloth over mouth and nose."""
    covered = image.copy()
    height, width = image.shape[:2]
    corners = np.array([[0.43, 0.45], [0.69, 0.45], [0.65, 0.69], [0.47, 0.69]])
    shape = (corners * [width, height]).astype(np.int32)
    cv2.fillPoly(covered, [shape], (200, 180, 150))
    return covered


def sunglasses(image: Image) -> Image:
    """A dark bar over the eyes."""
    covered = image.copy()
    height, width = image.shape[:2]
    low, high = (int(0.44 * width), int(0.33 * height)), (int(0.68 * width), int(0.42 * height))
    cv2.rectangle(covered, low, high, (10, 10, 10), -1)
    return covered


def scaled(image: Image, factor: float) -> Image:
    """Another size."""
    return np.asarray(
        cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def dark(image: Image) -> Image:
    """A twentieth of the light, with a camera's noise."""
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    return np.clip(image * 0.05 + noise, 0, 255).astype(np.uint8)


def blurred(image: Image) -> Image:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[1] / 60), np.uint8)


def turned(image: Image, degrees: float) -> Image:
    """Turned in the picture plane."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.8)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height)), np.uint8)


HARD: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "mask": mask,
    "sunglasses": sunglasses,
    "very dark": dark,
    "out of focus": blurred,
    "face of 12 px": lambda image: scaled(image, 12 / 280),
    "turned by 45 degrees": lambda image: turned(image, 45),
    "upside down": lambda image: turned(image, 180),
}


def main() -> None:
    """Write the sheet."""
    network, detector = load_model(find_model("bundled")), YuNetDetector()
    cutter = FaceCutter(detector, network.layout, network.size)
    whole = scaled(read_image(PORTRAIT), 0.75)
    portrait = whole[: int(0.55 * len(whole))]
    tiles: list[Image] = []
    for name, change in HARD.items():
        image = change(portrait)
        with tempfile.TemporaryDirectory() as folder:
            write_image(Path(folder) / "hard.png", image)
            cuts = [cutter(str(Path(folder) / "hard.png"))]
            (result,) = predict(cuts, network, AnnotateConfig())
        assert isinstance(result, Annotated)
        faces = result.faces
        text = f"{name}: no face"
        if len(faces):
            text = f"{name}: {faces.scores[0]:.2f}, {np.nanmean(faces.confidence[0]):.2f}"
        scale = TILE / max(image.shape[:2])
        large = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
        drawn = KeypointAnnotator().draw(large, faces.scaled(scale))
        tile = np.full((HEIGHT + 24, TILE, 3), 255, np.uint8)
        tile[: drawn.shape[0], : drawn.shape[1]] = drawn
        cv2.putText(tile, text, (4, HEIGHT + 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1)
        tiles.append(tile)
        print(text)
    write_image(Path(sys.argv[1]), sheet(tiles, 4))


if __name__ == "__main__":
    main()
