"""`fkp audit`."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.finder import FaceFinder
from fkp.cli import console
from fkp.cli.models import find_detector
from fkp.labels.cache import prepared
from fkp.labels.cut import Progress
from fkp.labels.prepare import write_rejected
from fkp.labels.store import Samples, read_samples, rewrite_samples
from fkp.learn.audit import Audit, audit_by_folds, audit_by_model, write_audit, write_sheet
from fkp.learn.networks.checkpoint import BUNDLED, Model, find_model, load_model
from fkp.learn.networks.devices import single_thread
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Epoch, Listener
from fkp.vision.detect import YuNetDetector

FOLDS = "kfold"
SHOWN = 8


@click.command("audit")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="bundled|kfold|FILE",
    help="A network that never saw this data; kfold: for each row a network trained on the other "
    "persons.  [default: bundled if it finds these points, otherwise kfold]",
)
@click.option(
    "--folds", type=click.IntRange(2, 20), default=3, show_default=True, help="Number of folds."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Epochs of training per fold.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder for audit.csv and audit.png.  [default: the current folder]",
)
@click.option(
    "--drop", is_flag=True, help="Also write the data set without the rows that look wrong."
)
@click.option(
    "-o",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Where --drop writes.  [default: DATA-clean.csv beside the data]",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps.")
@console.talk_options
def audit_command(
    data: Path,
    model: str | None,
    folds: int,
    epochs: int,
    report: Path,
    drop: bool,
    output: Path | None,
    device: str,
) -> None:
    """Find the rows of DATA whose labels are probably wrong.

    Rows are ranked by the distance of their labels from the points of a network that never saw
    them, each with the kind of error that it looks like. audit.csv lists all rows, audit.png shows
    the worst.

    \b
    fkp audit data.csv
    fkp audit data.csv --drop -o clean.csv
    fkp audit data.csv --model kfold --folds 5
    """
    target = output or data.with_name(f"{data.stem}-clean.csv")
    if output is not None and not drop:
        raise click.UsageError("--out goes with --drop")
    if target.suffix != ".csv" or target.resolve() == data.resolve():
        raise click.BadParameter("expected another name that ends in .csv", param_hint="--out")
    with console.progress("prepare") as progress:
        path = prepared(data, progress)
    samples = read_samples(path)
    found = _audit(samples, model, folds, epochs, device)
    report.mkdir(parents=True, exist_ok=True)
    write_audit(report / "audit.csv", found)
    write_sheet(report / "audit.png", found)
    _print(found)
    console.say(f"all rows: {report / 'audit.csv'}; the worst rows: {report / 'audit.png'}")
    if drop:
        clean, rejected = found.without()
        rewrite_samples(target, clean, path)
        write_rejected(target, rejected)
        console.say(
            f"wrote {target}: {len(clean)} rows; {len(rejected)} left out, "
            f"listed in {target.with_suffix('.rejected.csv')}"
        )


def _audit(samples: Samples, name: str | None, folds: int, epochs: int, device: str) -> Audit:
    if name == FOLDS:
        return _by_folds(samples, folds, epochs, device)
    single_thread()  # the workers use the other processors
    model = load_model(find_model(name or BUNDLED), device)
    if name is None and not model.scheme.can_convert(samples.scheme):
        console.say("the bundled network does not find these points: checking by folds")
        return _by_folds(samples, folds, epochs, device)
    return _by_model(samples, model)


def _by_model(samples: Samples, model: Model) -> Audit:
    with console.progress("audit") as progress:
        finder = _finder(samples, progress)
        return audit_by_model(model, samples, finder(model) if finder else None)


def _by_folds(samples: Samples, folds: int, epochs: int, device: str) -> Audit:
    config = recipe("integral", epochs=epochs, device=device)
    framing = measure_framing(samples, YuNetDetector())
    with console.progress("audit") as progress:
        finder = _finder(samples, progress)
        return audit_by_folds(samples, framing, config, folds, lambda n: _Fold(n, folds), finder)


def _finder(samples: Samples, progress: Progress) -> Callable[[Model], FaceFinder] | None:
    """Makes a face finder of a network; None where the data has no picture files."""
    if not all(source in samples.folders for source in set(samples.source.tolist())):
        return None
    config = AnnotateConfig(jobs=os.cpu_count() or 1)
    return lambda model: FaceFinder(model, find_detector("fkp"), config, progress)


class _Fold(Listener):
    def __init__(self, number: int, folds: int) -> None:
        self._of = f"fold {number}/{folds}"

    def epoch(self, result: Epoch, model: Model) -> None:
        console.note(f"{self._of} epoch {result.epoch}: loss {result.train_loss:.5f}")


def _print(found: Audit) -> None:
    n, wrong = len(found.samples), int(found.found.wrong.sum())
    console.say(f"{n} rows checked, {wrong} look wrong ({100 * wrong / n:.1f} %)")
    kinds = Counter(kind.split(":")[0] for kind in found.found.kinds if kind)
    for kind, count in kinds.most_common():
        console.say(f"  {count:6d} {kind}")
    for i in found.order[: min(wrong, SHOWN)]:
        s = found.samples
        name = str(s.image[i]) or str(s.source[i])
        console.say(
            f"  {found.found.scores[i]:.1f} times the limit: {name} row {s.source_row[i]}: "
            f"{found.found.kinds[i]}"
        )
    if wrong > 0.4 * n:
        console.warn(
            "so many wrong rows may mean that the network defines these points differently: look "
            "at the sheet, or use --model kfold"
        )
