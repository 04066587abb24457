"""What a run writes: the table of keypoints and `run.json`."""

import csv
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fkp.annotate.journal import JOURNAL
from fkp.annotate.stages import Failure
from fkp.errors import FkpError
from fkp.keypoints import Faces, Scheme

TABLE = "keypoints.csv"
OVERLAYS = "overlays"
RUN = "run.json"
_COLUMNS = (
    "image", "frame", "timestamp", "face", "status", "score", "box_x", "box_y", "box_w", "box_h",
)  # fmt: skip


def claim_folder(out: Path, overwrite: bool = False, resume: bool = False) -> None:
    """Make the result folder; refuse one with results unless they may be replaced or gone on with.

    What a killed run left half-written there is removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise FkpError(f"{out}: no permission to write there")
        if any((out / name).exists() for name in (TABLE, RUN, JOURNAL)):
            if not overwrite and not resume:
                what = (
                    "an unfinished run; --resume continues it"
                    if (out / JOURNAL).exists()
                    else "results"
                )
                raise FkpError(f"{out}: holds {what}; use --overwrite or another --out")
            if overwrite:
                for name in (TABLE, RUN, JOURNAL, f"{TABLE}.part"):
                    (out / name).unlink(missing_ok=True)
            _clear(out / OVERLAYS, everything=overwrite)
    except OSError as error:
        raise FkpError(f"{out}: cannot be used for results: {error.strerror}") from error


def _clear(folder: Path, everything: bool) -> None:
    """Remove what is in a folder, or only the temporary files of writes that were cut short."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if everything or (name.startswith(".") and name.endswith(".part")):
                os.unlink(os.path.join(parent, name))
        for name in folders if everything else ():
            path = os.path.join(parent, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)


class KeypointTable:
    """Writes `keypoints.csv`: a row a face, and one for an input without a face.

    Behind the points stand their mean confidence (that of each point too, with `each`) and why
    an input is unreadable. Until the end the rows stand in `keypoints.csv.part`, which an
    interrupted run leaves; `keep` bytes of that are gone on from.
    """

    def __init__(self, path: Path, scheme: Scheme, each: bool = False, keep: int = 0) -> None:
        self.path, self.scheme, self.keep = path, scheme, keep
        self.part = path.with_name(path.name + ".part")
        self.each = each
        confidence = [f"{name}_confidence" for name in scheme.names] if each else []
        self.columns = [*_COLUMNS, *scheme.columns, *confidence, "confidence", "reason"]

    def __enter__(self) -> Self:
        if self.keep:
            self._cut_back()
        # Names of files may hold bytes that are no UTF-8; they go out as they came.
        self._file = self.part.open(
            "a" if self.keep else "w", newline="", encoding="utf-8", errors="surrogateescape"
        )
        self._writer = csv.writer(self._file, lineterminator="\n")
        if not self.keep:
            self._writer.writerow(self.columns)
        return self

    def _cut_back(self) -> None:
        """Leave only the rows that the journal knows of."""
        if not self.part.exists() and self.path.exists():  # killed at the very end
            os.replace(self.path, self.part)
        size = self.part.stat().st_size if self.part.exists() else 0
        if size < self.keep:
            raise FkpError(
                f"{self.part}: has {size} bytes, {self.keep} were written: it cannot be resumed; "
                "use --overwrite to start again"
            )
        os.truncate(self.part, self.keep)

    def write(self, image: str, result: Faces | Failure) -> None:
        """The rows of one input."""
        empty = [""] * (len(self.columns) - 6)
        if isinstance(result, Failure):
            self._writer.writerow([image, "", "", "", "unreadable", *empty, result.reason])
        elif len(result) == 0:
            self._writer.writerow([image, "", "", "", "no_face", *empty, ""])
        else:
            for i in range(len(result)):
                cells = [_cell(result.scores[i], 4)]
                cells += [_cell(v, 2) for v in result.boxes[i]]
                cells += [_cell(v, 3) for v in result.points[i].reshape(-1)]
                if self.each:
                    cells += [_cell(v, 3) for v in result.confidence[i]]
                cells.append(_cell(result.confidence[i].mean(), 3))
                self._writer.writerow([image, "", "", i, "ok", *cells, ""])

    def flush(self) -> int:
        """Bring the rows to the disk; how many bytes there are."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            os.replace(self.part, self.path)


def _cell(value: np.floating, decimals: int) -> str:
    return f"{float(value):.{decimals}f}" if np.isfinite(value) else ""


def is_finished(out: Path) -> bool:
    """Whether the folder holds the results of a run that came to its end."""
    return (out / RUN).exists() and (out / TABLE).exists() and not (out / JOURNAL).exists()


def unreadable_in(out: Path) -> int:
    """How many inputs of a finished run were unreadable."""
    facts = json.loads((out / RUN).read_text(encoding="utf-8"))
    return int(facts["statuses"].get("unreadable", 0))


def write_run(path: Path, facts: dict[str, object]) -> None:
    """Write `run.json`."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
