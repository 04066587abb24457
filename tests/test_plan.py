"""How long a large job takes, by what a machine does in a trial."""

from pathlib import Path

import pytest

from fkp.api.plan import Trial, count_of, plan, try_photos
from fkp.cli.main import cli
from fkp.errors import UsageError


@pytest.mark.parametrize(
    ("job", "count"),
    [("10M photos", 10_000_000), ("250k", 250_000), ("1,200 pictures", 1200), ("0.5M", 500_000)],
)
def test_the_size_of_a_job(job: str, count: int) -> None:
    assert count_of(job) == count


@pytest.mark.parametrize("job", ["photos", "many photos", "0", "3 clips", "1.2.3 photos", "-5"])
def test_what_is_no_size(job: str) -> None:
    with pytest.raises(UsageError, match="expected a number of photos"):
        count_of(job)


def test_time_memory_and_disk_follow_from_the_trial() -> None:
    # Two workers do 1.8 times the work of one, so each of many does 0.9 of what one does alone.
    trial = Trial("pictures", {1: 100.0, 2: 180.0}, 0.0, 1e3, 1e5, 2e8)
    found = plan(trial, 3_240_000, 10)
    assert found.rate == pytest.approx(900)
    assert found.hours == pytest.approx(1.0)
    assert (found.table, found.overlays) == (3.24e9, 3.24e11)
    assert found.memory == pytest.approx(11 * 2e8)
    assert found.shards == 1
    alone = plan(trial, 360_000, 1)
    assert alone.rate == 100.0
    assert alone.hours == pytest.approx(1.0)
    # A second worker that is faster than the first one was promises nothing for the others.
    assert plan(Trial("", {1: 100.0, 2: 230.0}), 1000, 8).rate == 800


def test_a_parent_that_cannot_write_as_fast_needs_shards() -> None:
    found = plan(Trial("", {1: 100.0, 2: 200.0}, parent=0.001), 10**7, 64)
    assert found.rate == pytest.approx(6400)
    assert found.shards == 7  # as each writes 1000 pictures a second


def test_a_trial_on_a_folder(samples: Path) -> None:
    trial = try_photos(samples / "astronaut.jpg", 1)
    assert list(trial.rates) == [1]
    assert trial.rates[1] > 0
    assert 500 < trial.table < 5000
    assert trial.overlay > 1e4
    assert trial.process > 5e7


def test_a_plan_by_a_rate_that_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["doctor", "--plan", "10M photos", "--cores", "64", "--rate", "100"]
    assert cli.main(words, standalone_mode=False) == 0
    said = capsys.readouterr().out
    assert "10,000,000 pictures on 64 cores, without overlays:" in said
    assert "time: 26.0 minutes (6,400 pictures per second)" in said
    with pytest.raises(UsageError, match="need --plan"):
        cli.main(["doctor", "--cores", "4"], standalone_mode=False)
