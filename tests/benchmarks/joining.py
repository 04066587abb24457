"""How the detector's score and the network's face probability are best joined.

usage: python -m tests.benchmarks.joining DATA [--work build/weights] [--detector F] [--model F]

On everyday scenes, frames and portraits that neither network was trained on, whose boxes are of the
machine labels' making: average precision of each way to join them, and at a score of 0.5 the
share of faces found and of boxes that are faces.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.bundled.make import CHECKED, WeightsConfig, prepared_samples
from fkp.learn.detector.data import load
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.score import score_detections
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.detect import WEIGHTS, Detections, YuNetDetector
from fkp.vision.images import resized
from tests.benchmarks.bundled import face_probabilities

Scores = npt.NDArray[np.float32]
SCALES = (0.5, 1.0, 1.6)


Join = Callable[[Scores, Scores], npt.NDArray[Any]]


def geometric(weight: float) -> Join:
    """The weighted geometric mean; weight: of the detector's score."""
    return lambda detected, face: detected**weight * face ** (1 - weight)


WAYS: dict[str, Join] = {
    "detector alone": lambda detected, face: detected,
    "network alone": lambda detected, face: face,
    **{f"geometric mean, detector {w:g}": geometric(w) for w in (0.3, 0.5, 0.7, 0.85)},
    "arithmetic mean": lambda detected, face: (detected + face) / 2,
    "larger": np.maximum,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/weights"))
    parser.add_argument("--detector", type=Path, default=WEIGHTS)
    parser.add_argument("--model", default="bundled")
    given = parser.parse_args()
    samples = prepared_samples(WeightsConfig(given.data, given.work))
    persons = dict(zip(samples.person.tolist(), samples.split.tolist(), strict=True))
    model = load_model(find_model(given.model))
    detector = YuNetDetector(given.detector, min_score=0.1)
    data = load(given.data, persons, CHECKED)
    for name, pictures in (
        ("scenes", list(data.test_scenes.values())),
        ("portraits", data.test_portraits[::2]),
    ):
        wide = [_scaled(scene, scale) for scene in pictures for scale in SCALES]
        found = [detector.detect(scene.image) for scene in wide]
        faces = [
            face_probabilities(scene.image, boxes, model)
            for scene, boxes in zip(wide, found, strict=True)
        ]
        for way, join in WAYS.items():
            joined = [
                replace(boxes, scores=join(boxes.scores, face))
                for boxes, face in zip(found, faces, strict=True)
            ]
            _print(f"{name}: {way}", wide, joined)


def _scaled(scene: Scene, scale: float) -> Scene:
    return Scene(
        resized(scene.image, scale), scene.boxes * scale, scene.anchors * scale, scene.known
    )


def _print(name: str, scenes: list[Scene], found: list[Detections]) -> None:
    s = score_detections(scenes, found)
    print(
        f"{name}: AP {s.ap:.3f} on {s.faces} faces; at 0.5: recall {s.recall(0.5):.3f}, "
        f"precision {s.precision(0.5):.4f}"
    )


if __name__ == "__main__":
    main()
