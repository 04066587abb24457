"""Write labels in the formats of other tools, for example to correct them there."""

from pathlib import Path

from fkp.errors import DataError
from fkp.labels.formats.known import WRITERS
from fkp.labels.store import Samples
from fkp.labels.table import Rejected


def convert(samples: Samples, format: str, output: Path) -> list[Rejected]:
    """Write a data set in a format of WRITERS to a file, or to a folder for `pts`.

    For rows without picture files, the crops are written to a folder beside the output. Returns
    the rows that the format cannot hold. Raises DataError, LabelError.
    """
    samples = samples.labelled()
    if len(samples) == 0:
        raise DataError("there are no labelled rows")
    write = WRITERS[format].write
    assert write is not None
    output.parent.mkdir(parents=True, exist_ok=True)
    return write(samples, output)
