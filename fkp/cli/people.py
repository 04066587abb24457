"""`fkp people`."""

from pathlib import Path

import click

from fkp import api
from fkp.annotate.people.grouping import ALIKE
from fkp.cli import console
from fkp.cli.options import jobs_option

SHOWN = 10


@click.command("people")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The folder for sheets, page and table.  [default: people/ in the first folder]",
)
@click.option(
    "--alike",
    type=click.FloatRange(-1, 2),
    default=ALIKE,
    show_default=True,
    help="Likeness from which two groups are one person: lower merges more.",
)
@jobs_option
@click.option("--overwrite", is_flag=True, help="Group again; edits of the sheets are lost.")
@console.talk_options
def people_command(
    folders: tuple[Path, ...], out: Path | None, alike: float, jobs: int | None, overwrite: bool
) -> int:
    """Group the faces of one occasion by person: results of fkp annotate and fkp video.

    Writes people.csv and faces.csv, to name persons, merge them and move faces; keypoints.csv with
    the column person; and index.html to look at. Run it again after editing the sheets.

    \b
    fkp annotate party/ --out results/
    fkp people results/
    """
    with console.progress("people") as progress:
        found = api.people(
            folders, out, alike=alike, jobs=jobs, overwrite=overwrite, progress=progress,
            say=console.say,
        )  # fmt: skip
    console.say(f"{found.faces} faces of {found.persons} persons")
    for image, reason in found.unseen[:SHOWN]:
        console.warn(f"no person: {image}: {reason}")
    if len(found.unseen) > SHOWN:
        console.warn(f"... and {len(found.unseen) - SHOWN} more (reason in faces.csv)")
    console.say(f"see {found.page}; name and merge persons in {found.folder / 'people.csv'}")
    return found.exit_code
