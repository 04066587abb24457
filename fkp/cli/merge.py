"""`fkp merge`."""

from pathlib import Path

import click

from fkp import api
from fkp.cli import console


@click.command("merge")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder for the joined results.",
)
@click.option("--overwrite", is_flag=True, help="Replace the results of an earlier run.")
@console.talk_options
def merge_command(folders: tuple[Path, ...], out: Path, overwrite: bool) -> int:
    """Join the results of `fkp annotate --shard I/N`, in the order of the inputs.

    \b
    fkp annotate photos/ --shard 1/2 --out part1/
    fkp annotate photos/ --shard 2/2 --out part2/
    fkp merge part1/ part2/ --out results/
    """
    merged = api.merge(folders, out, overwrite=overwrite)
    counts = merged.statuses
    console.say(
        f"{merged.inputs} pictures of {len(folders)} shards: {merged.faces} faces in "
        f"{counts['ok']}, {counts['no_face']} without a face, {counts['unreadable']} unreadable"
    )
    console.say(f"see {merged.table}")
    return merged.exit_code
