"""`fkp prepare`."""

from pathlib import Path
from typing import Any

import click

from fkp import api
from fkp.cli import console
from fkp.keypoints import SCHEMES
from fkp.labels.formats.known import FORMATS
from fkp.labels.prepare import CROPS, PrepareReport
from fkp.labels.store import SPLITS
from fkp.labels.table import SIDES, UNITS

SHOWN = 10
ORIGINS = ("0", "0.5", "1", "bottom")

HELP = """Turn labelled tables into one checked data set.

    SOURCES are files or folders; their format is detected:

    \b
{formats}

    \b
    fkp prepare training.csv -o data.csv
    fkp prepare labels.csv faces.npy -o data.csv --preview sheet.png
    """


def _help() -> str:
    """The help text, with a line for each format."""
    width = max(map(len, FORMATS))
    lines = [f"    {name:{width}}  {format.title}" for name, format in FORMATS.items()]
    return HELP.format(formats="\n".join(lines))


@click.command("prepare", help=_help())
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The data set to write: FILE.csv, with FILE.npy and FILE.json beside it.",
)
@click.option(
    "--from",
    "format",
    type=click.Choice(list(FORMATS)),
    metavar="FORMAT",
    help="The format of the sources, one of those above; detected by default.",
)
@click.option(
    "--crop",
    type=click.Choice(CROPS),
    help="face: an upright square around the labelled face (default for pictures); "
    "none: the whole picture (default for ready-made crops).",
)
@click.option(
    "--size",
    type=click.IntRange(32, 1024),
    default=96,
    show_default=True,
    help="Side of the crops in pixels.",
)
@click.option(
    "--val", type=float, default=0.1, show_default=True, help="Share of rows for validation."
)
@click.option(
    "--test", type=float, default=0.1, show_default=True, help="Share of rows for testing."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the split.")
@click.option(
    "--person-pattern",
    metavar="REGEX",
    help="Finds the person in a picture's path (the first group, or the whole match).",
)
@click.option(
    "--images",
    type=click.Path(exists=True, path_type=Path),
    help="The folder of the pictures, an array of them, or the clip whose frames are labelled.",
)
@click.option(
    "--units",
    type=click.Choice(["auto", *UNITS]),
    default="auto",
    show_default=True,
    help="Units of the labels: pixels, or shares of the picture's width and height from 0 to 1 "
    "(fraction), 0 to 100 (percent), -1 to 1 (signed).",
)
@click.option(
    "--origin",
    type=click.Choice(ORIGINS),
    help="Coordinate of the first pixel's centre, 0 by default; bottom: y counts upwards.",
)
@click.option(
    "--sides",
    type=click.Choice(SIDES),
    help="Whose left and right the point names mean; by default the subject's.",
)
@click.option(
    "--columns",
    metavar="NAME,...",
    help="Which columns hold points (x_*,y_*); for a list without a header, the names of all "
    "columns (image,-*4,nose_x,nose_y).",
)
@click.option("--category", help="Which kind of labelled object, if there are several.")
@click.option(
    "--scheme",
    type=click.Choice(sorted(SCHEMES)),
    help="The points, if the source only numbers them.",
)
@click.option("--flip-pairs", metavar="A:B,...", help="Points that a mirror swaps, by name.")
@click.option(
    "--max",
    "limits",
    metavar="COLUMN=VALUE",
    multiple=True,
    help="Leave out rows in which a column of the source exceeds a value.",
)
@click.option("--drop-suspicious", is_flag=True, help="Leave out rows that look wrong.")
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="SHEET.png",
    help="Draw the labels of some rows, suspicious ones first.",
)
@console.talk_options
def prepare_command(
    sources: tuple[Path, ...],
    out: Path,
    origin: str | None,
    columns: str | None,
    flip_pairs: str | None,
    limits: tuple[str, ...],
    **given: Any,
) -> int:
    """Turn labelled tables into one checked data set."""
    with console.progress("prepare") as progress:
        report = api.prepare(
            sources, out,
            origin="bottom" if origin == "bottom" else None if origin is None else float(origin),
            columns=[name.strip() for name in columns.split(",")] if columns else None,
            flip_pairs=console.parse_pairs(flip_pairs), limits=dict(map(_limit, limits)),
            progress=progress, **given,
        )  # fmt: skip
    _print(report, out)
    return 3 if any(r.malformed for r in report.rejected) else 0


def _print_points(report: PrepareReport) -> None:
    """A line per point, or one line for all if there are many."""
    names, missing, outside = report.samples.scheme.names, report.missing, report.outside
    if len(names) <= 30:
        rows = [
            [name, f"{100 * share:.1f} %", str(n)]
            for name, share, n in zip(names, missing, outside, strict=True)
        ]
        console.table(["point", "missing", "outside the picture"], rows)
        return
    most, far = int(missing.argmax()), int(outside.argmax())
    console.say(
        f"missing: {100 * missing.mean():.1f} % of all points"
        + (f", most {names[most]} ({100 * missing[most]:.1f} %)" if missing.any() else "")
    )
    console.say(
        f"outside the picture: {outside.sum()} points"
        + (f", most {names[far]} ({outside[far]})" if outside.any() else "")
    )


def _limit(text: str) -> tuple[str, float]:
    column, _, value = text.rpartition("=")
    try:
        return column, float(value)
    except ValueError as error:
        raise click.BadParameter(f"expected COLUMN=NUMBER, got {text}", param_hint="--max") from (
            error
        )


def _print(report: PrepareReport, output: Path) -> None:
    """Print what was read, what was left out, and how the rest was split."""
    samples = report.samples
    for note in report.notes:
        console.say(note)
    console.say(
        f"{report.rows_read} rows read, {len(report.rejected)} left out, {len(samples)} written: "
        f"{len(samples.scheme)} points ({samples.scheme.name}), crops of {samples.size} px"
    )
    _print_points(report)
    console.say(f"identical pictures: {report.duplicates}")
    console.say(
        "suspicious rows: " + (", ".join(f"{n} {k}" for k, n in report.flags.items()) or "none")
    )
    odd = [int(row) for row in samples.source_row[samples.flags != ""][:SHOWN]]
    if odd:
        console.say(f"  such as rows {', '.join(map(str, odd))} (column flags of {output})")
    hint = " (--person-pattern)" if "not known" in report.persons else ""
    console.say(f"persons: {len(set(samples.person))}, {report.persons}{hint}")
    for name in SPLITS:
        part = samples.split == name
        console.say(f"  {name}: {part.sum()} rows of {len(set(samples.person[part]))} persons")
    for rejected in report.rejected[:SHOWN]:
        console.warn(f"left out: {rejected}")
    if report.rejected:
        more = len(report.rejected) - SHOWN
        also = f"... and {more} more; " if more > 0 else ""
        console.warn(f"{also}all are listed in {output.with_suffix('.rejected.csv')}")
    console.say(f"wrote {output} and {output.with_suffix('.npy')}")
