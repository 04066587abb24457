"""What the file of a network says of it: a checkpoint and its exports carry the same header."""

import json
from dataclasses import dataclass

import numpy as np

from fkp.errors import DataError
from fkp.keypoints import SCHEMES, Scheme
from fkp.keypoints.scheme import MOST_POINTS
from fkp.learn.networks.framing import Framing

FORMAT = 4
KEY = "fkp"
"""The key of the header in a file's metadata."""

UNFIT = (KeyError, TypeError, ValueError, RuntimeError, RecursionError, DataError)
"""What reading a header, or weights that do not fit it, raises."""


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """A network without its weights; the fields are those of `checkpoint.Model`."""

    architecture: str
    scheme: Scheme
    size: int
    crop_mode: str
    framing: Framing
    training: dict[str, object]
    scores: dict[str, float]
    calibration: float
    estimates_faces: bool
    estimates_visibility: bool

    @classmethod
    def parse(cls, text: str) -> "Header":
        """The header of a file; raises one of UNFIT if it is not plausible."""
        meta = json.loads(text)
        if meta["format"] != FORMAT:
            raise ValueError(f"format {meta['format']}; this fkp reads format {FORMAT}")
        scheme, size = _scheme(meta["scheme"]), int(meta["size"])
        calibration = float(meta["calibration"])
        if not 16 <= size <= 1024 or len(scheme) > MOST_POINTS:
            raise ValueError(f"{len(scheme)} points in crops of {size} pixels are not plausible")
        if not 0 < calibration < 1e3:
            raise ValueError(f"a calibration of {calibration} is not plausible")
        framing = Framing(np.array(meta["layout"], np.float64), str(meta["layout_from"]))
        return cls(
            str(meta["architecture"]), scheme, size, str(meta["crop"]), framing,
            dict(meta["training"]), dict(meta["scores"]), calibration,
            bool(meta["estimates_faces"]), bool(meta["estimates_visibility"]),
        )  # fmt: skip


def _scheme(meta: dict[str, object]) -> Scheme:
    known = SCHEMES.get(str(meta["name"]))
    names = tuple(str(n) for n in meta["names"])  # type: ignore[attr-defined]
    if known is not None and known.names == names:
        return known
    flip = meta["flip_order"]
    outer = meta["outer_eyes"]
    return Scheme(
        str(meta["name"]),
        names,
        tuple(flip) if flip is not None else None,  # type: ignore[arg-type]
        tuple((int(a), int(b)) for a, b in meta["edges"]),  # type: ignore[attr-defined]
        tuple(tuple(int(i) for i in g) for g in meta["anchors"]),  # type: ignore[attr-defined]
        tuple(outer) if outer is not None else None,  # type: ignore[arg-type]
    )
