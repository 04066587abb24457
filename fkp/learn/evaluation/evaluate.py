"""A model's errors on a data set, which may have other points, crop sizes or framing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import Faces, Scheme, mean_points
from fkp.labels.store import Samples
from fkp.learn.evaluation import metrics
from fkp.learn.networks.checkpoint import Model
from fkp.learn.networks.framing import measure_framing
from fkp.vision.crop import CropTransform

SAME = 0.03
"""Framings whose corners differ by less than this share of the side count as the same."""

Finder = Callable[[Sequence[str]], Iterable[Faces | str]]
"""Yields the faces in each picture file, in a network's scheme, or why it could not be read."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A model's points on the labelled rows of a split, and their errors.

    predicted, labels: (N, K, 2) crop pixels of the rows in `samples`, points of `scheme`.
    scales: (N, K) of the distances, as estimated by the network, crop pixels; NaN if not estimated.
    missed: (N,) faces that were not found in their pictures; False for crops.
    lengths: the normalisers (N,), for each norm that the labels allow.
    """

    samples: Samples
    split: str
    predicted: Array
    labels: Array
    scales: Array
    missed: npt.NDArray[np.bool_]
    lengths: dict[str, Array]
    scheme: Scheme
    scores: metrics.Scores
    notes: list[str]

    def of(self, rows: npt.NDArray[np.bool_], norm: str | None = None) -> metrics.Scores:
        """The scores of some of the rows."""
        norm = norm or self.scores.norm
        return metrics.score(
            self.predicted[rows], self.labels[rows], self.scheme, norm,
            self.lengths[norm][rows], self.missed[rows],
        )  # fmt: skip

    def convert(self, scheme: Scheme) -> "Evaluation":
        """The same faces with errors at the points of another scheme."""
        if scheme.names == self.scheme.names:
            return self
        predicted = self.scheme.convert(self.predicted, scheme)
        labels = self.scheme.convert(self.labels, scheme)
        norm = self.scores.norm
        scores = metrics.score(predicted, labels, scheme, norm, self.lengths[norm], self.missed)
        note = f"compared at the {len(scheme)} points of {scheme.name}"
        unknown = np.full(predicted.shape[:2], np.nan)
        return replace(
            self, predicted=predicted, labels=labels, scales=unknown, scheme=scheme, scores=scores,
            notes=[*self.notes, note],
        )  # fmt: skip

    def by(self, column: str) -> dict[str, metrics.Scores]:
        """The scores by value of a column, see `column`."""
        values = self.column(column)
        return {str(v): self.of(values == v) for v in sorted(set(values.tolist()), key=_order)}

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """The values (N,) of a column of the data set; `labels` is the number of labelled points.

        Raises DataError for an unknown column.
        """
        if name == "labels":
            count = np.isfinite(self.labels).all(2).sum(1)
            return np.array([f"{n} points" for n in count], str)
        if name in ("image", "source", "person", "split", "flags"):
            return np.asarray(getattr(self.samples, name), str)
        if name in self.samples.other:
            return self.samples.other[name]
        known = ", ".join(["labels", "source", "split", "flags", *self.samples.other])
        raise DataError(f"by {name}: no such column; available: {known}")


def _order(text: str) -> tuple[int, float, str]:
    """Sort key: numbers by value, then words."""
    first = text.split(" ", maxsplit=1)[0]
    try:
        return 0, float(first), text
    except ValueError:
        return 1, 0.0, text


def choose_split(samples: Samples, split: str | None) -> tuple[str, Samples]:
    """The labelled rows of a split, and its name.

    Without a name: `test` if there are such rows, otherwise `val`, otherwise all. Raises DataError
    if the split has no labelled rows.
    """
    if split is None:
        split = next((s for s in ("test", "val") if (samples.split == s).any()), "all")
    part = samples.labelled(split)
    if len(part) == 0:
        raise DataError(f"the split {split} has no labelled rows")
    return split, part


def evaluate(
    model: Model, samples: Samples, split: str | None = None, norm: str | None = None
) -> Evaluation:
    """Score a model on the crops of a split; see `choose_split` and `metrics.lengths`.

    Raises DataError if the model's points and the labelled ones cannot be compared.
    """
    split, part = choose_split(samples, split)
    predicted, scales, notes = predict_crops(model, part, samples)
    found = np.zeros(len(part), bool)
    return _compare(model, part, split, norm, (predicted, scales, found), notes)


def predict_crops(
    model: Model, part: Samples, framed: Samples | None = None
) -> tuple[Array, Array, list[str]]:
    """Points (N, K, 2) and scales (N, K) in pixels of the crops, and notes on how they were found.

    Crops framed differently from the model's are resampled; their framing is measured on `framed`.
    """
    transform = _reframing(model, framed or part)
    notes = []
    if transform is None:
        said = model.predict(part.crops)
        predicted, scales = said.points.astype(np.float64), said.scale.astype(np.float64)
    else:
        notes.append(
            f"the model's crops are framed differently ({model.size} px): all crops were resampled "
            "by the mean similarity, and the points mapped back"
        )
        crops = np.stack([transform.cut(np.asarray(image)) for image in part.crops])
        said = model.predict(crops)
        predicted = transform.invert(said.points)
        scales = said.scale.astype(np.float64) / transform.scale
    return predicted, scales, notes


def evaluate_pictures(
    model: Model,
    samples: Samples,
    find: Finder,
    split: str | None = None,
    norm: str | None = None,
) -> Evaluation:
    """Score a model on whole pictures, as in use: a missed face is a failure.

    find: finds faces with the model. Of several faces, the one whose points are nearest to the
    labels counts; if their centres are farther apart than the normaliser, the face was missed.
    Raises DataError if a picture cannot be read.
    """
    split, part = choose_split(samples, split)
    predicted = np.full((len(part), len(model.scheme), 2), np.nan)
    missed = np.ones(len(part), bool)
    unreadable: list[str] = []
    middles, lengths = _middles(part), metrics.lengths(part, norm)
    paths = part.paths()
    for i, (path, faces) in enumerate(zip(paths, find(paths), strict=True)):
        if isinstance(faces, str):
            unreadable.append(f"{path}: {faces}")
            continue
        transform = part.transform(i)
        points = transform.apply(faces.points)  # (F, P, 2)
        away = np.linalg.norm(points.mean(1) - middles[i], axis=1)
        if len(away) and away.min() <= lengths[i]:
            predicted[i], missed[i] = points[int(away.argmin())], False
    if unreadable:
        raise DataError(f"{len(unreadable)} pictures cannot be read; the first: {unreadable[0]}")
    notes = ["on whole pictures: faces that were not found are failures"]
    unknown = np.full(predicted.shape[:2], np.nan)
    return _compare(model, part, split, norm, (predicted, unknown, missed), notes)


def _compare(
    model: Model,
    part: Samples,
    split: str,
    norm: str | None,
    found: tuple[Array, Array, npt.NDArray[np.bool_]],
    notes: list[str],
) -> Evaluation:
    """Convert predictions (points, scales, missed) and labels to common points, and score them."""
    predicted, scales, missed = found
    labels, scheme = part.points.astype(np.float64), part.scheme
    if model.scheme.can_convert(scheme):
        indices = model.scheme.point_indices(scheme)
        predicted = np.asarray(mean_points(predicted, indices))
        # A mean of several points has a smaller error than they have: their scales do not apply.
        single = np.array([len(own) == 1 for own in indices])
        scales = np.where(single, mean_points(scales[..., None], indices)[..., 0], np.nan)
        if model.scheme.names != scheme.names:
            notes.append(f"predictions converted from {model.scheme.name} to {scheme.name}")
    elif scheme.can_convert(model.scheme):
        labels, scheme = scheme.convert(labels, model.scheme), model.scheme
        notes.append(f"labels converted from {part.scheme.name} to {scheme.name}")
    else:
        raise DataError(
            f"the model finds {', '.join(model.scheme.names[:3])}, ...; the data labels "
            f"{', '.join(scheme.names[:3])}, ...: they cannot be compared"
        )
    wanted = norm or metrics.default_norm(part.scheme)
    lengths = {wanted: metrics.lengths(part, wanted)}
    for other in metrics.NORMS:
        try:
            lengths.setdefault(other, metrics.lengths(part, other))
        except DataError:  # the labels lack the points for it
            continue
    scores = metrics.score(predicted, labels, scheme, wanted, lengths[wanted], missed)
    return Evaluation(
        part, split, predicted, labels, scales, missed, lengths, scheme, scores, notes
    )


def _middles(samples: Samples) -> Array:
    """The mean of the labelled points of each row, (N, 2)."""
    known = np.isfinite(samples.points)
    total = np.where(known, samples.points, 0).sum(1, dtype=np.float64)
    return np.asarray(total / known.sum(1), np.float64)


def _reframing(model: Model, samples: Samples) -> CropTransform | None:
    """The similarity from the data's crops to the model's; None if they are framed alike."""
    try:
        here = measure_framing(samples, None)
    except DataError:
        # Without eyes in the labels only the crop size can be compared.
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
