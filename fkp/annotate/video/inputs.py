"""Which clips a run is about: files, folders of them, streams, and pictures that are frames."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fkp.annotate.inputs import CLIPS, Inputs, common_folder, find_inputs
from fkp.errors import DataError, UsageError
from fkp.vision.images import is_image_name
from fkp.vision.sources import is_pattern, is_stream, is_video_name


def find_clips(given: Sequence[str], exclude: Path | None, fps: float | None) -> Inputs:
    """The clips that are meant; what lies in the folder `exclude` is left out.

    fps: the rate of pictures that are frames of clips, None where there are none: then a pattern,
    each folder with pictures in it, and picture files of one folder are a clip. Raises DataError
    where there are no clips, and UsageError for a rate without pictures.
    """
    paths: list[str] = []
    plain: list[str] = []
    for item in given:
        if is_pattern(item) and (fps is not None or "%" in item):
            paths.append(item)
        else:
            if fps is not None and os.path.isdir(item):
                paths += [folder for folder, _ in _walk(item, exclude) if _has_pictures(folder)]
            plain.append(item)
    if fps is not None:
        paths += _together([item for item in plain if is_image_name(item)])
        if not paths:
            raise UsageError("fps is the rate of pictures that are frames: give their folder")
        plain = [item for item in plain if not is_image_name(item)]
    if plain:
        try:
            paths += find_inputs(plain, exclude, CLIPS).paths
        except DataError as error:
            if not paths and any(_has_pictures(item) for item in plain):
                raise DataError(
                    f"{error}; for pictures that are the frames of a clip give their rate, fps"
                ) from error
            if not paths:
                raise
    others = skipped_endings(given, exclude, fps)
    return Inputs(tuple(paths), others.total(), common_folder(paths))


def skipped_endings(given: Sequence[str], exclude: Path | None, fps: float | None) -> Counter[str]:
    """How many files in the folders given are not clips by their names, by ending."""
    endings: Counter[str] = Counter()
    for item in filter(os.path.isdir, given):
        for _, files in _walk(item, exclude):
            for name in files:
                taken = is_video_name(name) or (fps is not None and is_image_name(name))
                if not taken or name.startswith("."):
                    endings[os.path.splitext(name)[1].lower() or "no ending"] += 1
    return endings


def absent(path: str) -> str | None:
    """Why there is nothing to open under a name; None where there is something, or a stream that
    cannot be asked.
    """
    if is_stream(path):
        camera = Path(f"/dev/video{path}")
        if path.isdigit() and sys.platform.startswith("linux") and not camera.exists():
            return f"no camera {path}: there is no {camera}"
        return None
    if is_pattern(path) or os.path.lexists(path):
        return None
    return "no such file or directory"


def _walk(folder: str, exclude: Path | None) -> Iterator[tuple[str, list[str]]]:
    """This folder and those below it, each with its files."""
    barred = None if exclude is None else os.path.abspath(exclude)
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and os.path.abspath(os.path.join(parent, name)) != barred
        )  # fmt: skip
        yield parent, files


def _has_pictures(folder: str) -> bool:
    return os.path.isdir(folder) and any(
        is_image_name(entry.name) and not entry.name.startswith(".") for entry in os.scandir(folder)
    )


def _together(pictures: list[str]) -> list[str]:
    """Picture files that a shell has listed, as the pattern that lists them."""
    if not pictures:
        return []
    folders = {os.path.dirname(item) for item in pictures}
    endings = {os.path.splitext(item)[1] for item in pictures}
    if len(folders) == len(endings) == 1:
        (folder,), (ending,) = folders, endings
        names = os.listdir(folder or ".")
        if sum(name.endswith(ending) and name[0] != "." for name in names) == len(pictures):
            return [os.path.join(folder, f"*{ending}")]
    raise UsageError("pictures that are frames: give their folder, or a pattern in quotes")
