"""The state of a run over a clip between two frames, saved so that the run can resume there."""

import base64
import dataclasses
import json
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fkp.annotate.outcome import Annotated, Failure, Moment
from fkp.annotate.video.steady import Steady
from fkp.errors import FkpError, parse_json
from fkp.files import replacing
from fkp.keypoints import Faces, Scheme
from fkp.vision.tracking import Spot, Track

_CLASSES = {c.__name__: c for c in (Annotated, Faces, Failure, Moment, Spot, Steady, Track)}
_NUMBERS = ("float32", "float64", "complex128")


@dataclass(frozen=True, slots=True)
class State:
    """The state after some frames. followed: frames seen, some of which still wait for results.

    tracks, count, time: of the `Follower`. The journal records how many frames have results.
    """

    followed: int
    tracks: list[Track]
    count: int
    time: float | None
    steady: Steady

    def save(self, folder: Path, done: int) -> None:
        """Save as the state after `done` frames with results; the previous one is kept."""
        own = {f.name: _frozen(getattr(self, f.name)) for f in dataclasses.fields(self)}
        with replacing(_path(folder, done)) as part, part.open("w", encoding="utf-8") as file:
            json.dump(own, file)
            file.flush()
            os.fsync(file.fileno())
        for old in sorted(folder.glob("state-*.json"))[:-2]:
            old.unlink()

    @classmethod
    def load(cls, folder: Path, done: int, scheme: Scheme) -> "State":
        """Read the state after `done` frames; raises FkpError."""
        path = _path(folder, done)
        try:
            own = parse_json(path.read_text(encoding="utf-8"))
            state = cls(**{name: _thawed(value, scheme) for name, value in own.items()})
            if not isinstance(state.steady, Steady) or state.followed < done:
                raise ValueError("it belongs to another position in the clip")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise FkpError(
                f"{path}: the run cannot be resumed: {error}; overwrite it to start again"
            ) from error
        return state


def _path(folder: Path, done: int) -> Path:
    return folder / f"state-{done:09d}.json"


def _frozen(value: Any) -> Any:
    """A value as JSON."""
    if isinstance(value, np.ndarray):
        data = base64.b64encode(value.tobytes()).decode()
        return {"array": data, "of": value.dtype.name, "shape": list(value.shape)}
    if isinstance(value, Scheme):
        return {"scheme": value.name}
    if dataclasses.is_dataclass(value):
        own = {f.name: _frozen(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": type(value).__name__, "own": own}
    if isinstance(value, dict):
        return {"dict": [[_frozen(k), _frozen(v)] for k, v in value.items()]}
    if isinstance(value, list | tuple | deque):
        return {type(value).__name__: [_frozen(one) for one in value]}
    return value.item() if isinstance(value, np.generic) else value


def _thawed(value: Any, scheme: Scheme) -> Any:
    """The inverse of `_frozen`; only known classes are created."""
    if not isinstance(value, dict):
        return value
    match value:
        case {"array": data, "of": kind, "shape": shape} if kind in _NUMBERS:
            return np.frombuffer(base64.b64decode(data), kind).reshape(shape).copy()
        case {"scheme": _}:
            return scheme
        case {"class": name, "own": own}:
            return _CLASSES[name](**{key: _thawed(one, scheme) for key, one in own.items()})
        case {"dict": pairs}:
            return {_thawed(k, scheme): _thawed(v, scheme) for k, v in pairs}
        case {"list": items}:
            return [_thawed(one, scheme) for one in items]
        case {"tuple": items}:
            return tuple(_thawed(one, scheme) for one in items)
        case {"deque": items}:
            return deque(_thawed(one, scheme) for one in items)
    raise ValueError("unknown content")
