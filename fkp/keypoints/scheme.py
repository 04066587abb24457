"""Schemes: sets of facial keypoints, and those that are built in."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from unicodedata import category

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError

MOST_POINTS = 2000
"""Maximum plausible number of points of a face."""

FloatArray = npt.NDArray[np.floating]

ANCHOR_NAMES = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")
"""The five points that face detectors give and that crops are framed by, in this order."""

PointIndices = tuple[tuple[int, ...], ...]
"""For each of several points, the indices of the points whose mean it is; () if unknown."""


_CONTROLS = frozenset({"Cc", "Zl", "Zp"})
"""Unicode's categories of control characters and ends of lines, which break tables."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The points of a face: their names, and what is known about them.

    names: K unique names, in column order.
    flip_order: index permutation under a mirror (an involution), None when not known.
    edges: pairs of indices joined by a line in drawings.
    anchors: for each of `ANCHOR_NAMES` the indices whose mean is that point, () when absent.
    outer_eyes: indices of the outer eye corners (subject's right, left), for normalising errors.
    """

    name: str
    names: tuple[str, ...]
    flip_order: tuple[int, ...] | None = None
    edges: tuple[tuple[int, int], ...] = ()
    anchors: PointIndices = field(default=((), (), (), (), ()))
    outer_eyes: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        k = len(self.names)
        if k == 0 or len(set(self.names)) != k:
            raise DataError(f"scheme {self.name}: needs at least one point, and unique names")
        for name in self.names:
            if any(category(letter) in _CONTROLS for letter in name):
                raise DataError(
                    f"scheme {self.name}: the point {name!r} has a control character in its name"
                )
        flip = self.flip_order
        if flip is not None and (
            sorted(flip) != list(range(k)) or any(flip[flip[i]] != i for i in range(k))
        ):
            raise DataError(f"scheme {self.name}: flip_order must swap points in pairs")
        if len(self.anchors) != len(ANCHOR_NAMES):
            raise DataError(f"scheme {self.name}: needs indices for {len(ANCHOR_NAMES)} anchors")
        used = [i for pair in self.edges for i in pair]
        used += [i for indices in self.anchors for i in indices]
        used += list(self.outer_eyes or ())
        if any(not 0 <= i < k for i in used):
            raise DataError(f"scheme {self.name}: an index is outside 0..{k - 1}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def eyes(self) -> PointIndices:
        """The indices whose means are the eye centres: subject's right, left."""
        return self.anchors[:2]

    @property
    def columns(self) -> list[str]:
        """Table columns in order: `<name>_x, <name>_y` for each point."""
        return [f"{name}_{axis}" for name in self.names for axis in "xy"]

    def anchor_points(self, points: FloatArray) -> npt.NDArray[np.float64]:
        """Five anchor points of each face: (..., K, 2) -> (..., 5, 2), NaN where not known."""
        return mean_points(points, self.anchors)

    def convert(self, points: FloatArray, to: "Scheme") -> npt.NDArray[np.float64]:
        """Convert points of this scheme to another: (..., K, 2) -> (..., len(to), 2).

        Possible where every point of `to` is a point, or a fixed average of points, of this
        scheme; raises DataError otherwise.
        """
        return mean_points(points, self.point_indices(to))

    def point_indices(self, to: "Scheme") -> PointIndices:
        """For each point of another scheme, the indices of the points here whose mean it is.

        Raises DataError where a point of `to` is neither a point nor an average of points here.
        """
        if to.names == self.names:
            return tuple((i,) for i in range(len(self)))
        built_in = self.name in SCHEMES and SCHEMES[self.name].names == self.names
        averages = AVERAGES.get(self.name, {}) if built_in else {}
        indices: list[tuple[int, ...]] = []
        for name in to.names:
            if name in self.names:
                indices.append((self.names.index(name),))
            elif name in averages:
                indices.append(averages[name])
            else:
                raise DataError(f"scheme {self.name} has no point for {name} of scheme {to.name}")
        return tuple(indices)

    def can_convert(self, to: "Scheme") -> bool:
        """Whether `convert` to that scheme is possible."""
        try:
            self.point_indices(to)
        except DataError:
            return False
        return True

    @classmethod
    def from_names(
        cls, names: Sequence[str], flip_pairs: Iterable[tuple[str, str]] | None = None
    ) -> "Scheme":
        """The built-in scheme with exactly these names, or one worked out from the names.

        Mirror pairs come from `left`/`right` in the names, or from `flip_pairs` (pairs of
        names). Without either, `flip_order` is None.
        """
        pairs = None if flip_pairs is None else list(flip_pairs)
        for scheme in SCHEMES.values():
            if scheme.names == tuple(names) and pairs is None:
                return scheme
        return cls(
            name="custom",
            names=tuple(names),
            flip_order=_flip_order(list(names), pairs),
            anchors=tuple(_anchor_group(list(names), anchor) for anchor in ANCHOR_NAMES),
        )


def mean_points(points: FloatArray, indices: PointIndices) -> npt.NDArray[np.float64]:
    """Means of points by their indices: (..., K, 2) -> (..., G, 2); NaN for an empty tuple."""
    values = np.asarray(points, np.float64)
    if all(len(own) == 1 for own in indices):
        return values[..., [own[0] for own in indices], :]
    empty = np.full((*values.shape[:-2], 2), np.nan)
    means = [values[..., list(own), :].mean(-2) if own else empty for own in indices]
    return np.stack(means, axis=-2)


def _swap_side(name: str) -> str:
    """The name with left and right exchanged."""
    swapped = {"left": "right", "right": "left", "l": "r", "r": "l"}

    def swap(match: re.Match[str]) -> str:
        word = match.group(0)
        other = swapped[word.lower()]
        return other.upper() if word.isupper() else other.title() if word[0].isupper() else other

    return re.sub(r"left|right|(?<![a-z])[lr](?![a-z])", swap, name, flags=re.IGNORECASE)


def _flip_order(names: list[str], pairs: list[tuple[str, str]] | None) -> tuple[int, ...] | None:
    """The permutation that swaps the given pairs of names, or else left and right; None without."""
    order = list(range(len(names)))
    if pairs is None:
        pairs = [(n, _swap_side(n)) for n in names if n != _swap_side(n) in names]
        if not pairs:
            return None
    for a, b in pairs:
        missing = [name for name in (a, b) if name not in names]
        if missing:
            raise DataError(f"flip pair {a}:{b}: there is no point named {missing[0]}")
        order[names.index(a)], order[names.index(b)] = names.index(b), names.index(a)
    return tuple(order)


def _anchor_group(names: list[str], anchor: str) -> tuple[int, ...]:
    """Indices of the names that form an anchor: `left_eye_center` alone, or all of an eye."""
    words = [n.lower() for n in names]
    if anchor == "nose_tip":
        exact = [i for i, n in enumerate(words) if re.fullmatch(r"nose([_ -]?tip)?", n)]
        return tuple(exact[:1])
    side = "right" if "right" in anchor else "left"
    if anchor.startswith("mouth"):
        pattern = rf"(?=.*mouth|.*lips?)(?=.*{side})(?!.*(top|upper|lower|bottom|cent))"
        return tuple(i for i, n in enumerate(words) if re.match(pattern, n))[:1]
    centre = rf"({side}[_ -]?(eye|pupil)|(eye|pupil)[_ -]?{side})([_ -]?cent(er|re))?"
    exact = [i for i, n in enumerate(words) if re.fullmatch(centre, n)]
    part = rf"(?=.*{side})(?=.*eye)(?!.*brow|.*lid|.*lash)"
    return tuple(exact[:1] or (i for i, n in enumerate(words) if re.match(part, n)))


def _chain(first: int, last: int, closed: bool = False) -> list[tuple[int, int]]:
    return [(i, i + 1) for i in range(first, last)] + ([(last, first)] if closed else [])


def _mirror_68() -> tuple[int, ...]:
    order = list(range(68))
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58)]
    pairs += [(60, 64), (61, 63), (65, 67)]
    for a, b in pairs:
        order[a], order[b] = b, a
    return tuple(order)


