"""The second half of a run of align: from the table of a finished run to aligned faces."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fkp.annotate.align.candidates import Candidate, candidates_of, chosen
from fkp.annotate.align.choices import CHOICES, read_wishes, wished, write_choices
from fkp.annotate.align.clips import Life, clip_candidates, failure_of, lives_of, write_clip
from fkp.annotate.align.film import write_film
from fkp.annotate.align.page import write_page
from fkp.annotate.align.pictures import files_for, write_pictures
from fkp.annotate.align.settings import Align
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
class Aligned:
    """The outcome. statuses: how many rows of `choices.csv` have each; notes: on what was made.

    film: of all pictures, None without one.
    """

    folder: Path
    statuses: Counter[str]
    notes: Sequence[str] = ()
    film: Path | None = None

    @property
    def page(self) -> Path | None:
        """The page to look at; None for a clip that does not exist."""
        page = self.folder / PAGE
        return page if page.exists() else None

    @property
    def exit_code(self) -> int:
        """0 where all inputs were read, 3 where some are unreadable."""
        return 3 if self.statuses["unreadable"] else 0


def align_photos(
    out: Path, output: Output, root: str, align: Align, jobs: int, progress: Progress
) -> Aligned:
    """Align the faces of a finished run over photos. root: the folder of all inputs.

    Writes `faces/` in the tree of the inputs, `transforms.json`, `choices.csv`, the page and the
    film. What an earlier run wrote there and is not chosen any more is removed. Raises FkpError.
    """
    with locked(out):
        found = list(candidates_of(output.records(out), align, output.scheme))
        found = wished(found, read_wishes(out / CHOICES))
        dates: dict[str, datetime | None] = {}

        def date_of(image: str) -> datetime | None:
            if image not in dates:
                dates[image] = kept_of(image).date
            return dates[image]

        named = files_for(chosen(found, align, date_of), root, align.faces == "each")
        _remove_others(out, named)
        done = write_pictures(out, named, align, jobs, progress)
        _write_transforms(out, align, [_picture(one) for one in done if one.file and one.warp])
        notes: list[str] = []
        film = align.film
        shown = [one for one in _in_order(done, align) if one.file]
        if film is not None and shown:
            pictures = [out / one.file for one in shown]
            notes += write_film(film, pictures, align.framing.size_wh, align.hold, align.fade)
        write_choices(out / CHOICES, done)
        write_page(out / PAGE, _in_order(done, align), film if shown else None)
    return Aligned(out, Counter(one.status for one in done), notes, film if shown else None)


def align_clip(
    out: Path, output: Output, path: str, opening: Opening, align: Align
) -> Aligned:  # fmt: skip
    """Align the faces of a finished run over a clip: a film of each. path: of the clip."""
    with locked(out):
        clip, lives = lives_of(output.records(out), align, output.scheme)
        reason = failure_of(output.records(out)) if not lives else ""
        found = wished(clip_candidates(clip, lives, reason), read_wishes(out / CHOICES))
        planned = chosen(found, replace(align, one_per=None), lambda image: None)
        by_number = {life.number: life for life in lives}
        _remove_others(out, [])
        done, entries, notes = [], [], []
        for one in planned:
            if one.status != "aligned" or one.face is None:
                done.append(one)
                continue
            life = by_number[one.face]
            try:
                name, more = write_clip(out, path, opening, life, align)
            except ImageError as error:
                done.append(replace(one, status="unreadable", reason=str(error)))
                continue
            notes += more
            done.append(replace(one, file=name))
            entries += _frames(one, name, life)
        _write_transforms(out, align, entries)
        write_choices(out / CHOICES, done)
        write_page(out / PAGE, done, None)
    return Aligned(out, Counter(one.status for one in done), notes)


def missing_clip(out: Path, clip: str, reason: str) -> Aligned:
    """The outcome for a clip that does not exist: a row in `choices.csv` that says so, unless an
    earlier run left its choices there.
    """
    row = Candidate(clip, None, "unreadable", reason, is_clip=True)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if not (out / CHOICES).exists():
            write_choices(out / CHOICES, [row])
    return Aligned(out, Counter([row.status]), [f"{clip}: {reason}"])


def _in_order(candidates: Sequence[Candidate], align: Align) -> list[Candidate]:
    """By date where that is wanted, those without one last; otherwise as the inputs are."""
    if align.sort != "date" and align.one_per is None:
        return list(candidates)
    return sorted(candidates, key=lambda one: (one.date is None, one.date or LONG_AGO))


def _picture(one: Candidate) -> dict[str, object]:
    assert one.warp is not None
    date = None if one.date is None else one.date.strftime("%Y-%m-%dT%H:%M:%S")
    return {"image": one.image, "face": one.face, "file": one.file, "date": date, **_told(one.warp)}


def _frames(one: Candidate, name: str, life: Life) -> list[dict[str, object]]:
    return [
        {"image": one.image, "face": one.face, "file": name, "frame": frame, **_told(warp)}
        for frame, warp in sorted(life.warps.items())
    ]


def _told(warp: Warp) -> dict[str, object]:
    return {
        "width": warp.width,
        "height": warp.height,
        "to_aligned": warp.transform.matrix.tolist(),
        "to_picture": warp.to_picture.tolist(),
    }


def _write_transforms(out: Path, align: Align, pictures: Sequence[dict[str, object]]) -> None:
    framing = align.framing
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
    """Remove the files that the last run wrote and this one will not."""
    path = out / TRANSFORMS
    if not path.exists():
        return
    try:
        told: Any = parse_json(path.read_text(encoding="utf-8"))
        old = {str(one["file"]) for one in told["pictures"]}
    except (ValueError, KeyError, TypeError) as error:
        raise FkpError(f"{path}: damaged: {error!r}; remove it and {out / FACES}") from error
    for name in old - {one.file for one in named}:
        parts = Path(name).parts
        if parts[:1] == (FACES,) and ".." not in parts:
            (out / name).unlink(missing_ok=True)
