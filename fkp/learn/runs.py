"""The folder of a training run: checkpoint, table, configuration and pictures."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from fkp import __version__
from fkp.errors import DataError
from fkp.labels.store import Samples
from fkp.learn import metrics, plots
from fkp.learn.checkpoint import Model, load_model, save_model
from fkp.learn.config import TrainConfig
from fkp.learn.train import Epoch, Listener

BEST = "best.safetensors"


class RunFolder(Listener):
    """Writes `results.csv` and `best.safetensors` as training goes on, the pictures at the end."""

    def __init__(self, path: Path, config: TrainConfig, data: Path, samples: Samples) -> None:
        """Make the folder; DataError where a run is in it already."""
        if (path / BEST).exists() or (path / "config.json").exists():
            raise DataError(f"{path}: holds a run already; choose another --name")
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.epochs: list[dict[str, float]] = []
        about = {
            "fkp": __version__,
            "torch": torch.__version__,
            "data": str(data),
            "rows": {name: int((samples.split == name).sum()) for name in set(samples.split)},
            "scheme": samples.scheme.name,
            "size": samples.size,
            "training": config.as_dict(),
        }
        (path / "config.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    def epoch(self, result: Epoch, model: Model) -> None:
        """Append a line to the table; save the model where it is the best so far."""
        row = asdict(result)
        with (self.path / "results.csv").open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if not self.epochs:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
        self.epochs.append(row)
        if result.best:
            save_model(self.path / BEST, model)

    def finish(self, samples: Samples) -> Model:
        """Draw the curves and the validation sheet from what was saved; return the best model."""
        if not self.epochs:
            raise DataError(f"{self.path}: stopped before the end of the first epoch; no model yet")
        plots.write_curves(self.path / "curves.png", self.epochs)
        model = load_model(self.path / BEST)
        part = samples.part("val").labelled()
        if len(part):
            rows = np.linspace(0, len(part) - 1, min(24, len(part))).astype(int)
            part = part.take(rows)
            predicted = model.predict(part.images).points
            scores = metrics.score(predicted, part.points, part.scheme)
            path = self.path / "val_predictions.png"
            plots.write_predictions(path, part, predicted, scores, range(len(part)))
        return model


def new_name(root: Path, stem: str) -> str:
    """`stem`, or the first of `stem-2`, `stem-3`, ... that is not in the folder yet."""
    name, number = stem, 1
    while (root / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name
