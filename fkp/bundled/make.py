"""How the bundled networks are made, from the four sets that MODEL_CARD.md describes.

    python -m fkp.bundled.make DATA --work build/weights --out fkp/weights

Every step leaves a file in the work folder and is passed over where that file exists; the two
trainings also go on from where they were stopped.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fkp.bundled.convention import Convention
from fkp.bundled.face_head import fit_judge, mine
from fkp.keypoints import IBUG68
from fkp.labels.formats.paths import read_path_csv
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import Samples, read_samples
from fkp.labels.table import ReadOptions
from fkp.learn.detector.data import DetectorData, load
from fkp.learn.detector.negatives import cut_negatives
from fkp.learn.detector.network import export_onnx
from fkp.learn.detector.train import DetectorConfig, train_detector
from fkp.learn.networks.checkpoint import Model, load_model, save_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Epoch, Listener, Origin, train
from fkp.vision.detect import WEIGHTS, FaceDetector, YuNetDetector

SIZE = 112
SPREAD = 0.05  # of the teacher's views, over which a label is not taken
VAL, TEST = 0.05, 0.1
CONVENTION_SHARE = 0.8
"""How far the machine labels are moved towards the video frames' own table: on frames of other
people the remaining difference is smallest between 0.8 and 1."""


ITERATIONS = 30_000  # of the detector
EPOCHS = 45  # of the keypoint network


@dataclass(frozen=True, slots=True)
class Recipe:
    """The lengths of the two trainings, and the folders."""

    data: Path
    work: Path
    iterations: int = ITERATIONS
    epochs: int = EPOCHS
    device: str = "auto"
    threads: int = 0


def make_weights(config: Recipe) -> tuple[Path, Path]:
    """The detector's and the keypoint network's files, in the work folder."""
    config.work.mkdir(parents=True, exist_ok=True)
    samples = prepared_samples(config)
    persons = dict(zip(samples.group.tolist(), samples.split.tolist(), strict=True))
    pictures = load(config.data, persons)
    detector = config.work / "faces.onnx"
    if not detector.exists():
        network = train_detector(
            DetectorConfig(iterations=config.iterations, device=config.device),
            pictures,
            config.work / "detector.state",
            lambda i, loss, s: print(f"detector {i}: loss {loss:.3f}, {s:.0f} s", flush=True),
        )
        export_onnx(network, detector)
    return detector, _keypoints(config, samples, pictures, YuNetDetector(detector, min_score=0.2))


def prepared_samples(config: Recipe) -> Samples:
    """The prepared data set, its labels brought to one convention."""
    raw, final = config.work / "raw.csv", config.work / "faces.csv"
    if not final.exists():
        sources = (
            config.data / "faces68" / "labels.csv", config.data / "ytf68" / "labels_mesh.csv",
        )  # fmt: skip
        _prepare(sources, raw)
        first = read_samples(raw)  # for its split by person
        train_persons = set(first.group[first.split == "train"].tolist())
        _prepare(translate_labels(config.data, config.work, train_persons), final)
    return read_samples(final)


def _prepare(sources: tuple[Path, ...], output: Path) -> None:
    options = ReadOptions(limits=(("spread", SPREAD),))
    config = PrepareConfig(sources, output, size=SIZE, val=VAL, test=TEST, read=options)
    prepare(config, lambda done, total: None)


def translate_labels(data: Path, work: Path, persons: set[str]) -> tuple[Path, Path]:
    """Write the machine labels of `faces68` and `ytf68` in the convention of the frames' own table.

    The convention is learnt from the frames of `persons`, which both have labelled.
    """
    frames = data / "ytf68"
    table = read_path_csv(
        frames / "training_frames_keypoints.csv", ReadOptions(scheme=IBUG68, origin=1)
    )
    own = dict(zip(table.images or [], table.points, strict=True))
    labels = read_path_csv(frames / "labels_mesh.csv", ReadOptions(scheme=IBUG68))
    names = labels.images or []
    rows = [
        i
        for i, (name, person) in enumerate(zip(names, labels.persons or [], strict=True))
        if name in own and person in persons
    ]
    reference = np.stack([own[names[i]] for i in rows])
    convention = Convention.fit(labels.points[rows], reference)
    columns = [f"p{i}_{axis}" for i in range(68) for axis in "xy"]
    written = []
    for source, pictures in (
        (data / "faces68" / "labels.csv", "images"),
        (frames / "labels_mesh.csv", "training"),
    ):
        rows_table = pd.read_csv(source)
        points = rows_table[columns].to_numpy(np.float64).reshape(-1, 68, 2)
        moved = convention.apply(points, CONVENTION_SHARE).reshape(-1, 136)
        rows_table[columns] = moved.round(2)
        folder = (source.parent / pictures).resolve()
        rows_table["image"] = [str(folder / name) for name in rows_table["image"]]
        written.append(work / f"{source.parent.name}.csv")
        rows_table.to_csv(written[-1], index=False)
    return written[0], written[1]


def _keypoints(
    config: Recipe, samples: Samples, pictures: DetectorData, detector: FaceDetector
) -> Path:
    """The network for points, then its judgement of what the detector finds."""
    points, final = config.work / "points.safetensors", config.work / "keypoints68.safetensors"
    if not points.exists():
        settings = recipe(
            "integral", epochs=config.epochs, device=config.device,
            threads=config.threads,
        )  # fmt: skip
        model = train(
            settings,
            samples,
            measure_framing(samples, None),
            _Printer(),
            Origin(
                negatives=cut_negatives(pictures.scenes, SIZE, 8, 0),
                state=config.work / "points.state",
            ),
        )
        save_model(points, model)
    if not final.exists():
        model = load_model(points, trainable=True)
        mined = config.work / "mined.npz"
        if not mined.exists():
            portraits = [scene for part in pictures.portraits for scene in part[::3]]
            sets = [
                mine(detector, pictures.scenes, model.layout, SIZE, (0.5, 1.0, 1.6)),
                mine(detector, portraits, model.layout, SIZE),
                (samples.part("train").images[::3], cut_negatives(pictures.scenes, SIZE, 8, 0)),
            ]
            faces, others = (np.concatenate([s[i] for s in sets]) for i in (0, 1))
            print(f"judge: {len(faces)} faces, {len(others)} other crops", flush=True)
            np.savez(mined, faces=faces, others=others)
        with np.load(mined) as crops:
            model = fit_judge(model, crops["faces"], crops["others"], seed=0)
        save_model(final, model)
    return final


class _Printer(Listener):
    def epoch(self, result: Epoch, model: Model) -> None:
        print(
            f"keypoints {result.epoch}: loss {result.train_loss:.4f}, "
            f"validation NME {100 * result.val_nme:.3f} %, {result.seconds:.0f} s",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Make both networks and put them where the package has them."""
    parser = argparse.ArgumentParser(prog="python -m fkp.bundled.make", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with faces68, ytf68 and scenes")
    parser.add_argument("--work", type=Path, default=Path("build/weights"))
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)
    made = make_weights(
        Recipe(given.data, given.work, given.iterations, given.epochs, given.device, given.threads)
    )
    given.out.mkdir(parents=True, exist_ok=True)
    for path in made:
        shutil.copyfile(path, given.out / path.name)
        print(f"wrote {given.out / path.name}")


if __name__ == "__main__":
    main()
