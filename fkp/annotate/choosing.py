"""The quality, order and choice of the faces found in pictures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.photo.cutting import Cut
from fkp.keypoints import Faces
from fkp.vision.iris import FINER, find_irises
from fkp.vision.quality import picture_quality


def chosen(
    paths: Sequence[str],
    cuts: Sequence[Cut | Failure],
    results: Sequence[Result],
    config: AnnotateConfig,
) -> list[Result]:
    """The results with the quality and irises of their faces, in order, and filtered.

    cuts: the crops that the faces were predicted from.
    """
    ready: list[Result] = []
    for cut, result in zip(cuts, results, strict=True):
        if isinstance(cut, Cut) and isinstance(result, Annotated) and len(result.faces):
            faces = result.faces
            rows = _rows(cut, faces) if config.quality or config.iris else []
            if config.quality:
                faces = replace(faces, quality=_quality(cut, rows))
            if config.iris:
                faces = replace(faces, iris=_irises(cut, rows, faces))
            ready.append(replace(result, faces=ordered(faces, config.order)))
        else:
            ready.append(result)
    return ready if config.keep is None else config.keep(paths, ready)


def ordered(faces: Faces, order: str) -> Faces:
    """The faces, which come by decreasing score, in one of ORDERS."""
    if order == "surest":
        return faces
    x, _, width, height = faces.boxes.astype(np.float64).T
    key = x + width / 2 if order == "left" else -width * height
    return faces[np.argsort(key, kind="stable")]


def _quality(cut: Cut, rows: list[int]) -> npt.NDArray[np.float32]:
    """(F, 2): sharpness and exposure, from the crops of these rows."""
    return np.array([picture_quality(cut.crops[row]) for row in rows], np.float32)


def _irises(cut: Cut, rows: list[int], faces: Faces) -> npt.NDArray[np.float32]:
    """(F, 2, 3), see `find_irises`, in the fine crops of these rows."""
    assert cut.fine is not None
    return find_irises(
        cut.fine[rows],
        [cut.transforms[row].enlarged(FINER) for row in rows],
        faces.points,
        (cut.width, cut.height),
    )


def _rows(cut: Cut, faces: Faces) -> list[int]:
    """The rows of a cut that have the boxes of faces."""
    return [int(np.flatnonzero((cut.boxes == box).all(1))[0]) for box in faces.boxes]
