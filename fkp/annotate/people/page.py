"""`index.html` of people: the faces of each person, doubtful ones first."""

import base64
import html
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from fkp.annotate.people.sheets import Entry, persons_of
from fkp.files import replace_text

SHOWN = 60
"""Maximum number of faces per person on the page: those with the lowest fit."""

POOR = 0.1
"""Fit below which a face is marked."""


def write_page(
    path: Path, entries: Sequence[Entry], groups: Sequence[str], thumbnails: Mapping[int, bytes]
) -> None:
    """Write the page. groups: each entry's group in the sheet. thumbnails: JPEGs by the number of
    the entry.
    """
    parts = []
    for person in persons_of(entries):
        own = [i for i, entry in enumerate(entries) if entry.person == person]
        own.sort(key=lambda i: (np.nan_to_num(entries[i].fit, nan=np.inf), i))
        called = ", ".join(dict.fromkeys(groups[i] for i in own))
        title = html.escape(person if called == person else f"{person} ({called})")
        more = f", the {SHOWN} most doubtful ones" if len(own) > SHOWN else ""
        shown = "".join(_figure(entries[i], thumbnails.get(i)) for i in own[:SHOWN])
        count = f"{len(own)} face{'' if len(own) == 1 else 's'}{more}"
        parts.append(f"<h2>{title} <small>{count}</small></h2><div>{shown}</div>")
    unseen = [entry for entry in entries if not entry.person]
    if unseen:
        lines = "".join(f"<li>{html.escape(f'{one.image}: {one.reason}')}</li>" for one in unseen)
        parts.append(f"<h2>without a person</h2><ul>{lines}</ul>")
    page = files("fkp.annotate.people").joinpath("people.html").read_text(encoding="utf-8")
    text = page.replace("<!--PEOPLE-->", "\n".join(parts))
    replace_text(path, text.encode("utf-8", "replace").decode("utf-8"))


def _figure(entry: Entry, thumbnail: bytes | None) -> str:
    name = html.escape(f"{os.path.basename(entry.image)} #{entry.face}")
    fit = "" if np.isnan(entry.fit) else f", fit {entry.fit:.2f}"
    title = html.escape(f"{entry.image} #{entry.face}{fit}", quote=True)
    poor = ' class="poor"' if entry.fit < POOR else ""
    data = base64.b64encode(thumbnail or b"").decode("ascii")
    picture = f'<img src="data:image/jpeg;base64,{data}" alt="">' if thumbnail else ""
    return f'<figure{poor} title="{title}">{picture}<figcaption>{name}</figcaption></figure>'
