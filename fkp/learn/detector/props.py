"""Occluders drawn over faces: glasses, masks, hats, hands, patches."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

Random = np.random.Generator
Array = npt.NDArray[np.float64]

_SKINS = ((200, 218, 240), (150, 180, 224), (100, 140, 200), (70, 100, 160), (40, 60, 105))  # BGR
_SMOOTH = 4  # fractional bits of the coordinates that cv2 draws at


def hide(image: Image, anchors: Array, box: Array, rng: Random) -> None:
    """Draw a random occluder over a face in a picture (H, W, 3): anchors (5, 2), box (4,) xywh."""
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    eyes = (anchors[0] + anchors[1]) / 2
    down = (anchors[3] + anchors[4]) / 2 - eyes
    height = float(np.hypot(*down))
    if height < 2:
        return
    # The face's axes have the length from eyes to mouth: the eye distance shrinks in profile.
    axes = np.column_stack([[down[1], -down[0]], down])
    width = float((anchors[1] - anchors[0]) @ axes[:, 0]) / height**2

    def place(points: Array) -> Array:
        return np.asarray(points @ axes.T + eyes)

    x0, y0 = np.maximum(box[:2] - 0.4 * box[2:], 0).astype(int)
    x1, y1 = np.ceil(box[:2] + 1.4 * box[2:]).astype(int)
    part = image[y0:y1, x0:x1]
    if part.size == 0:
        return
    before = part.copy()
    kind(part, lambda points: place(points) - [x0, y0], height, width, rng)
    if rng.random() < 0.15:  # see-through
        cv2.addWeighted(part, 0.7, before, 0.3, 0, part)


Place = Callable[[Array], Array]


def _colour(rng: Random) -> tuple[float, ...]:
    """A random colour, mostly muted, like clothes."""
    gray, tint = rng.uniform(0, 255), rng.normal(0, 30, 3)
    return tuple(np.clip(gray + tint, 0, 255).tolist())


def _fill(part: Image, points: Array, colour: tuple[float, ...]) -> None:
    fixed = np.round(points * (1 << _SMOOTH)).astype(np.int32)
    cv2.fillPoly(part, [fixed], colour, cv2.LINE_AA, _SMOOTH)


def _line(part: Image, points: Array, colour: tuple[float, ...], width: float) -> None:
    fixed = np.round(points * (1 << _SMOOTH)).astype(np.int32)
    cv2.polylines(part, [fixed], False, colour, max(1, round(width)), cv2.LINE_AA, _SMOOTH)


def _ring(x: float, y: float, rx: float, ry: float, power: float = 2.0) -> Array:
    """A closed curve around (x, y): an ellipse, or a squarer shape."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    across = np.sign(c) * np.abs(c) ** (2 / power)
    return np.stack([x + rx * across, y + ry * np.sign(s) * np.abs(s) ** (2 / power)], 1)


def _glasses(part: Image, place: Place, height: float, width: float, rng: Random) -> None:
    half = max(width / 2, 0.12)
    rx, ry, power = half * rng.uniform(0.6, 0.95), rng.uniform(0.2, 0.36), rng.uniform(2, 5)
    frame = tuple(rng.uniform(0, 90, 3).tolist())
    lens = tuple((rng.uniform(0, 70) + rng.normal(0, 10, 3)).clip(0, 255).tolist())
    dark = rng.random() < 0.75
    for side in (-half, half):
        ring = place(_ring(side, 0.05, rx, ry, power))
        if dark:
            _fill(part, ring, lens)
        _line(part, np.vstack([ring, ring[:1]]), frame, 0.06 * height)
    _line(part, place(np.array([[-half + rx, 0.0], [half - rx, 0.0]])), frame, 0.07 * height)
    for side in (-1, 1):
        ear = np.array([[side * (half + rx), -0.05], [side * (half + 1.6 * rx + 0.2), 0.0]])
        _line(part, place(ear), frame, 0.06 * height)


