"""SLEAP's projects, packages and analysis files."""

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.reading import read_source
from fkp.labels.table import ReadOptions
from tests.helpers import SAMPLES, write_pictures
from tests.labels.examples import picture_names
from tests.labels.hdf5 import NODES, write_project


def test_a_project_about_pictures(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    video = {"backend": {"filename": "x", "filenames": picture_names()}}
    for version, shift in ((1.4, 0), (1.0, 0.5)):
        path = tmp_path / f"a{version}.slp"
        write_project(path, points + shift, [video], version)
        table = read_source(path, ReadOptions())
        assert table.images == picture_names()[:3]
        assert np.isnan(table.points[0, 1]).all()
        np.testing.assert_allclose(table.points[1:], points[1:3])
        assert "1 predicted instances were skipped" in table.notes


def test_a_package_holds_its_pictures(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    path = tmp_path / "a.pkg.slp"
    data = [np.fromfile(tmp_path / name, np.uint8) for name in picture_names()]
    with h5py.File(path, "w") as file:
        held = np.zeros((4, max(map(len, data))), np.int8)
        for row, own in zip(held, data, strict=True):
            row[: len(own)] = own.view(np.int8)
        file["video0/video"], file["video0/frame_numbers"] = held, np.arange(4)
    write_project(path, points, [{"backend": {"filename": ".", "dataset": "video0/video"}}], 1.4)
    for name in picture_names():
        (tmp_path / name).unlink()
    config = PrepareConfig((path,), tmp_path / "data.csv", val=0, test=0)
    samples = prepare(config, lambda done, total: None).samples
    assert len(samples) == 3
    x, y = np.rint(samples.points[2, 0]).astype(int)
    assert samples.crops[2, y, x] < 100  # the dark spot of an eye lies under its label
    assert cv2.imread(samples.paths()[0]) is not None


@pytest.mark.parametrize("order", ["track,xy,node,frame", "frame,node,xy,track", "said"])
def test_analysis_files(tmp_path: Path, order: str) -> None:
    tracks = np.full((3, 2, 4, 2), np.nan)  # frame, track, node, xy
    tracks[0, 0] = [[300, 100], [250, 100], [275, 130], [276, 150]]
    tracks[2, 1] = tracks[0, 0] + 5
    names = ("frame", "track", "node", "xy")
    axes = names if order == "said" else tuple(order.split(","))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = tracks.transpose([names.index(axis) for axis in axes])
        if order == "said":
            file["tracks"].attrs["dims"] = json.dumps(axes)
        file["node_names"] = [name.encode() for name in NODES]
        file["video_path"] = b"/elsewhere/clip.mp4"
    table = read_source(tmp_path / "a.h5", ReadOptions())
    assert table.images == ["/elsewhere/clip.mp4"] * 2
    assert table.frames is not None
    assert table.frames.tolist() == [0, 2]
    np.testing.assert_allclose(table.points, [tracks[0, 0], tracks[2, 1]])


def test_frames_of_a_clip_become_pictures(tmp_path: Path) -> None:
    points = np.array([[[300, 100], [250, 100], [275, 130], [276, 150.0]]] * 4)
    write_project(tmp_path / "a.slp", points, [{"filename": "D:\\videos\\clip.mp4"}], 1.4)
    config = PrepareConfig(
        (tmp_path / "a.slp",), tmp_path / "d.csv", val=0, test=0, read=ReadOptions(images=SAMPLES)
    )
    samples = prepare(config, lambda done, total: None).samples
    assert [Path(p).name for p in samples.paths()] == [f"clip_{i:06d}.png" for i in range(3)]
    assert len(set(samples.person)) == 1


def test_what_is_no_file_of_sleap(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(LabelError, match="got an HDF5 file without"):
        read_source(tmp_path / "a.h5", ReadOptions())


def test_files_that_sleap_io_writes(tmp_path: Path) -> None:
    sio = pytest.importorskip("sleap_io")
    points = write_pictures(tmp_path, 4)
    skeleton = sio.Skeleton(nodes=NODES)
    video = sio.Video.from_filename([str(tmp_path / name) for name in picture_names()])
    frames = [
        sio.LabeledFrame(
            video=video, frame_idx=i, instances=[sio.Instance.from_numpy(p, skeleton=skeleton)]
        )
        for i, p in enumerate(points)
    ]
    labels = sio.Labels(frames)
    sio.save_slp(labels, str(tmp_path / "a.slp"))
    sio.save_slp(labels, str(tmp_path / "a.pkg.slp"), embed="user")
    for name in ("a.slp", "a.pkg.slp"):
        np.testing.assert_allclose(read_source(tmp_path / name, ReadOptions()).points, points)
