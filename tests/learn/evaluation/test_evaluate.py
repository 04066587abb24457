"""What evaluation says beyond means: intervals, groups, comparisons, calibration, misses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fkp.errors import DataError
from fkp.keypoints import IBUG68, MTFL5, Faces
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import Samples, read_samples
from fkp.learn.evaluation import statistics, tables
from fkp.learn.evaluation.compare import at_common_points, differences
from fkp.learn.evaluation.evaluate import Evaluation, evaluate, evaluate_pictures
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Listener, train
from tests.helpers import write_pictures


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Samples]:
    """A small network, and drawn pictures of 30 persons with a column of groups."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_pictures(folder, 60)
    frame = pd.read_csv(folder / "labels.csv")
    frame["light"] = ["day" if i % 3 else "night" for i in range(60)]
    frame.to_csv(folder / "labels.csv", index=False)
    source, data = folder / "labels.csv", folder / "data.csv"
    prepare(PrepareConfig((source,), data, size=48, val=0.3, test=0), lambda done, total: None)
    samples = read_samples(folder / "data.csv")
    config = recipe("integral", epochs=6, batch=8, threads=2)
    return train(config, samples, measure_framing(samples, None), Listener()), samples


def test_an_interval_is_over_persons() -> None:
    rng = np.random.default_rng(0)
    persons = np.repeat(np.arange(50), 20).astype(str)
    of_person = np.repeat(rng.normal(5, 1, 50), 20)
    by_person = statistics.interval(of_person, persons)
    by_face = statistics.interval(of_person, np.arange(1000).astype(str))
    assert by_person.mean == by_face.mean == pytest.approx(of_person.mean())
    assert by_person.low < of_person.mean() < by_person.high
    # Twenty equal pictures say no more than one: the interval is sqrt(20) times as wide.
    ratio = (by_person.high - by_person.low) / (by_face.high - by_face.low)
    assert ratio == pytest.approx(np.sqrt(20), rel=0.15)
    assert by_person.high - by_person.low == pytest.approx(2 * 1.96 / np.sqrt(50), rel=0.35)
    alone = statistics.interval(np.array([0.02, 0.04]), np.array(["a", "a"]))
    assert alone.mean == pytest.approx(0.03)
    assert np.isnan(alone.low)
    assert alone.text() == "unknown for one person"
    nothing = statistics.interval(np.full(3, np.nan), np.array(["a", "b", "c"]))
    assert np.isnan(nothing.mean)


def test_a_difference_and_its_chance() -> None:
    rng = np.random.default_rng(1)
    persons = np.repeat(np.arange(40), 3).astype(str)
    first = rng.gamma(2, 0.02, 120)
    worse = statistics.difference(first, first + 0.004 + rng.normal(0, 0.003, 120), persons)
    assert worse.mean.low > 0
    assert worse.p < 0.001
    noise = rng.normal(0, 0.003, 120)
    same = statistics.difference(first, first + noise - noise.mean(), persons)
    assert same.mean.low < 0 < same.mean.high
    assert same.p > 0.05
    second = np.where(np.arange(120) < 60, np.nan, first)
    assert statistics.difference(first, second, persons).faces == 60
    assert statistics.difference(first, first, persons).p == 1


def test_calibration_of_what_follows_its_distribution() -> None:
    rng = np.random.default_rng(0)
    scales = rng.uniform(0.5, 2, (4000, 3))
    distances = scales * rng.gamma(2, 1, (4000, 3))
    found = statistics.calibration(distances, scales)
    assert found is not None
    assert found.error < 0.01
    doubled = statistics.calibration(2 * distances, scales)
    assert doubled is not None
    assert doubled.error > 0.2
    assert statistics.calibration(distances, np.full_like(scales, np.nan)) is None


def test_groups_and_norms(trained: tuple[Model, Samples]) -> None:
    model, samples = trained
    result = evaluate(model, samples, "val")
    by_light = result.by("light")
    assert set(by_light) == {"day", "night"}
    assert sum(s.faces for s in by_light.values()) == result.scores.faces
    total = sum(s.nme * s.faces for s in by_light.values()) / result.scores.faces
    assert total == pytest.approx(result.scores.nme)
    assert list(result.by("labels")) == ["4 points"]
    with pytest.raises(DataError, match="by nonsense: no such column; available: labels"):
        result.by("nonsense")
    one = tables.metrics_of("m", result, ["light"])
    assert set(one.nme_by_norm) == {"pupil", "box"}
    assert one.nme.low < result.scores.nme < one.nme.high
    values = tables.as_json(one)
    assert values["nme_95"] == [one.nme.low, one.nme.high]
    assert set(values["by"]["light"]) == {"day", "night"}
    assert json.loads(json.dumps(values)) == values
    markdown = tables.markdown([one]).splitlines()
    assert len(markdown) == 5
    assert markdown[3].startswith("| light day |")
    assert r"\%" in tables.latex([one])


