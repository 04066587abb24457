"""`fkp train`."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fkp import api
from fkp.cli import console
from fkp.learn.networks.architectures import ARCHITECTURES, DEFAULT
from fkp.learn.networks.checkpoint import Model
from fkp.learn.training.augment import AUGMENTATIONS
from fkp.learn.training.config import OPTIMIZERS, PRECISIONS, SCHEDULES
from fkp.learn.training.folder import BEST, CONFIG, REPORT, is_finished, new_name, read_config
from fkp.learn.training.loop import Epoch, Listener
from fkp.learn.training.losses import LOSSES
from fkp.learn.training.team import Team


class _Rate(click.ParamType[float | str]):
    """A learning rate, or `auto`."""

    name = "RATE|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        if value == "auto":
            return "auto"
        try:
            return float(value)
        except ValueError:
            self.fail(f"expected a number or auto, got {value}", param, ctx)


@click.command("train")
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "--arch",
    type=click.Choice(sorted(ARCHITECTURES)),
    help="Architecture; it sets the defaults of the options below.  [default: integral]",
)
@click.option("--name", help="Name of the run.  [default: the names of data and network]")
@click.option(
    "--runs",
    "root",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder of all runs.",
)
@click.option(
    "--resume",
    "resumed",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Continue the run in this folder; cannot be combined with other options.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The config.json of a run: use its settings, unless an option overrides them.",
)
@click.option(
    "--init",
    metavar="bundled|FILE",
    help="Start from the weights of a trained network, even one with other points.",
)
@click.option(
    "--freeze", is_flag=True, default=None, help="Train only the layers after the features."
)
@click.option("--epochs", type=click.IntRange(1), help="[default: by the number of training rows]")
@click.option("--batch", type=click.IntRange(1), help="Faces per mini-batch.")
@click.option(
    "--optimizer", type=click.Choice(OPTIMIZERS), help="[default: depends on the network]"
)
@click.option(
    "--lr", type=_Rate(), help="Learning rate (the peak, with onecycle); auto: by a range test."
)
@click.option("--schedule", type=click.Choice(SCHEDULES), help="Learning-rate schedule.")
@click.option("--momentum", type=float, help="Momentum of sgd.")
@click.option("--weight-decay", type=float, help="Weight decay.")
@click.option("--loss", type=click.Choice(sorted(LOSSES)), help="Loss on the points.")
@click.option("--ema", type=float, help="Decay of the averaged weights; 0: no averaging.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    help="Stop after this many epochs without improvement; 0: never.",
)
@click.option(
    "--aug",
    type=click.Choice(list(AUGMENTATIONS)),
    help="Strength of the augmentation.",
)
@click.option(
    "--flip-pairs", metavar="A:B,...", help="Points that swap in a mirror image, by name."
)
@click.option("--compile", is_flag=True, default=None, help="Compile the network (torch.compile).")
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard events.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), help="Numeric precision of the network."
)
@click.option("--threads", type=click.IntRange(0), help="CPU threads; 0: all.")
@click.option("--seed", type=int, help="The same seed gives the same weights on the same machine.")
@console.talk_options
@click.pass_context
def train_command(
    context: click.Context,
    /,
    data: Path | None,
    arch: Any,
    name: str | None,
    root: Path,
    resumed: Path | None,
    config: Path | None,
    flip_pairs: str | None,
    **settings: Any,
) -> None:
    """Train a keypoint network on DATA, a data set of fkp prepare or a table that it could read.

    Ctrl-C stops the training; the best network so far stays in the run's folder, and --resume
    continues after the last whole epoch. Start it with torchrun to train one network with several
    processes.

    \b
    fkp train data.csv
    fkp train data.csv --init bundled --epochs 10
    fkp train data.csv --arch lecture --lr auto
    fkp train --resume runs/data-integral
    torchrun --nproc-per-node=2 -m fkp train data.csv
    """
    team = Team()
    if not team.leads:
        console.silence()
    if resumed is not None:
        given = [p for p in context.params if _given(context, p) and p != "resumed"]
        if given:
            raise click.UsageError(
                f"--resume cannot be combined with other options: {', '.join(given)}"
            )
        if is_finished(resumed):
            console.say(f"{resumed}: this run is already finished")
            return
        with _shown(resumed) as shown:
            network = api.resume_training(
                resumed, listener=shown, progress=shown.prepare, say=console.warn
            )
        _print_best(network.model, resumed, team)
        return
    if data is None:
        raise click.UsageError("Missing argument 'DATA' (or --resume RUN).")
    path = root / (name or new_name(root, f"{data.stem}-{_architecture(arch, config)}"))
    pairs = console.parse_pairs(flip_pairs)
    with _shown(path) as shown:
        network = api.train(
            data, path, arch=arch, config=config, flip_pairs=pairs,
            listener=shown, progress=shown.prepare, say=console.warn, **settings,
        )  # fmt: skip
    _print_best(network.model, path, team)


def _given(context: click.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _architecture(arch: str | None, config: Path | None) -> str:
    """The architecture that is trained."""
    if arch is None and config is not None:
        return str(read_config(config)["training"]["architecture"])
    return arch or DEFAULT


@contextmanager
def _shown(path: Path) -> "Iterator[_Shown]":
    """Show a training on the terminal; after Ctrl-C, print how to continue."""
    shown = _Shown(path)
    try:
        with console.bar_shown(shown.bar):
            yield shown
    except KeyboardInterrupt:
        if (path / CONFIG).exists():
            console.warn(f"stopped; continue with: fkp train --resume {path}")
        raise


def _print_best(model: Model, path: Path, team: Team) -> None:
    if not team.leads:
        return
    best = model.scores
    if math.isfinite(best["val_rmse"]):
        said = f"best epoch {best['epoch']:.0f}: validation RMSE {best['val_rmse']:.3f} px"
        if math.isfinite(best["val_nme"]):
            said += f", NME {100 * best['val_nme']:.2f} %"
    else:
        said = f"network of the last epoch, {best['epoch']:.0f}: there are no validation rows"
    console.say(said)
    console.say(f"wrote {path / BEST}; see {path / REPORT}")


class _Shown(Listener):
    """Shows a training on the terminal."""

    def __init__(self, path: Path) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        live = console.err.is_terminal
        self.bar = Progress(*columns, console=console.err, transient=True, disable=not live)
        self._best = ""  # validation error so far
        self._path, self._epochs = path, 0
        self._task = self.bar.add_task("prepare", total=None, state="")

    def prepare(self, done: int, total: int) -> None:
        """Show the rows prepared before the training."""
        self.bar.update(self._task, completed=done, total=total)

    def begin(self, rows: int, epochs: int) -> None:
        self._epochs = epochs
        console.say(f"{self._path}: {rows} training rows, {epochs} epochs")

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        self.bar.update(
            self._task,
            description=f"epoch {epoch}/{self._epochs}",
            completed=(epoch - 1) * total + done,
            total=self._epochs * total,
            state=f"loss {loss:.5f}  {self._best}{rate:.0f} images/s",
        )

    def epoch(self, result: Epoch, model: Model) -> None:
        nme = f"  NME {100 * result.val_nme:.2f} %" if math.isfinite(result.val_nme) else ""
        rmse = ""
        if math.isfinite(result.val_rmse):
            rmse = f"  validation RMSE {result.val_rmse:.3f} px"
        if result.best and nme:
            self._best = f"best{nme}  "
        console.say(
            f"epoch {result.epoch}: loss {result.train_loss:.5f}{rmse}{nme}  "
            f"{result.images_per_second:.0f} images/s{'  *' if result.best else ''}"
        )

    def resumed(self, epoch: int) -> None:
        console.say(f"resuming after epoch {epoch}")
