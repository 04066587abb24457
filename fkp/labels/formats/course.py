"""The course's format: a CSV of label columns and an array of gray pictures."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting
from fkp.labels.arrays import load_array
from fkp.labels.cells import listed
from fkp.labels.columns import PointColumns, find_points
from fkp.labels.formats.base import COLUMNS, Format
from fkp.labels.formats.points import other_columns, persons_column, read_points
from fkp.labels.source import Source
from fkp.labels.store import is_prepared
from fkp.labels.table import LabelTable, ReadOptions

ARRAYS = (".npy", ".npz")
_FRAMES = ("frame", "frame_idx", "frame_number", "frame_id", "frame_index")


def _recognise(source: Source) -> bool:
    """Whether it is any other table with point columns."""
    return not source.is_folder and find_points(source.cells.header) is not None


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read label columns, and pictures (S, S, N) or (N, S, S) from an array file."""
    cells = source.cells
    found = find_points(cells.header, options.columns)
    if found is None:
        raise LabelError(
            f"{source} row 1: expected columns such as left_eye_center_x, left_eye_center_y, "
            f"got {listed(cells.header)}"
        )
    path = find_array(source.path, options)
    frame = cells.index(*_FRAMES)
    if path is None and frame is not None:
        return _read_frames(source, found, frame, options)
    if path is None:
        raise LabelError(
            f"{source}: no column of picture paths, and no array of pictures in the same folder; "
            "give the array after the labels"
        )
    if cells.rejected:
        raise LabelError(f"{cells.rejected[0]}; rows must match pictures one to one")
    pixels, notes = read_array(path, len(cells))
    scheme, columns = found.scheme(options, str(source))
    points, keep = read_points(cells, columns)
    cells = cells.take(keep)
    note = found.note(cells.header)
    return LabelTable(
        str(source), scheme, points, cells.rows,
        pixels=pixels[keep],
        persons=persons_column(cells),
        rejected=cells.rejected,
        notes=[f"pictures from {path}", *notes, *([note] if note else [])],
        other=other_columns(cells, columns),
        format=COURSE.title,
    )  # fmt: skip


def _read_frames(
    source: Source, found: PointColumns, frame: int, options: ReadOptions
) -> LabelTable:
    """Read rows about frames of a clip, which `images` must name."""
    clip = options.images
    if clip is None or not clip.is_file():
        raise LabelError(
            f"{source}: its rows are frames of a clip, but the clip is not named",
            Setting("images", "CLIP.mp4", "the clip"),
        )
    scheme, columns = found.scheme(options, str(source))
    points, keep = read_points(source.cells, columns)
    cells = source.cells.take(keep)
    frames = cells.numbers([frame], cells.rejected.append)[:, 0]
    return LabelTable(
        str(source), scheme, points, cells.rows,
        images=[str(clip)] * len(cells),
        frames=np.nan_to_num(frames, nan=-1).astype(np.int64),
        persons=persons_column(cells),
        rejected=cells.rejected,
        other=other_columns(cells, columns),
        format="table of a clip's frames",
    )  # fmt: skip


def find_array(path: Path, options: ReadOptions) -> Path | None:
    """The array of pictures for a CSV: as specified, of the same name, or the only one nearby."""
    if options.images is not None:
        return options.images if options.images.suffix in ARRAYS else None
    beside = sorted(p for suffix in ARRAYS for p in path.parent.glob(f"*{suffix}"))
    beside = [p for p in beside if not is_prepared(p.with_suffix(".csv"))]
    same = [p for p in beside if p.stem == path.stem]
    return (same or beside)[0] if len(same or beside) == 1 else None


def read_array(path: Path, count: int) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Read gray pictures (N, S, S) uint8 from an array file with N as first or last axis."""
    array = load_array(path)
    shape = array.shape
    if array.ndim == 4 and 1 in (shape[-1], shape[1]):
        array = array.squeeze(-1 if shape[-1] == 1 else 1)
    if array.ndim != 3 or array.dtype.kind not in "uif" or 0 in shape:
        raise LabelError(
            f"{path}: expected numbers of shape (N, S, S) or (S, S, N), got {array.dtype} {shape}"
        )
    axis = _picture_axis(array, count, path)
    notes = [f"array of shape {shape}: pictures along axis {axis}"]
    return _to_uint8(np.ascontiguousarray(np.moveaxis(array, axis, 0)), path), notes


def _picture_axis(array: npt.NDArray[np.generic], count: int, path: Path) -> int:
    """The picture axis: the first or last, with `count` entries, if the others are equal."""
    shape = array.shape
    fits = [axis for axis in (0, 2) if shape[axis] == count and _square(shape, axis)]
    if not fits:
        raise LabelError(
            f"{path}: the labels have {count} rows, but the array has shape {shape}; "
            f"expected ({count}, S, S) or (S, S, {count})"
        )
    if len(fits) == 1:
        return fits[0]
    # N = S: neighbouring pixels of a picture are alike, neighbouring pictures are not.
    values = np.asarray(array, np.float32)
    return max(fits, key=lambda axis: float(np.abs(np.diff(values, axis=axis)).mean()))


def _square(shape: tuple[int, ...], axis: int) -> bool:
    height, width = (n for i, n in enumerate(shape) if i != axis)
    return height == width


def _to_uint8(array: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise LabelError(f"{path}: expected finite pixel values, got NaN or infinity")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        raise LabelError(f"{path}: expected pixels in 0..255 or 0..1, got {low:g} to {high:g}")
    unit = array.dtype.kind == "f" and high <= 1
    return np.rint(values * 255 if unit else values).astype(np.uint8)


COURSE = Format(
    "course",
    "CSV of labels and an array of pictures (.npy)",
    _recognise,
    _read,
    settings=COLUMNS,
)
