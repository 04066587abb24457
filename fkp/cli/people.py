"""`fkp people`."""

from pathlib import Path

import click

from fkp import api
from fkp.annotate.people.grouping import LIKENESS
from fkp.cli import console
from fkp.cli.options import jobs_option

SHOWN = 10


@click.command("people")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The folder for the results.  [default: people/ in the first folder]",
)
@click.option(
    "--likeness",
    type=click.FloatRange(-1, 2),
    default=LIKENESS,
    show_default=True,
    help="Minimum likeness of two groups to count as one person: lower merges more.",
)
@jobs_option
@click.option("--overwrite", is_flag=True, help="Group again; edits to the sheets are lost.")
@console.talk_options
def people_command(
    folders: tuple[Path, ...], out: Path | None, likeness: float, jobs: int | None, overwrite: bool
) -> int:
    """Group the faces of one occasion by person, from results of fkp annotate and fkp video.

    Writes people.csv and faces.csv, in which you name and merge persons and move faces;
    keypoints.csv with the column person; and index.html for checking. Run it again after editing
    the two sheets.

    \b
    fkp annotate party/ --out results/
    fkp people results/
    """
    with console.progress("people") as progress:
        report = api.people(
            folders, out, likeness=likeness, jobs=jobs, overwrite=overwrite, progress=progress,
            say=console.say,
        )  # fmt: skip
    console.say(f"{report.faces} faces of {report.persons} persons")
    for image, reason in report.unseen[:SHOWN]:
        console.warn(f"no person: {image}: {reason}")
    if len(report.unseen) > SHOWN:
        console.warn(f"... and {len(report.unseen) - SHOWN} more (see faces.csv)")
    console.say(f"see {report.page}; name and merge persons in {report.folder / 'people.csv'}")
    return report.exit_code
