"""Pictures of training and of errors."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from fkp.keypoints import FloatArray
from fkp.labels.store import Samples
from fkp.learn.metrics import Scores
from fkp.vision.draw import GREEN, ORANGE, sheet, tile
from fkp.vision.images import write_image

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def write_curves(path: Path, epochs: Sequence[dict[str, float]]) -> None:
    """Training loss and validation error over the epochs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    x = [e["epoch"] for e in epochs]
    left.plot(x, [e["train_loss"] for e in epochs], label="training loss")
    left.set(xlabel="epoch", ylabel="loss", yscale="log", title="training loss")
    nme = np.array([e["val_nme"] for e in epochs])
    error, label = 100 * nme, "NME, % of the normaliser"
    if not np.isfinite(nme).any():
        error, label = np.array([e["val_rmse"] for e in epochs]), "RMSE, pixels"
    right.plot(x, error, color="tab:orange")
    right.set(xlabel="epoch", ylabel=label, title="validation error")
    if np.isfinite(error).any():
        best = int(np.nanargmin(error))
        right.plot(x[best], error[best], "o", color="tab:red")
        right.annotate(f"best {error[best]:.2f}", (x[best], error[best]), (0, 8),
                       textcoords="offset points", ha="right")  # fmt: skip
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write_predictions(
    path: Path, samples: Samples, predicted: FloatArray, scores: Scores, rows: Sequence[int]
) -> None:
    """A sheet of these rows: labels orange, predictions green, the error under each."""
    tiles = []
    for i in rows:
        error = scores.nme_of_face[i]
        text = f"{100 * error:.1f} %" if np.isfinite(error) else ""
        layers = [(samples.points[i], ORANGE), (predicted[i], GREEN)]
        name = samples.image[i].rsplit("/", 1)[-1] or f"row {samples.source_row[i]}"
        tiles.append(tile(samples.images[i], layers, samples.scheme, 192, f"{text} {name}"[:30]))
    write_image(path, sheet(tiles, columns=6))


def worst_rows(scores: Scores, count: int) -> list[int]:
    """Row numbers of the largest errors, worst first; rows without a label are left out."""
    errors = np.where(np.isfinite(scores.nme_of_face), scores.nme_of_face, -1)
    order = np.argsort(-errors, kind="stable")[:count]
    return [int(i) for i in order if errors[i] >= 0]
