"""Capturing what C libraries write to stderr while a picture is decoded."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_ONE_AT_A_TIME = Lock()

_COMPLAINT = re.compile(
    r"^(corrupt jpeg|premature end of jpeg|invalid (jpeg|sos)|unsupported (jpeg|marker)"
    r"|inconsistent progression|application transferred|unknown adobe|warning[:,] |libpng "
    r"|_?tiff\w*: |jpeglib: |lzw|\[(info|warning|error)\] |libheif|x265|dav1d|libraw|openjpeg)",
    re.IGNORECASE,
)
"""How lines of libjpeg, libpng, libtiff, OpenJPEG, libheif, dav1d and LibRaw begin."""


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Collect the lines that decoders write to file descriptor 2 in the block into the list.

    libjpeg and others report there what is wrong with a file, without its name. Lines from
    elsewhere, such as other threads, are passed on. One thread at a time can listen.
    """
    lines: list[str] = []
    with _ONE_AT_A_TIME:
        try:
            terminal = os.dup(2)
        except OSError:  # there is no stderr
            yield lines
            return
        with tempfile.TemporaryFile() as heard:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(heard.fileno(), 2)
            try:
                yield lines
            finally:
                os.dup2(terminal, 2)
                heard.seek(0)
                for line in heard.read().splitlines(keepends=True):
                    text = line.decode("utf-8", "replace").strip()
                    if _COMPLAINT.search(text):
                        lines.append(text)
                    else:
                        os.write(terminal, line)
                os.close(terminal)
