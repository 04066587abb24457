"""Whole runs, as the commands do them: tables, overlays, pages, other tools' files."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fkp.annotate.config import MIN_SCORE
from fkp.annotate.people.grouping import LIKENESS
from fkp.annotate.pipeline import Progress
from fkp.annotate.run import Report, Say
from fkp.api.choices import Also, Backend, Blur, Deinterlace, Order, TableFormat
from fkp.api.making import Photos, Place, Wanted, annotate_photos
from fkp.api.network import Paths, excerpt_of, listed, load, silent, unheard
from fkp.keypoints import Scheme
from fkp.learn.networks.names import BUNDLED
from fkp.vision.detect import FaceDetector
from fkp.vision.detectors import DetectorName
from fkp.vision.head import Camera
from fkp.vision.images import MAX_PIXELS
from fkp.vision.sources import Opening

if TYPE_CHECKING:
    from fkp.annotate.clinic.run import SymmetryReport
    from fkp.annotate.output.merge import Merged
    from fkp.annotate.people.run import PeopleReport


def annotate(
    inputs: Paths, out: str | Path | BinaryIO = "results", *,
    model: str | Path = BUNDLED, scheme: str | Scheme | None = None, device: str = "auto",
    detector: DetectorName | FaceDetector | None = "fkp", detector_model: str | Path | None = None,
    det_size: int = 640, min_score: float = MIN_SCORE, min_face: float = 0,
    max_faces: int | None = None, max_pixels: int = MAX_PIXELS, batch: int = 64,
    format: TableFormat = "csv", also: Also | Sequence[Also] = (), confidence: bool = False,
    measures: bool = False, focal: float | None = None, fov: float | None = None,
    quality: bool = False, iris: bool = False, keep: str | None = None, order: Order = "surest",
    overlays: bool = True, overlay_size: int | None = 1600,
    blur: Blur | None = None, crops: bool = False, crop_size: int = 256, paths: bool = True,
    overwrite: bool = False, resume: bool = False, jobs: int | None = None,
    shard: tuple[int, int] = (1, 1), backend: Backend = "local", scheduler: str | None = None,
    progress: Progress | None = None, say: Say | None = None,
) -> Report:  # fmt: skip
    """Find the faces and their keypoints in pictures: the whole run of `fkp annotate`.

    inputs: files, folders (searched recursively) and patterns such as `*.jpg`. out: the folder for
    `keypoints.csv`, overlays, the page and `run.json`; or an open stream of bytes, which gets only
    the rows. model to min_face, and batch: see `fkp.load`. max_faces: keep only the highest-scoring
    ones of a picture. max_pixels: larger pictures are unreadable.

    format: of the table. also: other tools' files to write as well; in a stream, instead.
    confidence: add a column for the confidence of each point; measures: add columns for the
    openings of eyes and mouth, and the head's pose; focal (pixels) or fov (degrees along the longer
    side): of the camera, for these and openface. quality, iris: add columns for the quality of
    each face's picture, and for its irises. keep, order: see `fkp.load`. overlays: False draws
    nothing; overlay_size: maximum long side in pixels, None for the picture's own. blur: makes eyes
    or faces unrecognisable. crops: also write an upright crop of each face, `crop_size` pixels wide. paths:
    False leaves absolute paths out of `run.json` and pages.

    overwrite: replace an earlier run; resume: continue one that was stopped, to the same bytes.
    jobs: worker processes, None for one per CPU. shard: only part I of N, for `fkp.merge` to join.
    backend, scheduler: a Dask cluster. progress: called with the number of inputs done and in
    total; say: called with messages. Raises FkpError if the run fails; an unreadable picture is a
    row with the reason.
    """
    network = load(
        model, scheme=scheme, device=device, detector=detector, detector_model=detector_model,
        det_size=det_size, min_score=min_score, min_face=min_face, max_faces=max_faces, batch=batch,
    )  # fmt: skip
    wanted = Wanted(
        scheme, format, also, confidence, measures, focal, fov, overlays, overlay_size, blur, paths,
        quality, iris, keep, order,
    )  # fmt: skip
    photos = Photos(listed(inputs), crops, crop_size, max_pixels, jobs, shard, backend, scheduler)
    place = Place(out, overwrite, resume, progress or silent, say or unheard)
    return annotate_photos(network, photos, wanted, place)


def video(
    inputs: Paths, out: str | Path | BinaryIO | None = None, *,
    model: str | Path = BUNDLED, scheme: str | Scheme | None = None, device: str = "auto",
    detector: DetectorName | FaceDetector | None = "fkp", detector_model: str | Path | None = None,
    det_size: int = 640, min_score: float = MIN_SCORE, min_face: float = 0,
    max_faces: int | None = None, batch: int = 64, format: TableFormat = "csv",
    also: Also | Sequence[Also] = (), confidence: bool = False, measures: bool = False,
    focal: float | None = None, fov: float | None = None, quality: bool = False,
    iris: bool = False, keep: str | None = None, overlays: bool = True,
    overlay_size: int | None = None, blur: Blur | None = None,
    every: int = 1, start: float | None = None, end: float | None = None,
    max_frames: int | None = None, smooth: float = 0.5, fill: int = 0, raw: bool = False,
    series: str | Path | None = None, events: bool = False, stream: int | None = None,
    deinterlace: Deinterlace = "auto", fps: float | None = None, live: bool = False,
    view: bool = False, paths: bool = True, overwrite: bool = False, resume: bool = False,
    stop: threading.Event | None = None,
    progress: Progress | None = None, say: Say | None = None,
    on_finish: Callable[[Report], None] | None = None,
) -> list[Report]:  # fmt: skip
    """Find the faces and their keypoints in clips: the whole run of `fkp video`; a report per clip.

    inputs: files, folders (searched recursively) and patterns; or one stream: a camera's number,
    an `rtsp://` or `http://` address, or `-` for stdin. out: the folder for the results of one
    clip, or for a folder per clip, None for `results/NAME`; or an open stream of bytes, which gets
    only the rows. Arguments not listed here are as in `annotate`; overlay_size: None for the clip's
    own.

    every: only frames whose number is a multiple of this. start, end: seconds since the first
    frame, None for the whole. smooth: jitter smoothing, 0 (off) to 1. fill: fill gaps of a face of
    up to this many frames; raw: also write `raw.csv`, the points before smoothing. series: plot the
    points over time into this file. events: also write `events.csv` and `minutes.csv`: blinks,
    closures, yawns and speech. stream: the number of the video stream in a file, None for the
    largest. deinterlace: `auto` for frames that are marked as interlaced, `on` for all, or `off`.
    fps: the frame rate of folders and patterns of pictures that are the frames of clips.

    live: drop frames to keep up, as cameras and RTSP always do; view: show the pictures on a page
    that only this machine can open. stop: an event that ends a live run as if its stream had ended.
    on_finish: called with each report as soon as it is ready.
    """
    from fkp.annotate.video.work import ClipConfig
    from fkp.api.clips import Clips, annotate_clips

    network = load(
        model, scheme=scheme, device=device, detector=detector, detector_model=detector_model,
        det_size=det_size, min_score=min_score, min_face=min_face, max_faces=max_faces, batch=batch,
    )  # fmt: skip
    wanted = Wanted(
        scheme, format, also, confidence, measures, focal, fov, overlays, overlay_size, blur, paths,
        quality, iris, keep,
    )  # fmt: skip
    config = ClipConfig(
        excerpt_of(every, start, end, max_frames), Opening(stream, deinterlace, fps), smooth, fill,
        overlays, overlay_size, blur, raw, None if series is None else Path(series), events,
    )  # fmt: skip
    clips = Clips(listed(inputs), config, live, view, stop, on_finish)
    place = Place(out, overwrite, resume, progress or silent, say or unheard)
    return annotate_clips(network, clips, wanted, place)


def people(
    folders: str | Path | Sequence[str | Path], out: str | Path | None = None, *,
    likeness: float = LIKENESS, jobs: int | None = None, overwrite: bool = False,
    progress: Progress | None = None, say: Say | None = None,
) -> "PeopleReport":  # fmt: skip
    """Group the faces of finished runs of one occasion by person: the whole run of `fkp people`.

    folders: of `fkp.annotate` and `fkp.video`; their pictures are read again. out: the folder for
    `people.csv` and `faces.csv`, `keypoints.csv` with the column `person`, and the page; None for
    `people/` in the first folder. likeness: minimum likeness of two groups to count as one person.

    If the two sheets exist, their edits are applied: persons with the same name become one, and
    each face belongs to the person in its row. overwrite: group again. Raises FkpError.
    """
    from fkp.annotate.people.run import group_people

    listed_folders = [Path(folder) for folder in listed(folders)]
    return group_people(
        listed_folders, listed_folders[0] / "people" if out is None else Path(out), likeness,
        overwrite, jobs or os.cpu_count() or 1, progress or silent, say or unheard,
    )  # fmt: skip


def symmetry(
    results: str | Path, out: str | Path, *, rest: str = "rest*",
    visits: str | Path | None = None, ipd: float | None = None, focal: float | None = None,
    fov: float | None = None, overwrite: bool = False,
) -> "SymmetryReport":  # fmt: skip
    """Compare the two sides of faces in photos of visits, at rest and in expressions: the whole run
    of `fkp symmetry`.

    results: the folder of a finished `fkp.annotate` with the 68 points, whose pictures are named
    PERSON/VISIT/EXPRESSION.jpg. out: the folder for PERSON/VISIT.csv and PERSON.html. rest: a
    pattern for expressions at rest. visits: a CSV that lists the pictures instead: image, person,
    expression and, optionally, visit, ipd_mm, iris_px. ipd: interpupillary distance in millimetres;
    without it, lengths are in eye distances. focal (pixels) or fov (degrees along the longer side):
    of the camera. Raises FkpError for results or a list that cannot be used.
    """
    from fkp.annotate.clinic.run import measure_visits

    return measure_visits(
        Path(results), Path(out), None if visits is None else Path(visits), rest, ipd,
        Camera(focal, fov), overwrite,
    )  # fmt: skip


def merge(
    folders: Sequence[str | Path], out: str | Path, *, overwrite: bool = False
) -> "Merged":  # fmt: skip
    """Join the results of all shards of a run into one folder, in the order of the inputs.

    Raises FkpError if one is missing, unfinished, given twice, or of another run.
    """
    from fkp.annotate.output.merge import merge as merged

    return merged([Path(folder) for folder in folders], Path(out), overwrite)
