"""Fine-tuning the bundled face detector on a few labelled pictures of another kind of face."""

import glob
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fkp.errors import DataError
from fkp.files import replacing
from fkp.labels.cut import Progress
from fkp.labels.split import split_persons
from fkp.learn.detector.data import DetectorData
from fkp.learn.detector.network import FaceNet, export_onnx, load_detector
from fkp.learn.detector.photograph import CanvasSettings
from fkp.learn.detector.scenes import Scene, part_of
from fkp.learn.detector.score import DetectorScores, score_detector
from fkp.learn.detector.tables import read_pictures
from fkp.learn.detector.train import DetectorConfig, train_detector
from fkp.vision.detect import WEIGHTS, YuNetDetector

LEAST = 20  # minimum number of labelled faces for training
ITERATIONS = 1500  # of about eight canvases each, unless they are given
SHARE = 0.7
"""Share of the new weights in the result; a smaller share keeps more of the bundled detector's
accuracy on other faces, at the cost of these."""

ROOM = 0.6
"""Margin around a face that is cut out for pasting, as a share of the box's side."""


@dataclass(frozen=True, slots=True)
class DetectorTraining:
    """Settings of a fine-tuning.

    data: a table of boxes, or of labels from which boxes can be computed; images: the folder of its
    pictures. out: the .onnx file. iterations: None for ITERATIONS.
    """

    data: Path
    out: Path
    images: Path | None = None
    iterations: int | None = None
    val: float = 0.2
    lr: float = 6e-4
    device: str = "auto"
    threads: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """The scores of the bundled and the new detector on the held-out pictures."""

    path: Path
    pictures: int  # for training
    held_out: int
    before: DetectorScores
    after: DetectorScores


def fit_detector(
    training: DetectorTraining,
    progress: Progress = lambda done, total: None,
    report: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> DetectorReport:
    """Fine-tune the bundled detector, score both on held-out pictures, and write the ONNX file.

    The file can be used as `detector_model`. All pictures of a person are either used for training
    or held out. Raises LabelError or DataError for unsuitable labels.
    """
    _, scenes, persons = read_pictures(training.data, training.images, progress)
    parts = split_persons(persons, training.val, 0.0, training.seed)
    learnt = [scene for scene, part in zip(scenes, parts, strict=True) if part == "train"]
    held = [scene for scene, part in zip(scenes, parts, strict=True) if part == "val"]
    faces = sum(len(scene.boxes) for scene in learnt)
    if faces < LEAST or not held:
        raise DataError(
            f"{training.data}: expected at least {LEAST} faces for training and some pictures for "
            f"evaluation, got {faces} faces in {len(learnt)} pictures and {len(held)} held out"
        )
    if training.threads:
        torch.set_num_threads(training.threads)
    config = DetectorConfig(
        pixels=2**19, lr=training.lr, device=training.device,
        seed=training.seed, ema=0.99,
        canvas=CanvasSettings(peopled=1.0, crowd=0.03, swapped=0.0, portrait=0.25),
    )  # fmt: skip
    iterations = training.iterations or ITERATIONS
    config = replace(config, iterations=iterations)
    training.out.parent.mkdir(parents=True, exist_ok=True)
    state = _state_of(training.out, config, learnt)
    network = train_detector(
        config,
        DetectorData(learnt, (_cut_out(learnt),), (1.0,), (False,), {}, {}, []),
        state,
        lambda done, loss, seconds: report(done, iterations, loss),
        start=load_detector(),
    )
    with replacing(training.out) as part:
        export_onnx(average_network(load_detector(), network, SHARE), part)
    state.unlink(missing_ok=True)
    before, after = (
        score_detector(held, YuNetDetector(path, min_score=0.02).detect)
        for path in (WEIGHTS, training.out)
    )
    return DetectorReport(training.out, len(learnt), len(held), before, after)


def _state_of(out: Path, config: DetectorConfig, scenes: list[Scene]) -> Path:
    """The file from which this training is resumed if it was stopped; those of trainings with other
    settings or pictures are removed.
    """
    digest = hashlib.sha256(repr(config).encode())
    for scene in scenes:
        for array in (scene.image, scene.boxes, scene.anchors):
            digest.update(array.tobytes())
    state = out.with_name(f".{out.name}.{digest.hexdigest()[:16]}.state")
    for path in out.parent.glob(f".{glob.escape(out.name)}.*.state"):
        if path != state:
            path.unlink()
    return state


def _cut_out(scenes: list[Scene]) -> list[Scene]:
    """Each face with its surroundings, for pasting into other pictures."""
    portraits = []
    for scene in scenes:
        limit = np.array(scene.image.shape[1::-1])
        for box in scene.boxes:
            margin = ROOM * box[2:]
            low = np.clip(np.floor(box[:2] - margin), 0, limit - 1).astype(int)
            high = np.clip(np.ceil(box[:2] + box[2:] + margin), low + 1, limit).astype(int)
            centres = scene.boxes[:, :2] + scene.boxes[:, 2:] / 2
            inside = ((centres > low) & (centres < high)).all(1)
            part = part_of(scene, low, high)
            portraits.append(
                Scene(part.image, part.boxes[inside], part.anchors[inside], part.known[inside])
            )
    return [p for p in portraits if len(p.boxes)]


def average_network(first: FaceNet, second: FaceNet, share: float) -> FaceNet:
    """Interpolate the weights of a network and its fine-tuned version, `share` of the second
    (Wortsman et al., CVPR 2022), so that the new faces are learnt without forgetting others.
    """
    new = second.state_dict()
    mixed = {
        name: value.lerp(new[name], share) if value.is_floating_point() else value
        for name, value in first.state_dict().items()
    }
    network = FaceNet()
    network.load_state_dict(mixed)
    return network.eval()
