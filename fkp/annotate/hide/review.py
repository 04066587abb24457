"""`index.html`: a page with all that a person should check before anything is published."""

import csv
import json
from importlib.resources import files
from pathlib import Path

from fkp.annotate.names import FACE_TABLE, HIDDEN, REVIEW
from fkp.annotate.output.gallery import PAGE
from fkp.files import replacing

AT_MOST = 5000
"""Cards of a page."""


def write_review(out: Path) -> int:
    """Write the page from the finished tables; the number of its cards, without a limit."""
    cards = []
    for order, row in enumerate(_rows(out / HIDDEN)):
        if row["status"] in ("unreadable", "failed"):
            cards.append(_card(row["input"], "", "", row["status"] + ": " + row["reason"], "", ""))
        elif row["status"] == "no_face":
            picture = f"{order:06d}.jpg"
            cards.append(_card(row["input"], "", "", "no face was found", picture, row["copy"]))
    copies = {row["input"]: row["copy"] for row in _rows(out / HIDDEN)}
    for row in _rows(out / FACE_TABLE):
        if row["check"]:
            name = row["input"]
            cards.append(
                _card(name, row["face"], row["frame"], row["check"], row["picture"], copies[name])
            )
    page = files("fkp.annotate.hide").joinpath("review.html").read_text(encoding="utf-8")
    data = json.dumps(cards[:AT_MOST]).replace("<", "\\u003c")
    with replacing(out / PAGE) as part:
        text = page.replace("/*CARDS*/[]", data).replace("/*TOTAL*/0", str(len(cards)))
        part.write_text(text, encoding="utf-8", errors="replace")
    return len(cards)


def _card(
    name: str, face: str, frame: str, check: str, picture: str, copy: str
) -> dict[str, str]:  # fmt: skip
    """What the page shows of a face, or of an input."""
    return {
        "input": name,
        "face": face,
        "frame": frame,
        "check": check,
        "picture": f"{REVIEW}/{picture}" if picture else "",
        "copy": copy,
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))
