"""Drawing keypoints on pictures, and contact sheets of crops."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fkp.errors import ImageError
from fkp.keypoints import Faces, FloatArray, Scheme
from fkp.vision.colours import GREEN, ORANGE, WHITE, Colour, colour_of
from fkp.vision.images import Image

__all__ = ["GREEN", "ORANGE", "WHITE", "KeypointAnnotator", "draw_points", "sheet", "tile"]

_SHIFT = 4  # cv2 draws at 1/16 pixel


@dataclass(frozen=True, slots=True)
class KeypointAnnotator:
    """Draws the points of faces, the lines between them, and the face boxes with their numbers.

    colour: of all faces; None gives each number its own.
    """

    colour: Colour | None = None
    box_colour: Colour = WHITE
    boxes: bool = True

    def draw(self, image: Image, faces: Faces) -> Image:
        """A copy of a BGR picture (H, W, 3) with the faces drawn; missing points are left out."""
        image = image.copy()
        numbers = range(len(faces)) if faces.numbers is None else faces.numbers.tolist()
        irises = [None] * len(faces) if faces.iris is None else faces.iris
        for number, box, points, iris in zip(
            numbers, faces.boxes, faces.points, irises, strict=True
        ):
            face = float(np.hypot(box[2], box[3])) / 1.4
            colour = colour_of(number) if self.colour is None else self.colour
            if self.boxes:
                corner, opposite = box[:2] - 0.5, box[:2] + box[2:] - 0.5
                width = max(1, round(face / 150))
                cv2.rectangle(
                    image, _fixed(corner), _fixed(opposite), self.box_colour, width,
                    cv2.LINE_AA, _SHIFT,
                )  # fmt: skip
                draw_number(image, number, box, colour)
            draw_points(image, points, faces.scheme, colour, face / 110)
            if iris is not None:
                draw_irises(image, iris, colour, face / 220)
        return image


def draw_number(image: Image, number: int, box: FloatArray, colour: Colour) -> None:
    """Write the number of a face into the upper left corner of its box (4,) xywh, in place."""
    if not np.isfinite(box).all():
        return
    scale = min(max(float(box[3]) / 220, 0.35), 4.0)
    thick = max(1, round(1.6 * scale))
    text, font = str(number), cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, scale, thick)
    pad = thick + 1
    x = int(np.clip(box[0], 0, max(image.shape[1] - width - 2 * pad, 0)))
    y = int(np.clip(box[1], 0, max(image.shape[0] - height - 2 * pad, 0)))
    corner = (x + width + 2 * pad, y + height + 2 * pad)
    cv2.rectangle(image, (x, y), corner, colour, cv2.FILLED)
    at = (x + pad, y + pad + height)
    cv2.putText(image, text, at, font, scale, (0, 0, 0), thick, cv2.LINE_AA)


def outlined(image: Image, box: FloatArray, colour: Colour) -> Image:
    """A copy of a BGR picture (H, W, 3) with the outline of a box (4,), xywh."""
    image = image.copy()
    width = max(1, round(float(max(box[2], box[3])) / 60))
    corner, opposite = box[:2] - 0.5, box[:2] + box[2:] - 0.5
    cv2.rectangle(image, _fixed(corner), _fixed(opposite), colour, width, cv2.LINE_AA, _SHIFT)
    return image


def as_bgr(image: Image) -> Image:
    """A picture as (H, W, 3) BGR; ImageError if it is neither that nor (H, W) gray, uint8."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ImageError(
            f"expected uint8 (H, W, 3) BGR or (H, W) gray, got {image.dtype} {image.shape}"
        )
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def canvas(faces: Faces) -> Image:
    """A blank BGR picture that holds all boxes, from the origin on."""
    corners = faces.boxes[:, :2] + faces.boxes[:, 2:]
    width, height = np.ceil(corners.max(0, initial=64)).astype(int)
    return np.full((height, width, 3), 40, np.uint8)


