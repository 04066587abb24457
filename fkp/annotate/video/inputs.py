"""The clips of a run: files, folders, streams, and sequences of pictures."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fkp.annotate.inputs import CLIPS, Inputs, common_folder, find_inputs
from fkp.annotate.searching import Search
from fkp.errors import DataError, UsageError
from fkp.vision.images import is_image_name
from fkp.vision.sources import is_pattern, is_stream, is_video_name

MOVING = (".webp", ".gif")
"""Extensions of pictures that are mostly animated where they are given as clips."""


def find_clips(given: Sequence[str], exclude: Path | None, fps: float | None) -> Inputs:
    """Find the clips among the given names; skips the folder `exclude`.

    fps: the frame rate of picture sequences, None if there are none. With it, a pattern, each
    folder with pictures, and the given pictures of one folder are clips. Raises DataError if there
    are no clips, and UsageError for a frame rate without pictures.
    """
    paths: list[str] = []
    plain: list[str] = []
    for item in given:
        if is_pattern(item) and (fps is not None or "%" in item):
            paths.append(item)
        else:
            if fps is not None and os.path.isdir(item):
                folders = Search(exclude).folders(item)
                paths += [folder for folder, _ in folders if _has_pictures(folder)]
            plain.append(item)
    if fps is not None:
        paths += _together([item for item in plain if is_image_name(item)])
        if not paths:
            raise UsageError("fps applies only to a folder or a pattern of pictures")
        plain = [item for item in plain if not is_image_name(item)]
    notes: tuple[str, ...] = ()
    if plain:
        try:
            found = find_inputs(plain, exclude, CLIPS)
            paths, notes = paths + list(found.paths), found.notes + _stills(found.paths)
        except DataError as error:
            if not paths and any(_has_pictures(item) for item in plain):
                raise DataError(
                    f"{error}; for a sequence of pictures, give the frame rate (fps)"
                ) from error
            if not paths:
                raise
    others = skipped_endings(given, exclude, fps)
    return Inputs(tuple(paths), others.total(), common_folder(paths), notes)


def skipped_endings(given: Sequence[str], exclude: Path | None, fps: float | None) -> Counter[str]:
    """The number of files in the given folders that are not clips, by extension."""
    endings: Counter[str] = Counter()
    for item in filter(os.path.isdir, given):
        for _, files in Search(exclude).folders(item):
            for name in files:
                taken = is_video_name(name) or (fps is not None and is_image_name(name))
                if not taken and not name.startswith("."):
                    endings[os.path.splitext(name)[1].lower() or "no extension"] += 1
    return endings


def absent(path: str) -> str | None:
    """Why a clip does not exist; None if it does, or if only opening it can tell."""
    if is_stream(path):
        camera = Path(f"/dev/video{path}")
        if path.isdigit() and sys.platform.startswith("linux") and not camera.exists():
            return f"there is no camera {camera}"
        return None
    if is_pattern(path) or os.path.lexists(path):
        return None
    return "no such file or directory"


def _has_pictures(folder: str) -> bool:
    return os.path.isdir(folder) and any(
        is_image_name(name) and not name.startswith(".") for name in os.listdir(folder)
    )


def _stills(paths: Sequence[str]) -> tuple[str, ...]:
    """A note on pictures without a frame rate, of which each is a clip."""
    stills = [path for path in paths if is_image_name(path) and not path.lower().endswith(MOVING)]
    if len(stills) < 2:
        return ()
    note = f"{len(stills)} pictures are taken as separate clips"
    return (f"{note}; for a sequence of pictures, give the frame rate (fps)",)


def _together(pictures: list[str]) -> list[str]:
    """The pattern of pictures that a shell has expanded."""
    if not pictures:
        return []
    folders = {os.path.dirname(item) for item in pictures}
    endings = {os.path.splitext(item)[1] for item in pictures}
    if len(folders) == len(endings) == 1:
        (folder,), (ending,) = folders, endings
        names = os.listdir(folder or ".")
        if sum(name.endswith(ending) and name[0] != "." for name in names) == len(pictures):
            return [os.path.join(folder, f"*{ending}")]
    raise UsageError("give a sequence of pictures as a folder, or as a pattern in quotes")
