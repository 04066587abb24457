"""Options that commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from fkp import __version__
from fkp.annotate.config import MIN_SCORE, AnnotateConfig
from fkp.annotate.output.journal import fingerprint
from fkp.annotate.output.results import FORMATS, SCHEMAS, Output, wanted_scheme
from fkp.cli.models import DETECTORS, find_detector
from fkp.keypoints import SCHEMES, Scheme
from fkp.learn.networks.checkpoint import BUNDLED, find_model
from fkp.vision.detect import WEIGHTS, FaceDetector
from fkp.vision.head import Camera

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceRequest:
    """What `face_options`, `result_options` and `drawing_options` were given."""

    form: str
    schema: str
    model: str
    scheme: str | None
    detector: str
    detector_model: Path | None
    det_size: int
    min_score: float
    min_face: float
    max_faces: int | None
    confidence: bool
    measures: bool
    focal: float | None
    fov: float | None
    batch: int
    device: str
    no_overlays: bool
    overlay_size: int
    blur: str | None
    overwrite: bool
    resume: bool

    def find_detector(self) -> FaceDetector | None:
        """The detector wanted."""
        return find_detector(self.detector, self.detector_model, self.det_size, self.min_face)

    def output(self, own: Scheme, gallery: bool) -> Output:
        """What is to be written of a network that finds the points `own`; raises before any work
        where it cannot give those wanted.
        """
        scheme = wanted_scheme(self.schema, self.scheme, own)
        own.convert(np.zeros((len(own), 2)), scheme)
        if self.focal is not None and self.fov is not None:
            raise click.UsageError("--focal and --fov cannot be combined")
        if (self.focal or self.fov) and not self.measures:
            raise click.UsageError("--focal and --fov need --measures")
        measured = Camera(self.focal, self.fov) if self.measures else None
        return Output(scheme, self.form, self.schema, self.confidence, gallery, measured)

    def config(self, scheme: Scheme, **more: Any) -> AnnotateConfig:
        """How to annotate."""
        return AnnotateConfig(
            scheme=scheme,
            min_score=self.min_score,
            max_faces=self.max_faces or 0,
            batch=self.batch,
            **more,
        )

    def shared_identity(self, points: Scheme) -> dict[str, object]:
        """What must be the same for a stopped run to go on with the same bytes at its end."""
        weights = self.detector_model or WEIGHTS
        return {
            "fkp": __version__,
            "model file": fingerprint(find_model(self.model).read_bytes()),
            "detector file": fingerprint(weights.read_bytes()),
            "points": list(points.names),
            "--format": self.form,
            "--schema": self.schema,
            "--detector": self.detector,
            "--det-size": self.det_size,
            "--min-score": self.min_score,
            "--min-face": self.min_face,
            "--max-faces": self.max_faces,
            "--confidence": self.confidence,
            "--measures": self.measures,
            "--focal": self.focal,
            "--fov": self.fov,
            "--batch": self.batch,
            "--device": self.device,
            "--no-overlays": self.no_overlays,
            "--overlay-size": self.overlay_size,
            "--blur": self.blur,
        }


def face_options(command: Command) -> Command:
    """The network, the detector, and which faces are wanted."""
    options = (
        click.option(
            "--model", default=BUNDLED, show_default=True, help="A checkpoint of fkp train."
        ),
        click.option(
            "--scheme",
            type=click.Choice(sorted(SCHEMES)),
            help="The points wanted, where the network's can be converted.",
        ),
        click.option(
            "--detector",
            type=click.Choice(DETECTORS),
            default="fkp",
            show_default=True,
            help="haar: OpenCV's cascade; none: each picture is one face crop already.",
        ),
        click.option(
            "--detector-model",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            metavar="FILE.onnx",
            help="Another network in YuNet's layout.",
        ),
        click.option(
            "--det-size",
            type=click.IntRange(64),
            default=640,
            show_default=True,
            help="Long side of the picture that the detector looks at, pixels.",
        ),
        click.option(
            "--min-score",
            type=click.FloatRange(0, 1),
            default=MIN_SCORE,
            show_default=True,
            help="Leave out faces that are less sure.",
        ),
        click.option(
            "--min-face",
            type=click.FloatRange(0),
            default=0,
            help="Leave out faces whose box is smaller, pixels of the picture.",
        ),
        click.option(
            "--max-faces", type=click.IntRange(1), help="Only the surest faces of a picture."
        ),
        click.option(
            "--batch",
            type=click.IntRange(1),
            default=64,
            show_default=True,
            help="Faces in a batch of the network.",
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def result_options(command: Command) -> Command:
    """What is written, and what becomes of results that are there already."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="csv",
            show_default=True,
            help="Of the rows; jsonl is an object a line, parquet needs fkp[parquet].",
        ),
        click.option(
            "--schema",
            type=click.Choice(SCHEMAS),
            default="fkp",
            show_default=True,
            help="Also write what another tool reads: openface.csv, coco.json, yolo/ and so on.",
        ),
        click.option(
            "--confidence", is_flag=True, help="Columns for the confidence of each point."
        ),
        click.option(
            "--measures",
            is_flag=True,
            help="Columns for how far eyes and mouth are open, and how the head stands.",
        ),
        click.option(
            "--focal",
            type=click.FloatRange(0, min_open=True),
            metavar="PIXELS",
            help="Focal length of the camera for --measures; default: the picture's longer side.",
        ),
        click.option(
            "--fov",
            type=click.FloatRange(0, 180, min_open=True, max_open=True),
            metavar="DEGREES",
            help="Instead of --focal: angle of view along the longer side; default: 53.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace the results of an earlier run."),
        click.option("--resume", is_flag=True, help="Go on with a run that was stopped."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def drawing_options(largest: str, what: str) -> Callable[[Command], Command]:
    """What is drawn. largest: the long side at most, if nothing is said; what: is drawn."""

    def add(command: Command) -> Command:
        options = (
            click.option("--no-overlays", is_flag=True, help="Draw nothing."),
            click.option(
                "--overlay-size",
                callback=_overlay_size,
                metavar="PIXELS|full",
                default=largest,
                show_default=True,
                help=f"Long side of the drawn {what} at most, pixels.",
            ),
            click.option(
                "--blur",
                type=click.Choice(["eyes", "face"]),
                help="Make the faces found unrecognisable.",
            ),
        )
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _overlay_size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A number of pixels; `full` is 0."""
    if value == "full":
        return 0
    if not value.isdigit() or int(value) < 64:
        raise click.BadParameter("expected at least 64 pixels, or full")
    return int(value)
