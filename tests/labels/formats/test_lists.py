"""Lists without a header: MTFL's, CelebA's, RetinaFace's, WFLW's, and those like them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp.errors import UndecidedError
from fkp.keypoints import IBUG68, MTFL5, WFLW98
from fkp.labels.reading import read_source
from fkp.labels.table import LabelTable, ReadOptions
from tests.helpers import faces
from tests.labels.examples import EXAMPLES, five_points, many_points, write_lines

COUNT = 12
FIVE = five_points(faces(COUNT, 128)[1])
IMAGES = [f"images/my face {i}.jpg" for i in range(COUNT)]


def read(tmp_path: Path, lines: list[list[Any]], **options: Any) -> LabelTable:
    return read_source(write_lines(tmp_path / "list.txt", lines), ReadOptions(**options))


def boxes(points: np.ndarray) -> dict[str, list[list[float]]]:
    """Boxes around points (N, K, 2) in the orders in which people write them."""
    low, high = points.min(1) - 5, points.max(1) + 5
    return {
        "corner and size": np.concatenate([low, high - low], 1).tolist(),
        "corners": np.concatenate([low, high], 1).tolist(),
        "left right top bottom": np.stack(
            [low[:, 0], high[:, 0], low[:, 1], high[:, 1]], 1
        ).tolist(),
    }


@pytest.mark.parametrize("box", [None, "corner and size", "corners", "left right top bottom"])
@pytest.mark.parametrize("turn", [True, False])
@pytest.mark.parametrize("points", [FIVE, many_points(faces(COUNT, 128)[1], IBUG68)])
def test_the_reading_that_gives_faces_is_taken(
    tmp_path: Path, box: str | None, turn: bool, points: np.ndarray
) -> None:
    lines = [
        [
            image,
            *(boxes(points)[box][i] if box else []),
            *(points[i] if turn else points[i].T).reshape(-1),
        ]
        for i, image in enumerate(IMAGES)
    ]
    table = read(tmp_path, lines)
    assert table.scheme is (MTFL5 if len(points[0]) == 5 else IBUG68)
    np.testing.assert_allclose(table.points, points)
    assert table.images == IMAGES


def test_attributes_and_counts_are_no_points(tmp_path: Path) -> None:
    lines = [[n, *p.T.reshape(-1), 1, 2, 1, 3] for n, p in zip(IMAGES, FIVE, strict=True)]
    assert read(tmp_path, lines).format.startswith("MTFL")
    lines = [[n, 5, *p.reshape(-1)] for n, p in zip(IMAGES, FIVE, strict=True)]
    table = read(tmp_path, lines)
    np.testing.assert_allclose(table.points, FIVE)
    assert table.notes == ["each line is path (1 others) x1 y1 x2 y2 ... y5"]


def test_bad_lines_are_told(tmp_path: Path) -> None:
    lines: list[list[Any]] = [[n, *p.reshape(-1)] for n, p in zip(IMAGES, FIVE, strict=True)]
    lines[2] = [IMAGES[2], 1, 2, 3]
    lines[4][3] = "x"
    lines[6][3] = "1e30"
    table = read(tmp_path, lines)
    assert [r.row for r in table.rejected] == [3, 5, 7]
    assert "expected a path and 10 numbers, got 4 words" in table.rejected[0].reason


def test_commas_instead_of_spaces(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [[n, *p.reshape(-1)] for n, p in zip(IMAGES, FIVE, strict=True)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    np.testing.assert_allclose(read_source(path, ReadOptions()).points, FIVE)


def test_unknown_points_with_a_box(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centre = rng.uniform([100, 500], [300, 900], (COUNT, 2))
    points = centre[:, None] + rng.uniform(-30, 30, (COUNT, 21, 2))
    lines = [
        [n, *b, *p.reshape(-1)]
        for n, b, p in zip(IMAGES, boxes(points)["corners"], points, strict=True)
    ]
    table = read(tmp_path, lines)
    assert table.scheme.names == tuple(f"p{i}" for i in range(21))
    np.testing.assert_allclose(table.points, points)


def test_what_cannot_be_told_is_asked_and_can_be_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.uniform(10, 90, (COUNT, 10))
    lines = [[f"{i}.jpg", *own] for i, own in enumerate(numbers)]
    with pytest.raises(UndecidedError, match="10 numbers per line") as caught:
        read(tmp_path, lines)
    assert caught.value.settings[0].name == "columns"
    columns = ("image", "-*4", "left_x", "left_y", "right_x", "right_y")
    table = read(tmp_path, lines, columns=columns)
    assert table.scheme.names == ("left", "right")
    np.testing.assert_allclose(table.points.reshape(COUNT, 4), numbers[:, 4:8])


def test_celeba_has_the_viewer_s_sides(tmp_path: Path) -> None:
    made = EXAMPLES["celeba"](tmp_path)
    table = read_source(made.path, ReadOptions())
    assert any("were exchanged" in note for note in table.notes)
    swapped = read_source(made.path, ReadOptions(sides="subject"))
    np.testing.assert_allclose(swapped.points[:, list(MTFL5.flip_order or ())], table.points)
    text = made.path.read_text().split("\n", 1)[1]
    as_csv = tmp_path / "list_landmarks.csv"
    as_csv.write_text("image_id," + text.replace(" ", ","))
    np.testing.assert_allclose(read_source(as_csv, ReadOptions()).points, table.points)


def test_retinaface_with_faces_that_have_no_points(tmp_path: Path) -> None:
    path = EXAMPLES["retinaface"](tmp_path).path
    missing = " ".join(["-1 -1 -1"] * 5)
    path.write_text(path.read_text() + f"# c.jpg\n1 2 3 4 {missing} 0.1\n1 2 3 4\n1 2 3 4 5\n")
    table = read_source(path, ReadOptions())
    assert len(table.rows) == 4
    assert [r.malformed for r in table.rejected] == [False, False, True]


@pytest.mark.parametrize("extra", [[], [1, 2, 90, 90], [1, 2, 90, 90, 0, 1, 0, 0, 1, 0]])
def test_wflw_with_and_without_boxes(tmp_path: Path, extra: list[int]) -> None:
    points = many_points(faces(COUNT, 128)[1], WFLW98)
    lines: list[list[Any]] = [
        [*p.reshape(-1), *extra, name] for p, name in zip(points, IMAGES, strict=True)
    ]
    lines[3] = [1, 2, 3]
    lines[5][0] = "x"
    table = read(tmp_path, lines)
    assert table.scheme is WFLW98
    keep = [i for i in range(COUNT) if i not in (3, 5)]
    np.testing.assert_allclose(table.points, points[keep])
    assert table.images == [IMAGES[i] for i in keep]
    assert table.other.get("expression") == (["1"] * len(keep) if len(extra) > 4 else None)
    assert [r.row for r in table.rejected] == [4, 6]
