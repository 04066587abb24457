"""What a run writes into its folder, or to a stream: the table, and what is made of it."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from filelock import FileLock, Timeout

from fkp.annotate.inputs import relative_to
from fkp.annotate.outcome import Result
from fkp.annotate.output.datasets import YoloFolder, write_coco
from fkp.annotate.output.gallery import PAGE, write_gallery
from fkp.annotate.output.journal import JOURNAL
from fkp.annotate.output.parquet import check_parquet, write_parquet
from fkp.annotate.output.rows import TABLES, Record, Rows
from fkp.annotate.output.rows import Table as TableRows
from fkp.annotate.output.schemas import OWN_SCHEME, ROW_SCHEMAS
from fkp.errors import FkpError, parse_json
from fkp.keypoints import IBUG68, SCHEMES, Scheme
from fkp.vision.head import Camera

FORMATS = (*TABLES, "parquet")
SCHEMAS = ("fkp", *ROW_SCHEMAS, "coco", "yolo")

OVERLAYS, CROPS, YOLO = "overlays", "crops", "yolo"
RUN, LOCK = "run.json", ".lock"
OVERLAY, RAW, BLINKS = "overlay.mp4", "raw.csv", "blinks.csv"
"""Of a clip: the video with the points drawn, the points before smoothing, when eyes were shut."""
PARTS = ".parts"
"""Of a clip: what it takes to go on with an unfinished run."""
FOLDERS = (OVERLAYS, CROPS, YOLO, PARTS)
FILES = (
    *(f"keypoints.{form}" for form in FORMATS),
    *(f"{name}.csv" for name in ROW_SCHEMAS),
    "coco.json", PAGE, RUN, JOURNAL, OVERLAY, RAW, BLINKS,
)  # fmt: skip
"""All that a run may leave in its folder, beside the folders."""


@dataclass(frozen=True, slots=True)
class Output:
    """What is written of the faces found.

    scheme: their points. form: of the main table, one of FORMATS. schema: what else, one of
    SCHEMAS. each: a confidence for each point. gallery: whether there are pictures to look at.
    measured: the measures of each face, as this camera shows it; None for none.
    """

    scheme: Scheme
    form: str = "csv"
    schema: str = "fkp"
    each: bool = False
    gallery: bool = True
    measured: Camera | None = None

    def __post_init__(self) -> None:
        """Raise FkpError for what does not go together, before any work."""
        if self.form == "parquet":
            check_parquet()
        if self.measured is not None and self.scheme.names != IBUG68.names:
            raise FkpError(
                "--measures needs the 68 points, which the bundled network has; not these "
                f"{len(self.scheme)} of {self.scheme.name}"
            )
        if self.schema in ROW_SCHEMAS:
            ROW_SCHEMAS[self.schema](self.scheme)

    @property
    def table(self) -> TableRows:
        """The rows of the main table, as they are written one after the other."""
        each = self.each or self.schema in ("dlc", "coco")
        form = "csv" if self.form == "parquet" else self.form
        return TABLES[form](self.scheme, each, self.measured)

    @property
    def stream(self) -> Rows:
        """The rows for a pipe."""
        if self.form == "parquet" or self.schema in ("coco", "yolo"):
            raise FkpError("parquet, coco and yolo cannot be streamed: --out needs a folder")
        if self.schema == "fkp":
            return self.table
        if self.form != "csv":
            raise FkpError(f"--schema {self.schema} is CSV, not {self.form}")
        return ROW_SCHEMAS[self.schema](self.scheme)

    def check_names(self, names: Iterable[str]) -> None:
        """Raise FkpError where two inputs, by their names below the root, would share a file."""
        if self.schema == "yolo":
            YoloFolder.check(names)

    def finish(self, out: Path, root: str, jobs: int) -> Path:
        """Make all else from the main table, when that is whole; the table's last place.

        root: the folder of all inputs.
        """
        rows = self.table
        path = out / f"keypoints.{rows.suffix}"

        def records() -> Iterator[Record]:
            return rows.read(path)

        if self.schema in ROW_SCHEMAS:
            other = ROW_SCHEMAS[self.schema](self.scheme)
            with TableFile(out / f"{self.schema}.csv", other) as table:
                for image, result in records():
                    table.write(image, result)
        elif self.schema == "coco":
            part = out / "coco.json.part"
            write_coco(part, self.scheme, records())
            os.replace(part, out / "coco.json")
        elif self.schema == "yolo":
            folder = YoloFolder(out / YOLO, self.scheme)
            folder.write((relative_to(root, image), result) for image, result in records())
        if self.gallery:
            write_gallery(out / PAGE, records(), out / OVERLAYS, root, jobs)
        if self.form != "parquet":
            return path
        part = out / "keypoints.parquet.part"
        write_parquet(part, self.scheme, rows.each, self.measured, records())
        os.replace(part, out / "keypoints.parquet")
        return out / "keypoints.parquet"

    def tidy(self, out: Path) -> None:
        """Remove what only the way here needed, once the run is marked as finished."""
        if self.form == "parquet":
            (out / "keypoints.csv").unlink(missing_ok=True)


def wanted_scheme(schema: str, named: str | None, own: Scheme) -> Scheme:
    """The points for the results: as named, as the schema has them, or the network's own."""
    if named is not None:
        return SCHEMES[named]
    return OWN_SCHEME.get(schema, own)


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make the result folder if it is not there, and let no other run write there meanwhile."""
    make_folder(out)
    try:
        with FileLock(out / LOCK).acquire(timeout=0):
            yield
    except Timeout as error:
        raise FkpError(f"{out}: another run is writing there") from error


def make_folder(out: Path) -> None:
    """Make the result folder if it is not there; raises FkpError where that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FkpError(f"{out}: cannot be used for results: {error.strerror}") from error
    if not os.access(out, os.W_OK):
        raise FkpError(f"{out}: no permission to write there")


