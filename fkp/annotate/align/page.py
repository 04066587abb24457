"""`index.html` of aligned faces: the pictures or videos in order, and what could not be aligned."""

import html
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from fkp.annotate.align.candidates import Candidate
from fkp.files import replace_text

SHOWN = 5000
"""Pictures on the page, at most."""


def write_page(path: Path, candidates: Sequence[Candidate], timelapse: Path | None) -> None:
    """Write the page next to the files that it shows."""
    shown = [one for one in candidates if one.file]
    cards = "\n".join(_card(one) for one in shown[:SHOWN])
    more = f"; the first {SHOWN} are shown" if len(shown) > SHOWN else ""
    lines = "".join(_line(one) for one in candidates if not one.file)
    page = files("fkp.annotate.align").joinpath("align.html").read_text(encoding="utf-8")
    video = ""
    if timelapse is not None:
        place = quote(Path(os.path.relpath(timelapse, path.parent)).as_posix())
        video = f'<video src="{place}" controls loop muted playsinline></video>'
    parts = {
        "<!--COUNT-->": f"{len(shown)} aligned{more}",
        "<!--TIMELAPSE-->": video,
        "<!--CARDS-->": cards,
        "<!--OTHERS-->": f"<h2>not aligned</h2><ul>{lines}</ul>" if lines else "",
    }
    for mark, text in parts.items():
        page = page.replace(mark, text)
    replace_text(path, page.encode("utf-8", "replace").decode("utf-8"))


def _card(one: Candidate) -> str:
    name = html.escape(f"{os.path.basename(one.image)} #{one.face}")
    date = "" if one.date is None else one.date.strftime("%Y-%m-%d")
    rank = "" if one.rank != one.rank else f"rank {one.rank:.2f}"
    place = quote(one.file.encode("utf-8", "surrogateescape"))
    title = html.escape(one.image, quote=True)
    if one.is_clip:
        shown = f'<video src="{place}" controls muted loop playsinline></video>'
    else:
        shown = f'<img src="{place}" loading="lazy" alt="">'
    told = " ".join(filter(None, (date, rank)))
    return (
        f'<figure title="{title}"><a href="{place}">{shown}</a>'
        f"<figcaption>{name}<br><small>{told}</small></figcaption></figure>"
    )


def _line(one: Candidate) -> str:
    who = "" if one.face is None else f" #{one.face}"
    reason = f" ({one.reason})" if one.reason else ""
    return f"<li>{html.escape(f'{one.image}{who}: {one.status}{reason}')}</li>"
