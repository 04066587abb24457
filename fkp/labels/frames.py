"""Extracting pictures to files: frames of clips, and pictures embedded in label files."""

import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from fkp.errors import ImageError, LabelError
from fkp.files import replacing
from fkp.labels.pictures import Pictures, find_pictures
from fkp.labels.table import LabelTable, ReadOptions
from fkp.vision.headers import look
from fkp.vision.images import write_image
from fkp.vision.video import Clip


def pictures_of(table: LabelTable, options: ReadOptions, folder: Path) -> Pictures | None:
    """The picture files of a table's rows, None for a table with pixels.

    Frames of clips and embedded pictures are written to `folder`. Raises LabelError.
    """
    if table.images is None:
        return None
    if table.frames is not None:
        return _frames(table, options, folder)
    held = table.encoded
    if held is None:
        return find_pictures(table, options)
    found = _found_or_none(table, options)
    names: list[str | None] = []
    problems: dict[int, str] = {}
    for i, (row, read) in enumerate(zip(table.rows.tolist(), held, strict=True)):
        path = found.path(i) if found else None
        if path is None and read is not None:
            path = _write_file(folder, f"{row}_{Path(table.images[i]).stem}", read())
        names.append(None if path is None else _below(folder, path))
        if path is None:
            problems[i] = f"{table.images[i]}: no such file"
    return Pictures(folder.resolve(), names, problems, found.notes if found else [])


def _write_file(folder: Path, stem: str, data: bytes) -> Path:
    """Write the bytes of a picture file, with the suffix of its format."""
    kind = look(data).kind
    suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(kind, f".{kind or 'png'}")
    path = folder / _file_name(f"{stem}{suffix}")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(data)
    return path


def _found_or_none(table: LabelTable, options: ReadOptions) -> Pictures | None:
    try:
        return find_pictures(table, options)
    except LabelError:
        return None  # all are embedded


def _frames(table: LabelTable, options: ReadOptions, folder: Path) -> Pictures:
    """Write each labelled frame once, as a picture."""
    if options.images is not None and options.images.is_file():
        table = replace(table, images=[str(options.images.resolve())] * len(table.rows))
    clips = find_pictures(table, options)
    frames = [] if table.frames is None else table.frames.tolist()
    wanted: dict[Path, set[int]] = defaultdict(set)
    for i, number in enumerate(frames):
        clip = clips.path(i)
        if clip is not None and number >= 0:
            wanted[clip].add(number)
    stems = {clip: f"{k}_{clip.stem}" if k else clip.stem for k, clip in enumerate(wanted)}
    written = {
        clip: _write_frames(clip, numbers, folder, stems[clip]) for clip, numbers in wanted.items()
    }
    names: list[str | None] = []
    problems = dict(clips.problems)
    for i, number in enumerate(frames):
        clip = clips.path(i)
        path = clip  # a picture
        if clip is not None and number >= 0:
            path = written[clip].get(number)
        names.append(None if path is None else _below(folder, path))
        if path is None and clip is not None:
            problems[i] = f"{clip}: no readable frame {number}"
    notes = [*clips.notes, f"frames were written to {folder}"]
    return Pictures(folder.resolve(), names, problems, notes)


def _write_frames(clip: Path, wanted: set[int], folder: Path, stem: str) -> dict[int, Path]:
    """Write frames of a clip as PNG files."""
    written: dict[int, Path] = {}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Clip(clip) as opened:
            for frame in opened.frames():
                if frame.index in wanted and not frame.problem:
                    path = folder / _file_name(f"{stem}_{frame.index:06d}.png")
                    write_image(path, frame.bgr())
                    written[frame.index] = path
                if frame.index >= max(wanted):
                    break
    except ImageError as error:
        raise LabelError(f"{clip}: {error}") from error
    return written


def _below(folder: Path, path: Path) -> str:
    """A path relative to the folder; absolute if it is elsewhere."""
    whole, top = path.resolve(), folder.resolve()
    return str(whole.relative_to(top) if whole.is_relative_to(top) else whole)


def _file_name(name: str) -> str:
    """A file name of a length that all file systems allow."""
    return os.fsdecode(os.fsencode(name)[-200:])
