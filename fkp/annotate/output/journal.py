"""The journal of a run: its progress, on disk after every chunk, so that it can be resumed."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fkp.annotate.names import JOURNAL
from fkp.annotate.pipeline import Counts, Past
from fkp.errors import FkpError, parse_json


def fingerprint(*parts: bytes) -> str:
    """A hash of the parts, as sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]


def differences(
    one: Mapping[str, object], other: Mapping[str, object], names: tuple[str, str]
) -> list[str]:
    """The differences between two identities of runs, each labelled with the names of the two."""
    return [
        f"{key}: {one.get(key)!r} {names[0]}, {other.get(key)!r} {names[1]}"
        for key in {**one, **other}
        if json.dumps(one.get(key)) != json.dumps(other.get(key))
    ]


class Journal:
    """`journal.jsonl`: a line with the identity of the run, then one after each chunk.

    Only complete lines count; rows after the last one are cut off when the run is resumed.
    """

    def __init__(self, folder: Path, identity: Mapping[str, object], past: Past) -> None:
        self.path, self.past = folder / JOURNAL, past
        self._listed = len(past.failures)
        if past.done == 0:
            self.path.unlink(missing_ok=True)
            self._append({"run": dict(identity)})

    @classmethod
    def resume(cls, folder: Path, identity: Mapping[str, object]) -> "Journal":
        """Resume the run in a folder, or begin one if there is none.

        Raises FkpError with the differences if the folder holds another run.
        """
        lines = _whole_lines(folder / JOURNAL)
        if not lines:  # killed before the first line was written, or there was no run
            return cls(folder, identity, Past())
        was = lines[0].get("run")
        if not isinstance(was, dict):
            raise FkpError(f"{folder / JOURNAL}: not the journal of a run")
        changed = differences(was, identity, ("then", "now"))
        if changed:
            raise FkpError(
                f"{folder}: the run there cannot be resumed, it differs in {'; '.join(changed)}; "
                "overwrite it to start again"
            )
        try:
            return cls(folder, identity, _past(lines[1:]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FkpError(
                f"{folder / JOURNAL}: damaged: {error!r}; overwrite it to start again"
            ) from error

    def commit(self, counts: Counts, written: int, raw: int = 0) -> None:
        """Record that the rows so far are on disk: `written` bytes of the table, `raw` bytes of the
        table of points before smoothing.
        """
        new = list(counts.failures[self._listed :])
        self._listed += len(new)
        self._append(
            {
                "done": sum(counts.statuses.values()),
                "bytes": written,
                "raw_bytes": raw,
                "faces": counts.faces,
                "statuses": dict(counts.statuses),
                "failures": new,
                "notes": dict(counts.notes),
            }
        )

    def finish(self) -> None:
        """Remove the journal of a complete run."""
        self.path.unlink(missing_ok=True)

    def _append(self, line: Mapping[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _past(lines: Sequence[Mapping[str, Any]]) -> Past:
    """The progress of a run according to the lines of its chunks."""
    if not lines:
        return Past()
    failures = [(str(path), str(why)) for line in lines for path, why in line["failures"]]
    last = lines[-1]
    counts = [{str(k): int(v) for k, v in last[name].items()} for name in ("statuses", "notes")]
    done, size, raw, faces = (int(last[n]) for n in ("done", "bytes", "raw_bytes", "faces"))
    return Past(done, size, raw, faces, counts[0], failures, counts[1])


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The journal's lines; drops a last one that a killed run left incomplete."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    try:
        lines = [parse_json(line) for line in whole.splitlines()]
        if not all(isinstance(line, dict) for line in lines):
            raise ValueError("a line is not an object")
    except ValueError as error:
        raise FkpError(f"{path}: damaged: {error}; overwrite it to start again") from error
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return lines
