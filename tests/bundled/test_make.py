"""The recipe of the bundled networks, on a small drawn copy of its data."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fkp.bundled import make
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


def write_data(folder: Path) -> None:
    """All sets of the recipe, with drawn pictures."""
    rng = np.random.default_rng(0)
    columns = [f"p{i}_{a}" for i in range(68) for a in "xy"]
    boxes = ["box_x", "box_y", "box_w", "box_h"] + [f"{n}_{a}" for n in ANCHOR_NAMES for a in "xy"]
    for name, pictures in make.SETS.items():
        count = 150 if name in ("faces68", "ytf68") else 12
        (folder / name / pictures).mkdir(parents=True)
        points = shapes(count, len(name))
        names = [f"{name.title()}_{chr(97 + i % 26)}{i // 26}_{i:03d}.jpg" for i in range(count)]
        frame = pd.DataFrame(points.reshape(count, -1), columns=columns)
        frame.insert(0, "spread", 0.01)
        if name != "fairface":
            frame.insert(0, "person", [n.rsplit("_", 1)[0] for n in names])
        frame.insert(0, "image", names)
        frame.to_csv(folder / name / "labels_ibug.csv", index=False)
        for path, face in zip(names, points, strict=True):
            image = rng.integers(100, 140, (128, 128, 3)).astype(np.uint8)
            for x, y in face:
                cv2.circle(image, (round(x), round(y)), 2, (30, 30, 30), -1)
            assert cv2.imwrite(str(folder / name / pictures / path), image)
        if name != "faces68":
            low, high = points.min(1), points.max(1)
            anchors = IBUG68.anchor_points(points).reshape(count, 10)
            rows = pd.DataFrame(np.concatenate([low, high - low, anchors], 1), columns=boxes)
            rows.insert(0, "image", names)
            rows["score"] = 0.9
            rows.to_csv(folder / name / "boxes.csv", index=False)
    for name, second in (("scenes", [0.0]), ("street", [])):
        (folder / name / "images").mkdir(parents=True)
        for i in range(12):
            image = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
            image = np.asarray(cv2.resize(image, (160, 120)), np.uint8)
            assert cv2.imwrite(str(folder / name / "images" / f"{name}{i}.jpg"), image)
        header = ["image", *boxes, "score", *(["second"] if second else [])]
        pd.DataFrame([[f"{name}0.jpg", *range(10, 24), 0.5, *second]], columns=header).to_csv(
            folder / name / "boxes.csv", index=False
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
    words += ["--iterations", "2", "--epochs", "2", "--canvases", "8", "--threads", "1"]
    make.main(words)
    assert "face head: " in capsys.readouterr().out
    model = load_model(tmp_path / "out" / "keypoints68.safetensors")
    assert model.estimates_faces
    assert model.scheme == IBUG68
    first = (tmp_path / "out" / "faces.onnx").read_bytes()
    before = (tmp_path / "work" / "points.safetensors").stat().st_mtime_ns
    (tmp_path / "work" / "keypoints68.safetensors").unlink()
    make.main(words)
    assert (tmp_path / "work" / "points.safetensors").stat().st_mtime_ns == before
    assert (tmp_path / "out" / "faces.onnx").read_bytes() == first
