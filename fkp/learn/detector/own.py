"""A face detector for one's own kind of face: the bundled one, trained on with a few pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fkp.errors import DataError
from fkp.labels.cut import Progress
from fkp.labels.split import split_groups
from fkp.learn.detector.data import DetectorData
from fkp.learn.detector.network import FaceNet, export_onnx, load_detector
from fkp.learn.detector.photograph import CanvasSettings
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.score import DetectorScores, score_detector
from fkp.learn.detector.tables import read_pictures
from fkp.learn.detector.train import DetectorConfig, train_detector
from fkp.vision.detect import WEIGHTS, YuNetDetector

LEAST = 20  # labelled faces to train with
FACES_SEEN = 12_000  # canvases of a training, if their number is not given
SHARE = 0.7
"""Of the new weights in the result; with less it knows other faces better, and these less well."""

ROOM = 0.6
"""Of the box's side, on each side of a face that is cut out to be pasted elsewhere."""


@dataclass(frozen=True, slots=True)
class DetectorTraining:
    """What to train on and where the detector goes.

    data: a table of boxes, or of labels from which boxes follow; images: where its pictures are.
    out: the .onnx file. iterations: None for about 12,000 canvases.
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
    """How the bundled and the new detector do on the pictures that were held out."""

    path: Path
    pictures: int  # to train with
    held_out: int
    before: DetectorScores
    after: DetectorScores


def fit_detector(
    training: DetectorTraining,
    progress: Progress = lambda done, total: None,
    report: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> DetectorReport:
    """Train the bundled detector on, measure both on held-out pictures, write the ONNX file.

    The file is what `--detector-model` takes. Pictures of a person are either trained with or held
    out. Raises LabelError or DataError where the labels do not do.
    """
    _, scenes, persons = read_pictures(training.data, training.images, progress)
    parts = split_groups(persons, training.val, 0.0, training.seed)
    learnt = [scene for scene, part in zip(scenes, parts, strict=True) if part == "train"]
    held = [scene for scene, part in zip(scenes, parts, strict=True) if part == "val"]
    faces = sum(len(scene.boxes) for scene in learnt)
    if faces < LEAST or not held:
        raise DataError(
            f"{training.data}: expected at least {LEAST} faces to train with and some pictures to "
            f"measure with, got {faces} faces in {len(learnt)} pictures and {len(held)} held out"
        )
    if training.threads:
        torch.set_num_threads(training.threads)
    config = DetectorConfig(
        batch=8, large_batch=2, lr=training.lr, device=training.device,
        seed=training.seed, ema=0.99,
        canvas=CanvasSettings(peopled=1.0, crowd=0.03, swapped=0.0, portrait=0.25),
    )  # fmt: skip
    iterations = training.iterations or FACES_SEEN // config.batch
    state = training.out.with_name(f".{training.out.name}.state")
    network = train_detector(
        replace(config, iterations=iterations),
        DetectorData(learnt, (_cut_out(learnt),), (1.0,), (False,), {}, {}, []),
        state,
        lambda done, loss, seconds: report(done, iterations, loss),
        start=load_detector(),
    )
    export_onnx(average_network(load_detector(), network, SHARE), training.out)
    state.unlink(missing_ok=True)
    before, after = (
        score_detector(held, YuNetDetector(path, min_score=0.02).detect)
        for path in (WEIGHTS, training.out)
    )
    return DetectorReport(training.out, len(learnt), len(held), before, after)


def _cut_out(scenes: list[Scene]) -> list[Scene]:
    """Each face with what is around it, to be pasted into other pictures."""
    portraits = []
    for scene in scenes:
        limit = np.array(scene.image.shape[1::-1])
        for box in scene.boxes:
            margin = ROOM * box[2:]
            low = np.clip(np.floor(box[:2] - margin), 0, limit - 1).astype(int)
            high = np.clip(np.ceil(box[:2] + box[2:] + margin), low + 1, limit).astype(int)
            centres = scene.boxes[:, :2] + scene.boxes[:, 2:] / 2
            inside = ((centres > low) & (centres < high)).all(1)
            shift = low.astype(np.float64)
            portraits.append(
                Scene(
                    scene.image[low[1] : high[1], low[0] : high[0]],
                    scene.boxes[inside] - np.array([*shift, 0, 0]),
                    scene.anchors[inside] - shift,
                    scene.sure[inside],
                )
            )
    return [p for p in portraits if len(p.boxes)]


def average_network(first: FaceNet, second: FaceNet, share: float) -> FaceNet:
    """The weights of two networks of one training line, `share` of the second (Wortsman et al.,
    CVPR 2022): what was learnt anew, without forgetting what was known.
    """
    new = second.state_dict()
    mixed = {
        name: value.lerp(new[name], share) if value.is_floating_point() else value
        for name, value in first.state_dict().items()
    }
    network = FaceNet()
    network.load_state_dict(mixed)
    return network.eval()
