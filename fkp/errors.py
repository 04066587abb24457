"""The errors that users meet. Anything else that escapes is a bug and tracebacks."""

import json
from typing import Any


class FkpError(Exception):
    """A problem the user can act on: what was expected, what came, where, and what to do."""


class UsageError(FkpError):
    """Arguments that contradict each other, or that are not among the choices."""


class LabelError(FkpError):
    """A label table that cannot be read."""


class ImageError(FkpError):
    """A picture that cannot be read or written."""


class NoPicturesError(ImageError):
    """A video in which there is not a single frame."""


class ModelError(FkpError):
    """A checkpoint that cannot be read, or that does not fit the data."""


class DataError(FkpError):
    """A data set that cannot be used for what was asked."""


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says; ValueError where it is none, also where it is nested without end."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
