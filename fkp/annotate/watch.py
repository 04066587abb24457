"""Time spent per stage."""

import time


class Watch:
    """Adds up the seconds since the last lap by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to this stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def skip(self) -> None:
        """Ignore the time since the last lap."""
        self._last = time.perf_counter()


def add_seconds(seconds: dict[str, float], more: dict[str, float]) -> None:
    """Add further seconds by stage to those in `seconds`, in place."""
    for stage, spent in more.items():
        seconds[stage] = seconds.get(stage, 0.0) + spent
