"""The files of a run: the main table, and those made from it."""

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
    """What is written about the faces found.

    scheme: their points. format: of the main table, one of TABLE_FORMATS. also: names of SCHEMAS to
    write as well. each: add a confidence for each point. gallery: write a page with the pictures.
    measured: the camera with which to add measures, None for no measures. paths: whether `run.json`
    and pages may contain absolute paths. quality: add the quality of each face's picture. iris:
    add its irises. camera: for the pose in other tools' tables.
    """

    scheme: Scheme
    format: str = "csv"
    also: tuple[str, ...] = ()
    each: bool = False
    gallery: bool = True
    measured: Camera | None = None
    paths: bool = True
    quality: bool = False
    iris: bool = False
    camera: Camera = field(default_factory=Camera)

    def __post_init__(self) -> None:
        """Raise FkpError for settings that cannot be combined, before any work."""
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
        """The settings that determine the bytes of the results."""
        return {
            "points": list(self.scheme.names),
            "format": self.format,
            "also": list(self.also),
            "confidence": self.each,
            "measures": None if self.measured is None else asdict(self.measured),
            "paths": self.paths,
            "quality": self.quality,
            "iris": self.iris,
            "camera": asdict(self.camera),
        }

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """The other tools' files to write."""
        return chosen(self.also)

    @property
    def rows(self) -> FullRows:
        """The rows of the main table, in the format in which they are appended."""
        each = self.each or any(schema.each for schema in self.schemas)
        name = "csv" if self.format == "parquet" else self.format
        return TABLES[name](self.scheme, each, self.measured, self.quality, self.iris)

    @property
    def stream(self) -> Rows:
        """The rows for a stream: those of the requested schema, or the main table's."""
        if not self.also and self.format != "parquet":
            return self.rows
        if self.format != "csv" or len(self.also) != 1 or self.schemas[0].rows is None:
            asked = ", ".join((*(() if self.format == "csv" else (self.format,)), *self.also))
            raise UsageError(f"a stream takes the rows of one table, not {asked}: choose a folder")
        return self.schemas[0].rows(self.scheme, self.camera)

    def check_names(self, names: Iterable[str]) -> None:
        """Raise FkpError if two inputs, by their names relative to the root, would share a file."""
        listed = list(names)
        for schema in self.schemas:
            schema.check(listed)

    def table(self, out: Path) -> Path:
        """The file of the rows, from which the others are made."""
        return out / f"keypoints.{self.rows.suffix}"

    def records(self, out: Path) -> Iterator[Record]:
        """The inputs in the finished table."""
        return self.rows.read(self.table(out))

    def finish(self, out: Path, root: str, jobs: int) -> None:
        """Make all other files from the complete main table. root: the folder of all inputs."""
        for schema in self.schemas:
            schema.make(out, self.scheme, self.records(out), root, self.camera)
        if self.gallery:
            records = self.records(out)
            columns = self.rows.columns
            write_gallery(out / PAGE, records, out / OVERLAYS, root, jobs, columns, self.paths)
        if self.format == "parquet":
            with replacing(out / "keypoints.parquet") as part:
                write_parquet(part, self.rows.columns, self.records(out))

    def last_table(self, out: Path) -> Path:
        """The path of the main table in the requested format."""
        return out / f"keypoints.{self.format}"

    def tidy(self, out: Path) -> None:
        """Remove the intermediate files once the run is marked as finished."""
        if self.format == "parquet":
            (out / "keypoints.csv").unlink(missing_ok=True)


def wanted_scheme(also: Iterable[str], named: Scheme | None, own: Scheme) -> Scheme:
    """The points for the results: those requested, those of a schema, or the network's own.

    Raises FkpError if the network's points cannot be converted to them.
    """
    converting = [schema.points for schema in chosen(tuple(also)) if schema.converts]
    scheme = named or next((points for points in converting if points is not None), own)
    own.point_indices(scheme)
    return scheme
