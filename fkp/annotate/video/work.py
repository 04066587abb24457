"""A run over one clip, or one stream."""

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.names import PARTS
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.output.folder import remove_parts
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.journal import fingerprint
from fkp.annotate.output.results import Output
from fkp.annotate.output.rows import Record
from fkp.annotate.video.events import events_of, minutes_of, write_events
from fkp.annotate.video.film import Film
from fkp.annotate.video.finish import finish_clip
from fkp.annotate.video.live import Live
from fkp.annotate.video.reading import DETECT_EVERY, Excerpt
from fkp.annotate.video.run import ClipEngine
from fkp.annotate.video.series import draw_series
from fkp.annotate.video.traces import traces
from fkp.errors import FkpError, UsageError
from fkp.vision.detect import FaceDetector
from fkp.vision.images import Image
from fkp.vision.sources import (
    Opening,
    is_pattern,
    is_sequence,
    is_stream,
    masked,
    pictures_of,
)


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """What to make of a clip.

    opening: how it is read. smooth, fill: as in `Steady`. overlay: whether to draw it, at most
    `overlay_size` pixels long, None for the clip's own size. blur: `eyes` or `face`, to make them
    unrecognisable. raw: also the points before smoothing. series: where to draw the points over
    time. events: also what eyes and mouths do. detect_every: as in `Reading`.
    """

    excerpt: Excerpt = field(default_factory=Excerpt)
    opening: Opening = field(default_factory=Opening)
    smooth: float = 0.5
    fill: int = 0
    overlay: bool = True
    overlay_size: int | None = None
    blur: str | None = None
    raw: bool = False
    series: Path | None = None
    events: bool = False
    detect_every: int = DETECT_EVERY

    def identity(self) -> dict[str, object]:
        """The settings that determine the bytes of the results."""
        excerpt = self.excerpt
        return {
            "every": excerpt.every,
            "start": _finite(excerpt.start),
            "end": _finite(excerpt.end),
            "max_frames": excerpt.most or None,
            "stream": self.opening.stream,
            "deinterlace": self.opening.deinterlace,
            "fps": self.opening.fps,
            "smooth": float(self.smooth),
            "fill": self.fill,
            "raw": self.raw,
            "events": self.events,
            "overlays": self.overlay,
            "overlay_size": self.overlay_size,
            "blur": self.blur,
            "detect_every": self.detect_every,
        }


