"""Labelled data: prepare it from any table, audit it, and convert it for other tools."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.finder import FaceFinder
from fkp.annotate.pipeline import Progress
from fkp.api import choices
from fkp.api.network import Paths, listed, samples_of, scheme_of, silent, unheard
from fkp.errors import UsageError
from fkp.keypoints import Scheme
from fkp.labels import convert as converting
from fkp.labels import prepare as preparing
from fkp.labels.cache import prepared
from fkp.labels.formats.known import FORMATS, WRITERS
from fkp.labels.prepare import PrepareConfig, PrepareReport, write_rejected
from fkp.labels.preview import write_preview
from fkp.labels.store import Samples, read_samples, rewrite_samples
from fkp.labels.table import ReadOptions, Rejected
from fkp.learn.audit import Audit, audit_by_folds, audit_by_model, write_audit, write_sheet
from fkp.learn.networks.checkpoint import Model, load_model
from fkp.learn.networks.devices import single_thread
from fkp.learn.networks.framing import measure_framing
from fkp.learn.networks.names import BUNDLED, find_model
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Epoch, Listener
from fkp.learn.training.run import Pairs, Say
from fkp.vision.detect import YuNetDetector

FOLDS = "kfold"


def prepare(
    sources: Paths, out: str | Path, *,
    format: str | None = None, crop: choices.Crop | None = None, size: int = 96, val: float = 0.1,
    test: float = 0.1, seed: int = 0, person_pattern: str | None = None,
    images: str | Path | None = None, units: choices.Units = "auto",
    origin: float | Literal["bottom"] | None = None, sides: choices.Sides | None = None,
    columns: Sequence[str] | None = None, category: str | None = None,
    scheme: str | Scheme | None = None, flip_pairs: Pairs | None = None,
    limits: Mapping[str, float] | None = None, drop_suspicious: bool = False,
    preview: str | Path | None = None, progress: Progress | None = None,
) -> PrepareReport:  # fmt: skip
    """Turn labelled tables into one checked data set, `out` (.csv) with crops beside it.

    sources: label files and folders, each array of pictures after its label file. format: of the
    sources, a name in `fkp.labels.formats.known.FORMATS`; None detects it. crop: `face` cuts an
    upright square around the labelled face, `none` takes the whole picture; None takes `face` for
    pictures, `none` for ready-made crops. size: side of the crops, pixels. val, test: shares of the
    rows, by person; seed: of that split. person_pattern: a regular expression that finds the person
    in a picture's path. images: the folder of the pictures, an array of them, or the clip whose
    frames are labelled.

    units: of the labels, pixels or shares of the picture from 0 to 1 (`fraction`), 0 to 100
    (`percent`), -1 to 1 (`signed`). origin: coordinate of the first pixel's centre, None for 0 or
    what the source says; `bottom` where y counts upwards. sides: whose left and right the names
    mean. columns: which columns hold points, or the names of the columns of a list without a
    header. category: which kind of object, if there are several. scheme: the points, if they are
    only numbered. flip_pairs: names of points that a mirror swaps. limits: leave out rows above a
    value, by column. drop_suspicious: leave out rows that look wrong. preview: draw some labels
    into this file. Raises FkpError for sources that cannot be read, UndecidedError where a person
    must decide what they mean; single rows that cannot be read are listed in the report.
    """
    path = Path(out)
    if path.suffix != ".csv":
        raise UsageError(f"{path}: expected a name that ends in .csv")
    if format is not None and format not in FORMATS:
        raise UsageError(f"format: expected one of {', '.join(FORMATS)}, got {format}")
    read = ReadOptions(
        scheme_of(scheme), flip_pairs, None if isinstance(origin, str) else origin,
        None if origin is None else origin == "bottom", None if units == "auto" else units, sides,
        tuple(columns or ()), category, tuple((limits or {}).items()),
        None if images is None else Path(images),
    )  # fmt: skip
    config = PrepareConfig(
        tuple(Path(source) for source in listed(sources)), path, format, crop, size, val, test,
        seed, person_pattern, drop_suspicious, read,
    )  # fmt: skip
    report = preparing.prepare(config, progress or silent)
    if preview is not None:
        write_preview(Path(preview), report.samples)
    return report


def audit(
    data: str | Path,
    *,
    model: str | Path | None = None,
    folds: int = 3,
    epochs: int = 12,
    report: str | Path | None = None,
    clean: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    say: Say | None = None,
) -> Audit:
    """Find the rows of a data set whose labels are probably wrong.

    model: a network that never saw this data, `bundled` or a file; `kfold` checks each row with a
    network trained on other persons, in `folds` folds of `epochs` epochs each. None takes the
    bundled network if it finds these points, otherwise kfold. report: a folder for audit.csv with
    all rows and audit.png with the worst. clean: a data set (.csv) to write without the rows that
    look wrong. Raises FkpError.
    """
    target = None if clean is None else Path(clean)
    if target and (target.suffix != ".csv" or target.resolve() == Path(data).resolve()):
        raise UsageError(f"{target}: expected another name that ends in .csv")
    source = prepared(Path(data), progress or silent)
    samples = read_samples(source)
    found = _audit(samples, model, folds, epochs, device, progress or silent, say or unheard)
    if report is not None:
        folder = Path(report)
        folder.mkdir(parents=True, exist_ok=True)
        write_audit(folder / "audit.csv", found)
        write_sheet(folder / "audit.png", found)
    if target is not None:
        kept, rejected = found.without()
        rewrite_samples(target, kept, source)
        write_rejected(target, rejected)
    return found


def _audit(
    samples: Samples,
    model: str | Path | None,
    folds: int,
    epochs: int,
    device: str,
    progress: Progress,
    say: Say,
) -> Audit:
    finder = _finder(samples, progress)
    if str(model) != FOLDS:
        network = load_model(find_model(str(model or BUNDLED)), device)
        if model is not None or network.scheme.can_convert(samples.scheme):
            with single_thread():  # leave the other cores to the workers
                return audit_by_model(network, samples, finder(network) if finder else None)
        say("the bundled network does not find these points: using k-fold training instead")
    config = recipe("integral", epochs=epochs, device=device)
    framing = measure_framing(samples, YuNetDetector())
    return audit_by_folds(
        samples, framing, config, folds, lambda number: _Fold(number, folds, say), finder
    )


def _finder(samples: Samples, progress: Progress) -> Callable[[Model], FaceFinder] | None:
    """Builds a face finder from a network; None if the data has no picture files."""
    if not all(source in samples.folders for source in set(samples.source.tolist())):
        return None
    config = AnnotateConfig(jobs=os.cpu_count() or 1)
    return lambda model: FaceFinder(model, YuNetDetector(), config, progress)


class _Fold(Listener):
    """Reports the epochs of a fold."""

    def __init__(self, number: int, folds: int, say: Say) -> None:
        self._of, self._say = f"fold {number}/{folds}", say

    def epoch(self, result: Epoch, model: Model) -> None:
        self._say(f"{self._of} epoch {result.epoch}: loss {result.train_loss:.5f}")


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written. unlabelled: rows without labels, skipped; rejected: rows that the other
    format cannot hold.
    """

    path: Path
    faces: int
    unlabelled: int
    rejected: tuple[Rejected, ...]


def convert(
    data: str | Path,
    to: choices.LabelFormat,
    out: str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> Converted:
    """Write the labels of a data set in another tool's format, for example to correct them there.

    to: the tool's format. out: the file, or for `pts` the folder; None derives a name from the data
    and the format. `fkp.prepare` reads them back.
    """
    source = Path(data)
    path = source.with_name(f"{source.stem}-{WRITERS[to].output}") if out is None else Path(out)
    if path.exists() and path.resolve() == source.resolve():
        raise UsageError(f"{path}: is the data set itself; choose another name")
    samples = samples_of(source, progress or silent)
    rejected = converting.convert(samples, to, path)
    labelled = len(samples.labelled())
    faces = labelled - len(rejected)
    return Converted(path, faces, len(samples) - labelled, tuple(rejected))
