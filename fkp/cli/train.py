"""`fkp train`."""

import math
from dataclasses import replace
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fkp.cli import console
from fkp.keypoints import Scheme
from fkp.labels.cache import prepared
from fkp.labels.store import Samples, read_samples
from fkp.learn import runs
from fkp.learn.augment import Augmentation
from fkp.learn.checkpoint import Model
from fkp.learn.config import OPTIMIZERS, PRECISIONS, SCHEDULES, TrainConfig, recipe
from fkp.learn.devices import pick_device
from fkp.learn.framing import measure_framing
from fkp.learn.losses import LOSSES
from fkp.learn.networks import ARCHITECTURES, DEFAULT
from fkp.learn.train import Epoch, train
from fkp.vision.detect import YuNetDetector


@click.command("train")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--arch",
    type=click.Choice(sorted(ARCHITECTURES)),
    default=DEFAULT,
    show_default=True,
    help="The network; it brings the defaults of the options below.",
)
@click.option("--name", help="Of the run; else made from the data's and the network's names.")
@click.option(
    "--runs",
    "root",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder of all runs.",
)
@click.option("--epochs", type=click.IntRange(1))
@click.option("--batch", type=click.IntRange(1), help="Pictures in a mini-batch.")
@click.option("--optimizer", type=click.Choice(OPTIMIZERS))
@click.option("--lr", type=float, help="Learning rate; under onecycle its peak.")
@click.option("--schedule", type=click.Choice(SCHEDULES), help="Of the learning rate.")
@click.option("--momentum", type=float, help="Of sgd.")
@click.option("--weight-decay", type=float)
@click.option("--loss", type=click.Choice(sorted(LOSSES)))
@click.option("--ema", type=float, help="Decay of the averaged weights; 0: no averaging.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    help="Stop after so many epochs without a better validation; 0: never.",
)
@click.option("--augment/--no-augment", default=None, help="Change the pictures at random.")
@click.option("--flip-pairs", metavar="A:B,...", help="Points that a mirror swaps, by name.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(0), help="Of the CPU; 0: all.")
@click.option("--seed", type=int, default=0, show_default=True)
@console.quiet_option
def train_command(
    data: Path,
    arch: str,
    name: str | None,
    root: Path,
    epochs: int | None,
    batch: int | None,
    optimizer: str | None,
    lr: float | None,
    schedule: str | None,
    momentum: float | None,
    weight_decay: float | None,
    loss: str | None,
    ema: float | None,
    patience: int | None,
    augment: bool | None,
    flip_pairs: str | None,
    device: str,
    precision: str,
    threads: int | None,
    seed: int,
) -> None:
    """Train a keypoint network on DATA, a data set of fkp prepare or a table that it could read.

    Ctrl-C ends the training; the best network so far stays in the run's folder.

    \b
    fkp train data.csv
    fkp train data.csv --arch lecture --lr 0.05 --batch 16
    """
    config = recipe(
        arch,
        epochs=epochs,
        batch=batch,
        optimizer=optimizer,
        lr=lr,
        schedule=schedule,
        momentum=momentum,
        weight_decay=weight_decay,
        loss=loss,
        ema=ema,
        patience=patience,
        device=device,
        precision=precision,
        threads=threads,
        seed=seed,
    )
    if augment is not None:
        config = replace(config, augmentation=Augmentation() if augment else None)
    pick_device(config.device)  # a device that is not there is told before any work
    samples = _samples(data, flip_pairs)
    framing = measure_framing(samples, YuNetDetector())
    path = root / (name or runs.new_name(root, f"{data.stem}-{arch}"))
    folder = _Shown(path, config, data, samples)
    console.say(f"{path}: {arch}, {(samples.split == 'train').sum()} training rows")
    try:
        with folder.bar:
            train(config, samples, framing, folder)
    except KeyboardInterrupt:
        console.warn("interrupted: keeping the best network so far")
    _print_best(folder.finish(samples), path)


def _print_best(model: Model, path: Path) -> None:
    best = model.scores
    error = ""
    if math.isfinite(best.get("val_rmse", math.nan)):
        error = f": validation RMSE {best['val_rmse']:.3f} px"
        if math.isfinite(best["val_nme"]):
            error += f", NME {100 * best['val_nme']:.2f} %"
    console.say(f"best epoch {best['epoch']:.0f}{error}")
    console.say(f"wrote {path / runs.BEST}, results.csv, curves.png, val_predictions.png")


def _samples(data: Path, flip_pairs: str | None) -> Samples:
    with console.progress("prepare") as progress:
        path = prepared(data, progress)
    if path != data:
        console.warn(f"{data} prepared into {path}")
    samples = read_samples(path)
    pairs = console.parse_pairs(flip_pairs)
    if pairs is not None:
        samples = replace(samples, scheme=Scheme.from_names(samples.scheme.names, pairs))
    if samples.scheme.flip_order is None:
        console.warn("no left and right in the names: pictures are not mirrored (--flip-pairs)")
    return samples


class _Shown(runs.RunFolder):
    """A run folder that also shows the training on the terminal."""

    def __init__(self, path: Path, config: TrainConfig, data: Path, samples: Samples) -> None:
        super().__init__(path, config, data, samples)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        live = console.err.is_terminal
        self.bar = Progress(*columns, console=console.err, transient=True, disable=not live)
        self._epochs = config.epochs
        self._best = ""  # validation error so far
        self._task = self.bar.add_task("epoch 1", total=None, state="")

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        self.bar.update(
            self._task,
            description=f"epoch {epoch}/{self._epochs}",
            completed=(epoch - 1) * total + done,
            total=self._epochs * total,
            state=f"loss {loss:.5f}  {self._best}{rate:.0f} images/s",
        )

    def epoch(self, result: Epoch, model: Model) -> None:
        super().epoch(result, model)
        nme = f"  NME {100 * result.val_nme:.2f} %" if math.isfinite(result.val_nme) else ""
        if result.best and nme:
            self._best = f"best{nme}  "
        console.say(
            f"epoch {result.epoch}: loss {result.train_loss:.5f}  "
            f"validation RMSE {result.val_rmse:.3f} px{nme}  "
            f"{result.images_per_second:.0f} images/s{'  *' if result.best else ''}"
        )