IBUG68 = Scheme(
    name="ibug68",
    names=tuple(f"p{i}" for i in range(68)),
    flip_order=_mirror_68(),
    edges=tuple(
        _chain(0, 16) + _chain(17, 21) + _chain(22, 26) + _chain(27, 30) + _chain(31, 35)
        + _chain(36, 41, True) + _chain(42, 47, True) + _chain(48, 59, True) + _chain(60, 67, True)
    ),
    anchors=(tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
    outer_eyes=(36, 45),
)  # fmt: skip

_KAGGLE_NAMES = (
    "left_eye_center", "right_eye_center",
    "left_eye_inner_corner", "left_eye_outer_corner",
    "right_eye_inner_corner", "right_eye_outer_corner",
    "left_eyebrow_inner_end", "left_eyebrow_outer_end",
    "right_eyebrow_inner_end", "right_eyebrow_outer_end",
    "nose_tip", "mouth_left_corner", "mouth_right_corner",
    "mouth_center_top_lip", "mouth_center_bottom_lip",
)  # fmt: skip

KAGGLE15 = Scheme(
    name="kaggle15",
    names=_KAGGLE_NAMES,
    flip_order=(1, 0, 4, 5, 2, 3, 8, 9, 6, 7, 10, 12, 11, 13, 14),
    edges=((2, 3), (4, 5), (6, 7), (8, 9), (11, 13), (13, 12), (12, 14), (14, 11)),
    anchors=((1,), (0,), (10,), (12,), (11,)),
    outer_eyes=(5, 3),
)

MTFL5 = Scheme(
    name="mtfl5",
    names=(
        "right_eye_center", "left_eye_center", "nose_tip",
        "mouth_right_corner", "mouth_left_corner",
    ),
    flip_order=(1, 0, 2, 4, 3),
    edges=((3, 4),),
    anchors=((0,), (1,), (2,), (3,), (4,)),
)  # fmt: skip

FKP4 = Scheme(
    name="fkp4",
    names=("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip"),
    flip_order=(1, 0, 2, 3),
    anchors=((1,), (0,), (2,), (), ()),
)


def _mirror_98() -> tuple[int, ...]:
    order = list(range(98))
    pairs = [(i, 32 - i) for i in range(16)]
    pairs += [(33 + i, 46 - i) for i in range(5)] + [(38 + i, 50 - i) for i in range(4)]
    pairs += [(55, 59), (56, 58)]
    pairs += [(60 + i, 72 - i) for i in range(5)] + [(65 + i, 75 - i) for i in range(3)]
    pairs += [(76, 82), (77, 81), (78, 80), (83, 87), (84, 86)]
    pairs += [(88, 92), (89, 91), (93, 95), (96, 97)]
    for a, b in pairs:
        order[a], order[b] = b, a
    return tuple(order)


WFLW98 = Scheme(
    name="wflw98",
    names=tuple(f"w{i}" for i in range(98)),
    flip_order=_mirror_98(),
    edges=tuple(
        _chain(0, 32) + _chain(33, 41, True) + _chain(42, 50, True) + _chain(51, 54)
        + _chain(55, 59) + _chain(60, 67, True) + _chain(68, 75, True) + _chain(76, 87, True)
        + _chain(88, 95, True)
    ),
    anchors=(tuple(range(60, 68)), tuple(range(68, 76)), (54,), (76,), (82,)),
    outer_eyes=(60, 72),
)  # fmt: skip
"""The 98 points of WFLW (Wu et al., CVPR 2018); 96 and 97 are the pupils."""

SCHEMES: dict[str, Scheme] = {s.name: s for s in (FKP4, MTFL5, KAGGLE15, IBUG68, WFLW98)}

_FROM_IBUG68: dict[str, tuple[int, ...]] = {
    "left_eye_center": tuple(range(42, 48)),
    "right_eye_center": tuple(range(36, 42)),
    "left_eye_inner_corner": (42,),
    "left_eye_outer_corner": (45,),
    "right_eye_inner_corner": (39,),
    "right_eye_outer_corner": (36,),
    "left_eyebrow_inner_end": (22,),
    "left_eyebrow_outer_end": (26,),
    "right_eyebrow_inner_end": (21,),
    "right_eyebrow_outer_end": (17,),
    "nose_tip": (30,),
    "mouth_left_corner": (54,),
    "mouth_right_corner": (48,),
    "mouth_center_top_lip": (51,),
    "mouth_center_bottom_lip": (57,),
}

_IBUG68_IN_WFLW98 = (
    *range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60),
    60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, *range(76, 96),
)  # fmt: skip

AVERAGES: dict[str, dict[str, tuple[int, ...]]] = {
    "ibug68": _FROM_IBUG68,
    "wflw98": {f"p{i}": (w,) for i, w in enumerate(_IBUG68_IN_WFLW98)}
    | {name: tuple(_IBUG68_IN_WFLW98[i] for i in own) for name, own in _FROM_IBUG68.items()},
}
"""By scheme, the points of other schemes that are fixed averages of its points."""
