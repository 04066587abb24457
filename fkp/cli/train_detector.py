"""`fkp train-detector`."""

from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fkp.cli import console
from fkp.learn.detector.own import DetectorReport, DetectorTraining, fit_detector


@click.command("train-detector")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("faces.onnx"),
    show_default=True,
    help="The detector file, for --detector-model.",
)
@click.option("--images", type=click.Path(path_type=Path), help="The folder of the pictures.")
@click.option("--iterations", type=click.IntRange(1), help="Training steps.  [default: 1500]")
@click.option(
    "--val",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the persons (or pictures) held out for evaluation.",
)
@click.option("--lr", type=float, default=6e-4, show_default=True, help="Peak learning rate.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--threads", type=click.IntRange(0), default=0, help="CPU threads; 0: all.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Random seed of split and training."
)
@console.talk_options
def train_detector_command(
    data: Path,
    out: Path,
    images: Path | None,
    iterations: int | None,
    val: float,
    lr: float,
    device: str,
    threads: int,
    seed: int,
) -> None:
    """Fine-tune the bundled face detector on the labelled pictures in DATA.

    DATA is a table with the columns image, box_x, box_y, box_w, box_h and x and y of right_eye,
    left_eye, nose_tip, mouth_right, mouth_left; or any labels that fkp prepare reads and that have
    the eyes, the nose tip and the mouth corners. All faces in a picture must be labelled. About 200
    pictures are enough; both detectors are evaluated on the pictures held out.

    \b
    fkp train-detector infants/boxes.csv -o infants.onnx
    fkp annotate photos/ --detector-model infants.onnx --out results/
    """
    training = DetectorTraining(data, out, images, iterations, val, lr, device, threads, seed)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    live = console.err.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console.err, transient=True, disable=not live
    ) as bar:
        task = bar.add_task("read", total=None, state="")

        def read(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        def step(done: int, total: int, loss: float) -> None:
            bar.update(task, description="train", completed=done, total=total, state=f"{loss:.3f}")

        report = fit_detector(training, read, step)
    _print(report)


def _print(report: DetectorReport) -> None:
    console.say(
        f"{report.pictures} pictures for training, {report.held_out} held out "
        f"({report.after.faces} faces)"
    )
    rows = [
        [name, f"{s.ap:.3f}", f"{s.recall(0.5):.3f}", f"{s.precision(0.5):.3f}"]
        for name, s in (("bundled", report.before), ("new", report.after))
    ]
    console.table(["detector", "AP", "recall at 0.5", "precision at 0.5"], rows)
    console.say(f"wrote {report.path}; use it with --detector-model {report.path}")
