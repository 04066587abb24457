"""Metrics, against values by hand."""

import numpy as np
import pytest

from fkp.errors import DataError
from fkp.keypoints import FKP4, IBUG68, KAGGLE15, MTFL5, Scheme
from fkp.learn.evaluation import metrics


def test_metrics_by_hand() -> None:
    labels = np.zeros((3, 4, 2))
    labels[:, 0] = [10, 0]  # left eye
    labels[:, 2] = [5, 5]
    labels[:, 3] = [5, 10]
    labels[1, 3] = np.nan
    labels[2, 0] = np.nan
    predicted = np.nan_to_num(labels) + np.array([3.0, 4.0])  # 5 pixels off everywhere
    predicted[2, 1] = labels[2, 1]
    scores = metrics.score(predicted, labels, FKP4)
    assert scores.norm == "pupil"
    assert scores.points == 10
    assert scores.mae == pytest.approx(45 / 10)
    assert scores.rmse == pytest.approx(np.sqrt(9 * 25 / 20))
    assert scores.nme == pytest.approx(0.5)  # of two faces; the third has one eye only
    assert scores.normalised == 2
    assert scores.failure == {0.08: 1.0, 0.10: 1.0}
    assert scores.count_of_point.tolist() == [2, 3, 3, 2]
    assert scores.mae_of_point == pytest.approx([5, 10 / 3, 5, 5])


def test_auc_is_the_area_under_the_error_distribution() -> None:
    labels = np.zeros((4, 4, 2))
    labels[:, 0] = [100, 0]
    predicted = labels + np.array([0.0, 2.0, 5.0, 20.0])[:, None, None] * np.array([1.0, 0.0])
    scores = metrics.score(predicted, labels, FKP4)
    steps = np.linspace(0, 0.1, 100001)
    shares = (scores.nme_of_face[None] <= steps[:, None]).mean(1)
    assert scores.auc[0.10] == pytest.approx(shares.mean(), abs=1e-4)
    assert scores.failure[0.08] == 0.25


def test_normalisers() -> None:
    points = np.random.default_rng(0).uniform(0, 90, (5, 68, 2))
    outer = metrics.normalisers(points, IBUG68, "outer")
    assert np.allclose(outer, np.linalg.norm(points[:, 36] - points[:, 45], axis=1))
    assert metrics.default_norm(IBUG68) == "outer"
    assert metrics.default_norm(KAGGLE15) == "pupil"
    assert metrics.default_norm(Scheme("x", ("a", "b"))) == "box"
    with pytest.raises(DataError, match="no outer eye corners"):
        metrics.normalisers(points[:, :5], MTFL5, "outer")
    with pytest.raises(DataError, match="no labelled points"):
        metrics.score(points, points * np.nan, IBUG68)
