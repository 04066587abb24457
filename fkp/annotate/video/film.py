"""The overlay of a clip: frames drawn and encoded in a thread of their own."""

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol, Self

from fkp.annotate.outcome import Annotated, Result
from fkp.vision.draw import KeypointAnnotator, hide
from fkp.vision.images import Image, resized
from fkp.vision.recording import Recording
from fkp.vision.video import Frame

WAITING = 8
"""Frames that wait to be drawn at most."""


@dataclass(frozen=True, slots=True)
class Film:
    """The overlay to make.

    folder: for its parts, pictures without sound; None to keep none. size: the long side at most,
    pixels, 0 for the clip's. hidden: `eyes` or `face` to make them unrecognisable, or nothing.
    show: is called with every picture drawn, (H, W, 3) BGR.
    """

    folder: Path | None
    size: int = 0
    hidden: str = ""
    annotator: KeypointAnnotator = field(default_factory=KeypointAnnotator)
    show: Callable[[Image], None] | None = None

    def parts(self) -> list[Path]:
        """The files that are there, in order."""
        return [] if self.folder is None else sorted(self.folder.glob("*.mp4"))


class Drawing(Protocol):
    """Takes frames to be drawn."""

    def put(self, frame: Frame, result: Result) -> None:
        """Draw a frame, soon."""
        ...

    def part(self, number: int) -> None:
        """Finish the file so far, and begin the next with frame `number`."""
        ...

    def finish(self) -> None:
        """Wait for the last one."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Undrawn:
    """Draws nothing."""

    def put(self, frame: Frame, result: Result) -> None:
        """Nothing."""

    def part(self, number: int) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _NextPart:
    number: int
    closed: threading.Event


class Drawn:
    """Draws and encodes.

    most: bits a second of the clip's pictures, 0 if that is not known. number: of the first frame.
    from_zero: let the overlay begin at 0, whatever the clock of the clip says.
    """

    def __init__(
        self, film: Film, time_base: Fraction, most: int, number: int, from_zero: bool = False
    ) -> None:
        self._film, self._time_base, self._most = film, time_base, most
        self._number, self._origin = number, None if from_zero else 0
        self._queue: queue.Queue[tuple[Frame, Result] | _NextPart | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._problem: BaseException | None = None
        self._recording: Recording | None = None
        for path in film.parts():  # of a run that was stopped in them
            if int(path.stem) >= number:
                path.unlink()
        self._thread.start()

    def put(self, frame: Frame, result: Result) -> None:
        """Draw a frame, soon."""
        self._queue.put((frame, result))
        self._check()

    def part(self, number: int) -> None:
        """Finish the file so far, and begin the next with frame `number`."""
        following = _NextPart(number, threading.Event())
        self._queue.put(following)
        following.closed.wait()
        self._check()

    def finish(self) -> None:
        """Wait for the last one."""
        self._queue.put(None)
        self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._problem is not None:
            raise self._problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                if self._problem is None:
                    self._do(item)
            except BaseException as error:  # the caller raises it
                self._problem = error
            if isinstance(item, _NextPart):
                item.closed.set()
        try:
            self._close()
        except BaseException as error:  # likewise
            self._problem = self._problem or error

    def _do(self, item: tuple[Frame, Result] | _NextPart) -> None:
        if isinstance(item, _NextPart):
            self._close()
            self._number = item.number
        else:
            self._draw(*item)

    def _draw(self, frame: Frame, result: Result) -> None:
        if not isinstance(result, Annotated):
            return  # nothing to show: the frame before stays on the screen
        image, faces = frame.bgr(), result.faces
        if self._film.hidden:
            image = hide(image, faces, self._film.hidden)
        longest = max(image.shape[:2])
        scale = min(1.0, self._film.size / longest) if self._film.size else 1.0
        image = self._film.annotator.draw(resized(image, scale), faces.scaled(scale))
        if self._film.show is not None:
            self._film.show(image)
        if self._film.folder is None:
            return
        if self._recording is None:
            path = self._film.folder / f"{self._number:09d}.mp4"
            size = (image.shape[1], image.shape[0])
            most = round(self._most * scale**2)
            self._recording = Recording(path, size, self._time_base, most)
        if self._origin is None:
            self._origin = frame.pts
        self._recording.write(image, frame.pts - self._origin)

    def _close(self) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.__exit__(None, None, None)
            with recording.path.open("rb") as file:
                os.fsync(file.fileno())
