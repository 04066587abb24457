"""`index.html`: everything that a person should check before the copies are published."""

import csv
import json
from importlib.resources import files
from pathlib import Path

from fkp.annotate.names import FACE_TABLE, HIDDEN_TABLE, REVIEW
from fkp.annotate.output.gallery import PAGE
from fkp.files import replacing

AT_MOST = 5000
"""Maximum number of cards on the page."""


def write_review(out: Path) -> int:
    """Write the page from the finished tables; returns how much there is to check, also beyond
    AT_MOST.
    """
    cards = []
    for order, row in enumerate(_rows(out / HIDDEN_TABLE)):
        if row["status"] in ("unreadable", "failed"):
            cards.append(_card(row["image"], "", "", row["status"] + ": " + row["reason"], "", ""))
        elif row["status"] == "no_face":
            picture = f"{order:06d}.jpg"
            cards.append(_card(row["image"], "", "", "no face was found", picture, row["copy"]))
    copies = {row["image"]: row["copy"] for row in _rows(out / HIDDEN_TABLE)}
    for row in _rows(out / FACE_TABLE):
        if row["reason"]:
            name = row["image"]
            cards.append(
                _card(name, row["face"], row["frame"], row["reason"], row["picture"], copies[name])
            )
    page = files("fkp.annotate.hide").joinpath("review.html").read_text(encoding="utf-8")
    data = json.dumps(cards[:AT_MOST]).replace("<", "\\u003c")
    with replacing(out / PAGE) as part:
        text = page.replace("/*CARDS*/[]", data).replace("/*TOTAL*/0", str(len(cards)))
        part.write_text(text, encoding="utf-8", errors="replace")
    return len(cards)


def _card(
    name: str, face: str, frame: str, reason: str, picture: str, copy: str
) -> dict[str, str]:  # fmt: skip
    """What the page shows about a face or an input."""
    return {
        "image": name,
        "face": face,
        "frame": frame,
        "reason": reason,
        "picture": f"{REVIEW}/{picture}" if picture else "",
        "copy": copy,
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))
