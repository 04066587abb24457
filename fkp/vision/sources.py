"""Kinds of clips by their names: files, streams, and sequences of pictures."""

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
"""Extensions of clips in folders."""

HIDDEN = "***"
"""Replacement of passwords wherever an address is shown or stored."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(\S+)", re.IGNORECASE)
_SECRET = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|token|secret|api_?key|auth|sig(?:nature)?)=)[^&#/?\s]+",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"%0?\d*d")


@dataclass(frozen=True, slots=True)
class Opening:
    """How to read a clip.

    stream: index of the video stream in the file, None for the largest. deinterlace: one of
    DEINTERLACE. fps: frame rate of a sequence of pictures, None if unknown.
    """

    stream: int | None = None
    deinterlace: str = "auto"
    fps: float | None = None


def is_video_name(name: str) -> bool:
    """Whether a file name has the extension of a clip."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def is_stream(name: str) -> bool:
    """Whether this is a stream: the number of a camera, an address, or `-` for stdin."""
    return name == "-" or ((name.isdigit() or "://" in name) and not os.path.exists(name))


def is_live(name: str) -> bool:
    """Whether this is a real-time stream: the number of a camera, or RTSP."""
    return is_stream(name) and (name.isdigit() or name.startswith(("rtsp://", "rtsps://")))


def is_pattern(name: str) -> bool:
    """Whether this is a pattern of pictures, such as `frame_%04d.png` or `frames/*.png`."""
    if os.path.lexists(name) or is_stream(name) or not is_image_name(name):
        return False
    return bool(_NUMBER.search(name)) or glob.has_magic(name)


def is_sequence(name: str) -> bool:
    """Whether this is a folder, or a pattern of pictures."""
    return os.path.isdir(name) or is_pattern(name)


def masked(text: str) -> str:
    """The text, with the passwords in all addresses replaced."""
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
    """The pictures of a sequence in natural order; raises NoPicturesError."""
    try:
        if os.path.isdir(name):
            paths = [
                os.path.join(name, file)
                for file in os.listdir(name)
                if is_image_name(file) and not file.startswith(".")
            ]
        elif glob.has_magic(name):
            paths = [path for path in glob.glob(name) if os.path.isfile(path)]
        else:
            paths = _numbered(Path(name))
    except OSError as error:
        raise NoPicturesError((error.strerror or str(error)).lower()) from error
    if not paths:
        raise NoPicturesError("no pictures found")
    return sorted(paths, key=_in_order)


def missing_numbers(paths: list[str]) -> int:
    """The number of missing pictures in a numbered sequence."""
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
        raise NoPicturesError("the number must be in the file name, as in frames/%04d.png")
    before, after = pattern.name[: form.start()], pattern.name[form.end() :]
    wanted = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    names = (name for name in os.listdir(pattern.parent) if wanted.fullmatch(name))
    return [os.path.join(pattern.parent, name) for name in names]


def _in_order(path: str) -> list[tuple[int, int, str]]:
    """Natural order: numbers in names by value."""
    parts = re.split(r"(\d+)", os.path.basename(path))
    return [(0, int(p), p) if p.isdigit() else (1, 0, p) for p in parts]
