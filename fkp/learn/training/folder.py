"""The folder of a training run: checkpoint, table, configuration, state and pictures."""

import csv
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fkp import __version__
from fkp.errors import DataError, parse_json
from fkp.files import remove_strays, replace_text, replacing
from fkp.labels.store import Samples
from fkp.learn.evaluation import plots
from fkp.learn.evaluation.evaluate import Evaluation, evaluate
from fkp.learn.networks.checkpoint import Model, load_model, save_model
from fkp.learn.training.augment import augment, sample_changes
from fkp.learn.training.config import TrainConfig, from_dict
from fkp.learn.training.loop import Epoch, Listener
from fkp.learn.training.report import write_report

BEST = "best.safetensors"
STATE = "state.pt"
TABLE = "results.csv"
CONFIG = "config.json"
REPORT = "report.html"


class RunFolder(Listener):
    """Writes `results.csv` and `best.safetensors` after each epoch, the pictures at the end."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self.about = about
        self.epochs: list[dict[str, Any]] = []

    @classmethod
    def create(cls, path: Path, config: TrainConfig, data: Path, samples: Samples) -> "RunFolder":
        """Start a run in a folder that no other process writes to.

        Its config.json, which resuming requires, is written later by `write_config`. Raises
        DataError if the folder holds a run.
        """
        if (path / BEST).exists() or (path / CONFIG).exists():
            raise DataError(f"{path}: holds a run; resume it or choose another name")
        path.mkdir(parents=True, exist_ok=True)
        remove_strays(path)
        about = {
            "fkp": __version__,
            "torch": torch.__version__,
            "data": str(data.resolve()),
            "digest": digest(samples),
            "rows": {name: int((samples.split == name).sum()) for name in set(samples.split)},
            "persons": len(set(samples.person)),
            "scheme": samples.target.name,
            "size": samples.size,
            "training": config.as_dict(),
        }
        return cls(path, about)

    @classmethod
    def reopen(cls, path: Path) -> "RunFolder":
        """The folder of a run that was stopped; raises DataError if there is none."""
        about = read_config(path / CONFIG)
        if is_finished(path):
            raise DataError(f"{path}: this run is already finished")
        remove_strays(path)
        return cls(path, about)

    @property
    def config(self) -> TrainConfig:
        """The run's settings."""
        return from_dict(self.about["training"])

    def write_config(self) -> None:
        """Write `config.json`."""
        replace_text(self.path / CONFIG, json.dumps(self.about, indent=1) + "\n")

    def check(self, samples: Samples) -> None:
        """Raise DataError if the data has changed since the run was started."""
        if digest(samples) != self.about["digest"]:
            raise DataError(
                f"{self.path}: {self.about['data']} has changed since the run was started; start a "
                "new run"
            )

    def show_augmentation(self, config: TrainConfig, samples: Samples) -> None:
        """Draw `aug.png`: some training rows, unchanged and with random changes."""
        rows = samples.rows("train")
        part = samples.take(rows[np.linspace(0, len(rows) - 1, min(6, len(rows))).astype(int)])
        images, points = [part.crops], [part.points]
        generator = torch.Generator().manual_seed(config.seed)
        flip = samples.scheme.flip_order
        for _ in range(5 if config.augmentation is not None else 0):
            assert config.augmentation is not None
            changes = sample_changes(len(part), part.size, flip, config.augmentation, generator)
            x = torch.from_numpy(np.array(part.crops))[:, None].float() / 255
            labels = torch.from_numpy(part.points)
            eyes = samples.scheme.anchors[0], samples.scheme.anchors[1]
            changed, moved, _ = augment(x, labels, flip, changes, eyes)
            images.append((changed[:, 0] * 255).round().to(torch.uint8).numpy())
            points.append(moved.numpy())
        plots.write_versions(self.path / "aug.png", images, points, samples.scheme)

    def resumed(self, epoch: int) -> None:
        """Cut the table after this epoch: it may have more rows than the state."""
        with (self.path / TABLE).open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= epoch]
        self.epochs = [{k: _value(v) for k, v in row.items()} for row in rows]
        self._write_table()

    def epoch(self, result: Epoch, model: Model) -> None:
        """Add a row to the table, and save the model if it is the best so far."""
        self.epochs.append(asdict(result))
        self._write_table()
        if result.kept:
            save_model(self.path / BEST, model)

    def _write_table(self) -> None:
        """Write `results.csv`, a row per epoch, atomically: half a line could be misread."""
        with (
            replacing(self.path / TABLE) as part,
            part.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, list(self.epochs[0]))
            writer.writeheader()
            writer.writerows({k: _text(v) for k, v in row.items()} for row in self.epochs)

    def finish(self, samples: Samples, final: Model | None) -> Model:
        """Draw curves and faces, and write the report; return the best model.

        final: the model of a completed run; None if it was stopped and can be resumed. Raises
        DataError if no epoch was completed.
        """
        if not self.epochs:
            raise DataError(
                f"{self.path}: stopped before the end of the first epoch, without a model"
            )
        if final is not None:
            save_model(self.path / BEST, final)
        plots.write_curves(self.path / "curves.png", self.epochs)
        model = load_model(self.path / BEST)
        result: Evaluation | None = None
        if len(samples.rows("val")):
            result = evaluate(model, samples, "val")
            errors = result.scores.nme_of_face
            order = np.argsort(np.where(np.isfinite(errors), errors, np.inf), kind="stable")
            known = order[: int(np.isfinite(errors).sum())]
            some = known[np.linspace(0, len(known) - 1, min(24, len(known))).astype(int)]
            sheets = {
                "val_predictions": some,
                "val_best": known[:12],
                "val_worst": known[-12:][::-1],
            }
            for name, rows in sheets.items():
                if len(rows):
                    plots.write_predictions(self.path / f"{name}.png", result, rows.tolist())
        if final is not None:
            write_report(self.path / REPORT, self.about, self.epochs, model, result)
            is_finished(self.path)
        return model


