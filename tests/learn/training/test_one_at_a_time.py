"""One training at a time writes into a folder."""

from pathlib import Path

import pytest

import fkp
from fkp.errors import FkpError
from fkp.learn.networks.checkpoint import Model
from fkp.learn.training.loop import Epoch, Listener
from fkp.locks import locked
from tests.helpers import write_course


class Meanwhile(Listener):
    """Resumes the same run while it goes on, then stops it."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def epoch(self, result: Epoch, model: Model) -> None:
        with pytest.raises(FkpError, match="another run is writing there"):
            fkp.resume_training(self.run)
        if result.epoch == 2:
            raise KeyboardInterrupt


def test_a_training_that_goes_on_cannot_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FKP_CACHE", str(tmp_path / "cache"))
    write_course(tmp_path, 24, persons=12)
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt) as stopped:
        fkp.train(
            tmp_path / "labels.csv", run, arch="lecture", epochs=3, listener=Meanwhile(run)
        )  # fmt: skip
    assert stopped.value.__notes__ == [f"{run / 'best.safetensors'} is the best network so far"]
    rows = (run / "results.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    with locked(run), pytest.raises(FkpError, match="another run is writing there"):
        fkp.train(tmp_path / "labels.csv", run, arch="lecture", epochs=1)
    fkp.resume_training(run)
    assert len((run / "results.csv").read_text().splitlines()) == 4
