"""Merging the results of shards, after checking that they belong to one run."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp.annotate.inputs import common_folder
from fkp.annotate.names import CROPS, OVERLAYS, RUN
from fkp.annotate.output.folder import claimed, is_finished, read_run, write_run
from fkp.annotate.output.journal import differences
from fkp.annotate.output.results import Output
from fkp.annotate.output.text import Rows
from fkp.errors import FkpError, UsageError
from fkp.files import replacing
from fkp.keypoints import Scheme
from fkp.vision.head import Camera

SHARD = "shard"
"""The key of a run's identity that holds its shard, `I/N`."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged run."""

    table: Path
    inputs: int
    faces: int
    statuses: Counter[str]

    @property
    def exit_code(self) -> int:
        """0 if all inputs were read, 3 if some are unreadable."""
        return 3 if self.statuses["unreadable"] else 0


def merge(parts: Sequence[Path], out: Path, overwrite: bool = False) -> Merged:
    """Merge finished shards into the folder `out`, in the order of the inputs.

    Raises FkpError if one is missing, unfinished, given twice, or of another run.
    """
    if any(out.resolve() == folder.resolve() for folder in parts):
        raise UsageError(f"{out}: is one of the folders to merge; choose another")
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
    output = output_of(first)
    folders = [folder for _, folder, _ in runs]
    with claimed(out, overwrite):
        _join_tables(folders, out, output.rows)
        for folder in folders:
            for name in (OVERLAYS, CROPS):
                _copy_tree(folder / name, out / name)
        root = common_folder(image for image, _ in output.records(out))
        output.finish(out, root, os.cpu_count() or 1)
        merged = _merged([facts for _, _, facts in runs], output.last_table(out))
        facts = {
            "inputs": merged.inputs,
            "statuses": dict(merged.statuses),
            "faces": merged.faces,
            "identity": {**first, SHARD: "1/1"},
        }
        told = {"root": root, "merged": [str(folder) for folder in folders]} if output.paths else {}
        output.tidy(out)
        write_run(out, {**told, **facts})  # last: it says that all is there
    return merged


def _merged(runs: Sequence[dict[str, Any]], table: Path) -> Merged:
    statuses: Counter[str] = Counter()
    for facts in runs:
        statuses.update(facts["statuses"])
    faces = sum(facts["faces"] for facts in runs)
    return Merged(table, sum(facts["inputs"] for facts in runs), faces, statuses)


def output_of(identity: dict[str, Any]) -> Output:
    """What a run wrote, by the identity in its `run.json`."""
    measures = identity["measures"]
    return Output(
        Scheme.from_names(identity["points"]),
        identity["format"],
        tuple(identity["also"]),
        identity["confidence"],
        gallery=identity["overlays"],
        measured=None if measures is None else Camera(**measures),
        paths=identity["paths"],
        quality=identity["quality"],
        iris=identity["iris"],
        camera=Camera(**identity["camera"]),
    )


def _finished(parts: Sequence[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in parts:
        if not is_finished(folder):
            raise FkpError(f"{folder}: holds no finished run; resume it first")
        facts = read_run(folder)
        try:
            _shard(facts), facts["inputs"] + 0
            output_of(facts["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise FkpError(f"{folder / RUN}: not of a run over photos: {error!r}") from error
        yield folder, facts


def _shard(facts: dict[str, Any]) -> tuple[int, int]:
    number, total = str(facts["identity"][SHARD]).split("/")
    return int(number), int(total)


def _join_tables(folders: Sequence[Path], out: Path, rows: Rows) -> None:
    """Concatenate tables under one header."""
    name = f"keypoints.{rows.suffix}"
    header = rows.header().encode()
    with replacing(out / name) as part, part.open("wb") as target:
        target.write(header)
        for folder in folders:
            try:
                with (folder / name).open("rb") as source:
                    source.seek(len(header))
                    shutil.copyfileobj(source, target)
            except FileNotFoundError as error:
                raise FkpError(f"{folder}: holds no {name}") from error


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a tree of pictures; links are not followed, so nothing from outside is copied."""
    for parent, _, files in os.walk(source):
        below = target / os.path.relpath(parent, source)
        below.mkdir(parents=True, exist_ok=True)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                shutil.copyfile(path, below / name)
