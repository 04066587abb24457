"""From the crops of many pictures to their faces: the network's part."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.pipeline import AnnotateConfig
from fkp.annotate.stages import Cut
from fkp.keypoints import Faces, Prediction, Scheme

TOLERANCE = 0.02
"""A point's confidence is the probability that it lies within this share of the crop's side of its
true place: about 5 % of the distance of the outer eye corners."""


class KeypointNetwork(Protocol):
    """What finds the points in crops."""

    @property
    def scheme(self) -> Scheme:
        """The points it finds."""
        ...

    @property
    def size(self) -> int:
        """Side of its crops in pixels."""
        ...

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        """Where the five anchor points lie in its crops, (5, 2) fractions of the side."""
        ...

    def predict(
        self, crops: npt.NDArray[np.uint8], batch: int, least: npt.NDArray[np.float32]
    ) -> Prediction:
        """What it says of crops (N, S, S); where a face is less probable than `least` (N,), its
        points are of no interest.
        """
        ...


def predict(
    cuts: Sequence[Cut | Failure], network: KeypointNetwork, config: AnnotateConfig
) -> list[Result]:
    """What is in many pictures, from their crops in common batches."""
    good = [cut for cut in cuts if isinstance(cut, Cut)]
    if not good:
        return [cut for cut in cuts if isinstance(cut, Failure)]
    # What `judge` needs of the network for `min_score`, and a little less, as numbers are rounded;
    # nothing where there is no detector's score.
    detected = np.nan_to_num(np.concatenate([cut.scores for cut in good]), nan=np.inf)
    least = 0.999 * np.float32(config.min_score**2) / detected
    said = network.predict(np.concatenate([cut.crops for cut in good]), config.batch, least)
    results: list[Result] = []
    start = 0
    for cut in cuts:
        if isinstance(cut, Failure):
            results.append(cut)
            continue
        rows = slice(start, start + len(cut.transforms))
        start = rows.stop
        own = Prediction(said.points[rows], said.scale[rows], said.face[rows])
        faces = _faces(cut, own, network, config)
        results.append(Annotated(faces, cut.width, cut.height, cut.note))
    return results


def _faces(cut: Cut, said: Prediction, network: KeypointNetwork, config: AnnotateConfig) -> Faces:
    """The faces of one picture that are sure enough, the surest first, in picture pixels."""
    scores = judge(cut.scores, said.face)
    # A crop that is said to be a face (NaN: no detector) is taken for one.
    kept = np.flatnonzero(~(scores < config.min_score))
    kept = kept[np.argsort(-scores[kept], kind="stable")][: config.max_faces or None]
    points = np.array([cut.transforms[i].invert(said.points[i]) for i in kept])
    points = points.reshape(len(kept), len(network.scheme), 2)
    confidence = said.confidence(TOLERANCE * network.size)[kept]
    scheme = config.scheme or network.scheme
    return Faces(
        scheme,
        cut.boxes[kept],
        scores[kept],
        network.scheme.convert(points, scheme).astype(np.float32),
        network.scheme.convert(confidence[..., None], scheme)[..., 0].astype(np.float32),
    )


def judge(
    detected: npt.NDArray[np.float32], face: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Scores (F,) of faces: the geometric mean of the detector's score and the network's
    probability of a face; the detector's alone where the network has none.
    """
    return np.where(np.isnan(face), detected, np.sqrt(detected * face))
