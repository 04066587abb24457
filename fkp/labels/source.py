"""A label file or folder, read only once even if many formats inspect it."""

import gzip
import os
import xml.etree.ElementTree as ET
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.labels.cells import Cells, read_cells

HEAD = 1 << 16
MOST_BYTES = 4 << 30
"""Limit for the unpacked size of a file."""

_GZIP = b"\x1f\x8b"
_ANNOTATED = b"image,frame,timestamp,"
"""How the tables of annotate begin."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """A label file or folder. Contents are read on first use and cached.

    The properties raise LabelError if the file is not of their kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()

    @property
    def folder(self) -> Path:
        """The folder itself, or the file's folder."""
        return self.path if self.is_folder else self.path.parent

    @property
    def suffix(self) -> str:
        """The suffix in lower case, ignoring `.gz`."""
        name = self.path.name.lower()
        return Path(name.removesuffix(".gz")).suffix

    @cached_property
    def packed(self) -> bool:
        """Whether the file is compressed with gzip."""
        with self.path.open("rb") as file:
            return file.read(2) == _GZIP

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the file, decompressed; b"" for a folder."""
        return b"" if self.is_folder else self._read(HEAD)

    @cached_property
    def data(self) -> bytes:
        """All bytes of the file, decompressed."""
        data = self._read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise LabelError(f"{self}: expected at most {MOST_BYTES >> 30} GB")
        return data

    def _read(self, most: int) -> bytes:
        if not self.packed:
            with self.path.open("rb") as file:
                return file.read(most)
        try:
            with gzip.open(self.path, "rb") as unpacked:
                return unpacked.read(most)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise LabelError(f"{self}: a damaged gzip file: {error}") from error

    @cached_property
    def text(self) -> str:
        """The file as text: UTF-8, or UTF-16 with a byte order mark.

        In tables of annotate, file names may be other bytes, which become surrogates.
        """
        if self.data.startswith(_ANNOTATED):
            return self.data.decode("utf-8", "surrogateescape")
        return decode_text(self.data, str(self))

    @cached_property
    def json(self) -> JsonValue:
        """The file as JSON."""
        try:
            return JsonValue.parse(self.text)
        except JsonError as error:
            raise LabelError(f"{self}: {error}") from error

    @property
    def starts_as_json(self) -> bool:
        """Whether the file begins as a JSON object or list."""
        return _text_of(self.head).lstrip()[:1] in ("{", "[")

    @cached_property
    def json_or_none(self) -> JsonValue | None:
        """The file as JSON, None if it is not."""
        if self.is_folder or not self.starts_as_json:
            return None
        try:
            return self.json
        except LabelError:
            return None

    @property
    def starts_as_xml(self) -> bool:
        """Whether the file begins as XML."""
        start = _text_of(self.head).lstrip()[:20].lower()
        return start.startswith("<") and not start.startswith(("<!doctype html", "<html"))

    @cached_property
    def xml(self) -> ET.Element:
        """The root element of an XML file."""
        if b"<!ENTITY" in self.data[: 1 << 20]:
            raise LabelError(f"{self}: XML that defines entities is not supported")
        try:
            return ET.fromstring(self.data)
        except (ET.ParseError, ValueError) as error:
            raise LabelError(f"{self}: not valid XML: {error}") from error

    @cached_property
    def xml_root(self) -> str:
        """The name of the root element, "" if the file is not XML."""
        if self.is_folder or not self.starts_as_xml:
            return ""
        parser: Any = ET.XMLPullParser(["start"])
        try:
            parser.feed(self.head)
            return next((str(e.tag) for _, e in parser.read_events()), "")
        except ET.ParseError:
            return ""

    @cached_property
    def cells(self) -> Cells:
        """The file as a table with a header."""
        return read_cells(self.text, str(self))

    @cached_property
    def first_lines(self) -> list[str]:
        """The complete, non-empty lines of the head."""
        text = _text_of(self.head)
        lines = text.splitlines()
        if len(self.head) == HEAD and len(lines) > 1:
            lines = lines[:-1]
        return [line for line in lines if line.strip()]

    def files(self, *suffixes: str) -> list[Path]:
        """The files below the folder with one of these suffixes (case does not matter), sorted.

        Hidden files and folders are skipped; links to folders are not followed.
        """
        found: list[Path] = []
        for parent, folders, names in os.walk(self.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [
                Path(parent, name)
                for name in sorted(names)
                if name.lower().endswith(suffixes) and not name.startswith(".")
            ]
        return found

    def relative(self, path: Path) -> str:
        """The path of a file relative to the folder."""
        return path.relative_to(self.folder).as_posix()


def decode_text(data: bytes, source: str) -> str:
    """Decode UTF-8 (with or without a byte order mark) or UTF-16; LabelError names the bad row."""
    if data.startswith(_UTF16):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise LabelError(f"{source}: damaged UTF-16 text: {error.reason}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise LabelError(
            f"{source} row {row}: expected UTF-8 text, got the byte 0x{data[error.start]:02x}; "
            "save the file as UTF-8"
        ) from error


def _text_of(head: bytes) -> str:
    if head.startswith(_UTF16):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    return head.decode("utf-8-sig", "replace")