def hide(image: Image, faces: Faces, what: str) -> Image:
    """A copy of a BGR picture (H, W, 3) in which each face's `eyes` or whole `face` are a mosaic.

    The eyes of a scheme that has none are hidden with the face.
    """
    image = image.copy()
    for box, points in zip(faces.boxes, faces.points, strict=True):
        eyes = faces.scheme.anchor_points(points)[:2]
        mask = np.zeros(image.shape[:2], np.uint8)
        if what == "eyes" and np.isfinite(eyes).all():
            cv2.fillConvexPoly(mask, _band(eyes).round().astype(np.int32), 255)
        else:
            known = points[np.isfinite(points).all(-1)]
            extent = np.concatenate([known, box[None, :2], box[None, :2] + box[None, 2:]])
            low, high = extent.min(0), extent.max(0)
            centre, half = (low + high) / 2, (high - low) * 0.62
            axes = (max(1, round(float(half[0]))), max(1, round(float(half[1]))))
            at = (round(float(centre[0])), round(float(centre[1])))
            cv2.ellipse(mask, at, axes, 0, 0, 360, 255, cv2.FILLED)
        x, y, width, height = cv2.boundingRect(mask)
        if width and height:
            part = image[y : y + height, x : x + width]
            cells = (6, 2) if what == "eyes" else (6, 7)
            coarse = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
            mosaic = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
            inside = mask[y : y + height, x : x + width] > 0
            part[inside] = mosaic[inside]
    return image


def _band(eyes: FloatArray) -> FloatArray:
    """The corners (4, 2) of a band over two eye centres (2, 2)."""
    centre, along = eyes.mean(0), (eyes[1] - eyes[0]) * 1.1
    across = np.array([-along[1], along[0]]) * 0.4
    corners = np.array([along + across, along - across, -along - across, -along + across])
    return np.asarray(centre + corners, np.float64)


def draw_points(
    image: Image, points: FloatArray, scheme: Scheme, colour: Colour, radius: float
) -> None:
    """Draw points (K, 2) and the scheme's edges into a BGR picture, in place."""
    known = np.asarray((np.abs(points) < 1e5).all(-1))  # False for NaN
    for a, b in scheme.edges:
        if known[a] and known[b]:
            cv2.line(
                image, _fixed(points[a]), _fixed(points[b]), colour,
                max(1, round(radius / 2)), cv2.LINE_AA, _SHIFT,
            )  # fmt: skip
    for point in points[known]:
        size = round(max(radius, 0.8) * 2**_SHIFT)
        cv2.circle(image, _fixed(point), size, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def draw_irises(image: Image, irises: FloatArray, colour: Colour, width: float) -> None:
    """Draw the irises (2, 3) of a face into a BGR picture, in place; NaN ones are left out."""
    for x, y, radius in irises[(np.abs(irises) < 1e5).all(-1)]:
        size = round(float(radius) * 2**_SHIFT)
        at = _fixed(np.array([x, y]))
        cv2.circle(image, at, size, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def tile(
    crop: Image, layers: Sequence[tuple[FloatArray, Colour]], scheme: Scheme, side: int, text: str
) -> Image:
    """A crop (S, S) enlarged to `side`, with layers of points (K, 2) and a caption: BGR."""
    picture = cv2.cvtColor(np.asarray(crop), cv2.COLOR_GRAY2BGR)
    picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
    factor = side / crop.shape[0]
    image = np.asarray(picture, np.uint8)
    for points, colour in layers:
        draw_points(image, (np.asarray(points) + 0.5) * factor - 0.5, scheme, colour, side / 130)
    if text:
        cv2.rectangle(image, (0, side - 14), (side, side), (0, 0, 0), cv2.FILLED)
        cv2.putText(
            image, text, (3, side - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, WHITE, 1, cv2.LINE_AA
        )
    return image


def sheet(tiles: Sequence[Image], columns: int) -> Image:
    """Tiles of one size in a grid, row by row, 4 pixels apart."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    image = np.full((rows * (height + 4) + 4, columns * (width + 4) + 4, 3), 32, np.uint8)
    for i, one in enumerate(tiles):
        y, x = 4 + (i // columns) * (height + 4), 4 + (i % columns) * (width + 4)
        image[y : y + height, x : x + width] = one
    return image


def _fixed(point: FloatArray) -> tuple[int, int]:
    x, y = (round(float(v) * 2**_SHIFT) for v in point)
    return x, y
