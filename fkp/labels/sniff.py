"""Identify files without labels by their first bytes, to refuse them in one sentence."""

from fkp.vision.headers import look

_PICKLE = "a Python pickle, which could run code; save the table as CSV or Parquet"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow (Feather) file; save it as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array; give it after its label file: labels.csv faces.npy"),
    (b"MATLAB 5.0", "a MATLAB .mat file; export the labels as CSV (writetable)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls); save it as CSV"),
    (b"RDX", "an R workspace; write the table with write.csv"),
    (b"X\n\0\0", "an R object (.rds); write the table with write.csv"),
    (b"$FL2", "an SPSS file (.sav); export it as CSV"),
    (b"<stata_dta>", "a Stata file; export it as CSV"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"%PDF", "a PDF"),
    *((bytes([0x80, n]), _PICKLE) for n in range(2, 6)),
    (b"BZh", "a bzip2 archive; unpack it"),
    (b"\xfd7zXZ", "an xz archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"OggS", "an Ogg file (video or sound)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)

_TEXTS = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<svg": "an SVG drawing",
}
"""How text files without labels begin, in lower case."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def what_is(head: bytes) -> str:
    """What a file with this beginning is, "" if it can only be text."""
    start = head.lstrip()[:20].lower()
    known = [name for magic, name in _MAGIC if head.startswith(magic)]
    known += [name for root, name in _TEXTS.items() if start.startswith(root)]
    if known:
        return known[0]
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    kind = look(head).kind
    if kind:
        return f"a picture ({kind})"
    if head[4:8] == b"ftyp":
        return "a video"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it"
    if b'"__metadata__"' in head[:200]:
        return "a network (safetensors)"
    binary = b"\0" in head and not head.startswith(_UTF16)
    return "a binary file of an unknown kind" if binary else ""


def _zip(head: bytes) -> str:
    if b"xl/" in head or b"[Content_Types].xml" in head:
        return "an Excel workbook (.xlsx); save it as CSV"
    if head[30:80].endswith(b".npy") or b".npyPK" in head or b".npy" in head[30:60]:
        return "a NumPy array file; give it after its label file: labels.csv faces.npz"
    if b"mimetypeapplication/vnd.oasis" in head:
        return "an OpenDocument file; save it as CSV"
    return "a zip archive; unpack it"
