"""From the table of a finished run to aligned faces: the second half of `fkp align`."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fkp.annotate.align.candidates import Candidate, candidates_of, chosen
from fkp.annotate.align.choices import CHOICES, read_choices, with_choices, write_choices
from fkp.annotate.align.clips import FaceTrack, clip_candidates, failure_of, tracks_of, write_clip
from fkp.annotate.align.page import write_page
from fkp.annotate.align.pictures import files_for, write_pictures
from fkp.annotate.align.settings import AlignConfig
from fkp.annotate.align.timelapse import write_timelapse
from fkp.annotate.names import FACES
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.results import Output
from fkp.annotate.pipeline import Progress
from fkp.errors import FkpError, ImageError, parse_json
from fkp.files import replace_text
from fkp.locks import locked
from fkp.vision.keeping import kept_of
from fkp.vision.sources import Opening
from fkp.vision.warp import Warp

TRANSFORMS = "transforms.json"

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AlignReport:
    """The outcome of a run.

    statuses: rows of `choices.csv` by status. notes: on the files that were made. timelapse: the
    video of all pictures, None if there is none.
    """

    folder: Path
    statuses: Counter[str]
    notes: Sequence[str] = ()
    timelapse: Path | None = None

    @property
    def page(self) -> Path | None:
        """The page to look at; None for a clip that does not exist."""
        page = self.folder / PAGE
        return page if page.exists() else None

    @property
    def exit_code(self) -> int:
        """0 if all inputs were read, 3 if some are unreadable."""
        return 3 if self.statuses["unreadable"] else 0


def align_photos(
    out: Path, output: Output, root: str, config: AlignConfig, jobs: int, progress: Progress
) -> AlignReport:
    """Align the faces of a finished run over photos. root: the common folder of the inputs.

    Writes `faces/` in the tree of the inputs, `transforms.json`, `choices.csv`, the page and the
    timelapse. Pictures of an earlier run that are no longer chosen are removed. Raises FkpError.
    """
    with locked(out):
        found = list(candidates_of(output.records(out), config, output.scheme))
        found = with_choices(found, read_choices(out / CHOICES))
        dates: dict[str, datetime | None] = {}

        def date_of(image: str) -> datetime | None:
            if image not in dates:
                dates[image] = kept_of(image).date
            return dates[image]

        named = files_for(chosen(found, config, date_of), root, config.faces == "each")
        _remove_others(out, named)
        done = write_pictures(out, named, config, jobs, progress)
        _write_transforms(out, config, [_picture(one) for one in done if one.file and one.warp])
        notes: list[str] = []
        shown = [one for one in _in_order(done, config) if one.file]
        timelapse = config.timelapse if shown else None
        if timelapse is not None:
            pictures = [out / one.file for one in shown]
            size_wh = config.framing.size_wh
            notes += write_timelapse(timelapse, pictures, size_wh, config.hold, config.fade)
        write_choices(out / CHOICES, done)
        write_page(out / PAGE, _in_order(done, config), timelapse)
    return AlignReport(out, Counter(one.status for one in done), notes, timelapse)


def align_clip(
    out: Path, output: Output, path: str, opening: Opening, config: AlignConfig
) -> AlignReport:  # fmt: skip
    """Align the faces of a finished run over a clip, each in a video. path: of the clip."""
    with locked(out):
        clip, tracks = tracks_of(output.records(out), config, output.scheme)
        reason = failure_of(output.records(out)) if not tracks else ""
        found = with_choices(clip_candidates(clip, tracks, reason), read_choices(out / CHOICES))
        planned = chosen(found, replace(config, one_per=None), lambda image: None)
        by_number = {track.number: track for track in tracks}
        _remove_others(out, [])
        done, entries, notes = [], [], []
        for one in planned:
            if one.status != "aligned" or one.face is None:
                done.append(one)
                continue
            track = by_number[one.face]
            try:
                name, more = write_clip(out, path, opening, track, config)
            except ImageError as error:
                done.append(replace(one, status="unreadable", reason=str(error)))
                continue
            notes += more
            done.append(replace(one, file=name))
            entries += _frames(one, name, track)
        _write_transforms(out, config, entries)
        write_choices(out / CHOICES, done)
        write_page(out / PAGE, done, None)
    return AlignReport(out, Counter(one.status for one in done), notes)


def missing_clip(out: Path, clip: str, reason: str) -> AlignReport:
    """The report for a clip that does not exist: a row in `choices.csv` that says so, unless an
    earlier run left its choices there.
    """
    row = Candidate(clip, None, "unreadable", reason, is_clip=True)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if not (out / CHOICES).exists():
            write_choices(out / CHOICES, [row])
    return AlignReport(out, Counter([row.status]), [f"{clip}: {reason}"])


def _in_order(candidates: Sequence[Candidate], config: AlignConfig) -> list[Candidate]:
    """Sorted by date if wanted, with those without a date last; otherwise as the inputs."""
    if config.sort != "date" and config.one_per is None:
        return list(candidates)
    return sorted(candidates, key=lambda one: (one.date is None, one.date or LONG_AGO))


def _picture(one: Candidate) -> dict[str, object]:
    assert one.warp is not None
    date = None if one.date is None else one.date.strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "image": one.image,
        "face": one.face,
        "file": one.file,
        "date": date,
        **_geometry(one.warp),
    }


def _frames(one: Candidate, name: str, track: FaceTrack) -> list[dict[str, object]]:
    return [
        {"image": one.image, "face": one.face, "file": name, "frame": frame, **_geometry(warp)}
        for frame, warp in sorted(track.warps.items())
    ]


def _geometry(warp: Warp) -> dict[str, object]:
    return {
        "width": warp.width,
        "height": warp.height,
        "to_aligned": warp.transform.matrix.tolist(),
        "to_picture": warp.to_picture.tolist(),
    }


def _write_transforms(
    out: Path, config: AlignConfig, pictures: Sequence[dict[str, object]]
) -> None:  # fmt: skip
    framing = config.framing
    about = {
        "template": framing.template.name,
        "margin": framing.margin,
        "aspect": framing.aspect,
        "size": list(framing.size_wh),
    }
    lines = ",\n".join(json.dumps(one) for one in pictures)
    head = json.dumps(about)[:-1]
    replace_text(out / TRANSFORMS, f'{head}, "pictures": [\n{lines}\n]}}\n')


def _remove_others(out: Path, named: Sequence[Candidate]) -> None:
    """Remove files of the last run that this one will not write."""
    path = out / TRANSFORMS
    if not path.exists():
        return
    try:
        facts: Any = parse_json(path.read_text(encoding="utf-8"))
        old = {str(one["file"]) for one in facts["pictures"]}
    except (ValueError, KeyError, TypeError) as error:
        raise FkpError(f"{path}: damaged: {error!r}; remove it and {out / FACES}") from error
    for name in old - {one.file for one in named}:
        parts = Path(name).parts
        if parts[:1] == (FACES,) and ".." not in parts:
            (out / name).unlink(missing_ok=True)
