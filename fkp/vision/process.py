"""How a process behaves that handles many pictures."""

import ctypes
import sys
from functools import lru_cache

import cv2

_TRIM, _PAD, _MMAP = -1, -2, -3
"""What glibc's mallopt calls its thresholds."""


@lru_cache(maxsize=1)
def settle() -> None:
    """One OpenCV thread, as the processes are the parallelism; freed memory is kept.

    glibc by itself gives each buffer of some megabytes back to the system and has the next one
    filled with zeros page by page, which takes as long as finding the faces in a picture.
    """
    cv2.setNumThreads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP, 32 << 20)  # the largest that it takes
        mallopt(_TRIM, 128 << 20)
        mallopt(_PAD, 4 << 20)


def limit_memory(most: int) -> None:
    """Let this process have so many bytes of address space, where the system can limit it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (least, hard))
