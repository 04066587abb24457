"""Copies in which faces cannot be recognised: the whole run of `fkp hide`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fkp.annotate.hide.clear import ClearFaces
from fkp.annotate.hide.config import LOW, PADDING, START, HideConfig
from fkp.annotate.hide.corrections import Corrections
from fkp.annotate.hide.run import HideReport, HideWork
from fkp.annotate.hide.run import hide as make
from fkp.annotate.inputs import PHOTOS_AND_CLIPS, Inputs, find_inputs
from fkp.annotate.output.journal import fingerprint
from fkp.annotate.pipeline import Progress
from fkp.annotate.run import Say
from fkp.api.network import Network, Paths, listed, load, silent, unheard, workers
from fkp.errors import DataError, UsageError
from fkp.learn.networks.devices import single_thread
from fkp.learn.networks.names import BUNDLED
from fkp.vision.covering import METHODS, Method
from fkp.vision.detect import ThoroughDetector
from fkp.vision.images import MAX_PIXELS, read_image, to_gray
from fkp.vision.likeness import Look, look_of

CANDIDATE = 0.1
"""Minimum detector score of a box that the network looks at."""

KNOWN = 0.5
"""Minimum score of a face in a picture of whom to leave clear."""


def hide(
    inputs: Paths, out: str | Path = "hidden", *,
    method: Method = "mosaic", padding: float = PADDING, min_score: float = LOW,
    start_score: float = START, keep: Paths | Sequence[str | Path | int] = (),
    corrections: str | Path | None = None, sound: bool = True, metadata: bool = False,
    model: str | Path = BUNDLED, device: str = "auto", detector_model: str | Path | None = None,
    det_size: int = 640, min_face: float = 0, max_pixels: int = MAX_PIXELS, batch: int = 64,
    jobs: int | None = None, paths: bool = True, overwrite: bool = False, resume: bool = False,
    progress: Progress | None = None, say: Say | None = None,
) -> HideReport:  # fmt: skip
    """Write copies of photos and clips in which faces cannot be recognised.

    Faces that are not found stay visible: look at every copy before you publish it.

    inputs: files, folders (searched recursively) and patterns. out: the folder for the results:
    `copies/` to publish; `hidden.csv`, a row per input; `hidden_faces.csv`, a row per face;
    `index.html`, what to check; `found/`, which a second run reuses.

    method: `mosaic`, `blur`, `fill` (black), or `mask` (black, only the hull of the points).
    padding: margin around the face, as a share of its size. min_score: hide faces with at least
    this score; in clips, only if they reach start_score in any frame. keep: pictures of people to
    leave clear, or numbers of faces in the only input. corrections: a CSV or JSON file, see
    docs/guides/hide.md. sound: keep the sound of clips. metadata: keep EXIF and tags. model to
    batch: see `fkp.load`. max_pixels: larger pictures are unreadable. jobs: worker processes, None
    for one per CPU. paths: False leaves absolute paths out of `run.json`. overwrite: replace the
    copies of an earlier run. resume: continue a run that was stopped. progress: called with the
    number of inputs done and in total. say: called with messages. Raises FkpError if the run fails.
    """
    _check(method, padding, min_score, start_score, overwrite, resume)
    file = None if detector_model is None else Path(detector_model)
    detector = ThoroughDetector(file, det_size, min(CANDIDATE, min_score), min_face)
    network = load(model, device=device, detector=detector, min_score=min_score, batch=batch)
    folder, given = Path(out), listed(inputs)
    found = find_inputs(given, folder, PHOTOS_AND_CLIPS)
    pictures, numbers = _kept(keep, found)
    corrected = Corrections.none()
    if corrections is not None:
        corrected = Corrections.read(Path(corrections), found)
    config = HideConfig(method, padding, min_score, start_score, sound, metadata, max_pixels)
    annotating = replace(network.config, jobs=workers(jobs, found), max_pixels=max_pixels)
    clear = None
    if pictures or numbers:
        looks = tuple(look for picture in pictures for look in _looks(network, picture))
        layout, size = network.keypoints.layout, network.keypoints.size
        clear = ClearFaces(looks, numbers, network.scheme, layout, size)
    facts = fingerprint(
        *(Path(picture).read_bytes() for picture in pictures), str(sorted(numbers)).encode()
    )
    work = HideWork(
        tuple(given), found, network.keypoints, detector, annotating, config, clear, facts,
        corrected, {**network.identity(), "candidate": detector.min_score}, paths,
    )  # fmt: skip
    with single_thread():  # decoding and encoding need the other processors
        return make(work, folder, overwrite, resume, progress or silent, say or unheard)


def _check(
    method: str, padding: float, low: float, start: float, overwrite: bool, resume: bool
) -> None:
    """Raise UsageError for arguments that contradict each other."""
    if method not in METHODS:
        raise UsageError(f"method: expected one of {', '.join(METHODS)}, got {method}")
    if not 0 <= padding <= 2:
        raise UsageError(f"padding: expected 0 to 2, got {padding:g}")
    if not 0 < low <= start <= 1:
        raise UsageError(f"expected 0 < min_score <= start_score <= 1, got {low:g} and {start:g}")
    if overwrite and resume:
        raise UsageError("overwrite and resume cannot be combined")


def _kept(
    keep: Paths | Sequence[str | Path | int], found: Inputs
) -> tuple[list[str], frozenset[int]]:
    """Pictures of whom to leave clear, and numbers of faces: digits that are not a file."""
    items = [keep] if isinstance(keep, str | Path) else list(keep)
    pictures: list[str] = []
    numbers: set[int] = set()
    for item in items:
        text = str(item)
        if text.isdigit() and not os.path.exists(text):
            numbers.add(int(text))
        else:
            pictures.append(text)
    if numbers and len(found.paths) > 1:
        raise UsageError(
            "numbers of faces to keep need a single photo or clip; for several, use a corrections "
            "file"
        )
    return pictures, frozenset(numbers)


def _looks(network: Network, picture: str) -> list[Look]:
    """The looks of the faces in a picture of whom to leave clear; DataError if there are none."""
    confident = replace(network, config=replace(network.config, min_score=KNOWN))
    faces = confident.annotate(picture)
    gray = to_gray(read_image(picture))
    layout, side = network.keypoints.layout, network.keypoints.size
    clear = ClearFaces((), frozenset(), network.scheme, layout, side)
    size = (gray.shape[1], gray.shape[0])
    crops = [clear.transform(points, size) for points in faces.points]
    looks = [look_of(crop.cut(gray)) for crop in crops if crop is not None]
    if not looks:
        raise DataError(f"{picture}: shows no whole face to leave clear")
    return looks
