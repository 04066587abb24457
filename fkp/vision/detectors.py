"""The face detectors by name."""

from pathlib import Path
from typing import Literal, get_args

from fkp.errors import UsageError
from fkp.vision.detect import FaceDetector, YuNetDetector
from fkp.vision.haar import HaarDetector

DetectorName = Literal["fkp", "haar", "none"]
DETECTORS: tuple[str, ...] = get_args(DetectorName)


def find_detector(
    name: str, model: Path | None = None, det_size: int = 640, min_face: float = 0
) -> FaceDetector | None:
    """The detector of that name, None for `none`; model: another network for `fkp`.

    Raises UsageError for another name, ModelError for a file that is not a detector.
    """
    if name not in DETECTORS:
        raise UsageError(f"detector: expected one of {', '.join(DETECTORS)}, got {name}")
    if model is not None and name != "fkp":
        raise UsageError(f"a detector model needs the detector fkp, not {name}")
    if name == "none":
        return None
    if name == "haar":
        return HaarDetector(det_size=det_size, min_face=min_face)
    return YuNetDetector(model, det_size=det_size, min_face=min_face)
