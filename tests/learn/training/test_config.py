"""The settings of a training."""

import pytest

from fkp.errors import DataError
from fkp.learn.training.config import recipe


def test_recipes() -> None:
    lecture = recipe("lecture", lr=0.5, epochs=None)
    assert (lecture.optimizer, lecture.loss, lecture.lr) == ("sgd", "mse", 0.5)
    assert lecture.augmentation is None
    assert recipe("integral").augmentation is not None
    with pytest.raises(DataError, match="expected more than 0"):
        recipe("integral", lr=-1.0)
    epochs = [recipe("integral").for_rows(rows).epochs for rows in (10, 6400, 10**6)]
    assert epochs == [300, 100, 30]
    fine = recipe("integral", init="bundled")
    assert [fine.for_rows(rows).epochs for rows in (10, 6400, 10**6)] == [60, 33, 10]
    assert fine.lr < recipe("integral").lr
    assert recipe("integral", init="bundled", lr=0.1).lr == 0.1
    assert recipe("integral", epochs=7).for_rows(6400).epochs == 7
    with pytest.raises(DataError, match="loss: expected one of"):
        recipe("integral", loss="huber")
