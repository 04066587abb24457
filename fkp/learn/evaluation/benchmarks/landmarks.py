"""Tables for sets with labelled points: NME by subset and norm, failure rate, AUC, pose."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import IBUG68, Scheme
from fkp.learn.evaluation import metrics
from fkp.learn.evaluation.benchmarks.faces import PASSES, FaceSet, FoundPoints
from fkp.learn.evaluation.benchmarks.pose import (
    ANGLES,
    angle_errors,
    measured_angles,
    rotation_errors,
)
from fkp.learn.evaluation.benchmarks.report import Metric, ScoreTable, SubsetScores

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

IN_BOXES = "ground-truth boxes"
DEFINED_IN_BOXES = (
    "faces come from the ground truth: an upright crop by the tight box of the labelled points, "
    f"then {PASSES} more, each by the five points found in the one before"
)
DEFINED_BY_DETECTOR = (
    "faces come from the detector on whole pictures; a labelled face is missed if no face's middle "
    "is within half of its box (the geometric mean of the sides of the tight box of its labels). "
    "Missed faces are failures, count 0 in the AUC, and take no part in means"
)
NORM_NAMES = {"outer": "NME (inter-ocular)", "pupil": "NME (inter-pupil)", "box": "NME (box)"}
WIDEST = 99.0
"""Faces with an angle beyond this, in degrees, take no part in pose errors (Ruiz et al., CVPR
Workshops 2018)."""


def comparable(model_scheme: Scheme, faces: FaceSet) -> bool:
    """Whether a network's points can be converted to a set's labelled points, or vice versa."""
    return model_scheme.can_convert(faces.scheme) or faces.scheme.can_convert(model_scheme)


def landmark_table(
    model_scheme: Scheme, faces: FaceSet, found: FoundPoints, detector: str | None
) -> ScoreTable:
    """Score the points found. detector: its name; None for ground-truth boxes.

    Raises DataError if the network's points and the labelled ones cannot be compared.
    """
    notes = list(faces.notes)
    scheme, labels, predicted = faces.scheme, faces.points, found.points
    if model_scheme.can_convert(scheme):
        predicted = model_scheme.convert(predicted, scheme)
    elif scheme.can_convert(model_scheme):
        labels, scheme = scheme.convert(labels, model_scheme), model_scheme
        notes.append(
            f"compared at the {len(scheme)} points that the network finds; papers compare all "
            f"{len(faces.scheme)}, so these figures are not comparable with theirs"
        )
    else:
        raise DataError(
            f"{faces.title} labels {len(faces.scheme)} points ({faces.scheme.name}); they cannot "
            f"be compared with the network's {len(model_scheme)} points ({model_scheme.name})"
        )
    scored = _Scored(faces, scheme, labels, predicted, found.missed)
    angles = None
    if faces.angles is not None and model_scheme.can_convert(IBUG68):
        angles = measured_angles(model_scheme.convert(found.points, IBUG68), found.sizes_wh)
    rows = [
        _row(name, scored, angles, rows, detector is not None)
        for name, rows in faces.subsets.items()
    ]
    bins = [row for row in rows if row.subset.startswith("yaw")]
    if len(bins) == 3:
        rows.append(_mean_of_bins(bins))
    notes += _missing(faces)
    return ScoreTable(
        faces.title,
        faces.protocol.source,
        detector or IN_BOXES,
        tuple(_metrics(faces, angles is not None)),
        tuple(rows),
        (DEFINED_BY_DETECTOR if detector else DEFINED_IN_BOXES, *notes),
    )


class _Scored:
    """Labels and predictions at common points, and their scores over some of the faces."""

    def __init__(
        self, faces: FaceSet, scheme: Scheme, labels: Array, predicted: Array, missed: Bools
    ) -> None:
        self.faces, self.scheme, self.labels = faces, scheme, labels
        self.predicted, self.missed = predicted, missed

    def by(self, norm: str, rows: Bools, labels: Array | None = None) -> metrics.Scores:
        """Scores of some rows; the norm is of the published labels, even if fewer points are
        compared.
        """
        lengths = metrics.normalisers(self.faces.points[rows], self.faces.scheme, norm)
        wanted = self.labels if labels is None else labels
        return metrics.score(
            self.predicted[rows], wanted[rows], self.scheme, norm, lengths, self.missed[rows],
            self.faces.protocol.limits,
        )  # fmt: skip

    def uncovered(self) -> Array | None:
        """The labels of uncovered points; None if the set does not say which are covered."""
        covered = self.faces.covered
        if covered is None or self.scheme.names != self.faces.scheme.names:
            return None
        return np.where(covered[..., None], np.nan, self.labels)


def _row(
    name: str, scored: _Scored, angles: Array | None, rows: Bools, with_missed: bool
) -> SubsetScores:
    protocol = scored.faces.protocol
    values: dict[str, float] = {}
    first = scored.by(protocol.norms[0], rows)
    for norm in protocol.norms:
        values[NORM_NAMES[norm]] = 100 * scored.by(norm, rows).nme
    uncovered = scored.uncovered()
    if uncovered is not None:
        values["NME, uncovered"] = 100 * scored.by(protocol.norms[0], rows, uncovered).nme
    for limit in protocol.limits:
        values[f"FR {100 * limit:g}"] = 100 * first.failure[limit]
        values[f"AUC {100 * limit:g}"] = first.auc[limit]
    if angles is not None and scored.faces.angles is not None:
        values |= _pose(angles[rows], scored.faces.angles[rows])
    missed = int(scored.missed[rows].sum()) if with_missed else None
    return SubsetScores(name, int(rows.sum()), missed, values)


def _pose(said: Array, truth: Array) -> dict[str, float]:
    """Mean errors of the angles, over faces whose angles are all within WIDEST."""
    usable = (np.abs(truth) <= WIDEST).all(1) & np.isfinite(said).all(1)
    errors = angle_errors(said[usable], truth[usable])
    turned = rotation_errors(said[usable], truth[usable])
    if len(errors) == 0:
        return {}
    means = errors.mean(0)
    values = dict(zip((f"{name} error" for name in ANGLES), means.tolist(), strict=True))
    return {
        **values,
        "mean error": float(means.mean()),
        "rotation error": float(turned.mean()),
        "poses": float(len(errors)),
    }


def _mean_of_bins(bins: list[SubsetScores]) -> SubsetScores:
    """What papers on AFLW2000-3D rank by: the mean of the NME of the three yaw bins."""
    name = NORM_NAMES["box"]
    mean = float(np.mean([row.values[name] for row in bins]))
    missed = None if bins[0].missed is None else sum(row.missed or 0 for row in bins)
    return SubsetScores("mean of yaw bins", sum(row.faces for row in bins), missed, {name: mean})


def _metrics(faces: FaceSet, with_pose: bool) -> Iterator[Metric]:
    """The columns, with their definitions."""
    protocol = faces.protocol
    for norm in protocol.norms:
        yield Metric(
            NORM_NAMES[norm], "%",
            "the mean distance of a face's points from their labels over the "
            f"{metrics.NORM_TEXT[norm]}, then the mean over faces",
        )  # fmt: skip
    own = NORM_NAMES[protocol.norms[0]]
    if faces.covered is not None:
        yield Metric("NME, uncovered", "%", f"{own} over points that nothing covers")
    for limit in protocol.limits:
        share = f"{100 * limit:g}"
        yield Metric(f"FR {share}", "%", f"share of the faces whose {own} is over {share} %")
        yield Metric(
            f"AUC {share}", "",
            f"area under the cumulative distribution of the faces' {own} from 0 to {share} %, "
            "divided by that width; the exact integral of the steps",
        )  # fmt: skip
    if with_pose:
        for name in ANGLES:
            yield Metric(
                f"{name} error", "degrees",
                f"mean absolute error of {name} as Pose_Para counts it (R = Rx Ry Rz), over faces "
                f"whose three true angles are all within {WIDEST:g} degrees; fkp's pose is that "
                "of --measures, from the points",
            )  # fmt: skip
        yield Metric("mean error", "degrees", "mean of the three errors")
        yield Metric(
            "rotation error", "degrees",
            "mean angle of the rotation between true and found pose, on the same faces",
        )  # fmt: skip
        yield Metric("poses", "faces", "how many faces the pose errors are over")


def _missing(faces: FaceSet) -> Iterator[str]:
    """A note for each subset that is not complete."""
    for name, count in faces.protocol.counts.items():
        rows = faces.subsets.get(name)
        here = 0 if rows is None else int(rows.sum())
        if here not in (0, count):
            yield (
                f"{name}: {here} faces, but the published subset has {count}: these figures are "
                "not comparable with papers"
            )
