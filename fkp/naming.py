"""What the names of points tell: which swap under a mirror, which are the eyes and the mouth."""

import re

from fkp.errors import DataError

ANCHOR_NAMES = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")
"""The five points that face detectors give and that crops are framed by, in this order."""


def _swap_side(name: str) -> str:
    """The name with left for right, and right for left."""
    swapped = {"left": "right", "right": "left", "l": "r", "r": "l"}

    def swap(match: re.Match[str]) -> str:
        word = match.group(0)
        other = swapped[word.lower()]
        return other.upper() if word.isupper() else other.title() if word[0].isupper() else other

    return re.sub(r"left|right|(?<![a-z])[lr](?![a-z])", swap, name, flags=re.IGNORECASE)


def flip_order(names: list[str], pairs: list[tuple[str, str]] | None) -> tuple[int, ...] | None:
    """The permutation that swaps pairs of names, else those with left and right; None without."""
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


def anchor_group(names: list[str], anchor: str) -> tuple[int, ...]:
    """Indices of the names that make an anchor: `left_eye_center` alone, or all of an eye."""
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
