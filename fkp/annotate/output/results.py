"""What is written of the faces found: the main table, and what is made of it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fkp.annotate.names import OVERLAYS
from fkp.annotate.output.folder import TABLE_FORMATS
from fkp.annotate.output.gallery import PAGE, write_gallery
from fkp.annotate.output.parquet import check_parquet, write_parquet
from fkp.annotate.output.rows import Record
from fkp.annotate.output.schemas import Schema, chosen
from fkp.annotate.output.text import TABLES, FullRows, Rows
from fkp.errors import FkpError, UsageError
from fkp.files import replacing
from fkp.keypoints import IBUG68, Scheme
from fkp.vision.head import Camera


@dataclass(frozen=True, slots=True)
class Output:
    """What is written of the faces found.

    scheme: their points. format: of the main table, one of TABLE_FORMATS. also: names of SCHEMAS to
    write besides. each: a confidence for each point. gallery: whether there is a page with the
    pictures. measured: the measures of each face, as this camera shows it. paths:
    whether whole paths may stand in `run.json` and in pages; otherwise names alone. camera: for the
    pose in other tools' tables.
    """

    scheme: Scheme
    format: str = "csv"
    also: tuple[str, ...] = ()
    each: bool = False
    gallery: bool = True
    measured: Camera | None = None
    paths: bool = True
    camera: Camera = field(default_factory=Camera)

    def __post_init__(self) -> None:
        """Raise FkpError for what does not go together, before any work."""
        if self.format not in TABLE_FORMATS:
            raise UsageError(
                f"format: expected one of {', '.join(TABLE_FORMATS)}, got {self.format}"
            )
        if self.format == "parquet":
            check_parquet()
        if self.measured is not None:
            self.check_68("measures")
        for schema in self.schemas:
            schema.check_points(self.scheme)

    def check_68(self, what: str) -> None:
        """Raise FkpError for other points than the 68 that something needs."""
        if self.scheme.names != IBUG68.names:
            raise FkpError(
                f"{what} need the 68 points, which the bundled network has; not these "
                f"{len(self.scheme)} of {self.scheme.name}"
            )

    def identity(self) -> dict[str, object]:
        """What the bytes of the results depend on."""
        return {
            "points": list(self.scheme.names),
            "format": self.format,
            "also": list(self.also),
            "confidence": self.each,
            "measures": None if self.measured is None else asdict(self.measured),
            "paths": self.paths,
            "camera": asdict(self.camera),
        }

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """What is written besides the main table."""
        return chosen(self.also)

    @property
    def rows(self) -> FullRows:
        """The rows of the main table, as they are written one after the other."""
        each = self.each or any(schema.each for schema in self.schemas)
        name = "csv" if self.format == "parquet" else self.format
        return TABLES[name](self.scheme, each, self.measured)

    @property
    def stream(self) -> Rows:
        """The rows for a stream: those of the schema, where one was asked for."""
        if not self.also and self.format != "parquet":
            return self.rows
        if self.format != "csv" or len(self.also) != 1 or self.schemas[0].rows is None:
            asked = ", ".join((*(() if self.format == "csv" else (self.format,)), *self.also))
            raise UsageError(f"a stream takes the rows of one table, not {asked}: choose a folder")
        return self.schemas[0].rows(self.scheme, self.camera)

    def check_names(self, names: Iterable[str]) -> None:
        """Raise FkpError where two inputs, by their names below the root, would share a file."""
        listed = list(names)
        for schema in self.schemas:
            schema.check(listed)

    def table(self, out: Path) -> Path:
        """The file of the rows, which the others are made of."""
        return out / f"keypoints.{self.rows.suffix}"

    def records(self, out: Path) -> Iterator[Record]:
        """The inputs in the finished table."""
        return self.rows.read(self.table(out))

    def finish(self, out: Path, root: str, jobs: int) -> None:
        """Make all else from the main table, when that is whole. root: the folder of all inputs."""
        for schema in self.schemas:
            schema.make(out, self.scheme, self.records(out), root, self.camera)
        if self.gallery:
            records = self.records(out)
            write_gallery(out / PAGE, records, out / OVERLAYS, root, jobs, self.paths)
        if self.format == "parquet":
            with replacing(out / "keypoints.parquet") as part:
                write_parquet(part, self.rows.columns, self.records(out))

    def last_table(self, out: Path) -> Path:
        """The main table, in the format that was asked for."""
        return out / f"keypoints.{self.format}"

    def tidy(self, out: Path) -> None:
        """Remove what only the way here needed, once the run is marked as finished."""
        if self.format == "parquet":
            (out / "keypoints.csv").unlink(missing_ok=True)


def wanted_scheme(also: Iterable[str], named: Scheme | None, own: Scheme) -> Scheme:
    """The points for the results: those asked for, those of a schema, or the network's own.

    Raises FkpError where the network's points do not give them.
    """
    converting = [schema.points for schema in chosen(tuple(also)) if schema.converts]
    scheme = named or next((points for points in converting if points is not None), own)
    own.point_indices(scheme)
    return scheme
