"""The faces in all inputs, found by runs of `annotate` and `video` in a folder of their own.

A resumed run, or a second one with corrections, reuses them.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fkp import __version__
from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.names import FOUND
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.output.folder import is_finished, read_run
from fkp.annotate.output.journal import differences, fingerprint
from fkp.annotate.output.results import Output
from fkp.annotate.output.rows import Record
from fkp.annotate.photo.local import Local
from fkp.annotate.photo.work import PhotoWork
from fkp.annotate.pipeline import Progress
from fkp.annotate.run import Say, Work, to_folder
from fkp.annotate.video.work import ClipConfig, ClipWork
from fkp.errors import FkpError
from fkp.vision.detect import FaceDetector

CLOSELY = ClipConfig(smooth=0.0, overlay=False, detect_every=1)
"""Clips are searched in every frame, and points are not smoothed."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """Finds the faces.

    source: identifies network and detector. out: the folder of the results. say: called with
    messages. paths: whether `run.json` may contain absolute paths.
    """

    network: KeypointNetwork
    detector: FaceDetector
    config: AnnotateConfig
    source: dict[str, object]
    out: Path
    progress: Progress
    say: Say
    paths: bool = True

    def photos(self, inputs: Inputs) -> Iterator[Record]:
        """The faces of all photos, in order."""
        if not inputs.paths:
            return iter(())
        output = self._output()
        engine = Local(self.network, self.detector, self.config)
        source = {**self.source, "files": files_fingerprint(*inputs.paths)}
        work = PhotoWork(inputs.paths, inputs, inputs, engine, output, self.config, source)
        folder = self.out / FOUND / "photos"
        self._find(work, folder)
        return output.records(folder)

    def clip(self, path: str, below: str) -> Callable[[], Iterator[Record]]:
        """The frames of a clip, as a function that reads them anew at each call.

        below: the clip, relative to the common folder of the inputs.
        """
        output = self._output()
        folder = self.out / FOUND / "clips" / below
        source = {**self.source, "files": files_fingerprint(path)}
        work = ClipWork(
            path, folder, self.network, self.detector, self.config, CLOSELY, output, source
        )  # fmt: skip
        self._find(work, folder)
        return partial(output.records, folder)

    def _output(self) -> Output:
        return Output(self.network.scheme, gallery=False, paths=self.paths)

    def _find(self, work: Work, folder: Path) -> None:
        """Find the faces, unless they were found before in the same files by the same network."""
        identity = {"fkp": __version__, **work.identity}
        if is_finished(folder):
            was = read_run(folder).get("identity", {})
            if not differences(was, identity, ("then", "now")):
                return
        try:
            to_folder(work, folder, False, not is_finished(folder), self.progress, self.say)
        except FkpError:  # of another run, or damaged
            to_folder(work, folder, True, False, self.progress, self.say)


def files_fingerprint(*paths: str) -> str:
    """Sixteen digits that change if size or modification time of a file does."""
    facts = []
    for path in paths:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            facts.append(b"-")
        else:
            facts.append(f"{found.st_size} {found.st_mtime_ns}".encode())
    return fingerprint(*facts)
