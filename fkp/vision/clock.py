"""Increasing frame times from timestamps that may jump or repeat."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")

PATIENCE = 16
"""Number of misfitting frames after which the clock counts as reset."""


@dataclass(slots=True)
class Clock:
    """Makes times increase, in ticks.

    step: between frames without a timestamp; last: the time before a first frame without one. leap:
    the largest step forward that does not count as a reset of the clock, None for no limit. mended:
    number of frames whose time was changed; restarts: number of resets.
    """

    step: int
    last: int = 0
    leap: int | None = None
    mended: int = 0
    restarts: int = 0
    _begun: bool = False
    _shift: int = 0

    def rising(self, items: Iterable[tuple[int | None, Item]]) -> Iterator[tuple[int, Item]]:
        """The items with increasing times.

        A few times that do not increase are spread between their neighbours. Where they form a
        series of their own, as in joined recordings, that series continues from the last frame.
        """
        source = iter(items)
        waiting: deque[tuple[int | None, Item]] = deque()
        while True:
            if not waiting:
                if (item := next(source, None)) is None:
                    return
                waiting.append(item)
            odd = 0  # the number of waiting items that do not fit
            while odd < min(len(waiting), PATIENCE) and not self._fits(waiting[odd][0]):
                odd += 1
                if odd == len(waiting) and (item := next(source, None)) is not None:
                    waiting.append(item)
            if odd == 0:
                time, value = waiting.popleft()
                yield self._take(time), value
            elif odd < len(waiting) and not self._is_series([time for time, _ in waiting]):
                yield from self._spread([waiting.popleft()[1] for _ in range(odd)], waiting[0][0])
            else:
                self._restart(waiting[0][0])

    def _fits(self, time: int | None) -> bool:
        if time is None or not self._begun:
            return True
        ahead = time + self._shift - self.last
        return ahead > 0 and (self.leap is None or ahead <= self.leap)

    def _take(self, time: int | None) -> int:
        self.last = self.last + self.step if time is None else time + self._shift
        self.mended += self._shift != 0
        self._begun = True
        return self.last

    @staticmethod
    def _is_series(times: list[int | None]) -> bool:
        """Whether these times increase evenly up to the last one, which fits again."""
        known = [time for time in times if time is not None]
        gaps = [b - a for a, b in pairwise(known)]
        return len(gaps) > 1 and min(gaps) > 0 and gaps[-1] <= 2 * max(gaps[:-1])

    def _spread(self, values: list[Item], until: int | None) -> Iterator[tuple[int, Item]]:
        parts = len(values) + 1
        room = self.step * parts if until is None else until + self._shift - self.last
        first = self.last
        for i, value in enumerate(values, 1):
            self.last = max(self.last + 1, first + room * i // parts)
            self.mended += 1
            yield self.last, value

    def _restart(self, time: int | None) -> None:
        assert time is not None
        self.restarts += 1
        self._shift = self.last + self.step - time
