"""Out again: labels in the formats of other tools, in which people correct them and come back."""

from pathlib import Path

from fkp.errors import DataError
from fkp.labels.formats.known import WRITERS
from fkp.labels.store import Samples
from fkp.labels.table import Rejected


def convert(samples: Samples, form: str, output: Path) -> list[Rejected]:
    """Write a data set in a format of WRITERS, to a file or (pts) a folder.

    Rows whose source has no picture files get one of their crop, in a folder beside the output.
    Returns the rows that the format has no place for.
    """
    samples = samples.labelled()
    if len(samples) == 0:
        raise DataError("there are no labelled rows")
    write = WRITERS[form].write
    assert write is not None
    output.parent.mkdir(parents=True, exist_ok=True)
    return write(samples, output)
