"""Joining the results of shards, after checking that they are parts of one run."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp.annotate.journal import differences
from fkp.annotate.results import OVERLAYS, RUN, TABLES, claim_folder, is_finished, write_run
from fkp.errors import FkpError

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
    claim_folder(out, overwrite)
    table = _join_tables([folder for _, folder, _ in runs], out)
    for _, folder, _ in runs:
        _copy_tree(folder / OVERLAYS, out / OVERLAYS)
    statuses: Counter[str] = Counter()
    for _, _, facts in runs:
        statuses.update(facts["statuses"])
    faces = sum(facts["faces"] for _, _, facts in runs)
    inputs = sum(facts["inputs"] for _, _, facts in runs)
    write_run(
        out / RUN,
        {
            "identity": {**first, SHARD: "1/1"},
            "merged": [str(folder) for _, folder, _ in runs],
            "inputs": inputs,
            "statuses": dict(statuses),
            "faces": faces,
        },
    )
    return Merged(table, inputs, faces, statuses)


def _finished(parts: Sequence[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in parts:
        if not is_finished(folder):
            raise FkpError(f"{folder}: holds no finished run; continue it with --resume")
        try:
            facts = json.loads((folder / RUN).read_text(encoding="utf-8"))
            _shard(facts), facts["inputs"], facts["faces"], facts["statuses"]
        except (ValueError, KeyError, TypeError) as error:
            raise FkpError(f"{folder / RUN}: not what fkp annotate wrote: {error}") from error
        yield folder, facts


def _shard(facts: dict[str, Any]) -> tuple[int, int]:
    number, total = str(facts["identity"][SHARD]).split("/")
    return int(number), int(total)


def _join_tables(folders: Sequence[Path], out: Path) -> Path:
    """One table with the rows of all, and one header."""
    name = next((n for n in TABLES.values() if (folders[0] / n).exists()), None)
    if name is None:
        raise FkpError(f"{folders[0]}: holds no table")
    part = out / f"{name}.part"
    with part.open("wb") as target:
        for i, folder in enumerate(folders):
            with (folder / name).open("rb") as source:
                header = source.readline() if name == TABLES["csv"] else b""
                if i == 0:
                    target.write(header)
                shutil.copyfileobj(source, target)
    os.replace(part, out / name)
    return out / name


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a tree of pictures; links are not followed, so that nothing from elsewhere gets in."""
    for parent, _, files in os.walk(source):
        below = target / os.path.relpath(parent, source)
        below.mkdir(parents=True, exist_ok=True)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                shutil.copyfile(path, below / name)
