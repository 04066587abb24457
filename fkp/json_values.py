"""Untrusted JSON, read through checked values."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.errors import FkpError, parse_json

LARGEST = 2**53
"""Whole numbers beyond this are not exact in JSON."""


class JsonError(FkpError):
    """Invalid JSON, or a value that is not as expected; the message says where."""


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A JSON value and its place in the text, such as `annotations[3].bbox`.

    Methods that return plain Python values check them and raise JsonError.
    """

    data: Any
    place: str = ""

    @classmethod
    def parse(cls, text: str | bytes) -> "JsonValue":
        """Parse a text: UTF-8, with or without a byte order mark, or UTF-16."""
        try:
            return cls(parse_json(text.removeprefix("\ufeff") if isinstance(text, str) else text))
        except ValueError as error:
            raise JsonError(f"not valid JSON: {error}") from error

    def _wrong(self, expected: str) -> JsonError:
        where = f"{self.place}: " if self.place else ""
        return JsonError(f"{where}expected {expected}, got {_shown(self.data)}")

    def has(self, *names: str) -> bool:
        """Whether this is an object with all these members."""
        return isinstance(self.data, dict) and all(name in self.data for name in names)

    def get(self, name: str) -> "JsonValue | None":
        """A member; None if it is absent or null."""
        if not isinstance(self.data, dict):
            raise self._wrong("an object")
        value = self.data.get(name)
        return None if value is None else JsonValue(value, self._inside(name))

    def __getitem__(self, name: str) -> "JsonValue":
        """A required member."""
        if not isinstance(self.data, dict):
            raise self._wrong("an object")
        if name not in self.data:
            where = f"{self.place}: " if self.place else ""
            raise JsonError(f"{where}expected a member {name}, got {_shown(list(self.data))}")
        return JsonValue(self.data[name], self._inside(name))

    def members(self) -> dict[str, "JsonValue"]:
        """The members of an object."""
        if not isinstance(self.data, dict):
            raise self._wrong("an object")
        return {name: JsonValue(value, self._inside(name)) for name, value in self.data.items()}

    def items(self) -> Iterator["JsonValue"]:
        """The items of a list."""
        if not isinstance(self.data, list):
            raise self._wrong("a list")
        for i, value in enumerate(self.data):
            yield JsonValue(value, f"{self.place}[{i}]")

    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.data, list)

    def text(self) -> str:
        """A string."""
        if not isinstance(self.data, str):
            raise self._wrong("a string")
        return self.data

    def name(self) -> str:
        """A string or a whole number, as text: a name or an id."""
        if isinstance(self.data, str):
            return self.data
        return str(self.integer())

    def integer(self, low: int = -LARGEST, high: int = LARGEST) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(low, high)
        if value != int(value):
            raise self._wrong("a whole number")
        return int(value)

    def number(self, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number from `low` to `high`."""
        return float(self.numbers_of([self.data], low, high)[0])

    def numbers(self, low: float = -math.inf, high: float = math.inf) -> npt.NDArray[np.float64]:
        """A list of finite numbers from `low` to `high`, as (N,) float64."""
        if not isinstance(self.data, list):
            raise self._wrong("a list of numbers")
        return self.numbers_of(self.data, low, high)

    def numbers_of(self, values: Sequence[Any], low: float, high: float) -> npt.NDArray[np.float64]:
        """Convert `values` to numbers from `low` to `high`."""
        limited = low > -LARGEST or high < LARGEST
        wanted = f"a number from {low:g} to {high:g}" if limited else "a number"
        for value in values:
            if type(value) is not int and type(value) is not float:
                raise JsonValue(value, self.place)._wrong(wanted)
        try:
            array = np.array(values, np.float64)
        except OverflowError:
            array = np.array([math.inf if abs(v) > LARGEST else v for v in values], np.float64)
        bad = np.flatnonzero(~(np.isfinite(array) & (array >= low) & (array <= high)))
        if len(bad):
            raise JsonValue(values[int(bad[0])], self.place)._wrong(wanted)
        return array

    def _inside(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def _shown(value: object) -> str:
    """A short description of a value."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number that is too large"
    text = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 40 else f"{text[:36]}..."
