"""`fkp symmetry`."""

from pathlib import Path

import click

from fkp import api
from fkp.cli import console
from fkp.cli.options import focal_option, fov_option


@click.command("symmetry")
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder for the tables and pages.",
)
@click.option(
    "--rest",
    default="rest*",
    show_default=True,
    metavar="PATTERN",
    help="Expressions that count as the face at rest, with which the others are compared.",
)
@click.option(
    "--visits",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="A list of the pictures, if they are not named PERSON/VISIT/EXPRESSION.jpg: columns "
    "image, person, expression and, optionally, visit, ipd_mm, iris_px.",
)
@click.option(
    "--ipd",
    type=click.FloatRange(0, min_open=True),
    metavar="MM",
    help="Interpupillary distance, for results in millimetres instead of eye distances.",
)
@focal_option
@fov_option
@click.option("--overwrite", is_flag=True, help="Replace the tables of an earlier run.")
@console.talk_options
def symmetry_command(
    results: Path, out: Path, rest: str, visits: Path | None, ipd: float | None,
    focal: float | None, fov: float | None, overwrite: bool,
) -> int:  # fmt: skip
    """Compare the two sides of faces in photos of visits, at rest and in expressions.

    Measures brows, eyes, nostrils, mouth corners and lips with the head's pose removed. RESULTS is
    a folder of fkp annotate; its pictures are named PERSON/VISIT/EXPRESSION.jpg, or in a list
    (--visits). Writes PERSON/VISIT.csv and a page PERSON.html.

    \b
    fkp annotate clinic/ --out results/
    fkp symmetry results/ --out symmetry/
    """
    report = api.symmetry(
        results, out, rest=rest, visits=visits, ipd=ipd, focal=focal, fov=fov, overwrite=overwrite
    )
    console.say(
        f"{report.pictures} pictures of {report.persons} persons in {report.visits} visits: "
        f"{len(report.missing)} without measures"
    )
    for image, reason in report.missing:
        console.warn(f"{image}: {reason}")
    for note in report.notes:
        console.warn(note)
    for page in report.pages[:1]:
        console.say(f"see {page}")
    return report.exit_code
