"""The files made from the finished table of a clip: the overlay with its sound, and the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from fkp.annotate.names import OVERLAY
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.rows import Record
from fkp.annotate.video.film import Film
from fkp.annotate.video.page import write_page
from fkp.files import replacing
from fkp.vision.joining import Sound, has_sound, join
from fkp.vision.sources import is_sequence, is_stream

Records = Callable[[], Iterator[Record]]

SAME = 0.002
"""Maximum difference, in seconds, between two clocks that count as synchronous."""


def finish_clip(
    clip: str, film: Film | None, to_end: bool, folder: Path, records: Records,
    events: pd.DataFrame | None = None,
) -> list[str]:  # fmt: skip
    """Write `overlay.mp4`, if frames were drawn, and `index.html`; returns notes on both.

    to_end: whether the frames reach the end of the clip. records: reads the finished table. events:
    to mark on the page. A file that cannot be made is a note and does not end the run; only the
    OSError of a folder that cannot be written is raised.
    """
    notes: list[str] = []
    overlay = None
    if film is not None and film.parts():  # none if no frame could be decoded
        try:
            notes += _overlay(clip, film, to_end, folder, records)
            overlay = OVERLAY
        except OSError:
            raise
        except Exception as error:  # any error: the table does not depend on it
            notes.append(f"{OVERLAY} could not be made: {error}")
    try:
        write_page(folder / PAGE, overlay, records(), events)
    except OSError:
        raise
    except Exception as error:  # likewise
        notes.append(f"{PAGE} could not be made: {error}")
    return notes


def _overlay(
    clip: str, film: Film, to_end: bool, folder: Path, records: Records
) -> list[str]:  # fmt: skip
    """Join the parts; returns notes on the sound."""
    sound, notes = None, []
    if not is_stream(clip) and not is_sequence(clip) and has_sound(clip):
        sound, reason = sound_of(clip, records(), to_end)
        notes += [f"no sound: {reason}"] if reason else []
    with replacing(folder / OVERLAY) as part:
        notes += join(film.parts(), part, sound)
    return [f"{OVERLAY}: {note}" for note in notes]


def sound_of(clip: str, records: Iterator[Record], to_end: bool) -> tuple[Sound | None, str]:
    """The sound for the frames of a table, or the reason why there is none."""
    moments = [result.moment for _, result in records if result.moment is not None]
    stamps, times = (
        np.array([getattr(m, name) for m in moments]) for name in ("timestamp", "time")
    )
    if np.ptp(stamps - times) > SAME:
        return None, "the timestamps of the clip jump or repeat"
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return Sound(clip, float(stamps[0]), np.inf if to_end else float(stamps[-1]) + step), ""
