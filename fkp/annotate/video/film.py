"""The overlay of a clip: frames are drawn and encoded in a separate thread."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol, Self

from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.video.reading import Slide
from fkp.vision.draw import KeypointAnnotator, hide
from fkp.vision.images import Image, resized
from fkp.vision.recording import Recording

WAITING = 8
"""Maximum number of frames waiting to be drawn."""


@dataclass(frozen=True, slots=True)
class Film:
    """The overlay to make.

    folder: for its parts, which have no sound; None to write none. size: long side in pixels, 0 for
    the clip's own. hidden: `eyes` or `face` to make them unrecognisable, or "". show: called with
    every drawn picture, (H, W, 3) BGR.
    """

    folder: Path | None
    size: int = 0
    hidden: str = ""
    annotator: KeypointAnnotator = field(default_factory=KeypointAnnotator)
    show: Callable[[Image], None] | None = None

    def parts(self) -> list[Path]:
        """The existing parts, in order."""
        return [] if self.folder is None else sorted(self.folder.glob("*.mp4"))


class Drawing(Protocol):
    """Draws the frames it is given."""

    def put(self, slide: Slide, result: Result) -> None:
        """Queue a frame for drawing."""
        ...

    def part(self, number: int) -> None:
        """Finish the current file, and start the next one with frame `number`."""
        ...

    def finish(self) -> Sequence[str]:
        """Wait for the last frame; notes on the overlay."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Undrawn:
    """Draws nothing."""

    def put(self, slide: Slide, result: Result) -> None:
        """Do nothing."""

    def part(self, number: int) -> None:
        """Do nothing."""

    def finish(self) -> Sequence[str]:
        """Do nothing."""
        return ()

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

    Frames that cannot be drawn or encoded are left out of the overlay, and `finish` reports them;
    only an OSError of the disk is raised, by `put`, `part` and `finish`. most: bit rate of the
    clip, bits per second, 0 if unknown. number: of the first frame.
    """

    def __init__(self, film: Film, time_base: Fraction, most: int, number: int) -> None:
        self._film, self._time_base, self._most = film, time_base, most
        self._number = number
        self._queue: queue.Queue[tuple[Slide, Result] | _NextPart | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._problem: BaseException | None = None
        self._undrawn, self._reason, self._ended = 0, "", ""
        self._recording: Recording | None = None
        for path in film.parts():  # left by a run that was stopped while writing them
            if int(path.stem) >= number:
                path.unlink()
        self._thread.start()

    def put(self, slide: Slide, result: Result) -> None:
        """Queue a frame for drawing."""
        self._queue.put((slide, result))
        self._check()

    def part(self, number: int) -> None:
        """Finish the current file, and start the next one with frame `number`."""
        following = _NextPart(number, threading.Event())
        self._queue.put(following)
        following.closed.wait()
        self._check()

    def finish(self) -> Sequence[str]:
        """Wait for the last frame; notes on the overlay."""
        self._queue.put(None)
        self._thread.join()
        self._check()
        if self._ended:
            return (f"overlay.mp4 ends early: {self._ended}",)
        if self._undrawn:
            return (f"overlay.mp4 lacks {self._undrawn} frames: {self._reason}",)
        return ()

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
                self._abandon()
            if isinstance(item, _NextPart):
                item.closed.set()
        try:
            self._close()
        except BaseException as error:  # likewise
            self._problem = self._problem or error

    def _do(self, item: tuple[Slide, Result] | _NextPart) -> None:
        if isinstance(item, _NextPart):
            self._close()
            self._number = item.number
            return
        slide, result = item
        if isinstance(result, Annotated) and slide.fit is not None:  # otherwise the last one stays
            self._draw(slide, result)

    def _draw(self, slide: Slide, result: Annotated) -> None:
        try:
            image, scale = self._picture(slide, result)
        except OSError:
            raise
        except Exception as error:  # any error: the table does not depend on it
            self._undrawn, self._reason = self._undrawn + 1, str(error)
            return
        if self._film.show is not None:
            self._film.show(image)
        if self._film.folder is not None and not self._ended:
            self._record(image, slide, scale)

    def _picture(self, slide: Slide, result: Annotated) -> tuple[Image, float]:
        """The frame with its faces drawn, and its scale."""
        assert slide.fit is not None
        image = slide.fit.image(slide.frame.bgr())
        faces = result.faces.numbered(result.numbers)
        if self._film.hidden:
            image = hide(image, faces, self._film.hidden)
        longest = max(image.shape[:2])
        scale = min(1.0, self._film.size / longest) if self._film.size else 1.0
        return self._film.annotator.draw(resized(image, scale), faces.scaled(scale)), scale

    def _record(self, image: Image, slide: Slide, scale: float) -> None:
        assert self._film.folder is not None
        assert slide.fit is not None
        try:
            if self._recording is None:
                canvas = slide.fit.canvas
                size = (image.shape[1], image.shape[0])
                stored = size
                if canvas.stored_wh != canvas.size_wh:
                    width, height = canvas.stored_wh
                    stored = (max(1, round(width * scale)), max(1, round(height * scale)))
                path = self._film.folder / f"{self._number:09d}.mp4"
                most = round(self._most * scale**2)
                self._recording = Recording(path, size, stored, self._time_base, most)
            self._recording.write(image, slide.pts)
        except OSError:
            raise
        except Exception as error:  # likewise
            self._ended = f"frame {slide.frame.index} {error}"
            self._abandon(remove=True)

    def _close(self) -> None:
        recording, self._recording = self._recording, None
        if recording is None:
            return
        try:
            recording.close()
        except OSError:
            raise
        except Exception as error:  # likewise
            self._ended = f"frames from {self._number} on {error}"
            recording.path.unlink(missing_ok=True)

    def _abandon(self, remove: bool = False) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.abandon()
            if remove:
                recording.path.unlink(missing_ok=True)
