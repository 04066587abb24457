"""The errors that users can act on. Any other exception is a bug and ends in a traceback."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that would resolve an error: `name=value` in Python, `--name value` in a shell.

    meaning: what the value means, if that is not obvious.
    """

    name: str
    value: str
    meaning: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value}"

    @property
    def option(self) -> str:
        """The setting as the command line spells it."""
        name = {"format": "from", "limits": "max"}.get(self.name, self.name)
        return f"--{name.replace('_', '-')} {self.value}"


class FkpError(Exception):
    """A problem the user can act on: what was expected, what came, where, and what to do.

    settings: the settings that would help, if any.
    """

    def __init__(self, message: str = "", *settings: Setting) -> None:
        super().__init__(message)
        self.settings = settings

    def __str__(self) -> str:
        return self.told(str)

    def told(self, spelled: Callable[[Setting], str]) -> str:
        """The message with its settings, each written as `spelled` writes it."""
        message = super().__str__()
        if not self.settings:
            return message
        helpful = (spelled(s) + (f" ({s.meaning})" if s.meaning else "") for s in self.settings)
        return f"{message}; set {' or '.join(helpful)}"


class UsageError(FkpError):
    """Arguments that contradict each other, or that are not among the choices."""


class LabelError(FkpError):
    """A label table that cannot be read."""


class UndecidedError(LabelError):
    """A label table with several possible meanings: a person must choose one."""


class ImageError(FkpError):
    """A picture that cannot be read or written."""


class NoPicturesError(ImageError):
    """A video without a single frame."""


class ModelError(FkpError):
    """A network file that cannot be read, or that does not fit the data."""


class DataError(FkpError):
    """A data set that cannot be used for the task."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raises ValueError where it is invalid or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
