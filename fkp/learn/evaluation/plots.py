"""Plots of training and errors, and sheets of faces."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from fkp.files import replacing
from fkp.keypoints import FloatArray, Scheme
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.evaluation.metrics import NORM_TEXT, Scores
from fkp.learn.evaluation.statistics import Calibration
from fkp.vision.draw import GREEN, ORANGE, sheet, tile
from fkp.vision.images import write_image

mpl.use("Agg")
import matplotlib.pyplot as plt

SIDE = 192  # side of a crop in a sheet, in pixels


def write_curves(path: Path, epochs: Sequence[dict[str, Any]]) -> None:
    """Training loss, validation error and learning rate over the epochs."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), width_ratios=(3, 3, 2))
    x = [e["epoch"] for e in epochs]
    left.plot(x, [e["train_loss"] for e in epochs], label="training loss")
    left.set(xlabel="epoch", ylabel="loss", yscale="log", title="training loss")
    nme = np.array([e["val_nme"] for e in epochs])
    error, label = 100 * nme, "NME, % of the normaliser"
    if not np.isfinite(nme).any():
        error, label = np.array([e["val_rmse"] for e in epochs]), "RMSE, pixels"
    middle.plot(x, error, color="tab:orange")
    middle.set(xlabel="epoch", ylabel=label, title="validation error")
    if np.isfinite(error).any():
        best = int(np.nanargmin(error))
        middle.plot(x[best], error[best], "o", color="tab:red")
        middle.annotate(f"best {error[best]:.2f}", (x[best], error[best]), (0, 8),
                        textcoords="offset points", ha="right")  # fmt: skip
    right.plot(x, [e["lr"] for e in epochs], color="tab:gray")
    right.set(xlabel="epoch", title="learning rate at the epoch's end")
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    _save(figure, path)


def write_range(path: Path, rates: FloatArray, losses: FloatArray, chosen: float) -> None:
    """The loss at each rate of a range test, and the chosen rate."""
    figure, axes = plt.subplots(figsize=(6, 4))
    axes.plot(rates, losses)
    axes.axvline(chosen, color="tab:red", linestyle="--")
    axes.annotate(f" {chosen:.2g}", (chosen, float(losses.max())), color="tab:red")
    axes.set(xlabel="learning rate", ylabel="smoothed loss", xscale="log", title="range test")
    axes.set_ylim(None, 1.05 * float(losses[0]) + 0.05 * abs(float(losses[0])))
    axes.grid(alpha=0.3)
    _save(figure, path)


def write_ced(path: Path, curves: Sequence[tuple[str, Scores]]) -> None:
    """Cumulative error distributions: the share of faces with an NME of at most x."""
    figure, axes = plt.subplots(figsize=(6, 4.5))
    for name, scores in curves:
        errors = np.sort(scores.nme_of_face[~np.isnan(scores.nme_of_face)])
        shares = np.arange(1, len(errors) + 1) / max(len(errors), 1)
        axes.step(
            100 * errors, 100 * shares, where="post", label=f"{name}: {100 * scores.nme:.2f} %"
        )
    axes.set(
        xlabel=f"NME, % of the {NORM_TEXT[curves[0][1].norm]}", ylabel="faces, %",
        title="cumulative error distribution", xlim=(0, 20), ylim=(0, 100),
    )  # fmt: skip
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    _save(figure, path)


def write_calibration(path: Path, curves: Sequence[tuple[str, Calibration]]) -> None:
    """The share of points within the radius that should hold a given share."""
    figure, axes = plt.subplots(figsize=(4.5, 4.5))
    axes.plot([0, 100], [0, 100], color="tab:gray", linestyle=":")
    for name, found in curves:
        axes.plot(100 * np.array(found.expected), 100 * np.array(found.observed), "o-", label=name)
    axes.set(
        xlabel="expected within the radius, %", ylabel="found within it, %",
        title="calibration of the confidence", xlim=(40, 100), ylim=(40, 100),
    )  # fmt: skip
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    with replacing(path) as part:
        figure.savefig(part, dpi=110)
    plt.close(figure)


def write_predictions(path: Path, result: Evaluation, rows: Sequence[int]) -> None:
    """A sheet of some rows: labels in orange, predictions in green, the error below."""
    tiles = []
    for i in rows:
        error = result.scores.nme_of_face[i]
        text = f"{100 * error:.1f} %" if np.isfinite(error) else "missed" if error > 0 else ""
        layers = [(result.labels[i], ORANGE), (result.predicted[i], GREEN)]
        samples = result.samples
        name = samples.image[i].rsplit("/", 1)[-1] or f"row {samples.source_row[i]}"
        image = np.asarray(samples.crops[i])
        tiles.append(tile(image, layers, result.scheme, SIDE, f"{text} {name}"[:30]))
    write_image(path, sheet(tiles, columns=6))


def write_versions(
    path: Path,
    images: Sequence[npt.NDArray[np.uint8]],
    points: Sequence[npt.NDArray[np.float32]],
    scheme: Scheme,
) -> None:
    """A sheet with a column per crop: versions of N crops (N, S, S) with their points (N, K, 2)."""
    tiles = [
        tile(np.asarray(image), [(face, ORANGE if row == 0 else GREEN)], scheme, SIDE, "")
        for row, (version, faces) in enumerate(zip(images, points, strict=True))
        for image, face in zip(version, faces, strict=True)
    ]
    write_image(path, sheet(tiles, columns=len(images[0])))


def worst_rows(scores: Scores, count: int) -> list[int]:
    """Numbers of the rows with the largest errors, worst first; unlabelled rows are left out."""
    errors = np.where(np.isnan(scores.nme_of_face), -1, scores.nme_of_face)
    order = np.argsort(-errors, kind="stable")[:count]
    return [int(i) for i in order if errors[i] >= 0]
