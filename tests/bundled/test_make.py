"""The recipe of the bundled networks, on a small drawn copy of its data, and its label step."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from fkp.bundled.convention import Convention

from fkp.bundled import make
from fkp.errors import DataError
from fkp.keypoints import ANCHOR_NAMES, IBUG68
from fkp.learn.networks.checkpoint import load_model

Array = npt.NDArray[np.float64]


def shapes(count: int, seed: int = 0) -> Array:
    """Symmetric-ish faces (N, 68, 2) about 60 pixels wide, turned and moved at random."""
    rng = np.random.default_rng(seed)
    half = rng.uniform(-1, 1, (68, 2))
    flip = list(IBUG68.flip_order or ())
    base = (half + half[flip] * [-1, 1]) / 2
    for group, place in zip(
        IBUG68.anchors, [(-0.5, -0.4), (0.5, -0.4), (0, 0.2), (-0.4, 0.7), (0.4, 0.7)], strict=True
    ):
        base[list(group)] = place + 0.1 * (base[list(group)] - base[list(group)].mean(0))
    angle = rng.uniform(-0.2, 0.2, count)
    turn = np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    faces = np.einsum("ijn,kj->nki", turn, base) + rng.normal(0, 0.01, (count, 68, 2))
    return np.asarray(faces * 30 + 64 + rng.uniform(-5, 5, (count, 1, 2)))


def test_a_convention_is_learnt_and_only_where_it_may_be() -> None:
    own = shapes(400)
    eyes = IBUG68.anchor_points(own)[:, :2]
    across = eyes[:, 1] - eyes[:, 0]
    down = np.stack([-across[:, 1], across[:, 0]], 1)
    other = own.copy()
    other[:, 30] += 0.06 * down  # the nose tip lower
    other[:, 39] += 0.03 * across  # an eye corner elsewhere, on faces from the front
    convention = Convention.fit(own[:300], other[:300])
    moved = convention.apply(own[300:], 1.0)
    assert np.abs(moved[:, 30] - other[300:, 30]).max() < 0.2
    assert np.abs(moved[:, 39] - own[300:, 39]).max() < 0.4
    halfway = convention.apply(own[300:], 0.5)
    assert np.allclose(halfway, (own[300:] + moved) / 2)
    with pytest.raises(DataError, match="100 faces"):
        Convention.fit(own[:50], other[:50])


def write_data(folder: Path) -> None:
    """faces68, ytf68 and scenes, with drawn pictures."""
    rng = np.random.default_rng(0)
    columns = [f"p{i}_{a}" for i in range(68) for a in "xy"]
    boxes = ["box_x", "box_y", "box_w", "box_h"] + [f"{n}_{a}" for n in ANCHOR_NAMES for a in "xy"]
    for name, pictures, table in (
        ("faces68", "images", "labels.csv"), ("ytf68", "training", "labels_mesh.csv"),
    ):  # fmt: skip
        (folder / name / pictures).mkdir(parents=True)
        points = shapes(150, len(name))
        names = [f"{name.title()}_{chr(97 + i % 26)}{i // 26}_{i:03d}.jpg" for i in range(150)]
        frame = pd.DataFrame(points.reshape(150, -1), columns=columns)
        frame.insert(0, "spread", 0.01)
        frame.insert(0, "person", [n.rsplit("_", 1)[0] for n in names])
        frame.insert(0, "image", names)
        frame.to_csv(folder / name / table, index=False)
        for path, face in zip(names, points, strict=True):
            image = rng.integers(100, 140, (128, 128, 3)).astype(np.uint8)
            for x, y in face:
                cv2.circle(image, (round(x), round(y)), 2, (30, 30, 30), -1)
            assert cv2.imwrite(str(folder / name / pictures / path), image)
        if name == "ytf68":
            bare = pd.DataFrame(points.reshape(150, -1) + 1, columns=[str(i) for i in range(136)])
            bare.insert(0, "", names)
            bare.to_csv(folder / name / "training_frames_keypoints.csv", index=False)
            low, high = points.min(1), points.max(1)
            anchors = IBUG68.anchor_points(points).reshape(150, 10)
            rows = pd.DataFrame(np.concatenate([low, high - low, anchors], 1), columns=boxes)
            rows.insert(0, "image", names)
            rows["score"] = 0.9
            rows.to_csv(folder / name / "boxes.csv", index=False)
    (folder / "scenes" / "images").mkdir(parents=True)
    for i in range(12):
        image = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        image = np.asarray(cv2.resize(image, (160, 120)), np.uint8)
        assert cv2.imwrite(str(folder / "scenes" / "images" / f"{i}.jpg"), image)
    header = ["image", *boxes, "score", "second"]
    pd.DataFrame([["0.jpg", *range(10, 24), 0.5, 0.0]], columns=header).to_csv(
        folder / "scenes" / "boxes.csv", index=False
    )


@pytest.mark.slow
def test_the_recipe_runs_and_passes_over_what_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path / "data")
    words = [
        str(tmp_path / "data"),
        "--work",
        str(tmp_path / "work"),
        "--out",
        str(tmp_path / "out"),
    ]
    words += ["--iterations", "2", "--epochs", "2"]
    make.main(words)
    assert "judge: " in capsys.readouterr().out
    model = load_model(tmp_path / "out" / "keypoints68.safetensors")
    assert model.judges_faces
    assert model.scheme == IBUG68
    first = (tmp_path / "out" / "faces.onnx").read_bytes()
    before = (tmp_path / "work" / "points.safetensors").stat().st_mtime_ns
    (tmp_path / "work" / "keypoints68.safetensors").unlink()
    make.main(words)
    assert (tmp_path / "work" / "points.safetensors").stat().st_mtime_ns == before
    assert (tmp_path / "out" / "faces.onnx").read_bytes() == first
