"""Aligned faces: the whole run of `fkp align`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fkp.annotate.align.run import AlignReport, align_clip, align_photos, missing_clip
from fkp.annotate.align.settings import AlignConfig
from fkp.annotate.config import MIN_SCORE
from fkp.annotate.inputs import PHOTOS_AND_CLIPS, expanded, find_inputs
from fkp.annotate.pipeline import Progress
from fkp.annotate.run import Say
from fkp.annotate.video.work import ClipConfig, clip_folders
from fkp.api.choices import FacesOf, Period, Sort
from fkp.api.clips import Clips, annotate_clips
from fkp.api.making import Photos, Place, Wanted, annotate_photos
from fkp.api.network import Network, Paths, listed, load, silent, unheard, workers
from fkp.errors import UsageError
from fkp.keypoints import Scheme
from fkp.learn.networks.names import BUNDLED
from fkp.vision.detect import FaceDetector
from fkp.vision.detectors import DetectorName
from fkp.vision.images import MAX_PIXELS
from fkp.vision.sources import Opening, is_video_name
from fkp.vision.templates import framing_of

CLIPS = "clips"
"""The folder for those of a run that also has photos."""


def align(
    inputs: Paths, out: str | Path = "aligned", *,
    template: str | Path = "ffhq-512", margin: float = 0.0, aspect: float | None = None,
    size: int | None = None, border: str = "reflect", enlarge: bool = False,
    faces: FacesOf = "largest", one_per: Period | None = None, sort: Sort = "inputs",
    timelapse: str | Path | None = None, hold: float = 0.2, fade: float = 0.2,
    model: str | Path = BUNDLED, scheme: str | Scheme | None = None, device: str = "auto",
    detector: DetectorName | FaceDetector | None = "fkp", detector_model: str | Path | None = None,
    det_size: int = 640, min_score: float = MIN_SCORE, min_face: float = 0,
    max_faces: int | None = None, batch: int = 64, keep: str | None = None, smooth: float = 0.5,
    max_pixels: int = MAX_PIXELS, overwrite: bool = False, resume: bool = False,
    jobs: int | None = None, progress: Progress | None = None, say: Say | None = None,
) -> list[AlignReport]:  # fmt: skip
    """Align the faces in photos and clips: the whole run of `fkp align`; a report per folder.

    inputs: files, folders and patterns of photos and clips. out: the folder for `faces/`,
    `transforms.json` (with the transforms back to the pictures), `choices.csv`, the page, and the
    files that `fkp.annotate` writes. Several clips get a folder each in it, in `clips/` if there
    are photos as well.

    template: `ffhq-512`, `ffhq-1024`, `arcface-112`, `eyes`, or a JSON file with `size` and
    `points`. margin: extra margin on each side, as a share of the template. aspect: width over
    height. size: the longer side in pixels. border: `reflect`, `blur` or a colour. enlarge: also
    enlarge faces that are smaller than in the template; otherwise their pictures are smaller.

    faces: `largest`, `first` or `each` of a picture; choices in `choices.csv` take precedence.
    one_per: only the best photo per `day` or `week`. timelapse: an MP4 of all photos, in the order
    of the inputs or, with sort, of their dates; hold, fade: seconds per photo.

    keep: as in `fkp.annotate`. smooth: as in `fkp.video`. resume: continue a run that was stopped,
    or align again with other settings or choices without searching for faces again. Arguments not
    listed here are as in `fkp.annotate`. Raises FkpError.
    """
    framing = framing_of(template, margin, aspect, size, enlarge)
    video = None if timelapse is None else Path(timelapse)
    config = AlignConfig(framing, faces, border, one_per, sort, video, hold, fade)
    network = load(
        model, scheme=scheme, device=device, detector=detector, detector_model=detector_model,
        det_size=det_size, min_score=min_score, min_face=min_face, max_faces=max_faces, batch=batch,
    )  # fmt: skip
    wanted = Wanted(
        scheme, "csv", (), True, False, None, None, False, None, None, True, True, False, keep
    )
    place = Place(Path(out), overwrite, resume, progress or silent, say or unheard)
    pictures, clips = _apart(listed(inputs), Path(out))
    if not pictures and (timelapse is not None or one_per is not None):
        raise UsageError("timelapse and one_per are for photos, and there are only clips")
    reports = []
    if pictures:
        photos = Photos(pictures, False, 256, max_pixels, jobs, (1, 1), "local", None)
        reports.append(_photos(network, photos, wanted, place, config))
        place = replace(place, out=Path(out) / CLIPS)
    if clips:
        reports += _clips(network, clips, smooth, wanted, place, config)
    return reports


def _apart(given: list[str], out: Path) -> tuple[list[str], list[str]]:
    """The photos, as they were given, and the clips, each by its path."""
    found = find_inputs(given, out, PHOTOS_AND_CLIPS).paths
    clips = [path for path in found if is_video_name(path)]
    if not clips:
        return given, []
    photos = [item for item in expanded(given) if not is_video_name(item)]
    return (photos if len(clips) < len(found) else []), clips


def _photos(
    network: Network, photos: Photos, wanted: Wanted, place: Place, config: AlignConfig
) -> AlignReport:  # fmt: skip
    annotate_photos(network, photos, wanted, place)
    assert place.folder is not None
    inputs = find_inputs(photos.given, place.folder)
    output = wanted.output(network, gallery=False)
    jobs = workers(photos.jobs, inputs)
    return align_photos(place.folder, output, inputs.root, config, jobs, place.progress)


def _clips(
    network: Network, given: Sequence[str], smooth: float, wanted: Wanted, place: Place,
    config: AlignConfig,
) -> list[AlignReport]:  # fmt: skip
    tracking = replace(ClipConfig(), overlay=False, smooth=smooth)
    clips = Clips(list(given), tracking, live=False, view=False, stop=None, on_finish=None)
    output = wanted.output(network, gallery=False)
    found = clips.find(place)
    reports = annotate_clips(network, clips, wanted, place)
    results = []
    folders = clip_folders(found, place.folder)
    for path, folder, report in zip(found.paths, folders, reports, strict=True):
        if report.folder is None:
            results.append(missing_clip(folder, path, report.summary.failures[0][1]))
        else:
            results.append(align_clip(folder, output, os.path.abspath(path), Opening(), config))
    return results
