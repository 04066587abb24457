"""Times that rise, whatever a clip says."""

from collections.abc import Sequence

import pytest

from fkp.vision.clock import Clock


def risen(times: Sequence[int | None], leap: int | None = None) -> tuple[list[int], Clock]:
    clock = Clock(step=40, last=-40, leap=leap)
    return [time for time, _ in clock.rising((time, None) for time in times)], clock


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        ([0, 40, 80], [0, 40, 80]),
        ([500, 533, 700], [500, 533, 700]),
        ([None, None, 80], [0, 40, 80]),
        # Two recordings joined, the second one with a clock of its own.
        ([0, 40, 80, 0, 40, 80], [0, 40, 80, 120, 160, 200]),
        ([0, 40, 80, 0, 40, 80, 120, 160], [0, 40, 80, 120, 160, 200, 240, 280]),
        # A time that repeats, or goes back, for a frame or two.
        ([0, 40, 40, 80, 120], [0, 40, 60, 80, 120]),
        ([0, 80, 40, 120, 160], [0, 80, 100, 120, 160]),
        ([0, 40, 40, 40, 80, 120], [0, 40, 53, 66, 80, 120]),
        ([7, 7, 7, 7], [7, 47, 87, 127]),
        ([0, 40, 40], [0, 40, 80]),
    ],
)
def test_times_rise(times: list[int | None], wanted: list[int]) -> None:
    found, clock = risen(times)
    assert found == wanted
    assert (clock.mended > 0) == any(t not in (None, f) for t, f in zip(times, found, strict=True))


def test_a_leap_counts_as_a_new_clock_only_where_clips_are_joined() -> None:
    times = [0, 40, 80, 90_000, 90_040]
    assert risen(times)[0] == times
    assert risen(times, leap=10_000)[0] == [0, 40, 80, 120, 160]


def test_a_clock_that_is_set_anew_many_times() -> None:
    times = [40 * i for i in range(20)] * 30
    found, clock = risen(times)
    assert found == [40 * i for i in range(600)]
    assert clock.restarts == 29
