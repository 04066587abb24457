"""A contact sheet of labels for visual inspection."""

from pathlib import Path

import numpy as np

from fkp.labels.store import Samples
from fkp.vision.draw import GREEN, ORANGE, sheet, tile
from fkp.vision.images import write_image


def write_preview(path: Path, samples: Samples, count: int = 48, seed: int = 0) -> None:
    """Draw up to `count` rows: suspicious ones first (orange), then random ones (green)."""
    odd = np.flatnonzero(samples.flags != "")[: count // 2]
    rest = np.random.default_rng(seed).permutation(np.flatnonzero(samples.flags == ""))
    rows = [*odd, *np.sort(rest[: count - len(odd)])]
    tiles = [
        tile(
            samples.crops[i],
            [(samples.points[i], ORANGE if samples.flags[i] else GREEN)],
            samples.scheme,
            160,
            _printable(f"{samples.source_row[i]} {samples.flags[i] or samples.person[i]}")[:26],
        )
        for i in rows
    ]
    write_image(path, sheet(tiles, columns=8))


def _printable(text: str) -> str:
    """Text without the surrogates of file names that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()
