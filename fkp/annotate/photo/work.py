"""A run over photos, or a shard of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.journal import fingerprint
from fkp.annotate.output.merge import SHARD
from fkp.annotate.output.results import Output
from fkp.annotate.photo.drawing import DrawConfig
from fkp.annotate.pipeline import Engine


@dataclass(frozen=True, slots=True)
class PhotoWork:
    """The work of a run over photos, see `fkp.annotate.run.Work`.

    given: as the user named them. everything: all inputs; inputs: those of this shard, I of N.
    source: identifies network and detector.
    """

    given: tuple[str, ...]
    everything: Inputs
    inputs: Inputs
    engine: Engine
    output: Output
    config: AnnotateConfig
    source: dict[str, object]
    shard: tuple[int, int] = (1, 1)

    unit: ClassVar[str] = "inputs"
    raw: ClassVar[bool] = False
    live: ClassVar[None] = None

    @property
    def name(self) -> str:
        """The first inputs, for messages."""
        return ", ".join(self.given[:3]) + (", ..." if len(self.given) > 3 else "")

    def start(self) -> Engine:
        """The engine."""
        return self.engine

    @property
    def identity(self) -> dict[str, object]:
        """The settings that must match for a stopped run to resume to the same bytes."""
        drawing = self.config.drawing or DrawConfig()
        paths = self.everything.paths
        return {
            "inputs": f"{len(paths)} files ({fingerprint(*map(os.fsencode, paths))})",
            SHARD: "{}/{}".format(*self.shard),
            **self.source,
            **self.config.identity(),
            **self.output.identity(),
            "overlays": drawing.overlays is not None,
            "overlay_size": drawing.size,
            "blur": drawing.blur,
            "crops": drawing.crops is not None,
            "crop_size": drawing.crop_size,
        }

    def finish(self, folder: Path) -> Sequence[str]:
        """Make the other tools' files and the page."""
        self.output.finish(folder, self.inputs.root, self.config.jobs)
        return ()

    def page(self, folder: Path) -> Path:
        """The page, or the table where nothing is drawn."""
        return folder / PAGE if self.output.gallery else self.output.last_table(folder)

    def tidy(self, folder: Path) -> None:
        """Remove the rows that were converted to another format; a shard keeps them for merging."""
        if self.shard[1] == 1:
            self.output.tidy(folder)

    def facts(self) -> dict[str, object]:
        """The inputs as they were given."""
        named = {"given": list(self.given), "root": self.inputs.root} if self.output.paths else {}
        search = {"search": list(self.inputs.notes)} if self.output.paths else {}
        return {**named, "skipped": self.inputs.skipped, **search}