def claim_folder(out: Path, overwrite: bool = False, resume: bool = False) -> None:
    """Make the result folder; refuse one with results unless they may be replaced or gone on with.

    What a killed run left half-written there is removed.
    """
    make_folder(out)
    for name in FOLDERS:
        if (out / name).is_symlink():
            raise FkpError(f"{out / name}: is a link; remove it, or use another --out")
    try:
        if any((out / name).exists() for name in FILES):
            if not overwrite and not resume:
                what = (
                    "an unfinished run; --resume continues it"
                    if (out / JOURNAL).exists()
                    else "results"
                )
                raise FkpError(f"{out}: holds {what}; use --overwrite or another --out")
            if overwrite:
                for name in FILES:
                    (out / name).unlink(missing_ok=True)
                    (out / f"{name}.part").unlink(missing_ok=True)
            for name in FOLDERS:
                _clear(out / name, everything=overwrite)
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


class Table(Protocol):
    """Where rows go."""

    def write(self, image: str, result: Result) -> None:
        """The rows of one input."""
        ...

    def flush(self) -> int:
        """Bring the rows to where they go; how many bytes there are."""
        ...


class TableFile:
    """Writes a file whole or not at all.

    Until the end the rows stand in `NAME.part`, which an interrupted run leaves; `keep` bytes of
    that are gone on from.
    """

    def __init__(self, path: Path, rows: Rows, keep: int = 0) -> None:
        self.path, self.rows, self.keep = path, rows, keep
        self.part = path.with_name(path.name + ".part")

    def __enter__(self) -> Self:
        if self.keep:
            self._cut_back()
        # Names of files may hold bytes that are no UTF-8; they go out as they came.
        mode = "a" if self.keep else "w"
        self._file = self.part.open(mode, newline="", encoding="utf-8", errors="surrogateescape")
        if not self.keep:
            self._file.write(self.rows.header())
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

    def write(self, image: str, result: Result) -> None:
        """The rows of one input."""
        self._file.write(self.rows.of(image, result))

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


class TableStream:
    """Writes to an open stream of bytes, such as stdout, a chunk at a time."""

    def __init__(self, stream: BinaryIO, rows: Rows) -> None:
        self.stream, self.rows, self.bytes = stream, rows, 0
        self._put(rows.header())

    def write(self, image: str, result: Result) -> None:
        """The rows of one input."""
        self._put(self.rows.of(image, result))

    def flush(self) -> int:
        """Send what is written; how many bytes there are."""
        self.stream.flush()
        return self.bytes

    def _put(self, text: str) -> None:
        self.bytes += self.stream.write(text.encode("utf-8", "surrogateescape"))


def is_finished(out: Path) -> bool:
    """Whether the folder holds the results of a run that came to its end."""
    return (out / RUN).exists() and not (out / JOURNAL).exists()


def unreadable_in(out: Path) -> int:
    """How many inputs of a finished run were unreadable."""
    facts = parse_json((out / RUN).read_text(encoding="utf-8"))
    return int(facts["statuses"].get("unreadable", 0))


def write_run(path: Path, facts: dict[str, object]) -> None:
    """Write `run.json`."""
    part = path.with_name(path.name + ".part")
    text = json.dumps(facts, indent=1, allow_nan=False)
    part.write_text(text + "\n", encoding="utf-8")
    os.replace(part, path)
