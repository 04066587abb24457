"""`.pts` files."""

from pathlib import Path

import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.reading import read_source
from fkp.labels.table import ReadOptions
from tests.helpers import write_pictures
from tests.labels.examples import picture_names


def write_pts(path: Path, points: list[list[float]], said: int | None = None) -> None:
    body = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    path.write_text(f"version: 1\nn_points: {said or len(points)}\n{{\n{body}\n}}\n")


def test_a_folder_with_faults(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 6)
    folder, names = tmp_path / "pictures", picture_names(6)
    for i, name in enumerate(names):
        write_pts((tmp_path / name).with_suffix(".PTS"), (points[i] + 1).tolist())
    write_pts(folder / "Ann_c_0001.PTS", [[1, 2]], said=3)
    (folder / "Ann_c_0000.PTS").write_text("version: 1\nn_points: 1\n{\n1 two\n}\n")
    write_pts(folder / "lonely.pts", points[0].tolist())
    table = read_source(folder, ReadOptions(scheme=FKP4, origin=1))
    assert table.scheme is FKP4
    assert np.allclose(table.in_pixels(slice(4), (128, 128)), points[:4], atol=1e-5)
    reasons = [r.reason for r in table.rejected]
    assert "Ann_c_0000.PTS: expected two numbers per line" in reasons[0]
    assert reasons[1] == "Ann_c_0001.PTS: n_points says 3, there are 1"
    config = PrepareConfig((folder,), tmp_path / "data.csv", read=ReadOptions(FKP4, origin=1))
    report = prepare(config, lambda done, total: None)
    assert len(report.samples) == 4
    assert any("lonely: no such file" in r.reason for r in report.rejected)
    assert any("start at 1 (origin 1)" in n for n in read_source(folder, ReadOptions(FKP4)).notes)


def test_a_folder_without(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"a folder with .pts, .* labels; this folder has none"):
        read_source(tmp_path, ReadOptions())
