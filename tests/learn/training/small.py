"""A small training, for several tests."""

from pathlib import Path

import pandas as pd

from fkp.labels.prepare import PrepareConfig, prepare
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Listener
from tests.helpers import write_course

SMALL = recipe("integral", epochs=4, batch=16, threads=1)


def prepared_course(folder: Path, count: int = 40, size: int = 32) -> Path:
    """A small data set in the course's format."""
    write_course(folder, count, persons=count // 2)
    config = PrepareConfig((folder / "labels.csv",), folder / "data.csv", size=size)
    prepare(config, lambda done, total: None)
    return folder / "data.csv"


class Stop(Listener):
    """Ctrl-C in some epoch."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        if epoch == self.last:
            raise KeyboardInterrupt


def figures(run: Path) -> pd.DataFrame:
    """The table of a run, without what depends on the clock."""
    return pd.read_csv(run / "results.csv").drop(columns=["seconds", "images_per_second"])
