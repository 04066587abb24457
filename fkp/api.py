"""fkp from Python: what the commands do, as functions.

import fkp

network = fkp.load("bundled")
faces = network.annotate("photo.jpg")
print(faces.points[0], faces.confidence[0])

fkp.train("data.csv", "runs/mine", epochs=20)
result = fkp.evaluate("runs/mine/best.safetensors", "data.csv")
print(result.scores.nme)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp.annotate.config import MIN_SCORE, AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.finder import FaceFinder
from fkp.annotate.outcome import Annotated
from fkp.annotate.photo.cutting import FaceCutter
from fkp.errors import DataError, ImageError
from fkp.keypoints import Faces, Scheme
from fkp.labels.cache import prepared
from fkp.labels.store import read_samples
from fkp.learn.evaluation import evaluate as evaluation
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.networks.checkpoint import BUNDLED, Model, find_model, load_model
from fkp.learn.training.augment import AUGMENTATIONS
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Listener
from fkp.learn.training.run import Training, fit
from fkp.vision.detect import FaceDetector, YuNetDetector
from fkp.vision.images import Image

__all__ = ["Network", "evaluate", "load", "train"]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A keypoint network with a face detector: pictures in, faces out. `load` makes one.

    detector: None takes each picture for one face.
    """

    model: Model
    detector: FaceDetector | None
    min_score: float = MIN_SCORE

    @property
    def scheme(self) -> Scheme:
        """The points it finds, in the order of `Faces.points`."""
        return self.model.scheme

    def annotate(self, image: Image | str | Path) -> Faces:
        """The faces of one picture, the surest first, in its pixels.

        image: a file, or an array (H, W, 3) BGR or (H, W) gray, uint8. Raises ImageError.
        """
        if isinstance(image, (str, Path)):
            (found,) = self.annotate_files([image])
            if isinstance(found, str):
                raise ImageError(f"{image}: {found}")
            return found
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
            raise ImageError(
                f"expected uint8 (H, W, 3) BGR or (H, W) gray, got {image.dtype} {image.shape}"
            )
        whole = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
        cut = FaceCutter(self.detector, self.model.layout, self.model.size).cut_image(whole)
        (result,) = predict([cut], self.model, self._config(1))
        assert isinstance(result, Annotated)
        return result.faces

    def annotate_files(self, paths: Sequence[str | Path], jobs: int = 1) -> Iterator[Faces | str]:
        """The faces of each picture file, or why it cannot be read; in `jobs` processes."""
        finder = FaceFinder(self.model, self.detector, self._config(jobs))
        yield from finder([str(path) for path in paths])

    def _config(self, jobs: int) -> AnnotateConfig:
        return AnnotateConfig(min_score=self.min_score, jobs=jobs)


def load(
    model: str | Path = BUNDLED,
    device: str = "cpu",
    detector: FaceDetector | str | None = "fkp",
    min_score: float = MIN_SCORE,
) -> Network:
    """A network by its file, or the one that comes with fkp. Raises ModelError, DataError.

    device: cpu, cuda, mps, or auto. detector: `fkp` for the bundled one, an object of your own, or
    None. min_score: faces that are less sure are left out.
    """
    if isinstance(detector, str):
        if detector != "fkp":
            raise DataError(f"detector {detector}: expected fkp, a detector, or None")
        detector = YuNetDetector()
    return Network(load_model(find_model(str(model)), device), detector, min_score)


def train(
    data: str | Path,
    out: str | Path,
    *,
    arch: str | None = None,
    init: str | Path | None = None,
    aug: str | None = None,
    lr: float | str | None = None,
    listener: Listener | None = None,
    **settings: object,
) -> Model:
    """Train a network on a data set, as `fkp train` does, into the new folder `out`.

    data: a data set of fkp prepare, or a table that it could read. init: `bundled` or a file, to
    begin with. aug: none, light or full. lr: a number, or `auto`. settings: epochs, batch,
    optimizer, loss, ...: the fields of `fkp.learn.training.config.TrainConfig`. Raises FkpError.
    """
    start = None if init is None else str(find_model(str(init)).resolve())
    rate = None if lr == "auto" else lr
    config = recipe(arch, **settings, init=start, lr=rate)
    if aug is not None:
        if aug not in AUGMENTATIONS:
            raise DataError(f"aug: expected one of {', '.join(AUGMENTATIONS)}, got {aug}")
        config = replace(config, augmentation=AUGMENTATIONS[aug])
    return fit(Training(Path(data), Path(out), config, find_lr=lr == "auto"), listener)


def evaluate(
    model: str | Path | Network,
    data: str | Path,
    split: str | None = None,
    norm: str | None = None,
    from_images: bool = False,
    jobs: int = 1,
) -> Evaluation:
    """A network's errors on a data set, as `fkp evaluate` measures them. Raises FkpError."""
    network = model if isinstance(model, Network) else load(model)
    samples = read_samples(prepared(Path(data), lambda done, total: None))
    if not from_images:
        return evaluation.evaluate(network.model, samples, split, norm)
    config = AnnotateConfig(min_score=network.min_score, jobs=jobs)
    finder = FaceFinder(network.model, network.detector, config)
    return evaluation.evaluate_pictures(network.model, samples, finder, split, norm)
