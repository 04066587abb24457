"""The audit of labels: which are found, and what is said of them."""

from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest

from fkp.cli.main import cli
from fkp.errors import DataError, UsageError
from fkp.keypoints import FKP4, IBUG68
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import read_samples
from fkp.learn.audit import audit_by_folds, audit_by_model, write_audit, write_sheet
from fkp.learn.disagreement import disagreement
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Listener
from tests.helpers import faces, fkp, label_frame, write_course, write_pictures


def test_kinds_of_errors() -> None:
    _, points = faces(200)
    rng = np.random.default_rng(0)
    labels = points + rng.normal(0, 0.5, points.shape)
    labels[0] += [0, -30]
    labels[1] = labels[1, list(FKP4.flip_order or ())]
    labels[2] = (labels[2] * [-1, 1] + [95, 0])[list(FKP4.flip_order or ())] + [0, 0]
    labels[3, [2, 3]] = labels[3, [3, 2]]
    labels[4, 2] += [14, 0]
    labels[5] = (labels[5] - 20) * 1.8 + 5
    labels[6] += [300, 0]
    labels[7] = rng.uniform(0, 95, (4, 2))
    labels[8, 1] = np.nan
    points[2] += [12, 0]  # off the middle, so that the mirror shows
    labels[2] = ([95, 0] + points[2] * [-1, 1])[list(FKP4.flip_order or ())]
    found = disagreement(labels, points, FKP4, 96)
    assert found.kinds[:8] == [
        "shifted",
        "left and right swapped",
        "mirrored",
        "points swapped: nose_tip, mouth_center_bottom_lip",
        "off: nose_tip",
        "shifted and resized",
        "wrong face",
        "unlike a face here",
    ]
    assert found.wrong.sum() == 8
    assert np.isfinite(found.scores[8])
    assert found.kinds[8:] == [""] * 192


def test_nothing_is_wrong_with_sound_labels() -> None:
    _, points = faces(2000)
    rng = np.random.default_rng(0)
    away = rng.gamma(2, 1, (2000, 4, 1)) * 0.6
    turn = rng.uniform(0, 2 * np.pi, (2000, 4))
    labels = points + away * np.stack([np.cos(turn), np.sin(turn)], 2)
    found = disagreement(labels, points, FKP4, 96)
    assert found.wrong.mean() < 0.004


def dirty(folder: Path, count: int) -> list[int]:
    """Whole pictures of which every eighth has the labels of another place; which rows."""
    points = write_course(folder, count, unit=False, persons=count // 2)
    bad = list(range(3, count, 8))
    points[bad] += [0, -25]
    label_frame(points, FKP4).assign(person=[f"p{i // 2}" for i in range(count)]).to_csv(
        folder / "labels.csv", index=False
    )
    config = PrepareConfig((folder / "labels.csv",), folder / "data.csv", size=48, val=0, test=0)
    prepare(config, lambda done, total: None)
    return bad


@pytest.mark.slow
def test_folds_find_labels_of_another_place(tmp_path: Path) -> None:
    bad = dirty(tmp_path, 120)
    samples = read_samples(tmp_path / "data.csv")
    told: list[int] = []

    def listener(number: int) -> Listener:
        told.append(number)
        return Listener()

    config = recipe("integral", epochs=8, batch=8, threads=2)
    framing = measure_framing(samples, None)
    found = audit_by_folds(samples, framing, config, 3, listener, None)
    assert told == [1, 2, 3]
    assert set(found.seen_in) == {"fold 1, crop", "fold 2, crop", "fold 3, crop"}
    for fold in set(found.seen_in):  # nobody is checked by a network that has seen them
        own = np.array([seen_in == fold for seen_in in found.seen_in])
        assert not set(samples.person[own]) & set(samples.person[~own])
    wrong = set((found.samples.source_row[found.found.wrong] - 2).tolist())
    assert len(wrong & set(bad)) >= 0.9 * len(bad)
    assert len(wrong - set(bad)) <= 0.1 * len(bad)
    write_audit(tmp_path / "audit.csv", found)
    write_sheet(tmp_path / "audit.png", found)
    table = pd.read_csv(tmp_path / "audit.csv")
    assert len(table) == 120
    assert table["score"].is_monotonic_decreasing
    # The labels were moved up; the shift that would mend them goes down.
    worst = table[: len(bad) - 2]
    assert set(worst["source_row"] - 2) <= set(bad)
    assert (worst["shift_y"] > 10).all()
    clean, rejected = found.without()
    assert len(clean) + len(rejected) == 120
    assert rejected[0].reason.startswith("audit: ")
    with pytest.raises(DataError, match="too few for 70 folds"):
        audit_by_folds(samples, framing, config, 70, listener, None)


@pytest.mark.slow
def test_a_given_model_checks_pictures_and_drops_what_is_wrong(
    tmp_path: Path, samples: Path
) -> None:
    """The bundled network against its own points, some of them moved."""
    done = fkp("annotate", samples, "--out", "found", "--no-overlays", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "found" / "keypoints.csv")
    table = table[table["status"] == "ok"].reset_index(drop=True)
    columns = [c for c in IBUG68.columns if c.endswith("_y")]
    up = np.where(table.index == 0, 0.8 * table["box_h"].to_numpy(float), 0)
    for column in columns:
        table[column] = table[column].to_numpy(float) - up
    table[["image", *IBUG68.columns]].to_csv(tmp_path / "labels.csv", index=False)
    done = fkp("prepare", "labels.csv", "-o", "data.csv", "--val", "0", "--test", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = fkp("audit", "data.csv", "--drop", "--report", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{len(table)} rows checked, 1 look wrong" in done.stdout
    found = pd.read_csv(tmp_path / "a" / "audit.csv")
    assert found.loc[0, "source_row"] == 2
    assert found.loc[0, "kind"] in ("shifted", "wrong face")
    assert (found["seen_in"] == "picture").all()
    assert (tmp_path / "a" / "audit.png").stat().st_size > 10000
    clean = read_samples(tmp_path / "data-clean.csv")
    assert len(clean) == len(table) - 1
    assert clean.folders
    rejected = pd.read_csv(tmp_path / "data-clean.rejected.csv")
    assert rejected["row"].tolist() == [2]
    done = fkp("info", "data-clean.csv", cwd=tmp_path)
    assert f"a data set of fkp prepare, {len(clean)} rows" in done.stdout


def test_where_the_clean_data_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (["-o", "x.csv"], "--out goes with --drop"),
        (["--drop", "-o", "data.csv"], "another name"),
        (["--drop", "-o", "x.txt"], "ends in .csv"),
    ):
        with pytest.raises((click.UsageError, UsageError), match=message):
            cli.main(["audit", "data.csv", *arguments], standalone_mode=False)


def test_a_model_of_other_points_is_refused(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 10)
    frame = label_frame(points, FKP4).rename(columns=lambda c: c.replace("nose_tip", "ear"))
    frame.insert(0, "image", pd.read_csv(tmp_path / "labels.csv")["image"])
    frame.to_csv(tmp_path / "labels.csv", index=False)
    config = PrepareConfig((tmp_path / "labels.csv",), tmp_path / "data.csv", size=48)
    prepare(config, lambda done, total: None)
    model = load_model(find_model("bundled"))
    with pytest.raises(DataError, match="use kfold instead"):
        audit_by_model(model, read_samples(tmp_path / "data.csv"), None)
