"""A keypoint network with a face detector: what `fkp.load` and `fkp.train` return."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from fkp.annotate.choosing import chosen
from fkp.annotate.config import MIN_SCORE, AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.inputs import Inputs, find_inputs
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.outcome import Failure
from fkp.annotate.output.journal import fingerprint
from fkp.annotate.output.results import wanted_scheme
from fkp.annotate.photo.cutting import FaceCutter
from fkp.annotate.photo.local import TASK, Local
from fkp.annotate.pipeline import Progress
from fkp.api.choices import Deinterlace, ExportFormat, Norm, Order, Split
from fkp.api.loading import checkpoint_of, load_once, load_trained
from fkp.api.wanted import wanted_faces
from fkp.errors import ImageError, UsageError
from fkp.keypoints import IBUG68, SCHEMES, Faces, Scheme
from fkp.learn.networks.devices import single_thread
from fkp.learn.networks.exported import OnnxNetwork
from fkp.learn.networks.names import BUNDLED, WEIGHTS, find_model
from fkp.vision.crop import CropTransform
from fkp.vision.detect import WEIGHTS as FACES
from fkp.vision.detect import FaceDetector, YuNetDetector
from fkp.vision.detectors import DetectorName, find_detector
from fkp.vision.draw import as_bgr
from fkp.vision.head import Camera
from fkp.vision.images import Image
from fkp.vision.sources import Opening, is_live, masked

if TYPE_CHECKING:  # imported by the methods that need them: they take seconds
    import pandas as pd

    from fkp.annotate.video.reading import Excerpt
    from fkp.api.results import Frame, Photo
    from fkp.labels.store import Samples
    from fkp.learn.evaluation.evaluate import Evaluation
    from fkp.learn.networks.checkpoint import Model
    from fkp.learn.networks.export import Exported

Paths = str | Path | Sequence[str | Path]
"""A file, folder or pattern, or several of them."""


CROPS = WEIGHTS / "crops.npy"
"""A few real crops, on which exported networks are compared by default."""


def silent(done: int, total: int) -> None:
    """Ignore progress."""


def unheard(text: str) -> None:
    """Ignore a message."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network:
    """A keypoint network with a face detector: pictures in, faces out.

    keypoints: finds the points; path: its file, or the checkpoint of the bundled one. detector:
    None takes each picture as the crop of one face. config: which points and faces are wanted.
    device: as given.
    """

    keypoints: KeypointNetwork
    path: Path
    detector: FaceDetector | None
    config: AnnotateConfig
    device: str = "auto"

    def __repr__(self) -> str:
        detector = "none" if self.detector is None else self.detector.name
        return (
            f"<Network: {self.path.name} ({self.architecture}), {len(self.scheme)} points "
            f"({self.scheme.name}), detector {detector}>"
        )

    @property
    def scheme(self) -> Scheme:
        """The points it finds, in the order of `Faces.points`."""
        return self.config.scheme or self.keypoints.scheme

    @property
    def architecture(self) -> str:
        """The name of its architecture."""
        return cast("Model | OnnxNetwork", self.keypoints).architecture

    @property
    def model(self) -> "Model":
        """The network in PyTorch, with its weights and training; raises ModelError for one that was
        given as ONNX.
        """
        if not isinstance(self.keypoints, OnnxNetwork):
            return cast("Model", self.keypoints)
        return load_trained(self.path, self.device)

    def annotate(self, image: Image | str | Path) -> Faces:
        """The faces of one picture, the highest score first, in its pixels.

        image: a file, or an array (H, W, 3) BGR or (H, W) gray, uint8. Raises ImageError.
        """
        cutter = FaceCutter(
            self.detector, self.keypoints.layout, self.keypoints.size, self.config.max_pixels,
            self.config.finer,
        )  # fmt: skip
        if isinstance(image, str | Path):
            cut = cutter(str(image))
        else:
            cut = cutter.cut_image(as_bgr(image))
        found = predict([cut], self.keypoints, self.config)
        (result,) = chosen([str(image)], [cut], found, self.config)
        if isinstance(result, Failure):
            raise ImageError(f"{image}: {result.reason}")
        return replace(result.faces, picture=image)

    def photos(
        self, inputs: Paths, jobs: int | None = None, progress: Progress | None = None
    ) -> "Iterator[Photo]":
        """Each picture with its faces, in order; an unreadable one is a `Photo` that says why.

        inputs: files, folders (searched recursively) and patterns such as `*.jpg`. jobs: worker
        processes, None for one per CPU; a detector of your own must be picklable then. progress:
        called with the number of pictures done and in total. Raises DataError if there are none.
        """
        from fkp.api.results import photo_of

        found = find_inputs(listed(inputs))
        config = replace(self.config, jobs=workers(jobs, found))
        engine = Local(self.keypoints, self.detector, config)
        with ExitStack() as stack:
            if config.jobs > 1:
                stack.enter_context(single_thread())  # leave the other cores to the workers
            chunks = engine.run(found, 0, progress or silent)
            for chunk in stack.enter_context(closing(chunks)):
                for path, result in zip(chunk.paths, chunk.results, strict=True):
                    yield photo_of(path, result, self.scheme)

    def video(
        self,
        clip: str | Path,
        *,
        every: int = 1,
        start: float | None = None,
        end: float | None = None,
        max_frames: int | None = None,
        smooth: float = 0.5,
        fill: int = 0,
        stream: int | None = None,
        deinterlace: Deinterlace = "auto",
        fps: float | None = None,
        progress: Progress | None = None,
    ) -> "Iterator[Frame]":
        """Each frame of a clip with its faces, who keep their numbers, and its own time.

        clip: a file, a folder or pattern of pictures, a camera's number, or an address. every: only
        frames whose number is a multiple of this. start, end: seconds since the first frame, None
        for the whole clip. smooth: jitter smoothing, 0 (off) to 1. fill: gaps of a face up to so
        many frames are filled. stream, deinterlace, fps: as in `fkp.video`. Raises ImageError if no
        frame can be read.
        """
        from fkp.annotate.video.live import Live
        from fkp.annotate.video.run import ClipEngine
        from fkp.api.results import frame_of

        path = str(clip)
        excerpt = excerpt_of(every, start, end, max_frames)
        live = Live() if is_live(path) else None
        engine = ClipEngine(
            self.keypoints, self.detector, self.config, excerpt, Opening(stream, deinterlace, fps),
            smooth, fill, live=live, source=path,
        )  # fmt: skip
        path = masked(path)
        with closing(engine.run(Inputs((path,), 0, ""), 0, progress or silent)) as chunks:
            for chunk in chunks:
                for result in chunk.results:
                    if isinstance(result, Failure) and result.moment is None:
                        raise ImageError(f"{path}: {result.reason}")
                    assert result.moment is not None
                    yield frame_of(path, result, result.moment, self.scheme)

    def evaluate(
        self,
        data: str | Path,
        *,
        split: Split | None = None,
        norm: Norm | None = None,
        from_images: bool = False,
        jobs: int | None = None,
        progress: Progress | None = None,
    ) -> "Evaluation":
        """The errors on a data set, see `fkp.evaluate`."""
        from fkp.annotate.finder import FaceFinder
        from fkp.learn.evaluation import evaluate as evaluation

        samples = samples_of(data, progress or silent)
        if not from_images:
            return evaluation.evaluate(self.model, samples, split, norm)
        config = replace(self.config, scheme=None, jobs=jobs or os.cpu_count() or 1)
        finder = FaceFinder(self.keypoints, self.detector, config, progress or silent)
        with single_thread():  # the workers need the other processors
            return evaluation.evaluate_pictures(self.model, samples, finder, split, norm)

    def predict(
        self,
        data: str | Path,
        *,
        split: Split = "all",
        out: str | Path | None = None,
        progress: Progress | None = None,
    ) -> "pd.DataFrame":
        """The points for each row of a data set, labelled or not, in pixels of its pictures.

        data: a data set of `fkp.prepare`, or a table that it could read. out: also write a CSV. The
        columns are image, source, source_row, and two for each point.
        """
        from fkp.learn.evaluation.predict import predictions, write_table

        samples = samples_of(data, progress or silent).part(split)
        found = predictions(self.model, samples)
        if out is not None:
            write_table(Path(out), found)
        return found

    def submission(
        self,
        data: str | Path,
        lookup: str | Path,
        out: str | Path,
        *,
        split: Split = "all",
        progress: Progress | None = None,
    ) -> int:
        """Write Kaggle's submission for the rows of its `IdLookupTable.csv`.

        Locations are clipped to the picture, as the contest's are; returns how many were clipped.
        """
        from fkp.learn.evaluation.predict import write_submission

        samples = samples_of(data, progress or silent).part(split)
        return write_submission(Path(out), self.model, samples, Path(lookup))

    def export(
        self,
        out: str | Path,
        *,
        format: ExportFormat | None = None,
        check: str | Path | None = None,
    ) -> "Exported":
        """Write the network for another runtime, and compare both on crops.

        format: None chooses by the suffix of `out`: .onnx, .pt or .xml. check: a data set of
        `fkp.prepare` whose crops are compared; None takes a few that come with fkp. Raises
        DataError if a package is missing, ModelError if the results differ.
        """
        from fkp.learn.networks.checkpoint import load_model
        from fkp.learn.networks.export import EXPORT_FORMATS, export

        path = Path(out)
        known = {suffix: name for name, suffix in EXPORT_FORMATS.items()}
        if format is None and path.suffix not in known:
            raise UsageError(f"{path}: expected a name that ends in {', '.join(known)}")
        model = load_model(checkpoint_of(self.path), trainable=True)
        crops = _some_crops(check, model.size)
        return export(model, path, format or known[path.suffix], crops)

    def identity(self) -> dict[str, object]:
        """An identity of network and detector, which a resumed run must match."""
        detector = self.detector
        own: dict[str, object] = {"detector": "none" if detector is None else detector.name}
        if detector is not None:
            own["det_size"] = detector.det_size
            own["min_face"] = float(getattr(detector, "min_face", 0))
        if isinstance(detector, YuNetDetector):
            own["detector_file"] = fingerprint((detector.model or FACES).read_bytes())
        return {
            "model": self.path.name,
            "model_file": fingerprint(self.path.read_bytes()),
            "device": self.device,
            **own,
        }


