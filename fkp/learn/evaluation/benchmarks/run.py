"""A benchmark by its name."""

from collections.abc import Callable
from pathlib import Path

from fkp.errors import DataError
from fkp.labels.cut import Progress
from fkp.learn.evaluation.benchmarks.aflw2000 import read_aflw2000
from fkp.learn.evaluation.benchmarks.cofw import read_cofw
from fkp.learn.evaluation.benchmarks.faces import FaceSet, find_by_detector, find_in_boxes
from fkp.learn.evaluation.benchmarks.landmarks import comparable, landmark_table
from fkp.learn.evaluation.benchmarks.merl_rav import read_merl_rav
from fkp.learn.evaluation.benchmarks.report import ScoreTable
from fkp.learn.evaluation.benchmarks.w300 import read_300w
from fkp.learn.evaluation.benchmarks.wflw import read_wflw
from fkp.learn.evaluation.benchmarks.wider import read_wider, wider_table
from fkp.learn.networks.checkpoint import Model
from fkp.vision.detect import FaceDetector

LANDMARK_SETS: dict[str, Callable[[Path], list[FaceSet]]] = {
    "300w": read_300w,
    "wflw": read_wflw,
    "cofw": read_cofw,
    "merl-rav": read_merl_rav,
    "aflw2000": read_aflw2000,
}
"""The readers of sets from the folders into which they were unpacked, by name."""

WIDER = "wider"
BENCHMARKS = (*LANDMARK_SETS, WIDER)


def run_benchmark(
    name: str,
    folder: Path,
    model: Model,
    detector: FaceDetector | None,
    progress: Progress = lambda done, total: None,
) -> list[ScoreTable]:
    """The tables of a benchmark, from the folder that holds it as published.

    detector: None takes faces from the ground-truth boxes; `wider` needs a detector, with a minimum
    score of `wider.LEAST`. Raises DataError or LabelError if the folder does not hold the set, or
    the model finds other points.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if name == WIDER:
        if detector is None:
            raise DataError("WIDER FACE measures a detector; choose one")
        return [wider_table(model, detector, read_wider(folder), progress)]
    sets = LANDMARK_SETS[name](folder)
    usable = [faces for faces in sets if comparable(model.scheme, faces)]
    if not usable:
        wanted = " or ".join(f"{len(faces.scheme)} ({faces.title})" for faces in sets)
        raise DataError(
            f"the model finds {len(model.scheme)} points ({model.scheme.name}); this benchmark "
            f"labels {wanted}; they cannot be compared"
        )
    tables = []
    for faces in usable:
        found = (
            find_in_boxes(model, faces, progress)
            if detector is None
            else find_by_detector(model, faces, detector, progress)
        )
        name_of = None if detector is None else detector.name
        tables.append(landmark_table(model.scheme, faces, found, name_of))
    return tables
