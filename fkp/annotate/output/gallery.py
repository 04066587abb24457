"""`index.html`: a page to look at the results, that needs nothing else than itself."""

import base64
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from importlib.resources import files
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt

from fkp.annotate.inputs import relative_to
from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.output.rows import Record
from fkp.errors import ImageError
from fkp.vision.images import Encoded, encoded_jpeg, overlay_name, resized
from fkp.vision.process import settle

AT_MOST = 5000
"""Cards of a page: the doubtful ones first."""

SIDE = 144
"""Of a thumbnail, pixels."""

PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class Card:
    """What the page shows of one face, or of an input without one.

    box: (4,) xywh in pixels of the picture, None for the whole of it; longest: its long side.
    """

    order: int
    image: str
    status: str
    face: int | None
    confidence: float | None
    note: str
    box: tuple[float, float, float, float] | None = None
    longest: int = 0

    @property
    def doubt(self) -> tuple[float, int]:
        """Which cards come first where there are too many: failures, then the least confident."""
        return (-1.0 if self.confidence is None else self.confidence, self.order)


def write_gallery(
    path: Path, records: Iterable[Record], overlays: Path, root: str, jobs: int
) -> None:
    """Write the page; the thumbnails are made from the overlays of the pictures.

    root: the folder of all inputs, whose tree the overlays mirror.
    """
    total = 0

    def counted() -> Iterator[Card]:
        nonlocal total
        for card in _cards(records):
            total += 1
            yield card

    cards = sorted(nsmallest(AT_MOST, counted(), key=lambda c: c.doubt), key=lambda c: c.order)
    names = [overlay_name(relative_to(root, c.image)) for c in cards]
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=16)
    thumbnails = pool(
        joblib.delayed(_thumbnail)(overlays / name, card)
        for name, card in zip(names, cards, strict=True)
    )
    page = files("fkp.annotate.output").joinpath("gallery.html").read_text(encoding="utf-8")
    before, after = page.split("/*DATA*/")
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as out:
        out.write(before)
        out.write(f"const TOTAL = {total};\nconst CARDS = [\n")
        for card, name, thumbnail in zip(cards, names, thumbnails, strict=True):
            link = None if thumbnail is None else f"{overlays.name}/{name}"
            row = [card.image, card.status, card.face, card.confidence, card.note, link, thumbnail]
            out.write(json.dumps(row).replace("<", "\\u003c") + ",\n")
        out.write("];")
        out.write(after)
    os.replace(part, path)


def _cards(records: Iterable[Record]) -> Iterator[Card]:
    order = 0
    for image, result in records:
        for card in _of(order, image, result):
            order += 1
            yield card


def _of(order: int, image: str, result: Annotated | Failure) -> Sequence[Card]:
    if isinstance(result, Failure):
        return [Card(order, image, result.status, None, None, result.reason)]
    longest, faces = max(result.width, result.height), result.faces
    if len(faces) == 0:
        return [Card(order, image, result.status, None, None, result.note, None, longest)]
    cards = []
    for i in range(len(faces)):
        mean = float(faces.confidence[i].mean())
        sure = round(mean, 3) if np.isfinite(mean) else None
        x, y, w, h = (float(v) for v in faces.boxes[i])
        card = Card(order + i, image, result.status, i, sure, result.note, (x, y, w, h), longest)
        cards.append(card)
    return cards


def _thumbnail(overlay: Path, card: Card) -> str | None:
    """A small square of the overlay around the card's face, as base64 of a JPEG."""
    if card.status == "unreadable":
        return None
    settle()
    try:
        encoded = Encoded.read(overlay)
        factor = encoded.reduction(SIDE) if card.box is None else 1
        image = encoded.decode(factor)
    except ImageError:  # no overlay, no thumbnail: the page says so in its place
        return None
    height, width = image.shape[:2]
    x0, y0, x1, y1 = 0, 0, width, height
    if card.box is not None:
        scale = max(width, height) / card.longest
        x, y, w, h = (v * scale for v in card.box)
        half = 0.75 * max(w, h)
        x0, x1 = (round(min(max(v, 0), width)) for v in (x + w / 2 - half, x + w / 2 + half))
        y0, y1 = (round(min(max(v, 0), height)) for v in (y + h / 2 - half, y + h / 2 + half))
    part: npt.NDArray[np.uint8] = image[y0:y1, x0:x1]
    if part.size == 0:
        part = image
    small = resized(np.ascontiguousarray(part), SIDE / max(part.shape[:2]))
    return base64.b64encode(encoded_jpeg(small, 75)).decode("ascii")
