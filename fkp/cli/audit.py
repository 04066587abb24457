"""`fkp audit`."""

from collections import Counter
from pathlib import Path

import click

from fkp import api
from fkp.cli import console
from fkp.cli.options import device_option
from fkp.learn.audit import Audit

SHOWN = 8


@click.command("audit")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="bundled|kfold|FILE",
    help="A network that never saw this data; kfold: for each row, a network trained on other "
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
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Where --drop writes.  [default: DATA-clean.csv beside the data]",
)
@device_option
@console.talk_options
def audit_command(
    data: Path,
    model: str | None,
    folds: int,
    epochs: int,
    report: Path,
    drop: bool,
    out: Path | None,
    device: str,
) -> None:
    """Find the rows of DATA whose labels are probably wrong.

    Rows are ranked by the distance between their labels and the points of a network that never saw
    them, with the likely kind of error. audit.csv lists all rows, audit.png shows the worst.

    \b
    fkp audit data.csv
    fkp audit data.csv --drop -o clean.csv
    fkp audit data.csv --model kfold --folds 5
    """
    if out is not None and not drop:
        raise click.UsageError("--out goes with --drop")
    clean = (out or data.with_name(f"{data.stem}-clean.csv")) if drop else None
    with console.progress("audit") as progress:
        found = api.audit(
            data, model=model, folds=folds, epochs=epochs, report=report, clean=clean,
            device=device, progress=progress, say=console.note,
        )  # fmt: skip
    _print(found)
    console.say(f"all rows: {report / 'audit.csv'}; the worst rows: {report / 'audit.png'}")
    if clean is not None:
        wrong = int(found.found.wrong.sum())
        console.say(
            f"wrote {clean}: {len(found.samples) - wrong} rows; {wrong} left out, "
            f"listed in {clean.with_suffix('.rejected.csv')}"
        )


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
            "at audit.png, or use --model kfold"
        )
