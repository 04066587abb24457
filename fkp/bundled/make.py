"""Making the bundled networks from the sets that MODEL_CARD.md describes.

    python -m fkp.bundled.make DATA --work build/weights --out fkp/weights

Every step leaves a file in the work folder and is skipped if that file exists; the two trainings
also resume where they were stopped.
"""

import argparse
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fkp.bundled.face_head import fit_face_head, mine
from fkp.bundled.head import Head, self_hidden
from fkp.bundled.onnx import write_onnx
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import Samples, read_samples
from fkp.labels.table import ReadOptions
from fkp.learn.detector.canvas import CanvasMaker
from fkp.learn.detector.data import DetectorData, load
from fkp.learn.detector.negatives import cut_negatives
from fkp.learn.detector.network import TRAINABLE, export_onnx, save_detector
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.train import DetectorConfig, train_detector
from fkp.learn.networks.checkpoint import Model, load_model, save_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.augment import Augmentation
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Epoch, Listener, Origin, train
from fkp.vision.detect import WEIGHTS, FaceDetector, YuNetDetector

SIZE = 112
SPREAD = 0.05  # maximum disagreement of the teacher's views on a label that is used
VAL, TEST = 0.03, 0.05

LABEL_ERROR = 0.033
"""Error of the machine labels against manual ones, as a share of the outer-eye distance, on 300-W's
common test pictures. The 90 % radius is widened by it to hold for manual points."""

SETS = {"faces68": "images", "ytf68": "training", "fairface": "images", "portraits": "images"}
"""The sets with `labels_ibug.csv`, and the folders of their pictures."""

CHECKED = Path(__file__).with_name("checked_scenes.csv")
"""Boxes of `scenes` that a person looked at: two face detectors agree on many dogs and monkeys."""

ITERATIONS = 18_000  # of the detector
EPOCHS = 40  # of the keypoint network

CANVASES = 3000  # number of composed pictures for the face head
CANVAS = 448  # their side in pixels


@dataclass(frozen=True, slots=True)
class WeightsConfig:
    """Lengths of the two trainings, and folders."""

    data: Path
    work: Path
    iterations: int = ITERATIONS
    epochs: int = EPOCHS
    canvases: int = CANVASES
    device: str = "auto"
    threads: int = 0


def make_weights(config: WeightsConfig) -> tuple[Path, ...]:
    """Make the detector's and the keypoint network's files in the work folder."""
    config.work.mkdir(parents=True, exist_ok=True)
    samples = prepared_samples(config)
    persons = dict(zip(samples.person.tolist(), samples.split.tolist(), strict=True))
    pictures = load(config.data, persons, CHECKED)
    detector, weights = config.work / "faces.onnx", config.work / TRAINABLE.name
    if config.threads:
        torch.set_num_threads(config.threads)
    if not detector.exists():
        network = train_detector(
            DetectorConfig(iterations=config.iterations, device=config.device, forked=True),
            pictures,
            config.work / "detector.state",
            lambda i, loss, s: print(f"detector {i}: loss {loss:.3f}, {s:.0f} s", flush=True),
        )
        save_detector(network, weights)
        export_onnx(network, detector)
    finder = YuNetDetector(detector, min_score=0.2)
    points = _keypoints(config, samples, pictures, finder)
    return detector, weights, points, write_onnx(points)


def prepared_samples(config: WeightsConfig) -> Samples:
    """Prepare the data set of all labelled faces."""
    final = config.work / "faces.csv"
    if not final.exists():
        sources = tuple(_named_persons(config, name) for name in SETS)
        options = ReadOptions(limits=(("spread", SPREAD),))
        prepare(
            PrepareConfig(sources, final, size=SIZE, val=VAL, test=TEST, read=options),
            lambda done, total: None,
        )
    return read_samples(final)


