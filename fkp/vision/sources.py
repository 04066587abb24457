"""What a clip can be: a file, a stream, or pictures that are its frames; told by its name."""

import glob
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fkp.errors import NoPicturesError
from fkp.vision.images import is_image_name

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"}
    | {".wmv", ".flv", ".ogv", ".3gp", ".vob", ".mxf", ".mjpeg", ".mj2", ".y4m", ".dv", ".nut"}
)
"""Endings by which a file counts as a clip when a folder is listed."""

HIDDEN = "***"
"""Stands for a password wherever an address is shown or stored."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(\S+)", re.IGNORECASE)
_SECRET = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|token|secret|api_?key|auth|sig(?:nature)?)=)[^&#/?\s]+",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"%0?\d*d")


@dataclass(frozen=True, slots=True)
class Opening:
    """How to read a clip.

    stream: the number of its video stream in the file, None for the largest. deinterlace: one of
    DEINTERLACE. fps: pictures a second of a sequence of pictures, None where not known.
    """

    stream: int | None = None
    deinterlace: str = "auto"
    fps: float | None = None


def is_video_name(name: str) -> bool:
    """Whether a file of this name counts as a clip."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def is_stream(name: str) -> bool:
    """Whether this is not a file: the number of a camera, an address, or `-` for stdin."""
    return name == "-" or ((name.isdigit() or "://" in name) and not os.path.exists(name))


def is_live(name: str) -> bool:
    """Whether its pictures come in real time: the number of a camera, or RTSP."""
    return is_stream(name) and (name.isdigit() or name.startswith(("rtsp://", "rtsps://")))


def is_pattern(name: str) -> bool:
    """Whether this is a pattern of picture files, such as `frame_%04d.png` or `frames/*.png`."""
    if os.path.lexists(name) or is_stream(name) or not is_image_name(name):
        return False
    return bool(_NUMBER.search(name)) or glob.has_magic(name)


def is_sequence(name: str) -> bool:
    """Whether this is a folder or a pattern of pictures that are the frames of one clip."""
    return os.path.isdir(name) or is_pattern(name)


def masked(text: str) -> str:
    """The text with the passwords of all addresses in it hidden."""
    return _ADDRESS.sub(_without_secrets, text)


def _without_secrets(match: re.Match[str]) -> str:
    scheme, rest = match.groups()
    end = re.search(r"[/?#]", rest)
    host, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    odd = ":" in host and not host.startswith("[") and not host.rpartition(":")[2].isdigit()
    if "@" not in host and odd and "@" in tail:  # a password with a slash in it
        host, tail = rest, ""
    login, at, host = host.rpartition("@")
    if at:
        user, colon, _ = login.partition(":")
        login = f"{user}:{HIDDEN}" if colon else HIDDEN
    return scheme + login + at + host + _SECRET.sub(rf"\1{HIDDEN}", tail)


def pictures_of(name: str) -> list[str]:
    """The pictures of a sequence in order, frame 2 before frame 10; raises NoPicturesError."""
    try:
        if os.path.isdir(name):
            paths = [
                entry.path
                for entry in os.scandir(name)
                if is_image_name(entry.name) and not entry.name.startswith(".")
            ]
        elif glob.has_magic(name):
            paths = [path for path in glob.glob(name) if os.path.isfile(path)]
        else:
            paths = _numbered(Path(name))
    except OSError as error:
        raise NoPicturesError((error.strerror or str(error)).lower()) from error
    if not paths:
        raise NoPicturesError("no picture in this sequence")
    return sorted(paths, key=_in_order)


def missing_numbers(paths: list[str]) -> int:
    """How many numbers are missing between the first and the last of numbered pictures."""
    ends = [re.findall(r"\d+", Path(path).stem)[-1:] for path in paths]
    numbers = sorted({int(end[0]) for end in ends if end})
    if len(numbers) != len(paths) or len(numbers) < 2:
        return 0
    steps = {b - a for a, b in pairwise(numbers)}
    step = min(steps)
    return (numbers[-1] - numbers[0]) // step + 1 - len(numbers)


def _numbered(pattern: Path) -> list[str]:
    form = _NUMBER.search(pattern.name)
    if form is None:
        raise NoPicturesError("a number stands for the pictures, not for their folder: a/%04d.png")
    before, after = pattern.name[: form.start()], pattern.name[form.end() :]
    wanted = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    return [entry.path for entry in os.scandir(pattern.parent) if wanted.fullmatch(entry.name)]


def _in_order(path: str) -> list[tuple[int, int, str]]:
    """Numbers in names by their value, all else by its letters."""
    parts = re.split(r"(\d+)", os.path.basename(path))
    return [(0, int(p), p) if p.isdigit() else (1, 0, p) for p in parts]
