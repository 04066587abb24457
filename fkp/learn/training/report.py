"""The page of a training run: `report.html`, with its pictures embedded."""

import base64
import html
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from fkp.files import replace_text
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.evaluation.metrics import NORM_TEXT
from fkp.learn.networks.checkpoint import Model

PICTURES = {
    "curves.png": "Loss, validation error and learning rate",
    "lr.png": "Learning rate range test",
    "val_worst.png": "Validation faces with the largest errors (labels orange, network green)",
    "val_best.png": "Validation faces with the smallest errors",
    "aug.png": "Training faces (top row) and augmented versions of them",
}


def write_report(
    path: Path,
    about: dict[str, Any],
    epochs: Sequence[dict[str, Any]],
    model: Model,
    result: Evaluation | None,
) -> None:
    """Write the page of a finished run into its folder, with the pictures from there."""
    epoch = f"{model.scores['epoch']:.0f} of {len(epochs)}"
    if result is None:
        summary = f"The network of epoch {epoch}, the last; there were no validation rows."
    else:
        summary = f"Best epoch {epoch}."
        s = result.scores
        summary += (
            f" On {s.faces} validation faces: NME {100 * s.nme:.2f} % of the {NORM_TEXT[s.norm]}, "
            f"RMSE {s.rmse:.3f} px in crops of {model.size} px, "
            f"{100 * s.failure[0.1]:.1f} % of the faces over 10 %."
        )
    sections = [_picture(path.parent / "curves.png", PICTURES["curves.png"])]
    if result is not None:
        sections.append(_points(result))
    names = list(PICTURES)[1:]
    sections += [
        _picture(path.parent / n, PICTURES[n]) for n in names if (path.parent / n).exists()
    ]
    sections.append(_facts(about))
    source = resources.files("fkp.learn.training").joinpath("report.html")
    template = source.read_text(encoding="utf-8")
    page = Template(template).substitute(
        title=html.escape(f"fkp train: {path.parent.name}"),
        summary=html.escape(summary),
        sections="\n".join(sections),
    )
    replace_text(path, page)


def _picture(path: Path, title: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    text = html.escape(title)
    return f'<h2>{text}</h2>\n<img alt="{text}" src="data:image/png;base64,{data}">'


def _points(result: Evaluation) -> str:
    s = result.scores
    rows = zip(
        result.scheme.names, s.count_of_point, s.mae_of_point, s.nme_of_point, strict=True
    )  # fmt: skip
    cells = "".join(
        f"<tr><td>{html.escape(name)}<td>{n}<td>{mae:.3f}<td>{100 * nme:.2f}\n"
        for name, n, mae, nme in rows
    )
    head = "<tr><th>point<th>labels<th>MAE, px<th>NME, %\n"
    return f"<h2>Validation errors by point</h2>\n<table>{head}{cells}</table>"


def _facts(about: dict[str, Any]) -> str:
    training = {f"training: {k}": v for k, v in about["training"].items()}
    flat = {k: v for k, v in about.items() if k not in ("training", "digest")} | training
    rows = "".join(
        f"<tr><td>{html.escape(str(k))}<td>{html.escape(str(v))}\n" for k, v in flat.items()
    )
    return f'<h2>Settings</h2>\n<table class="facts">{rows}</table>'
