"""`fkp symmetry`."""

from pathlib import Path

import click

from fkp import api
from fkp.cli import console


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
    help="Which expressions are the face at rest, that others are compared with.",
)
@click.option(
    "--list",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Who and when: columns image, person, expression, and perhaps visit, ipd_mm, iris_px; "
    "instead of PERSON/VISIT/EXPRESSION.jpg.",
)
@click.option(
    "--ipd",
    type=click.FloatRange(0, min_open=True),
    metavar="MM",
    help="Distance of the pupils: results are in millimetres, otherwise in eye distances.",
)
@click.option(
    "--focal",
    type=click.FloatRange(0, min_open=True),
    metavar="PIXELS",
    help="Focal length of the camera; default: the picture's longer side.",
)
@click.option(
    "--fov",
    type=click.FloatRange(0, 180, min_open=True, max_open=True),
    metavar="DEGREES",
    help="Instead of --focal: angle of view along the longer side; default: 53.",
)
@click.option("--overwrite", is_flag=True, help="Replace the tables of an earlier run.")
@console.talk_options
def symmetry_command(
    results: Path, out: Path, rest: str, listed: Path | None, ipd: float | None,
    focal: float | None, fov: float | None, overwrite: bool,
) -> int:  # fmt: skip
    """Measure both sides of faces in photos of visits: brows, eyes, nostrils, mouth corners and
    lips, at rest and in expressions, after the pose of the head is taken away.

    Writes PERSON/VISIT.csv and a page PERSON.html from the results of fkp annotate, whose pictures
    are called PERSON/VISIT/EXPRESSION.jpg or are in a list.

    \b
    fkp annotate clinic/ --out results/
    fkp symmetry results/ --out symmetry/
    """
    visits = api.symmetry(
        results, out, rest=rest, listed=listed, ipd=ipd, focal=focal, fov=fov, overwrite=overwrite
    )
    console.say(
        f"{visits.pictures} pictures of {visits.persons} persons in {visits.visits} visits: "
        f"{len(visits.missing)} without measures"
    )
    for image, reason in visits.missing:
        console.warn(f"{image}: {reason}")
    for note in visits.notes:
        console.warn(note)
    for page in visits.pages[:1]:
        console.say(f"see {page}")
    return visits.exit_code
