"""Signals that end a command: Ctrl-C, a request to end, a closed terminal.

Imported first, since it imports little: from then on, a signal at any moment ends the command with
one line and the exit code 128 plus its number.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

_ENDING = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "terminated"}

_AGAIN = 0.5
"""Seconds within which a second signal is the same one: a wrapper passed it on, too."""

_IMPORTS, _CALLBACKS = "<frozen importlib", "_invoke_callbacks"

_SHOW_CURSOR = b"\x1b[?25h"


class Stopped(KeyboardInterrupt):
    """A signal came that ends the command. line: what to say."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number
        self.line = f"fkp: {_ENDING[signal.Signals(number).name]}"


_came: list[tuple[float, Stopped]] = []


def listen() -> None:
    """Handle the signals from here on, but not those that the caller of the command ignores."""
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    sys.unraisablehook = _unraisable


def came() -> Stopped | None:
    """The first signal that came, if any."""
    return _came[0][1] if _came else None


def leave(code: int) -> NoReturn:
    """End at once, after what was printed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the terminal may be gone
            stream.flush()
    os._exit(code)


def _handle(number: int, frame: FrameType | None) -> None:
    now, stopped = time.monotonic(), Stopped(number)
    if _came and now - _came[0][0] < _AGAIN:
        return
    _came.append((now, stopped))
    if len(_came) > 1 or _is_swallowed(frame):
        _end_now(stopped)
    raise stopped


def _is_swallowed(frame: FrameType | None) -> bool:
    """Whether an exception would not arrive: an import that is broken off raises an ImportError of
    its own, and callbacks of futures log whatever they raise.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_IMPORTS) or code.co_name == _CALLBACKS:
            return True
        frame = frame.f_back
    return False


def _unraisable(error: "sys.UnraisableHookArgs") -> None:
    """A signal that came in a place from which nothing can be raised, such as a finalizer."""
    if isinstance(error.exc_value, Stopped):
        _end_now(error.exc_value)
    sys.__unraisablehook__(error)


def _end_now(stopped: Stopped) -> NoReturn:
    """End without clearing up: results are resumable at any moment, workers follow."""
    text = stopped.line.encode() + b"\n"
    with suppress(OSError):  # the terminal may be gone
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + text)
    leave(stopped.code)
