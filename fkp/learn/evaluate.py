"""A model's errors on a data set, also where the two differ in points, size or framing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import Scheme
from fkp.labels.store import Samples
from fkp.learn import metrics
from fkp.learn.checkpoint import Model
from fkp.learn.framing import measure_framing
from fkp.vision.crop import CropTransform

SAME = 0.03
"""Framings whose corners differ by less than this share of the side are taken for the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """predicted: (N, K, 2) crop pixels of the rows in `samples`, which has labels in `scheme`."""

    samples: Samples
    split: str
    predicted: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]  # (N, K, 2)
    scheme: Scheme
    scores: metrics.Scores
    notes: list[str]


def evaluate(
    model: Model, samples: Samples, split: str | None = None, norm: str | None = None
) -> Evaluation:
    """Score a model on one split: `test` where there is one, else `val`, else all rows."""
    if split is None:
        split = next((s for s in ("test", "val") if (samples.split == s).any()), "all")
    part = samples.part(split).labelled()
    if len(part) == 0:
        raise DataError(f"there are no labelled rows in the split {split}")
    notes = []
    transform = _reframing(model, samples)
    if transform is None:
        predicted = model.predict(part.images).points.astype(np.float64)
    else:
        notes.append(
            f"the model's crops are framed otherwise ({model.size} px): all crops were resampled "
            "by one mean similarity, and the points mapped back"
        )
        crops = np.stack([transform.cut(np.asarray(image)) for image in part.images])
        predicted = transform.invert(model.predict(crops).points)
    labels, scheme = part.points.astype(np.float64), samples.scheme
    if model.scheme.names != scheme.names:
        if model.scheme.can_convert(scheme):
            predicted = model.scheme.convert(predicted, scheme)
            notes.append(f"predictions converted from {model.scheme.name} to {scheme.name}")
        elif scheme.can_convert(model.scheme):
            labels, scheme = scheme.convert(labels, model.scheme), model.scheme
            notes.append(f"labels converted from {samples.scheme.name} to {scheme.name}")
        else:
            raise DataError(
                f"the model finds {', '.join(model.scheme.names[:3])}, ...; the data has "
                f"{', '.join(scheme.names[:3])}, ...: they cannot be compared"
            )
    scores = metrics.score(predicted, labels, scheme, norm)
    return Evaluation(part, split, predicted, labels, scheme, scores, notes)


def _reframing(model: Model, samples: Samples) -> CropTransform | None:
    """The similarity from the data's crops to the model's, None where they are the same."""
    try:
        here = measure_framing(samples, None)
    except DataError:
        # Without eyes in the labels nothing tells the framings apart but the size.
        if samples.size == model.size:
            return None
        return CropTransform.whole(samples.size, samples.size, model.size)
    transform = here.between(model.framing, samples.size, model.size)
    whole = CropTransform.whole(samples.size, samples.size, model.size)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (samples.size - 1.0)
    shift = np.abs(transform.apply(corners) - whole.apply(corners)).max() / model.size
    if shift < SAME:
        return None if samples.size == model.size else whole
    return transform
