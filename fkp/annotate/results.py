"""What a run writes: the table of keypoints and `run.json`."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fkp.errors import FkpError
from fkp.keypoints import Faces, Scheme

TABLE = "keypoints.csv"
OVERLAYS = "overlays"
RUN = "run.json"
_COLUMNS = (
    "image", "frame", "timestamp", "face", "status", "score", "box_x", "box_y", "box_w", "box_h",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an input could not be read."""

    reason: str


def claim_folder(out: Path, overwrite: bool) -> None:
    """Make the result folder; refuse one with results unless they may be replaced."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / TABLE).exists() or (out / RUN).exists():
            if not overwrite:
                raise FkpError(f"{out}: holds results already; use --overwrite or another --out")
            (out / TABLE).unlink(missing_ok=True)
            (out / RUN).unlink(missing_ok=True)
            for parent, folders, files in os.walk(out / OVERLAYS, topdown=False):
                for name in files:
                    os.unlink(os.path.join(parent, name))
                for name in folders:
                    path = os.path.join(parent, name)
                    os.unlink(path) if os.path.islink(path) else os.rmdir(path)
        if not os.access(out, os.W_OK):
            raise FkpError(f"{out}: no permission to write there")
    except OSError as error:
        raise FkpError(f"{out}: cannot be used for results: {error.strerror}") from error


class KeypointTable:
    """Writes `keypoints.csv`: a row a face, and one for an input without a face.

    Behind the points stand their mean confidence (that of each point too, with `each`) and why
    an input is unreadable. Until the end the rows stand in `keypoints.csv.part`, which an
    interrupted run leaves.
    """

    def __init__(self, path: Path, scheme: Scheme, each: bool = False) -> None:
        self.path, self.scheme, self.each = path, scheme, each
        self.part = path.with_name(path.name + ".part")

    def __enter__(self) -> Self:
        # Names of files may hold bytes that are no UTF-8; they go out as they came.
        self._file = self.part.open("w", newline="", encoding="utf-8", errors="surrogateescape")
        self._writer = csv.writer(self._file, lineterminator="\n")
        each = [f"{name}_confidence" for name in self.scheme.names] if self.each else []
        self._columns = [*_COLUMNS, *self.scheme.columns, *each, "confidence", "reason"]
        self._writer.writerow(self._columns)
        return self

    def write(self, image: str, result: Faces | Failure) -> None:
        """The rows of one input."""
        empty = [""] * (len(self._columns) - 6)
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


def write_run(path: Path, facts: dict[str, object]) -> None:
    """Write `run.json`."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
