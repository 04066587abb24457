"""From the crops of many pictures to their faces: the network's part."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.network import TOLERANCE, KeypointNetwork
from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.photo.cutting import Cut
from fkp.annotate.reframing import reframe
from fkp.keypoints import Faces, Prediction, Scheme
from fkp.vision.crop import CropTransform
from fkp.vision.looks import distinct

SMALL = 48
"""Pixels. Where no smaller face was looked for and none was found, the row says so."""


TURNED_ALONE = 0.7
"""What the detector must say of a face that is turned by more than 60 degrees, where the network
cannot tell faces from other things."""


def predict(
    cuts: Sequence[Cut | Failure], network: KeypointNetwork, config: AnnotateConfig
) -> list[Result]:
    """The faces of many pictures, from their crops in common batches."""
    good = [cut for cut in cuts if isinstance(cut, Cut)]
    if not good:
        return [cut for cut in cuts if isinstance(cut, Failure)]
    detected = np.concatenate([cut.scores for cut in good])
    crops = np.concatenate([cut.crops for cut in good])
    said = network.predict(crops, config.batch, least(detected, config.min_score))
    usable = np.isfinite(detected) & ~(face_scores(detected, said.face) < config.min_score)
    framed = [transform for cut in good for transform in cut.transforms]
    said, framed = reframe(crops, framed, said, network, config.batch, usable)
    results: list[Result] = []
    start = 0
    for cut in cuts:
        if isinstance(cut, Failure):
            results.append(cut)
            continue
        rows = slice(start, start + len(cut.transforms))
        start = rows.stop
        faces = _faces(cut, said.take(rows), framed[rows], network, config)
        results.append(Annotated(faces, cut.width, cut.height, _note(cut, faces)))
    return results


def _note(cut: Cut, faces: Faces) -> str:
    """The note on a picture: also how large a face would have to be, where none was found."""
    said = [cut.note] if cut.note else []
    if len(faces) == 0 and cut.smallest >= SMALL:
        said.append(f"faces of less than {cut.smallest:.0f} pixels were not looked for")
    return "; ".join(said)


def _faces(
    cut: Cut,
    said: Prediction,
    framed: Sequence[CropTransform],
    network: KeypointNetwork,
    config: AnnotateConfig,
) -> Faces:
    """The faces of one picture that score high enough, highest first, in picture pixels.

    framed: the transforms of the crops that the points were found in.
    """
    scores = face_scores(cut.scores, said.face)
    turned = np.array([abs(np.arctan2(t.b, t.a)) > np.pi / 3 for t in cut.transforms], bool)
    scores[turned & np.isnan(said.face) & (cut.scores < TURNED_ALONE)] = 0
    # Without a detector (NaN) the crop is a face.
    kept = np.flatnonzero(~(scores < config.min_score))
    # A face may have been cut out twice, as it would be upright and as it would be turned.
    kept = kept[distinct(cut.boxes[kept], scores[kept])][: config.max_faces]
    points, confidence = located(
        said.take(kept),
        [framed[int(i)] for i in kept],
        network,
        config.scheme or network.scheme,
    )
    return Faces(config.scheme or network.scheme, cut.boxes[kept], scores[kept], points, confidence)


def located(
    said: Prediction, transforms: Sequence[CropTransform], network: KeypointNetwork, scheme: Scheme
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A network's prediction for F crops, in pixels of the pictures that they were cut from and in
    the points of a scheme: points (F, K, 2), confidence (F, K).
    """
    pairs = zip(transforms, said.points, strict=True)
    points = np.array([transform.invert(own) for transform, own in pairs])
    points = points.reshape(len(said.points), len(network.scheme), 2)
    confidence = said.confidence(TOLERANCE * network.size)[..., None]
    return (
        network.scheme.convert(points, scheme).astype(np.float32),
        network.scheme.convert(confidence, scheme)[..., 0].astype(np.float32),
    )


def least(detected: npt.NDArray[np.float32], min_score: float) -> npt.NDArray[np.float32]:
    """The probability of a face (F,) with which `face_scores` reaches `min_score`, and a little
    less, as numbers are rounded; 0 where there is no detector's score.
    """
    scores = np.nan_to_num(detected, nan=np.inf)
    return np.asarray(0.999 * np.float32(min_score**2) / scores, np.float32)


def face_scores(
    detected: npt.NDArray[np.float32], face: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Scores (F,) of faces: the geometric mean of the detector's score and the network's
    probability of a face; the detector's alone where the network has none.
    """
    return np.where(np.isnan(face), detected, np.sqrt(detected * face))