@dataclass(frozen=True, slots=True)
class ClipWork:
    """The work of a run over one clip, see `fkp.annotate.run.Work`.

    folder: of the results, None for a stream of rows. source: identifies network and detector.
    live: set if frames may be dropped. show: called with every drawn picture.
    """

    path: str
    folder: Path | None
    network: KeypointNetwork
    detector: FaceDetector | None
    config: AnnotateConfig
    clip: ClipConfig
    output: Output
    source: dict[str, object]
    live: Live | None = None
    show: Callable[[Image], None] | None = None

    unit: ClassVar[str] = "frames"

    @property
    def name(self) -> str:
        """The clip's name, without any password in it."""
        return masked(self.path)

    @property
    def inputs(self) -> Inputs:
        """The clip, the only input."""
        return Inputs((self.name,), 0, os.path.dirname(os.path.abspath(self.path)))

    @property
    def raw(self) -> bool:
        """Whether there is a table of the points before smoothing."""
        return self.clip.raw

    def start(self) -> ClipEngine:
        """The engine, with the folder for its parts."""
        clip, parts = self.clip, None
        if self.folder is not None:
            parts = self.folder / PARTS
            parts.mkdir(exist_ok=True)
        return ClipEngine(
            self.network, self.detector, self.config, clip.excerpt, clip.opening, clip.smooth,
            clip.fill, film=self._film, states=parts if self.live is None else None, live=self.live,
            source=self.path, detect_every=clip.detect_every,
        )  # fmt: skip

    @property
    def _film(self) -> Film | None:
        kept = self.folder / PARTS if self.folder is not None and self.clip.overlay else None
        if kept is None and self.show is None:
            return None
        return Film(kept, self.clip.overlay_size or 0, self.clip.blur or "", show=self.show)

    @property
    def identity(self) -> dict[str, object]:
        """The settings that must match for a stopped run to resume to the same bytes."""
        path = self.name
        return {
            "clip": f"{os.path.basename(path)} ({fingerprint(os.fsencode(path))})",
            "clip_bytes": _bytes(self.path),
            **self.source,
            **self.config.identity(),
            **self.output.identity(),
            **self.clip.identity(),
        }

    def finish(self, folder: Path) -> Sequence[str]:
        """Make the events, the overlay, the page, the series and the other tools' files."""
        to_end = self.clip.excerpt.to_end
        events = None
        if self.clip.events:
            seen = traces(self.output.records(folder), self.output.camera)
            events = events_of(seen)
            write_events(folder, events, minutes_of(seen))
        notes = finish_clip(
            self.path, self._film, to_end, folder, partial(self._shown, folder), events
        )
        if self.clip.series is not None:
            scheme = self.output.scheme
            draw_series(self.clip.series, scheme, self.output.records(folder))
        self.output.finish(folder, self.inputs.root, 1)
        return notes

    def _shown(self, folder: Path) -> Iterator[Record]:
        """The frames, with the clip's name as the page may show it."""
        name = self.name if self.output.paths else os.path.basename(self.name)
        return ((name, result) for _, result in self.output.records(folder))

    def page(self, folder: Path) -> Path:
        """The page that plays the overlay."""
        return folder / PAGE

    def tidy(self, folder: Path) -> None:
        """Remove the parts of the overlay, and rows that were converted to another format."""
        remove_parts(folder)
        self.output.tidy(folder)

    def facts(self) -> dict[str, object]:
        """Facts about the clip and, if live, about dropped frames and latency."""
        facts: dict[str, object] = {"clip": self.name} if self.output.paths else {}
        if self.live is not None:
            facts["dropped"] = self.live.dropped
            if self.live.done:
                median, high = self.live.latency()
                facts["latency"] = {"median": round(median, 4), "95 %": round(high, 4)}
        return facts


def clip_folders(clips: Inputs, out: Path | None) -> list[Path]:
    """The result folder of each clip: `out` itself for a single clip, otherwise a folder in it.

    Without `out`, a folder in `results`. Raises FkpError if two clips would share one.
    """
    if len(clips.paths) == 1 and out is not None:
        return [out]
    base = out or Path("results")
    if is_stream(clips.paths[0]):
        return [base / _stream_name(clips.paths[0])]
    names = [_path_name(clips, path) for path in clips.paths]
    bare = Counter(bare for bare, _ in names)
    folders = [base / (name if bare[name] == 1 else whole) for name, whole in names]
    twice = [folder for folder, count in Counter(folders).items() if count > 1]
    if twice:
        raise FkpError(f"{twice[0]}: two clips would share this folder; give each once")
    return folders


def _path_name(clips: Inputs, path: str) -> tuple[Path, Path]:
    """A clip's name relative to the root, without and with its suffix; for a pattern, its beginning
    or its folder.
    """
    whole = Path(clips.relative(path))
    if is_pattern(path):
        start = re.split(r"[%*?[]", whole.name)[0].rstrip("_-. ")
        folder = whole.parent if whole.parent != Path() else Path(Path(clips.root).name or "frames")
        return (whole.parent / start if start else folder,) * 2
    return whole if os.path.isdir(path) else whole.with_suffix(""), whole


def _bytes(path: str) -> int | None:
    """The size and time of the file, or of all pictures of a sequence."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    if is_sequence(path):
        return sum(os.path.getsize(picture) for picture in pictures_of(path))
    return None


def _stream_name(stream: str) -> str:
    """A folder's name for a camera, an address or stdin."""
    if stream == "-":
        return "stdin"
    if stream.isdigit():
        return f"camera{stream}"
    parts = urlsplit(stream)
    last = Path(parts.path).stem or "stream"
    return f"{parts.hostname or 'address'}-{last}"


def _finite(number: float) -> float | None:
    """A JSON value: None for NaN."""
    return float(number) if math.isfinite(number) else None


def check_schemas(output: Output) -> None:
    """Raise UsageError for output formats that cannot hold frames of a clip."""
    for schema in output.schemas:
        if not schema.clips:
            raise UsageError(
                f"{schema.name} lists picture files, not frames of a clip; extract the "
                "frames and annotate them, or choose another schema"
            )
