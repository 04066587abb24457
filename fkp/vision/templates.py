"""Templates of aligned faces: those of FFHQ and ArcFace, and custom ones."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fkp.errors import DataError, LabelError, parse_json
from fkp.keypoints import FloatArray, Scheme
from fkp.keypoints.scheme import ANCHOR_NAMES
from fkp.vision.crop import CropTransform
from fkp.vision.warp import Warp

Places = Mapping[str, tuple[float, float]]
"""The positions of named points in an aligned picture, in pixels."""

ARCFACE: Places = {
    "right_eye": (38.2946, 51.6963),
    "left_eye": (73.5318, 51.5014),
    "nose_tip": (56.0252, 71.7366),
    "mouth_right": (41.5493, 92.3655),
    "mouth_left": (70.7299, 92.2041),
}
"""In 112 x 112 pixels: the template of ArcFace (Deng et al., CVPR 2019; insightface's
`face_align`), whose left is the viewer's.
"""

EYES: Places = {"right_eye": (0.4, 0.43), "left_eye": (0.6, 0.43)}
"""Positions of the eyes in the template `eyes`, as shares of its side."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template.

    width, height: of the aligned picture, pixels. places: the positions to which a least-squares
    similarity transform brings points; empty for FFHQ's rule, see `ffhq`.
    """

    name: str
    width: int
    height: int
    places: Places = field(default_factory=dict)

    def transform(self, points: FloatArray, scheme: Scheme) -> CropTransform:
        """The similarity transform for a face (K, 2). Raises DataError if points are missing."""
        anchors = scheme.anchor_points(points)
        if not self.places:
            return ffhq(anchors, self.width)
        found, targets = [], []
        for name, place in self.places.items():
            if name in scheme.names:
                found.append(np.asarray(points[scheme.names.index(name)], np.float64))
            elif name in ANCHOR_NAMES:
                found.append(anchors[ANCHOR_NAMES.index(name)])
            else:
                raise DataError(f"template {self.name}: scheme {scheme.name} has no point {name}")
            targets.append(place)
        known = np.isfinite(found).all(1)
        if self.name.startswith("arcface") and not known.all():
            raise DataError(f"template {self.name}: needs both eyes, nose tip and mouth corners")
        return CropTransform.fit(np.array(found), np.array(targets), max(self.width, self.height))


def ffhq(anchors: FloatArray, side: int) -> CropTransform:
    """The crop of FFHQ's dataset tool (Karras et al., CVPR 2019) from anchor points (5, 2).

    A square rotated by the directions between the eyes and from eyes to mouth; its half side is the
    larger of twice the distance between the eyes and 1.8 times that from eyes to mouth; its centre
    is a tenth of the way from eyes to mouth. Raises DataError if eyes or mouth are unknown.
    """
    eyes, mouth = np.asarray(anchors[:2], np.float64), np.asarray(anchors[3:5], np.float64)
    if not np.isfinite([*eyes, *mouth]).all():
        raise DataError("FFHQ's crop needs the eyes and the mouth corners")
    eye, across = complex(*eyes.mean(0)), complex(*(eyes[1] - eyes[0]))
    down = complex(*mouth.mean(0)) - eye
    along = across - 1j * down
    if abs(along) == 0:
        raise DataError("FFHQ's crop needs eyes and mouth apart from each other")
    along *= max(2.0 * abs(across), 1.8 * abs(down)) / abs(along)
    turn = side / 2 / along
    shift = complex(side, side) / 2 - complex(0.5, 0.5) - turn * (eye + 0.1 * down)
    return CropTransform(turn.real, turn.imag, shift.real, shift.imag, side)


def eyes_template(side: int = 1024) -> Template:
    """Both eyes at fixed positions in a square."""
    return Template("eyes", side, side, {n: (x * side, y * side) for n, (x, y) in EYES.items()})


TEMPLATES = {
    "ffhq-512": Template("ffhq-512", 512, 512),
    "ffhq-1024": Template("ffhq-1024", 1024, 1024),
    "arcface-112": Template("arcface-112", 112, 112, ARCFACE),
    "eyes": eyes_template(),
}


def read_template(path: Path) -> Template:
    """A custom template: JSON with `size` [width, height] and `points`, name to [x, y].

    The names are those of the scheme, or of the five anchor points. Raises LabelError.
    """
    try:
        told = parse_json(path.read_bytes())
    except OSError as error:
        raise LabelError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    except ValueError as error:
        raise LabelError(f"{path}: is not JSON: {error}") from error
    form = '{"size": [600, 800], "points": {"right_eye": [210, 300], "left_eye": [390, 300]}}'
    try:
        width, height = (_number(v) for v in told["size"])
        places = {str(name): _pair(place) for name, place in told["points"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabelError(f"{path}: expected a template such as {form}: {error!r}") from error
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise LabelError(f"{path}: size: expected 16 to 8192 pixels, got {told['size']}")
    if len(places) < 2 or np.ptp(list(places.values()), axis=0).max() == 0:
        raise LabelError(f"{path}: points: expected two or more, apart from each other")
    return Template(path.name, round(width), round(height), places)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a number, got {json.dumps(value)}")
    return float(value)


def _pair(value: Any) -> tuple[float, float]:
    x, y = (_number(v) for v in value)
    return x, y


@dataclass(frozen=True, slots=True)
class Framing:
    """How a template is used.

    margin: room added on each side, a share of the template's. aspect: width over height, to which
    the template is extended, None for its own. size: the longer side of the result, pixels, None
    for the template's. enlarge: whether a face may get more pixels than it has; otherwise the
    result is smaller instead.
    """

    template: Template
    margin: float = 0.0
    aspect: float | None = None
    size: int | None = None
    enlarge: bool = False

    @property
    def size_wh(self) -> tuple[int, int]:
        """The size of an aligned picture that is not shrunk."""
        width, height, factor = self._extended()
        return max(1, round(width * factor)), max(1, round(height * factor))

    def _extended(self) -> tuple[float, float, float]:
        """The extended template, pixels, and the factor to its size in the result."""
        width, height = float(self.template.width), float(self.template.height)
        if self.aspect is not None:
            width, height = max(width, height * self.aspect), max(height, width / self.aspect)
        return width, height, 1.0 if self.size is None else self.size / max(width, height)

    def warp(self, points: FloatArray, scheme: Scheme, shrink: float | None = None) -> Warp:
        """The warp of a face (K, 2) to its aligned picture. Raises DataError.

        shrink: factor of the picture's size, None for what the face itself needs.
        """
        own = self.template.transform(points, scheme)
        factor_in = self._extended()[2] / (1 + 2 * self.margin)
        if shrink is None:
            shrink = self.needed(own.scale)
        whole_w, whole_h = self.size_wh
        wide = max(1, math.floor(whole_w * shrink + 1e-9))
        high = max(1, math.floor(whole_h * shrink + 1e-9))
        turn = complex(own.a, own.b) * factor_in * shrink
        # The middles of both, in continuous pixels, lie on each other.
        middle = complex(self.template.width, self.template.height) / 2
        shift = complex(own.tx + 0.5, own.ty + 0.5) - middle
        shift = shift * factor_in * shrink + complex(wide, high) / 2 - complex(0.5, 0.5)
        transform = CropTransform(turn.real, turn.imag, shift.real, shift.imag, max(wide, high))
        return Warp(transform, wide, high)

    def needed(self, scale: float) -> float:
        """How much smaller a result must be so that nothing is enlarged. scale: the template's
        pixels to a pixel of the picture.
        """
        factor = self._extended()[2] / (1 + 2 * self.margin)
        return 1.0 if self.enlarge else min(1.0, 1 / (scale * factor))


def framing_of(
    template: str | Path,
    margin: float = 0.0,
    aspect: float | None = None,
    size: int | None = None,
    enlarge: bool = False,
) -> Framing:
    """A framing by the name of a template, or its file. Raises DataError, LabelError."""
    name = str(template)
    if name not in TEMPLATES and not Path(name).suffix:
        raise DataError(
            f"template: expected one of {', '.join(TEMPLATES)}, or a JSON file, got {name}"
        )
    chosen = TEMPLATES[name] if name in TEMPLATES else read_template(Path(name))
    if not -0.4 <= margin <= 4:
        raise DataError(f"margin: expected -0.4 to 4, got {margin:g}")
    if aspect is not None and not 0.1 <= aspect <= 10:
        raise DataError(f"aspect: expected 0.1 to 10, got {aspect:g}")
    if size is not None and not 16 <= size <= 8192:
        raise DataError(f"size: expected 16 to 8192 pixels, got {size}")
    return Framing(chosen, margin, aspect, size, enlarge)
