"""Finding labels that are probably wrong: those that a network which never saw them disagrees
with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, ImageError
from fkp.files import replacing
from fkp.keypoints import mean_points
from fkp.labels.split import split_persons
from fkp.labels.store import Samples
from fkp.labels.table import Rejected
from fkp.learn.disagreement import Disagreement, disagreement
from fkp.learn.evaluation.evaluate import Finder, predict_crops
from fkp.learn.networks.checkpoint import Model
from fkp.learn.networks.framing import Framing
from fkp.learn.training.config import TrainConfig
from fkp.learn.training.loop import Listener, train
from fkp.vision.crop import CropTransform
from fkp.vision.draw import GREEN, ORANGE, sheet, tile
from fkp.vision.images import Image, read_image, write_image

Array = npt.NDArray[np.float64]

SHEET = 60
SIDE = 160  # of a picture in the sheet, in pixels


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """The labelled rows of a data set, and a network's points for them.

    predicted: (N, K, 2) crop pixels; seen_in: what the network looked at, `picture` or `crop`.
    """

    samples: Samples
    predicted: Array
    seen_in: list[str]
    found: Disagreement

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Indices of the rows, worst first."""
        scores = np.where(np.isnan(self.found.scores), -1, self.found.scores)
        return np.asarray(np.argsort(-scores, kind="stable"), np.int64)

    def without(self) -> tuple[Samples, list[Rejected]]:
        """The data set without rows that are probably wrong, and the dropped rows with reasons."""
        wrong = self.found.wrong
        if wrong.all():
            raise DataError("the network disagrees with every row; no rows would be left")
        rejected = [
            Rejected(
                str(self.samples.source[i]), int(self.samples.source_row[i]), "",
                f"audit: {self.found.kinds[i]} ({self.found.scores[i]:.1f} times the limit)", False,
            )
            for i in np.flatnonzero(wrong)
        ]  # fmt: skip
        return self.samples.take(~wrong), rejected


def audit_by_model(model: Model, samples: Samples, find: Finder | None) -> Audit:
    """Check all labelled rows with a model that was trained on other data.

    find: finds faces in the picture files with that model. The face nearest to the labels counts;
    if none is found, or without `find`, the model looks at the crops cut by the labels. Raises
    DataError if the model does not find the labelled points.
    """
    part = samples.labelled()
    if not model.scheme.can_convert(part.scheme):
        raise DataError(
            f"the network finds {len(model.scheme)} points ({model.scheme.name}), from which "
            f"{', '.join(part.scheme.names[:3])}, ... cannot be computed; use kfold instead"
        )
    predicted, seen_in = _look(model, part, find)
    found = disagreement(part.points, predicted, part.scheme, part.size)
    return Audit(part, predicted, seen_in, found)


def _look(model: Model, part: Samples, find: Finder | None) -> tuple[Array, list[str]]:
    """A model's points for each row, (N, K, 2) crop pixels, and what it looked at."""
    predicted, seen_in = np.full(part.points.shape, np.nan), ["crop"] * len(part)
    indices = model.scheme.point_indices(part.scheme)
    for i, faces in enumerate(find(part.paths()) if find is not None else ()):
        if isinstance(faces, str) or len(faces) == 0:
            continue
        points = mean_points(part.transform(i).apply(faces.points), indices)
        away = np.nanmean(np.linalg.norm(points - part.points[i], axis=2), axis=1)
        predicted[i], seen_in[i] = points[int(away.argmin())], "picture"
    rest = np.flatnonzero([what == "crop" for what in seen_in])
    if len(rest):
        predicted[rest] = mean_points(predict_crops(model, part.take(rest), part)[0], indices)
    return predicted, seen_in


