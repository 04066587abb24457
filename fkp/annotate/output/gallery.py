"""`index.html`: a self-contained page for checking the results."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop, nlargest
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.annotate.inputs import relative_to
from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.output.rows import Columns, Record, known, rows_of
from fkp.annotate.processes import each
from fkp.errors import ImageError
from fkp.files import replacing
from fkp.vision.colours import page_colours
from fkp.vision.images import Encoded, encoded_jpeg, overlay_name, resized
from fkp.vision.process import settle

AT_MOST = 5000
"""Maximum number of cards on a page; if there are more, half of them are the least confident faces
and half are inputs without a face."""

SIDE = 144
"""Side of a thumbnail in pixels."""

PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class Card:
    """What the page shows for one face, or for an input without one.

    image: its name on the page. overlay: its drawn copy, relative to the folder of overlays. box:
    (4,) xywh in pixels of the picture, None for the whole picture. longest: its long side. values:
    of measures and quality.
    """

    order: int
    image: str
    overlay: str
    status: str
    face: int | None
    confidence: float | None
    note: str
    box: tuple[float, float, float, float] | None = None
    longest: int = 0
    values: tuple[float | None, ...] = ()

    @property
    def doubt(self) -> tuple[float, int]:
        """Sort key: the least confident faces first."""
        return (-1.0 if self.confidence is None else self.confidence, self.order)


def write_gallery(
    path: Path,
    records: Iterable[Record],
    overlays: Path,
    root: str,
    jobs: int,
    columns: Columns,
    paths: bool = True,
) -> None:
    """Write the page; the thumbnails are made from the overlays of the pictures.

    root: the folder of all inputs, whose tree the overlays mirror. columns: of the table, whose
    measures and quality the page filters by. paths: whether pictures are called by their whole
    paths, or by those below the root alone.
    """
    cards, total = _chosen(_cards(records, root, columns, paths))
    thumbnails = _thumbnails(cards, overlays, jobs)
    page = files("fkp.annotate.output").joinpath("gallery.html").read_text(encoding="utf-8")
    before, after = page.split("/*DATA*/")
    with replacing(path) as part, part.open("w", encoding="utf-8") as out:
        out.write(before)
        out.write(f"const COLOURS = {json.dumps(page_colours())};\n")
        out.write(f"const COLUMNS = {json.dumps(columns.extra)};\n")
        out.write(f"const TOTAL = {total};\nconst CARDS = [\n")
        for card, thumbnail in zip(cards, thumbnails, strict=True):
            link = None if thumbnail is None else f"{overlays.name}/{card.overlay}"
            row = [
                card.image, card.status, card.face, card.confidence, card.note, link, thumbnail,
                card.values,
            ]  # fmt: skip
            out.write(json.dumps(row).replace("<", "\\u003c") + ",\n")
        out.write("];")
        out.write(after)


def _chosen(cards: Iterable[Card]) -> tuple[list[Card], int]:
    """The cards for the page, in order, and their total number before the limit."""
    faces: list[tuple[float, int, Card]] = []  # a heap with the most confident face first
    others: list[Card] = []
    total = 0
    for card in cards:
        total += 1
        if card.face is None:
            if len(others) < AT_MOST:
                others.append(card)
            continue
        doubt, order = card.doubt
        item = (-doubt, -order, card)
        heappush(faces, item) if len(faces) < AT_MOST else heappushpop(faces, item)
    room = max(AT_MOST - len(others), AT_MOST - AT_MOST // 2)
    kept = [card for _, _, card in nlargest(room, faces)]
    kept += others[: AT_MOST - len(kept)]
    return sorted(kept, key=lambda card: card.order), total


def _cards(
    records: Iterable[Record], root: str, columns: Columns, paths: bool
) -> Iterator[Card]:  # fmt: skip
    order = 0
    for image, result in records:
        below = relative_to(root, image)
        for card in _of(order, image if paths else below, overlay_name(below), result, columns):
            order += 1
            yield card


def _of(
    order: int, image: str, overlay: str, result: Annotated | Failure, columns: Columns
) -> Sequence[Card]:
    if isinstance(result, Failure):
        return [Card(order, image, overlay, result.status, None, None, result.reason)]
    longest, note = max(result.width, result.height), result.note
    if len(result.faces) == 0:
        return [Card(order, image, overlay, result.status, None, None, note, None, longest)]
    cards = []
    rows = rows_of(image, result, columns.measured, columns.quality)
    for i, (face, row) in enumerate(zip(result.faces, rows, strict=True)):
        mean = float(face.confidence.mean())
        confidence = round(mean, 3) if np.isfinite(mean) else None
        x, y, w, h = (float(v) for v in face.box)
        box = (x, y, w, h)
        parts = (part for part in (row.measures, row.quality) if part is not None)
        values = tuple(value for part in parts for value in known(part.round(3)))
        card = Card(order + i, image, overlay, "ok", i, confidence, note, box, longest, values)
        cards.append(card)
    return cards


def _thumbnails(cards: Sequence[Card], overlays: Path, jobs: int) -> Iterator[str | None]:
    """The thumbnail of each card, made in `jobs` processes."""
    tasks = ((overlays / card.overlay, card) for card in cards)
    return each(jobs, _thumbnail, tasks, batch=16)


def _thumbnail(overlay: Path, card: Card) -> str | None:
    """A small square of the overlay around the card's face, as base64 of a JPEG."""
    if card.status == "unreadable":
        return None
    settle()
    try:
        encoded = Encoded.read(overlay)
        factor = encoded.reduction(SIDE) if card.box is None else 1
        image = encoded.decode(factor)
    except ImageError:  # without an overlay there is no thumbnail, and the page says so
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
