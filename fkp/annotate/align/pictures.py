"""Cutting and writing aligned pictures, in workers."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fkp.annotate.align.candidates import Candidate
from fkp.annotate.align.settings import AlignConfig
from fkp.annotate.inputs import relative_to
from fkp.annotate.names import FACES
from fkp.annotate.photo.drawing import UNNAMEABLE
from fkp.annotate.pipeline import Progress
from fkp.annotate.processes import each
from fkp.errors import ImageError
from fkp.vision.images import Encoded, Image, fitting_name, overlay_name
from fkp.vision.keeping import Kept, kept_of, write_kept
from fkp.vision.process import settle
from fkp.vision.warp import Warp


def files_for(candidates: Sequence[Candidate], root: str, each: bool) -> list[Candidate]:
    """The candidates, with file names in the tree of the inputs for those to be aligned.

    each: whether to put the face's number into every name; it is always put into a name that would
    be taken otherwise.
    """
    taken: set[str] = set()
    result = []
    for one in candidates:
        if one.status != "aligned":
            result.append(one)
            continue
        name = overlay_name(relative_to(root, one.image))
        stem, suffix = os.path.splitext(name)
        many = each or name in taken
        name = fitting_name(f"{stem}.face{one.face}{suffix}") if many else name
        count = 1
        while name in taken:  # an input given twice, or named like another input's face
            count += 1
            name = fitting_name(f"{stem}.face{one.face}.{count}{suffix}")
        taken.add(name)
        result.append(replace(one, file=f"{FACES}/{Path(name).as_posix()}"))
    return result


def write_pictures(
    out: Path, candidates: Sequence[Candidate], config: AlignConfig, jobs: int, progress: Progress
) -> list[Candidate]:
    """Write the aligned pictures; candidates that cannot be written get a reason."""
    todo = [i for i, one in enumerate(candidates) if one.status == "aligned"]
    groups: dict[str, list[int]] = {}
    for i in todo:
        groups.setdefault(candidates[i].image, []).append(i)
    here = os.getcwd()
    tasks = (
        (
            os.path.join(here, image),
            [(candidates[i].warp, str((out / candidates[i].file).absolute())) for i in members],
            config.border,
        )
        for image, members in groups.items()
    )
    written = each(jobs, _write, tasks, batch=4)
    result = list(candidates)
    done = 0
    for members, problems in zip(groups.values(), written, strict=True):
        for i, problem in zip(members, problems, strict=True):
            if problem:
                result[i] = replace(candidates[i], status="unreadable", reason=problem, file="")
        done += len(members)
        progress(done, len(todo))
    return result


def _write(path: str, faces: Sequence[tuple[Warp, str]], border: str) -> list[str]:
    """Align faces of one picture; returns why each failed, "" for success."""
    settle()
    try:
        encoded = Encoded.read(path)
        longest = max(encoded.header.width, encoded.header.height)
        scale = max(warp.transform.scale for warp, _ in faces)
        factor = encoded.reduction(round(longest * min(1.0, scale)))
        image = encoded.decode(factor)
    except ImageError as error:
        return [str(error)] * len(faces)
    kept = kept_of(path)
    return [
        _saved(Path(target), warp.reduced(factor).cut(image, border), kept)
        for warp, target in faces
    ]


def _saved(target: Path, image: Image, kept: Kept) -> str:
    """Write a picture; returns why it failed, "" for success."""
    try:
        write_kept(target, image, kept)
    except ImageError as error:
        return str(error)
    except OSError as error:
        if error.errno not in UNNAMEABLE:
            raise
        return (error.strerror or "invalid name").lower()
    return ""
