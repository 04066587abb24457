"""Joining the results of shards, after checking that they are parts of one run."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp.annotate.output.journal import differences
from fkp.annotate.output.results import (
    CROPS,
    OVERLAYS,
    RUN,
    Output,
    claim_folder,
    is_finished,
    write_run,
)
from fkp.annotate.output.rows import Rows
from fkp.errors import FkpError, parse_json
from fkp.keypoints import Scheme
from fkp.vision.head import Camera

SHARD = "shard"
"""The key of a run's identity that tells which part it is: `I/N`."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What the joined run came to."""

    table: Path
    inputs: int
    faces: int
    statuses: Counter[str]


def merge(parts: Sequence[Path], out: Path, overwrite: bool = False) -> Merged:
    """Join finished shards into the folder `out`, in the order of the inputs.

    Raises FkpError where one is missing, unfinished, given twice, or of another run.
    """
    runs = [(_shard(facts), folder, facts) for folder, facts in _finished(parts)]
    runs.sort(key=lambda run: run[0])
    total = runs[0][0][1]
    numbers = [number for (number, _), _, _ in runs]
    if numbers != list(range(1, total + 1)):
        raise FkpError(
            f"expected each of the shards 1 to {total} once, got {', '.join(map(str, numbers))}"
        )
    first = runs[0][2]["identity"]
    for _, folder, facts in runs[1:]:
        own = {**facts["identity"], SHARD: first[SHARD]}
        others = differences(own, first, ("here", "elsewhere"))
        if others:
            raise FkpError(f"{folder}: is part of another run: {'; '.join(others)}")
    output = _output(first)
    claim_folder(out, overwrite)
    folders = [folder for _, folder, _ in runs]
    _join_tables(folders, out, output.table)
    for folder in folders:
        for name in (OVERLAYS, CROPS):
            _copy_tree(folder / name, out / name)
    table = output.finish(out, str(runs[0][2]["root"]), os.cpu_count() or 1)
    statuses: Counter[str] = Counter()
    for _, _, facts in runs:
        statuses.update(facts["statuses"])
    faces = sum(facts["faces"] for _, _, facts in runs)
    inputs = sum(facts["inputs"] for _, _, facts in runs)
    write_run(
        out / RUN,
        {
            "identity": {**first, SHARD: "1/1"},
            "merged": [str(folder) for folder in folders],
            "inputs": inputs,
            "statuses": dict(statuses),
            "faces": faces,
            "root": runs[0][2]["root"],
        },
    )
    output.tidy(out)
    return Merged(table, inputs, faces, statuses)


def _output(identity: dict[str, Any]) -> Output:
    """What the shards wrote, to be written of all."""
    camera = Camera(identity["--focal"], identity["--fov"])
    return Output(
        Scheme.from_names(identity["points"]),
        identity["--format"],
        identity["--schema"],
        identity["--confidence"],
        gallery=not identity["--no-overlays"],
        measured=camera if identity["--measures"] else None,
    )


def _finished(parts: Sequence[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in parts:
        if not is_finished(folder):
            raise FkpError(f"{folder}: holds no finished run; continue it with --resume")
        try:
            facts = parse_json((folder / RUN).read_text(encoding="utf-8"))
            _shard(facts), facts["inputs"], facts["faces"], facts["statuses"], facts["root"]
            _output(facts["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise FkpError(f"{folder / RUN}: not what fkp annotate wrote: {error}") from error
        yield folder, facts


def _shard(facts: dict[str, Any]) -> tuple[int, int]:
    number, total = str(facts["identity"][SHARD]).split("/")
    return int(number), int(total)


def _join_tables(folders: Sequence[Path], out: Path, rows: Rows) -> None:
    """One table with the rows of all, and one header."""
    name = f"keypoints.{rows.suffix}"
    part = out / f"{name}.part"
    with part.open("wb") as target:
        target.write(rows.header().encode())
        for folder in folders:
            try:
                with (folder / name).open("rb") as source:
                    source.seek(len(rows.header().encode()))
                    shutil.copyfileobj(source, target)
            except FileNotFoundError as error:
                raise FkpError(f"{folder}: holds no {name}") from error
    os.replace(part, out / name)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a tree of pictures; links are not followed, so that nothing from elsewhere gets in."""
    for parent, _, files in os.walk(source):
        below = target / os.path.relpath(parent, source)
        below.mkdir(parents=True, exist_ok=True)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                shutil.copyfile(path, below / name)
