"""A page per person: the two sides of the face at each visit, as drawings and tables."""

import html
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pandas as pd

from fkp.annotate.clinic.measured import Shot
from fkp.keypoints import IBUG68
from fkp.vision.symmetry import Frontal

SIDE = 220
"""Width of a drawing in pixels; it shows three eye distances."""


def page_of(person: str, table: pd.DataFrame, shots: Sequence[Shot], rest: str) -> str:
    """The HTML. table, shots: the person's rows and pictures. rest: as in `table_of`."""
    parts = []
    for visit in dict.fromkeys(shot.picture.visit for shot in shots):
        own = [shot for shot in shots if shot.picture.visit == visit]
        resting = next((s.face for s in own if s.face and s.picture.is_rest(rest)), None)
        parts.append(f"<h2>Visit {html.escape(visit)}</h2>\n<div class=visit>")
        for shot in own:
            rows = table[(table["visit"] == visit) & (table["image"] == shot.picture.image)]
            rows = rows[rows["expression"] == shot.picture.expression]
            parts.append(_figure(shot, rows, resting))
        parts.append("</div>")
    page = files("fkp.annotate.clinic").joinpath("person.html").read_text(encoding="utf-8")
    return page.replace("<!--PERSON-->", html.escape(person)).replace(
        "<!--VISITS-->", "\n".join(parts)
    )


def _figure(shot: Shot, rows: pd.DataFrame, resting: Frontal | None) -> str:
    title = f"<h3>{html.escape(shot.picture.expression)}</h3>"
    note = f"<p class=note>{html.escape(shot.reason)}</p>" if shot.reason else ""
    if shot.face is None:
        return f"<section>{title}{note}</section>"
    drawing = _drawing(shot.face, resting)
    unit = html.escape(str(rows["unit"].iloc[0]))
    lines = "".join(_line(row) for row in rows.to_dict("records"))
    heads = ("", "right", "left", "asymmetry", "change right", "left", "symmetry")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        f"<section>{title}{drawing}<table><caption>{unit}</caption><tr>{head}</tr>{lines}</table>"
        f"{note}</section>"
    )


def _line(row: "dict[object, object]") -> str:
    form = {"asymmetry": "{:.0%}", "change_symmetry": "{:.0%}"}
    decimals = "{:.1f}" if row["unit"] == "mm" else "{:.3f}"
    names = ("right", "left", "asymmetry", "right_change", "left_change", "change_symmetry")
    cells = []
    for name in names:
        value = row[name]
        known = isinstance(value, float) and np.isfinite(value)
        cells.append(f"<td>{form.get(name, decimals).format(value) if known else ''}</td>")
    return f"<tr><th>{str(row['measure']).replace('_', ' ')}</th>{''.join(cells)}</tr>"


def _drawing(face: Frontal, resting: Frontal | None) -> str:
    """The points in frontal view as SVG, those at rest in gray; the right side is on the left."""
    own = [] if resting is None or resting is face else [("rest", resting.points)]
    lines = []
    for kind, points in (*own, ("face", face.points)):
        for a, b in IBUG68.edges:
            (x0, y0), (x1, y1) = points[[a, b]]
            lines.append(
                f'<line class={kind} x1="{x0:.3f}" y1="{y0:.3f}" x2="{x1:.3f}" y2="{y1:.3f}"/>'
            )
    return (
        f'<svg viewBox="-1.5 -1 3 3.2" width="{SIDE}"><path class=axis d="M0-1V2.2M-1.5 0H1.5"/>'
        f"{''.join(lines)}</svg>"
    )
