"""Labelled rows with their picture files, for the writers of label formats."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError
from fkp.keypoints import Scheme
from fkp.labels.store import Samples
from fkp.vision.images import write_image


@dataclass(frozen=True, slots=True, eq=False)
class PictureFiles:
    """N labelled faces in picture files.

    paths: N files; points: (N, K, 2) pixels of these files, NaN = not labelled.
    """

    samples: Samples
    paths: list[Path]
    points: npt.NDArray[np.float64]

    @property
    def scheme(self) -> Scheme:
        """The scheme of the points."""
        return self.samples.scheme


def picture_files(samples: Samples, folder: Path) -> PictureFiles:
    """Rows with their picture files; for rows without one, the crop is written to `folder`."""
    paths, points = [], samples.points.astype(np.float64)
    for i, source in enumerate(samples.source.tolist()):
        if source in samples.folders:
            paths.append(Path(samples.folders[source]) / str(samples.image[i]))
            points[i] = samples.transform(i).invert(points[i])
        else:
            folder.mkdir(parents=True, exist_ok=True)
            paths.append(folder / f"{Path(source).stem}_{samples.source_row[i]:06d}.png")
            write_image(paths[-1], np.asarray(samples.crops[i]))
    gone = [path for path in dict.fromkeys(paths) if not os.path.isfile(path)]
    if gone:
        raise LabelError(
            f"{gone[0]}: file not found; {len(gone)} of the data's pictures are missing"
        )
    return PictureFiles(samples, paths, points)


def relative_to(path: Path, output: Path) -> str:
    """The path of a picture relative to the folder of `output`."""
    return Path(os.path.relpath(path.resolve(), output.parent.resolve())).as_posix()


def cell(value: float) -> str:
    """A coordinate as a CSV cell, empty if missing."""
    return "" if np.isnan(value) else f"{value:.4f}"
