"""SLEAP's projects (.slp) and analysis files (.h5); Pereira et al., Nature Methods 2022."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting
from fkp.json_values import JsonError, JsonValue
from fkp.labels.formats.base import MISSING, FaceList, Format, Point
from fkp.labels.formats.hdf5 import is_hdf5, open_hdf5, strings, text_of
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_CENTRES = 1.1
"""Since this version of the format, pixel centres are at integers; before, at halves."""

_USER = 0
"""The type of instances labelled by a person; predicted ones have 1."""


def _recognise(source: Source) -> bool:
    if source.is_folder or not is_hdf5(source):
        return False
    with open_hdf5(source) as file:
        return _is_project(file) or _is_analysis(file)


def _is_project(file: Any) -> bool:
    return {"metadata", "frames", "instances", "points"} <= set(file)


def _is_analysis(file: Any) -> bool:
    return {"tracks", "node_names"} <= set(file)


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read the labelled instances of a project, or the tracks of an analysis file.

    They refer to frames of clips, to pictures, or to pictures embedded in a package (.pkg.slp).
    Rows count the instances, or the frames, from 1.
    """
    with open_hdf5(source) as file:
        if _is_project(file):
            return _read_project(source, file, options)
        if _is_analysis(file):
            return _read_analysis(source, file, options)
    raise LabelError(f"{source}: not a project or analysis file of SLEAP")


@dataclass(frozen=True, slots=True)
class _Video:
    """A video of a project: a clip, picture files, or a dataset of embedded pictures."""

    name: str
    files: tuple[str, ...] = ()
    dataset: str = ""
    frames: tuple[int, ...] = ()  # of the dataset's pictures


def _read_project(source: Source, file: Any, options: ReadOptions) -> LabelTable:
    try:
        metadata = JsonValue.parse(text_of(file["metadata"].attrs["json"]))
        names = _nodes(metadata)
        videos = [_video(JsonValue.parse(text), file) for text in strings(file["videos_json"][:])]
    except JsonError as error:
        raise LabelError(f"{source}: not a project of SLEAP: {error}") from error
    version = float(file["metadata"].attrs.get("format_id", 1.0))
    shift = 0.0 if version >= _CENTRES else 0.5
    frames, instances, points = (file[name][:] for name in ("frames", "instances", "points"))
    ids = {int(v["frame_id"]): v for v in frames}
    faces = FaceList(source, options)
    predicted = 0
    for row, instance in enumerate(instances, start=1):
        if int(instance["instance_type"]) != _USER:
            predicted += 1
            continue
        frame = ids[int(instance["frame_id"])]
        own = points[int(instance["point_id_start"]) : int(instance["point_id_end"])]
        nodes = names[int(instance["skeleton"])] if len(names) > 1 else names[0]
        face: dict[str, Point] = {
            name: (float(p["x"]) - shift, float(p["y"]) - shift) if p["visible"] else MISSING
            for name, p in zip(nodes, own, strict=False)
        }
        try:
            image, number, encoded = _picture(source, videos, frame, options)
            faces.add(row, image, face, frame=number, encoded=encoded)
        except LabelError as error:
            faces.reject(row, error)
    if not len(faces) and predicted:
        raise LabelError(
            f"{source}: {predicted} predicted instances, but none labelled by a person"
        )
    notes = [f"{predicted} predicted instances were skipped"] if predicted else []
    return faces.table(SLEAP.title, names[0], notes=notes)


def _nodes(metadata: JsonValue) -> list[list[str]]:
    """The names of the nodes of each skeleton."""
    known = [
        node["name"].name() if node.has("name") else node.name()
        for node in metadata["nodes"].items()
    ]
    found = []
    for skeleton in metadata["skeletons"].items():
        at = [node["id"].integer(0, len(known) - 1) for node in skeleton["nodes"].items()]
        found.append([known[i] for i in at])
    if not found:
        raise JsonError("skeletons: expected one")
    return found


def _video(value: JsonValue, file: Any) -> _Video:
    backend = value.get("backend") or value
    named = [place.get(key) for key in ("filenames", "filename") for place in (backend, value)]
    files = next((found for found in named if found is not None and found.is_list()), None)
    if files is not None:
        return _Video("", tuple(item.text() for item in files.items()))
    name = next((found.text() for found in named if found is not None), "")
    dataset = backend.get("dataset")
    if dataset is not None and dataset.data and dataset.text() in file:
        where = dataset.text()
        numbers = f"{where.rsplit('/', 1)[0]}/frame_numbers"
        frames = file[numbers][:].tolist() if numbers in file else range(len(file[where]))
        return _Video(name, (), where, tuple(int(n) for n in frames))
    return _Video(name)


def _picture(
    source: Source, videos: list[_Video], frame: Any, options: ReadOptions
) -> tuple[str, int, Callable[[], bytes] | None]:
    """The picture or clip of a labelled frame, the frame (-1 for pictures), and what embeds it."""
    number = int(frame["frame_idx"])
    video = videos[int(frame["video"])]
    if video.files:
        if not 0 <= number < len(video.files):
            raise LabelError(f"expected a frame below {len(video.files)}, got {number}")
        return video.files[number], -1, None
    if video.dataset:
        if number not in video.frames:
            raise LabelError(f"frame {number} is not embedded")
        at = video.frames.index(number)
        name = f"{video.dataset.split('/')[0]}_{number:06d}.png"
        return name, -1, lambda: _embedded(source, video.dataset, at)
    clip = str(options.images) if options.images and options.images.is_file() else video.name
    return clip, number, None


def _embedded(source: Source, dataset: str, at: int) -> bytes:
    """The bytes of an embedded PNG or JPEG."""
    with open_hdf5(source) as file:
        return bytes(np.asarray(file[dataset][at]).astype(np.uint8).tobytes())


def _read_analysis(source: Source, file: Any, options: ReadOptions) -> LabelTable:
    """Read the points of each track in each frame of the clip."""
    names = strings(file["node_names"][:])
    tracks = _tracks(file["tracks"], len(names))
    said = text_of(file["video_path"][()]) if "video_path" in file else ""
    clip = str(options.images) if options.images and options.images.is_file() else said
    if not clip:
        raise LabelError(
            f"{source}: the file does not name its clip", Setting("images", "CLIP.mp4", "the clip")
        )
    faces = FaceList(source, options)
    for frame, track in np.argwhere(np.isfinite(tracks).any((2, 3))).tolist():
        points = tracks[frame, track]
        faces.add(frame + 1, clip, [(float(x), float(y)) for x, y in points], frame=frame)
    return faces.table(SLEAP.title, names)


_ORDERS = (("track", "xy", "node", "frame"), ("frame", "node", "xy", "track"))
"""The orders of axes that SLEAP has used, the most common one first."""


def _tracks(tracks: Any, count: int) -> npt.NDArray[np.float64]:
    """(F, T, K, 2) the tracks of `count` points, in whatever order of axes they are stored."""
    array = np.asarray(tracks[:], np.float64)
    sizes = {"node": count, "xy": 2}
    said = tracks.attrs.get("dims")
    orders = [tuple(d.text() for d in JsonValue.parse(text_of(said)).items())] if said else _ORDERS
    for order in orders:
        if set(order) == set(_ORDERS[0]) and all(
            sizes.get(name, size) == size for name, size in zip(order, array.shape, strict=False)
        ):
            return array.transpose([order.index(n) for n in ("frame", "track", "node", "xy")])
    raise LabelError(f"expected tracks of {count} points, got an array of {array.shape}")


SLEAP = Format("sleap", "SLEAP's .slp or analysis .h5", _recognise, _read)