def is_finished(path: Path) -> bool:
    """Whether a run is finished; if so, its state and temporary files are removed.

    This repeats the last step of the run, which its process may not have reached.
    """
    if not (path / REPORT).exists():
        return False
    (path / STATE).unlink(missing_ok=True)
    remove_strays(path)
    return True


def read_config(path: Path) -> dict[str, Any]:
    """A run's `config.json`; raises DataError if it is not one."""
    try:
        about = parse_json(path.read_text(encoding="utf-8"))
        from_dict(about["training"])
        return dict(about)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected the config.json of a run") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the config.json of a run: {error}") from error


def digest(samples: Samples) -> str:
    """A hash of a data set's labels, split and crops."""
    found = hashlib.sha256(repr(samples.scheme.names).encode())
    for array in (samples.points, samples.split, samples.crops):
        found.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
    return found.hexdigest()[:32]


def new_name(root: Path, stem: str) -> str:
    """`stem`, or the first of `stem-2`, `stem-3`, ... that does not exist in the folder."""
    name, number = stem, 1
    while (root / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def _value(text: str) -> float | bool | int:
    """A cell of the table; empty cells are NaN."""
    if text in ("True", "False"):
        return text == "True"
    return int(text) if text.isdigit() else float(text or "nan")


def _text(value: float | bool) -> str:
    """The inverse, with six digits, so that reading and writing again changes nothing."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


class Listeners(Listener):
    """Forwards all calls to several listeners."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = listeners

    def begin(self, rows: int, epochs: int) -> None:
        for listener in self.listeners:
            listener.begin(rows, epochs)

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        for listener in self.listeners:
            listener.step(epoch, done, total, loss, rate)

    def epoch(self, result: Epoch, model: Model) -> None:
        for listener in self.listeners:
            listener.epoch(result, model)

    def resumed(self, epoch: int) -> None:
        for listener in self.listeners:
            listener.resumed(epoch)
