"""Settings of processes that handle many pictures."""

import ctypes
import sys
from functools import lru_cache

import cv2

_TRIM, _PAD, _MMAP = -1, -2, -3
"""glibc's mallopt parameters for its thresholds."""


@lru_cache(maxsize=1)
def settle() -> None:
    """Use one OpenCV thread, as processes provide the parallelism, and keep freed memory.

    By default, glibc returns each buffer of some megabytes to the system, and the next one is
    zeroed page by page, which takes as long as finding the faces in a picture.
    """
    cv2.setNumThreads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP, 32 << 20)  # the maximum that it accepts
        mallopt(_TRIM, 128 << 20)
        mallopt(_PAD, 4 << 20)


def limit_memory(most: int) -> None:
    """Limit this process's address space to this many bytes, if the system supports it."""
    try:
        import resource
    except ImportError:  # missing on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (least, hard))
