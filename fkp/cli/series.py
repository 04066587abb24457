"""From the rows of a clip to the picture of its points over time."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fkp.annotate.outcome import Annotated
from fkp.annotate.rows import Record
from fkp.keypoints import Scheme
from fkp.learn.series import Series, write_series


def draw_series(path: Path, scheme: Scheme, records: Iterator[Record]) -> None:
    """Write the picture whole or not at all."""
    part = path.with_name(path.name + ".part")
    write_series(part, scheme, list(_series(records)))
    os.replace(part, path)


def _series(records: Iterator[Record]) -> Iterator[Series]:
    """Each face's points over time."""
    lives: dict[int, list[tuple[float, Annotated, int]]] = {}
    for _, result in records:
        if isinstance(result, Annotated) and result.moment is not None:
            for i in range(len(result.faces)):
                own = lives.setdefault(result.number(i), [])
                own.append((result.moment.time, result, i))
    for number, life in sorted(lives.items()):
        yield Series(
            number,
            np.array([time for time, _, _ in life]),
            np.array([result.faces.points[i] for _, result, i in life]),
            np.array([result.faces.confidence[i] for _, result, i in life]),
        )