def load(
    model: str | Path = BUNDLED,
    *,
    scheme: str | Scheme | None = None,
    device: str = "auto",
    detector: DetectorName | FaceDetector | None = "fkp",
    detector_model: str | Path | None = None,
    det_size: int = 640,
    min_score: float = MIN_SCORE,
    min_face: float = 0,
    max_faces: int | None = None,
    batch: int = 64,
    quality: bool = False,
    iris: bool = False,
    keep: str | None = None,
    order: Order = "surest",
) -> Network:
    """Load a network from its file, or the bundled one. Raises ModelError, DataError.

    scheme: points to convert the network's own to, if they can be: a built-in scheme's name, or a
    `Scheme`. device: `auto`, `cpu`, `cuda` or `mps`.

    detector: `fkp`, the bundled one; `haar`, OpenCV's cascade; `none` or None, which takes each
    picture as the crop of one face; or an object of your own (`fkp.FaceDetector`) with a `name`,
    `det_size` (the long side in pixels of the picture that it searches) and `detect(image) ->
    fkp.Detections`, which is called with a picture (H, W, 3) BGR uint8 and returns boxes (F, 4)
    float32 xywh, scores (F,) float32 in 0..1, and anchors (F, 5, 2) float64: right eye, left eye,
    nose tip, right and left mouth corner, the subject's, in pixels.

    detector_model: another network in YuNet's layout (ONNX). det_size: long side of the picture
    that the bundled detectors search. min_score: faces scoring below this are discarded, as are
    those with a box smaller than `min_face` pixels. max_faces: only the highest-scoring ones.
    batch: faces in a batch of the network.

    quality: also measure sharpness and exposure, for `to_frame(..., quality=True)`. iris: find
    irises, `Faces.iris`; needs the 68 points. keep: discard faces for which this expression is not
    true; it is one of `pandas.DataFrame.query` over the columns of the table, including those of
    measures, quality and irises. order: of the faces of a picture: `surest` (by decreasing score),
    `left` (from the left) or `largest` (by decreasing size).
    """
    if detector is None or isinstance(detector, str):
        file = None if detector_model is None else Path(detector_model)
        detector = find_detector(detector or "none", file, det_size, min_face)
    elif detector_model is not None:
        raise UsageError("a detector model needs the detector fkp, not one of your own")
    loaded = load_once(str(model), device)
    wanted = wanted_scheme((), scheme_of(scheme), loaded.scheme)
    config = AnnotateConfig(wanted, min_score, max_faces, batch=batch)
    camera = Camera() if wanted.names == IBUG68.names else None
    config = wanted_faces(config, quality, iris, keep, order, camera)
    return Network(loaded, find_model(str(model)), detector, config, device)


