"""The faces in picture files, as `annotate` finds them, for evaluation and audit."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.outcome import Failure
from fkp.annotate.photo.local import Local
from fkp.keypoints import Faces
from fkp.labels.cut import Progress
from fkp.vision.detect import FaceDetector


class FaceFinder:
    """Takes picture files; yields the faces of each, or why it could not be read."""

    def __init__(
        self,
        network: KeypointNetwork,
        detector: FaceDetector | None,
        config: AnnotateConfig,
        progress: Progress = lambda done, total: None,
    ) -> None:
        self._engine = Local(network, detector, config)
        self._progress = progress

    def __call__(self, paths: Sequence[str]) -> Iterator[Faces | str]:
        """Find the faces in each picture, in the order of the paths."""
        inputs = Inputs(tuple(paths), 0, "")
        with closing(self._engine.run(inputs, 0, self._progress)) as chunks:
            for chunk in chunks:
                for result in chunk.results:
                    yield result.reason if isinstance(result, Failure) else result.faces
