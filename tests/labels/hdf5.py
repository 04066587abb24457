"""HDF5 files as DeepLabCut (by pandas) and SLEAP write them."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Names = Sequence[tuple[str, ...]]

NODES = ["left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip"]


def write_project(path: Path, points: np.ndarray, videos: list[Any], version: float) -> None:
    """One instance for each of N frames; the last is predicted. videos: JSON of each."""
    n, k = points.shape[:2]
    metadata = {
        "nodes": [{"name": name} for name in NODES],
        "skeletons": [{"nodes": [{"id": i} for i in range(k)], "links": []}],
    }
    frames = np.zeros(n, [("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8")])
    instances = np.zeros(
        n,
        [
            *[(name, "i8") for name in ("instance_id", "instance_type", "frame_id", "skeleton")],
            *[(name, "i8") for name in ("point_id_start", "point_id_end")],
        ],
    )
    frames["frame_id"] = frames["frame_idx"] = instances["frame_id"] = np.arange(n)
    instances["instance_type"][-1] = 1
    instances["point_id_start"] = np.arange(n) * k
    instances["point_id_end"] = np.arange(n) * k + k
    flat = np.zeros(n * k, [("x", "f8"), ("y", "f8"), ("visible", "?")])
    flat["x"], flat["y"] = points.reshape(-1, 2).T
    flat["visible"] = True
    flat["visible"][1] = False
    with h5py.File(path, "a") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"], group.attrs["json"] = version, np.bytes_(json.dumps(metadata))
        file["videos_json"] = [json.dumps(video).encode() for video in videos]
        file["frames"], file["instances"], file["points"] = frames, instances, flat


def write_fixed(file: Any, columns: Names, index: Names) -> None:
    """A data frame in pandas' `fixed` layout."""
    group = file.create_group("df_with_missing")
    group.attrs.update({"pandas_type": b"frame", "nblocks": 1})
    for name, labels in (("axis0", columns), ("axis1", index), ("block0_items", columns)):
        group.attrs[f"{name}_nlevels"] = len(labels[0])
        for level, texts in enumerate(zip(*labels, strict=True)):
            known = sorted(set(texts))
            group[f"{name}_level{level}"] = np.array(known, "S40")
            group[f"{name}_label{level}"] = np.array([known.index(t) for t in texts], np.int8)
    values = np.arange(1.0, 1 + len(columns) * len(index))
    group["block0_values"] = values.reshape(len(index), len(columns))


def write_table(file: Any, columns: Names, index: list[str], names: bytes) -> None:
    """A data frame in pandas' `table` layout; names: the pickled names of the columns."""
    rows = np.zeros(len(index), [("index", "S40"), ("values_block_0", "f8", (len(columns),))])
    rows["index"] = np.array(index, "S40")
    rows["values_block_0"] = np.arange(1.0, 1 + rows["values_block_0"].size).reshape(len(index), -1)
    group = file.create_group("df_with_missing")
    group.attrs["pandas_type"] = b"frame_table"
    group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, columns)], protocol=0))
    group["table"] = rows
    group["table"].attrs["values_block_0_kind"] = np.bytes_(names)