def _mask(part: Image, place: Place, height: float, width: float, rng: Random) -> None:
    wide, top = max(width, 0.5) * rng.uniform(0.85, 1.1), rng.uniform(0.25, 0.75)
    low = rng.uniform(1.5, 2.0)
    outline = np.array(
        [[-wide, top + 0.1], [-0.2, top - 0.15], [0.2, top - 0.15], [wide, top + 0.1],
         [0.85 * wide, 0.75 * low], [0.35 * wide, low], [-0.35 * wide, low],
         [-0.85 * wide, 0.75 * low]]
    )  # fmt: skip
    colour = _colour(rng)
    _fill(part, place(outline), colour)
    for y in (0.9, 1.2):
        shade = tuple(max(0.0, c - 25) for c in colour)
        _line(part, place(np.array([[-0.8 * wide, y], [0, y + 0.05], [0.8 * wide, y]])), shade, 1)


def _hat(part: Image, place: Place, height: float, width: float, rng: Random) -> None:
    wide, brow = max(width, 0.6) * rng.uniform(1.0, 1.4), -rng.uniform(0.25, 0.7)
    crown = brow - rng.uniform(0.7, 1.6)
    outline = np.array(
        [[-wide, brow], [-0.95 * wide, (brow + crown) / 2], [-0.6 * wide, crown],
         [0.6 * wide, crown],
         [0.95 * wide, (brow + crown) / 2], [wide, brow], [0.5 * wide, brow + 0.1],
         [-0.5 * wide, brow + 0.1]]
    )  # fmt: skip
    colour = _colour(rng)
    _fill(part, place(outline), colour)
    if rng.random() < 0.6:  # a brim
        far = wide * rng.uniform(1.0, 1.5)
        brim = _ring(0, brow, far, rng.uniform(0.08, 0.22))
        _fill(part, place(brim), tuple(max(0.0, c - 20) for c in colour))
    if rng.random() < 0.3:  # the sides of a helmet or a hood
        for side in (-1, 1):
            edge = np.array(
                [[side * 0.8 * wide, brow], [side * 1.15 * wide, brow], [side * 1.1 * wide, 1.6],
                 [side * 0.85 * wide, 1.3]]
            )  # fmt: skip
            _fill(part, place(edge), colour)


def _hand(part: Image, place: Place, height: float, width: float, rng: Random) -> None:
    skin = _SKINS[int(rng.integers(len(_SKINS)))]
    colour = tuple(np.clip(np.array(skin) * rng.uniform(0.6, 1.15), 0, 255).tolist())
    shade = tuple(0.75 * c for c in colour)
    palm = rng.uniform([-1.0, -0.4], [1.0, 1.7])
    angle = rng.uniform(0, 2 * np.pi)
    along, across = (
        np.array([np.cos(angle), np.sin(angle)]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    thick = rng.uniform(0.13, 0.2)
    _line(part, place(np.array([palm - 0.9 * along, palm])), colour, 3.4 * thick * height)
    for finger in range(4):
        start = palm + (finger - 1.5) * 1.1 * thick * across
        tip = start + along * rng.uniform(0.5, 0.9)
        _line(part, place(np.array([start, tip])), shade, (thick + 0.03) * height)
        _line(part, place(np.array([start, tip])), colour, thick * height)


def _patch(part: Image, place: Place, height: float, width: float, rng: Random) -> None:
    """Draw a pole, a phone, a microphone or a shoulder."""
    centre = rng.uniform([-0.9, -0.5], [0.9, 1.8])
    if rng.random() < 0.3:
        outline = _ring(centre[0], centre[1], rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.5))
    else:
        angle, size = rng.uniform(0, np.pi), rng.uniform([0.1, 0.3], [0.6, 2.5])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * size
        outline = corners @ turn.T + centre
    _fill(part, place(outline), _colour(rng))


_KINDS = (_glasses, _glasses, _mask, _hat, _hat, _hand, _patch)