def samples_of(data: str | Path, progress: Progress) -> "Samples":
    """A data set of `fkp.prepare`, or a table that it can read, prepared with its defaults."""
    from fkp.labels.cache import prepared
    from fkp.labels.store import read_samples

    return read_samples(prepared(Path(data), progress))


def _some_crops(data: str | Path | None, size: int) -> npt.NDArray[np.uint8]:
    """A few crops (N, size, size) of a data set, or of those that come with fkp."""
    from fkp.labels.store import read_samples

    crops = np.load(CROPS) if data is None else np.asarray(read_samples(Path(data)).crops[:64])
    if crops.shape[1] == size:
        return crops
    whole = CropTransform.whole(crops.shape[1], crops.shape[1], size)
    return np.stack([whole.cut(crop) for crop in crops])


def scheme_of(scheme: str | Scheme | None) -> Scheme | None:
    """A scheme by its name; raises UsageError for an unknown name."""
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            raise UsageError(f"scheme: expected one of {', '.join(sorted(SCHEMES))}, got {scheme}")
        return SCHEMES[scheme]
    return scheme


def listed(inputs: Paths) -> list[str]:
    """The inputs as a list of strings."""
    return [str(inputs)] if isinstance(inputs, str | Path) else [str(one) for one in inputs]


def workers(jobs: int | None, inputs: Inputs) -> int:
    """The number of processes for these inputs. None: one per CPU, but only this process if
    starting others would take longer than the inputs.
    """
    count = len(inputs.paths)
    if jobs is None:
        return max(1, min(os.cpu_count() or 1, -(-count // TASK)))
    return max(1, min(jobs, count))


def excerpt_of(
    every: int, start: float | None, end: float | None, max_frames: int | None
) -> "Excerpt":
    """The frames that are wanted; raises UsageError if there can be none."""
    from fkp.annotate.video.reading import Excerpt

    first = -np.inf if start is None else start
    last = np.inf if end is None else end
    if first > last:
        raise UsageError(f"the start, {first:g} s, is after the end, {last:g} s")
    return Excerpt(every, first, last, max_frames or 0)
