"""The main table as Parquet, by pyarrow (the extra `parquet`)."""

import importlib.util
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.errors import FkpError
from fkp.keypoints import Scheme
from fkp.vision.head import Camera
from fkp.vision.measures import MEASURES, measure

GROUP = 20_000
"""Inputs in a row group."""


def check_parquet() -> None:
    """Raise FkpError where pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise FkpError("--format parquet needs pyarrow: pip install 'fkp[parquet]'")


def write_parquet(
    path: Path, scheme: Scheme, each: bool, measured: Camera | None, records: Iterable[Record]
) -> None:
    """Write the columns of `CsvRows`, typed; names that are no UTF-8 have `\\xff` escapes."""
    import pyarrow as pa
    from pyarrow import parquet

    text, number = pa.string(), pa.float32()
    confidence = [f"{name}_confidence" for name in scheme.names] if each else []
    schema = pa.schema(
        [("image", text), ("frame", pa.int64()), ("timestamp", pa.float64())]
        + [("face", pa.int32()), ("status", text), ("score", number)]
        + [(f"box_{side}", number) for side in "xywh"]
        + [(name, number) for name in (*scheme.columns, *confidence, "confidence")]
        + [("image_width", pa.int32()), ("image_height", pa.int32())]
        + [(name, number) for name in (() if measured is None else MEASURES)]
        + [("reason", text)]
    )
    waiting = iter(records)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, GROUP)):
            rows = [row for record in group for row in _rows(record, each, measured)]
            names = schema.names
            columns = [[row.get(name) for row in rows] for name in names]
            arrays = [
                pa.array(c, schema.field(n).type) for n, c in zip(names, columns, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _rows(record: Record, each: bool, measured: Camera | None) -> Iterator[dict[str, Any]]:
    name, result = record
    row: dict[str, Any] = {
        "image": os.fsencode(name).decode("utf-8", "backslashreplace"),
        "status": result.status,
    }
    if result.moment is not None:
        row |= {"frame": result.moment.frame, "timestamp": result.moment.time}
    if not isinstance(result, Annotated):
        yield {**row, "reason": result.reason}
        return
    row |= {"image_width": result.width, "image_height": result.height}
    row["reason"] = result.note or None
    faces = result.faces
    if len(faces) == 0:
        yield row
    values = None
    if measured is not None:
        values = measure(faces.points, result.width, result.height, measured)
    for i in range(len(faces)):
        cells = dict(zip(faces.scheme.columns, faces.points[i].reshape(-1), strict=True))
        cells |= {f"box_{side}": v for side, v in zip("xywh", faces.boxes[i], strict=True)}
        cells |= {"score": faces.scores[i], "confidence": faces.confidence[i].mean()}
        if each:
            sure = zip(faces.scheme.names, faces.confidence[i], strict=True)
            cells |= {f"{point}_confidence": v for point, v in sure}
        if values is not None:
            cells |= dict(zip(MEASURES, values[i], strict=True))
        known = {key: float(v) for key, v in cells.items() if np.isfinite(v)}
        yield {**row, "face": result.number(i), "status": result.status_of(i), **known}