def test_errors_of_each_face(trained: tuple[Model, Samples], tmp_path: Path) -> None:
    model, samples = trained
    result = evaluate(model, samples, "val")
    tables.write_errors(tmp_path / "errors.csv", result)
    table = pd.read_csv(tmp_path / "errors.csv")
    assert len(table) == result.scores.faces
    assert table["nme"].mean() == pytest.approx(result.scores.nme, abs=1e-5)
    assert "nose_tip_px" in table.columns


def shown(samples: Samples, result: Evaluation, faces: dict[int, str]) -> list[Faces | str]:
    """What a finder would say: the predictions in picture pixels, but for some rows."""
    found: list[Faces | str] = []
    for i in range(len(samples)):
        points = samples.transform(i).invert(result.predicted[i]).astype(np.float32)[None]
        other = points + np.float32(300)
        both = np.concatenate([other, points])
        count = len(both)
        every = Faces(
            result.scheme, np.zeros((count, 4), np.float32), np.ones(count, np.float32), both,
            np.full(both.shape[:2], 0.9, np.float32),
        )  # fmt: skip
        if faces.get(i) == "none":
            found.append(Faces.empty(result.scheme))
        elif faces.get(i) == "elsewhere":
            found.append(
                Faces(every.scheme, every.boxes[:1], every.scores[:1], other, every.confidence[:1])
            )
        else:
            found.append(faces.get(i, every))
    return found


def test_from_the_pictures_on_misses_are_failures(trained: tuple[Model, Samples]) -> None:
    model, samples = trained
    crops = evaluate(model, samples, "val")
    part = crops.samples
    whole = evaluate_pictures(model, samples, lambda paths: shown(part, crops, {}), "val")
    assert whole.scores.nme == pytest.approx(crops.scores.nme, rel=1e-3)
    assert whole.scores.missed == 0
    lost = {0: "none", 3: "elsewhere"}
    result = evaluate_pictures(model, samples, lambda paths: shown(part, crops, lost), "val")
    assert result.scores.missed == 2
    assert np.flatnonzero(result.missed).tolist() == [0, 3]
    n = result.scores.faces
    assert result.scores.failure[0.1] == pytest.approx(
        (2 + (crops.scores.nme_of_face[~result.missed] > 0.1).sum()) / n
    )
    kept = crops.scores.nme_of_face[~result.missed]
    assert result.scores.nme == pytest.approx(kept.mean(), rel=1e-3)
    with pytest.raises(DataError, match=r"1 pictures cannot be read; the first: .*: broken"):
        evaluate_pictures(model, samples, lambda paths: shown(part, crops, {1: "broken"}), "val")


def test_models_are_compared_at_common_points(samples: Path, tmp_path: Path) -> None:
    """The bundled network against itself on five points, on labels that it gave."""
    model = load_model(find_model("bundled"))
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    points = model.predict(crops).points + np.random.default_rng(0).normal(0, 1, (8, 68, 2))
    np.save(tmp_path / "faces.npy", crops)
    for scheme, name in ((IBUG68, "a"), (MTFL5, "b")):
        own = IBUG68.convert(points, scheme).reshape(8, -1)
        pd.DataFrame(own, columns=scheme.columns).to_csv(tmp_path / f"{name}.csv", index=False)
        config = PrepareConfig(
            (tmp_path / f"{name}.csv", tmp_path / "faces.npy"), tmp_path / f"{name}-data.csv",
            size=112, crop="none", val=0, test=0,
        )  # fmt: skip
        prepare(config, lambda done, total: None)
    whole = evaluate(model, read_samples(tmp_path / "a-data.csv"), "all")
    five = evaluate(model, read_samples(tmp_path / "b-data.csv"), "all")
    assert (len(whole.scheme), len(five.scheme)) == (68, 5)
    both = at_common_points([whole, five])
    assert [one.scheme for one in both] == [MTFL5, MTFL5]
    assert both[0].scores.mae == pytest.approx(both[1].scores.mae, rel=1e-3)
    (change,) = differences([both[1], both[1]])
    assert change.p == 1