def audit_by_folds(
    samples: Samples,
    framing: Framing,
    config: TrainConfig,
    folds: int,
    told: Callable[[int], Listener],
    finder: Callable[[Model], Finder] | None,
) -> Audit:
    """Check each row with a network trained only on rows of other persons.

    told: returns the listener of fold 1, 2, ...; finder: builds the face finder of a network.
    Without it, the network looks at crops cut by the labels themselves, and cannot see that all
    points of a face are shifted alike. Raises DataError if there are too few persons.
    """
    part = samples.labelled()
    if len(set(part.person)) < 2 * folds:
        raise DataError(f"{len(set(part.person))} persons are too few for {folds} folds")
    fold = np.zeros(len(part), int)
    rest = np.ones(len(part), bool)
    for number in range(folds, 1, -1):  # each fold takes its share of the remaining rows
        persons = part.person[rest].tolist()
        places = np.array(split_persons(persons, 0, 1 / number, config.seed))
        fold[np.flatnonzero(rest)[places == "test"]] = number - 1
        rest = fold == 0
    predicted, seen_in = np.full((*part.points.shape,), np.nan), [""] * len(part)
    for number in range(folds):
        split = np.where(fold == number, "test", "train")
        model = train(config, replace(part, split=split), framing, told(number + 1))
        rows = np.flatnonzero(fold == number)
        find = finder(model) if finder else None
        predicted[rows], looked_at = _look(model, part.take(rows), find)
        for i, what in zip(rows, looked_at, strict=True):
            seen_in[i] = f"fold {number + 1}, {what}"
    found = disagreement(part.points, predicted, part.scheme, part.size)
    return Audit(part, predicted, seen_in, found)


def write_audit(path: Path, audit: Audit) -> None:
    """Write a CSV of all rows, worst first.

    score: over 1 is probably wrong; kind: the likely kind of error; shift_x, shift_y: picture
    pixels, from the labels to the network's points; seen_in: what it looked at.
    """
    samples, found, order = audit.samples, audit.found, audit.order
    shifts = np.array([_shift(audit, i) for i in order]).reshape(-1, 2)
    names = np.array(samples.scheme.names)
    worst = [names[int(np.nanargmax(d))] if np.isfinite(d).any() else "" for d in found.distances]
    frame = pd.DataFrame(
        {
            "image": samples.image[order],
            "source": samples.source[order],
            "source_row": samples.source_row[order],
            "person": samples.person[order],
            "score": found.scores[order].round(3),
            "kind": [found.kinds[i] for i in order],
            "worst_point": [worst[i] for i in order],
            "shift_x": shifts[:, 0].round(2),
            "shift_y": shifts[:, 1].round(2),
            "seen_in": [audit.seen_in[i] for i in order],
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        frame.to_csv(part, index=False)


def _shift(audit: Audit, i: int) -> Array:
    inverse = audit.samples.transform(i).invert
    away = inverse(audit.predicted[i]) - inverse(audit.samples.points[i])
    known = np.isfinite(away).all(1)
    return np.asarray(away[known].mean(0) if known.any() else [np.nan] * 2, np.float64)


def write_sheet(path: Path, audit: Audit) -> None:
    """Draw the worst rows: labels orange, the network's points green, score and kind below."""
    samples, found = audit.samples, audit.found
    tiles = []
    for i in audit.order[:SHEET]:
        image, labels, predicted = _view(audit, int(i))
        layers = [(labels, ORANGE), (predicted, GREEN)]
        caption = f"{found.scores[i]:.1f} {found.kinds[i]}"[:26]
        tiles.append(tile(image, layers, samples.scheme, SIDE, caption))
    write_image(path, sheet(tiles, columns=10))


def _view(audit: Audit, i: int) -> tuple[Image, Array, Array]:
    """The part of a row's picture with its labels (K, 2) and the network's points (K, 2).

    Its crop, if there is no picture file.
    """
    samples = audit.samples
    crop, labels, predicted = np.asarray(samples.crops[i]), samples.points[i], audit.predicted[i]
    folder = samples.folders.get(str(samples.source[i]))
    if folder is None:
        return crop, labels.astype(np.float64), predicted
    inverse = samples.transform(i).invert
    labels, predicted = inverse(labels), inverse(predicted)
    frame = CropTransform.around(np.concatenate([labels, predicted]), SIDE, margin=0.4)
    try:
        picture = read_image(Path(folder) / str(samples.image[i]), gray=True)
    except ImageError as error:
        raise DataError(f"{samples.image[i]}: {error}; prepare the data again") from error
    return frame.cut(picture), frame.apply(labels), frame.apply(predicted)
