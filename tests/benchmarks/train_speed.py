"""Training speed: fkp's loop against the plain one, the same network, in one run.

    python -m tests.benchmarks.train_speed [--rows 4096] [--rounds 3]

The plain loop is what one writes first: rows of a Kaggle CSV parsed as they are needed, a
DataLoader with OpenCV augmentation of each picture, float32.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from fkp.keypoints import KAGGLE15
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import read_samples
from fkp.learn.networks.architectures import build
from fkp.learn.networks.checkpoint import Model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Epoch, Listener, train

SIZE, BATCH = 96, 64


def write_csv(path: Path, rows: int) -> None:
    """A table like Kaggle's training.csv, of smooth random pictures."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([*KAGGLE15.columns, "Image"]) + "\n")
        for _ in range(rows):
            image = cv2.resize(rng.integers(0, 255, (12, 12)).astype(np.uint8), (SIZE, SIZE))
            points = rng.uniform(20, 76, 30).round(2)
            file.write(",".join(map(str, points)) + "," + " ".join(map(str, image.flat)) + "\n")


class Rows(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The plain loop's data: a line is parsed and its picture changed when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text().splitlines()[1:]
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        *labels, pixels = self.lines[index].split(",")
        points = np.array(labels, np.float32).reshape(15, 2)
        image = np.array(pixels.split(), np.float32).reshape(SIZE, SIZE) / 255
        angle, scale = self.rng.uniform(-25, 25), np.exp(self.rng.uniform(-0.2, 0.2))
        matrix = cv2.getRotationMatrix2D((47.5, 47.5), angle, scale)
        matrix[0, 2] += self.rng.uniform(-8, 8)
        matrix[1, 2] += self.rng.uniform(-8, 8)
        moved = cv2.warpAffine(image, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        place = np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)
        if self.rng.random() < 0.5:
            moved = moved[:, ::-1]
            place = place[list(KAGGLE15.flip_order or ())]
            place[:, 0] = SIZE - 1 - place[:, 0]
        light = moved * self.rng.uniform(0.7, 1.4) + self.rng.uniform(-0.2, 0.2)
        noisy = np.clip(light + self.rng.normal(0, 0.02, light.shape), 0, 1)
        crop = np.ascontiguousarray(noisy[None], np.float32)
        return torch.from_numpy(crop), torch.from_numpy(np.asarray(place / SIZE, np.float32))


def plain(path: Path, workers: int) -> float:
    """Images a second over one epoch of the plain loop."""
    torch.manual_seed(0)
    network = build("integral", 15, SIZE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    rows = Rows(path)
    loader = DataLoader(rows, BATCH, shuffle=True, num_workers=workers)
    started = time.perf_counter()
    for images, points in loader:
        loss = (network(images).points - points).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(rows) / (time.perf_counter() - started)


class _Rate(Listener):
    value = 0.0

    def epoch(self, result: Epoch, model: Model) -> None:
        self.value = result.images_per_second


def ours(path: Path) -> float:
    """Images a second over one epoch of fkp train."""
    samples = read_samples(path)
    rate = _Rate()
    train(recipe("integral", epochs=1, batch=BATCH), samples, measure_framing(samples, None), rate)
    return rate.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table, data = Path(folder) / "training.csv", Path(folder) / "data.csv"
        write_csv(table, given.rows)
        prepare(PrepareConfig((table,), data, val=0, test=0), lambda done, total: None)
        rates: dict[str, list[float]] = {"plain": [], "plain, 2 workers": [], "fkp": []}
        for _ in range(given.rounds):
            rates["plain"].append(plain(table, 0))
            rates["plain, 2 workers"].append(plain(table, 2))
            rates["fkp"].append(ours(data))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    best = max(medians["plain"], medians["plain, 2 workers"])
    for name, value in medians.items():
        print(f"{name:18s} {value:7.0f} images/s   {value / best:.2f}")


if __name__ == "__main__":
    main()
