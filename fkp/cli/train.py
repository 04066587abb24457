"""`fkp train`."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fkp.cli import console
from fkp.learn.networks.architectures import ARCHITECTURES
from fkp.learn.networks.checkpoint import Model, find_model
from fkp.learn.training.augment import AUGMENTATIONS
from fkp.learn.training.config import (
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    TrainConfig,
    from_dict,
    recipe,
)
from fkp.learn.training.folder import BEST, CONFIG, REPORT, RunFolder, new_name, read_config
from fkp.learn.training.loop import Epoch, Listener
from fkp.learn.training.losses import LOSSES
from fkp.learn.training.run import Training, fit, resume
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
    help="The network; it brings the defaults of the options below.  [default: integral]",
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
@click.option(
    "--resume",
    "resumed",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with the run in this folder; takes no other options.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The config.json of a run, whose settings are taken where no option says otherwise.",
)
@click.option(
    "--init",
    metavar="bundled|FILE",
    help="Begin with the weights of a trained network; its points may be others.",
)
@click.option(
    "--freeze", is_flag=True, default=None, help="Learn only what is behind the features."
)
@click.option("--epochs", type=click.IntRange(1), help="Else by the number of training rows.")
@click.option("--batch", type=click.IntRange(1), help="Pictures in a mini-batch.")
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="Else the network's own.")
@click.option(
    "--lr", type=_Rate(), help="Learning rate; under onecycle its peak. auto: by a range test."
)
@click.option("--schedule", type=click.Choice(SCHEDULES), help="Of the learning rate.")
@click.option("--momentum", type=float, help="Of sgd.")
@click.option("--weight-decay", type=float, help="How strongly weights are drawn to 0.")
@click.option("--loss", type=click.Choice(sorted(LOSSES)), help="Of the points' distances.")
@click.option("--ema", type=float, help="Decay of the averaged weights; 0: no averaging.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    help="Stop after so many epochs without a better validation; 0: never.",
)
@click.option(
    "--aug", type=click.Choice(list(AUGMENTATIONS)), help="How much pictures are changed at random."
)
@click.option("--flip-pairs", metavar="A:B,...", help="Points that a mirror swaps, by name.")
@click.option("--compile", is_flag=True, default=None, help="Compile the network (torch.compile).")
@click.option("--tensorboard", is_flag=True, help="Write events for TensorBoard, too.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Arithmetic of the network.")
@click.option("--threads", type=click.IntRange(0), help="Of the CPU; 0: all.")
@click.option("--seed", type=int, help="The same one gives the same weights, on one machine.")
@console.talk_options
@click.pass_context
def train_command(
    context: click.Context,
    /,
    data: Path | None,
    arch: str | None,
    name: str | None,
    root: Path,
    resumed: Path | None,
    config_file: Path | None,
    lr: float | str | None,
    aug: str | None,
    flip_pairs: str | None,
    tensorboard: bool,
    **settings: Any,
) -> None:
    """Train a keypoint network on DATA, a data set of fkp prepare or a table that it could read.

    Ctrl-C ends the training; the best network so far stays in the run's folder, and --resume goes
    on from the last whole epoch. Several processes train one network together when torchrun
    starts them.

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
            raise click.UsageError(f"--resume takes no other options: {', '.join(given)}")
        if (resumed / REPORT).exists():
            console.say(f"{resumed}: is finished already")
            return
        _follow(resumed, team, None)
        return
    if data is None:
        raise click.UsageError("Missing argument 'DATA' (or --resume RUN).")
    base = from_dict(read_config(config_file)["training"]) if config_file else None
    rate = None if lr == "auto" else lr
    if settings["init"] is not None:
        settings["init"] = str(find_model(settings["init"]).resolve())
    config = _config(base, arch, {**settings, "lr": rate}, aug)
    path = root / (name or new_name(root, f"{data.stem}-{config.architecture}"))
    pairs = console.parse_pairs(flip_pairs)
    training = Training(data, path, config, lr == "auto", tensorboard, pairs)
    _follow(path, team, training)


def _given(context: click.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _config(
    base: TrainConfig | None, arch: str | None, settings: dict[str, Any], aug: str | None
) -> TrainConfig:
    """The settings of a file, else the recipe of the network, with what was said on top."""
    said: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    if base is None:
        config = recipe(arch, **said)
    else:
        config = replace(base, **said)
        config = replace(config, architecture=arch or base.architecture)
    return config if aug is None else replace(config, augmentation=AUGMENTATIONS[aug])


def _follow(path: Path, team: Team, training: Training | None) -> None:
    """Run a new training, or go on with the one in the folder, and show how it goes."""
    shown = _Shown(path)
    config = RunFolder.reopen(path).config if training is None else training.config
    team.join(team.device(config.device))
    try:
        with shown.bar:
            if training is None:
                model = resume(path, shown, shown.prepare, console.warn, team)
            else:
                model = fit(training, shown, shown.prepare, console.warn, team)
    except KeyboardInterrupt:
        if (path / CONFIG).exists():
            console.warn(f"stopped; go on with: fkp train --resume {path}")
        if (path / BEST).exists():
            console.warn(f"{path / BEST} is the best network so far")
        raise
    finally:
        team.leave()
    if team.leads:
        _print_best(model, path)


def _print_best(model: Model, path: Path) -> None:
    best = model.scores
    error = ""
    if math.isfinite(best.get("val_rmse", math.nan)):
        error = f": validation RMSE {best['val_rmse']:.3f} px"
        if math.isfinite(best["val_nme"]):
            error += f", NME {100 * best['val_nme']:.2f} %"
    console.say(f"best epoch {best['epoch']:.0f}{error}")
    console.say(f"wrote {path / BEST}; look at {path / REPORT}")


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
        """Before the training: rows prepared."""
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
        if result.best and nme:
            self._best = f"best{nme}  "
        console.say(
            f"epoch {result.epoch}: loss {result.train_loss:.5f}  "
            f"validation RMSE {result.val_rmse:.3f} px{nme}  "
            f"{result.images_per_second:.0f} images/s{'  *' if result.best else ''}"
        )

    def resumed(self, epoch: int) -> None:
        console.say(f"going on after epoch {epoch}")