def _named_persons(config: WeightsConfig, name: str) -> Path:
    """The labels of a set with full paths; if it names no persons, each picture is one."""
    table = pd.read_csv(config.data / name / "labels_ibug.csv")
    images = table.pop("image")
    persons = table.pop("person") if "person" in table else name + "/" + images
    folder = (config.data / name / SETS[name]).resolve()
    known = pd.DataFrame({"image": f"{folder}/" + images, "person": persons})
    table = pd.concat([known, table], axis=1)
    path = config.work / f"{name}.csv"
    table.to_csv(path, index=False)
    return path


def train_points(config: WeightsConfig, samples: Samples, scenes: Sequence[Scene]) -> Model:
    """Train the keypoint network, which also estimates what is hidden, and what is a face."""
    labels = samples.points.astype(np.float64)
    head = Head.fit(labels[samples.rows("train")][::4])
    settings = recipe(
        "integral", epochs=config.epochs, device=config.device, threads=config.threads,
        augmentation=Augmentation(
            rotation=30, scale=0.22, shift=0.09, wide=0.15, bent=0.35, cover=0.4
        ),
        precision="bf16", visible_weight=0.015,
    )  # fmt: skip
    origin = Origin(
        negatives=cut_negatives(scenes, SIZE, 8, 0),
        hidden=self_hidden(labels, head),
        state=config.work / "points.state",
    )
    return train(settings, samples, measure_framing(samples, None), _Printer(), origin)


def _keypoints(
    config: WeightsConfig, samples: Samples, pictures: DetectorData, detector: FaceDetector
) -> Path:
    """The keypoint network, with its face head fitted to what the detector finds."""
    points, final = config.work / "points.safetensors", config.work / "keypoints68.safetensors"
    if not points.exists():
        save_model(points, train_points(config, samples, pictures.scenes))
    if not final.exists():
        model = load_model(points, trainable=True)
        mined = config.work / "mined.npz"
        if not mined.exists():
            portraits = [scene for part in pictures.portraits for scene in part[::6]]
            sets = [
                mine(detector, pictures.scenes, model.layout, SIZE, (0.5, 1.0, 1.6)),
                mine(detector, portraits, model.layout, SIZE),
                mine(detector, _canvases(pictures, config.canvases), model.layout, SIZE),
                (samples.part("train").crops[::3], cut_negatives(pictures.scenes, SIZE, 8, 0)),
            ]
            faces, others = (np.concatenate([s[i] for s in sets]) for i in (0, 1))
            print(f"face head: {len(faces)} faces, {len(others)} other crops", flush=True)
            np.savez(mined, faces=faces, others=others)
        with np.load(mined) as crops:
            model = fit_face_head(model, crops["faces"], crops["others"], seed=0)
        widened = math.hypot(1.0, LABEL_ERROR / model.scores["val_nme"])
        save_model(final, replace(model, calibration=model.calibration * widened))
    return final


def _canvases(pictures: DetectorData, count: int) -> Iterator[Scene]:
    """Composed pictures with covered, rotated, blurred and tiny faces, unlike the detector's."""
    maker = CanvasMaker(pictures.scenes, pictures.portraits, pictures.shares, pictures.close)
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield maker.make(CANVAS, rng, np.ones(len(pictures.scenes)))[0]


class _Printer(Listener):
    def epoch(self, result: Epoch, model: Model) -> None:
        print(
            f"keypoints {result.epoch}: loss {result.train_loss:.4f}, "
            f"validation NME {100 * result.val_nme:.3f} %, {result.seconds:.0f} s",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Make both networks and copy them into the package."""
    parser = argparse.ArgumentParser(prog="python -m fkp.bundled.make", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with all the sets")
    parser.add_argument("--work", type=Path, default=Path("build/weights"))
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--canvases", type=int, default=CANVASES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)
    folders_and_lengths = {k: v for k, v in vars(given).items() if k != "out"}
    made = make_weights(WeightsConfig(**folders_and_lengths))
    given.out.mkdir(parents=True, exist_ok=True)
    for path in made:
        shutil.copyfile(path, given.out / path.name)
        print(f"wrote {given.out / path.name}")


if __name__ == "__main__":
    main()
