"""`fkp info`."""

import json
import math
from pathlib import Path

import click

from fkp.cli import console
from fkp.errors import ImageError
from fkp.keypoints import Scheme
from fkp.labels.reading import read_source
from fkp.labels.store import SPLITS, Samples, is_prepared, read_samples
from fkp.labels.table import LabelTable, ReadOptions
from fkp.learn.networks.checkpoint import Model, describe, load_model
from fkp.learn.networks.layers import layers
from fkp.learn.networks.names import BUNDLED, find_model
from fkp.vision.images import Encoded, is_image_name
from fkp.vision.sources import is_video_name
from fkp.vision.video import look_through


@click.command("info")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print a network's header as JSON.")
@console.talk_options
def info_command(file: str, as_json: bool) -> None:
    """Say what FILE is: a network (or `bundled`), a data set, a table of labels, a video or a
    picture.

    For a network, each layer is shown with its output size, parameters and multiply-adds; (N + 2P -
    F) / S + 1 is the output side of a convolution or pooling.

    \b
    fkp info bundled
    fkp info data.csv
    fkp info clip.mp4
    fkp info photo.jpg
    """
    path = Path(file)
    if file == BUNDLED or path.suffix == ".safetensors":
        model = load_model(find_model(file), trainable=True)
        if as_json:
            console.say(json.dumps(describe(model), indent=1))
        else:
            _model(find_model(file), model)
    elif is_image_name(file):
        _picture(path)
    elif is_video_name(file):
        _video(path)
    elif path.is_file() and is_prepared(path):
        _samples(path, read_samples(path))
    else:
        _table(read_source(path, ReadOptions()))


def _model(path: Path, model: Model) -> None:
    console.say(f"{path.name}: a keypoint network, {model.architecture}")
    _scheme(model.scheme)
    console.say(f"takes gray crops of {model.size} px, framed by {model.framing.measured}")
    console.say(f"tells faces from other things: {'yes' if model.estimates_faces else 'no'}")
    scores = [f"{k} {v:.4g}" for k, v in model.scores.items() if math.isfinite(v)]
    console.say(f"validation: {', '.join(scores) or 'none'}")
    told = {k: v for k, v in model.training.items() if k != "augmentation"}
    console.say(f"training: {', '.join(f'{k} {v}' for k, v in told.items() if v != '')}")
    console.say()
    found = layers(model.network, model.size)
    rows = [
        [
            layer.name, layer.kind, " x ".join(map(str, layer.output)), f"{layer.parameters:,}",
            f"{layer.multiply_adds:,}", layer.formula,
        ]
        for layer in found
    ]  # fmt: skip
    head = ["layer", "kind", "output", "parameters", "multiply-adds", "(N + 2P - F) / S + 1"]
    console.wide_table(head, rows)
    console.say()
    parameters = sum(p.numel() for p in model.network.parameters())
    adds = sum(layer.multiply_adds for layer in found)
    console.say(f"{parameters:,} parameters, {adds / 1e6:.1f} million multiply-adds per crop")


def _scheme(scheme: Scheme) -> None:
    names = ", ".join(scheme.names[:8]) + (", ..." if len(scheme) > 8 else "")
    console.say(f"{len(scheme)} points ({scheme.name}): {names}")


def _samples(path: Path, samples: Samples) -> None:
    console.say(f"{path.name}: a data set of fkp prepare, {len(samples)} rows")
    _scheme(samples.scheme)
    if len(samples.schemes) > 1:
        console.say(f"for a network of {len(samples.target)} points ({samples.target.name})")
    console.say(f"crops of {samples.size} px, cut: {samples.crop_mode}")
    for name in SPLITS:
        part = samples.part(name)
        persons = len(set(part.person))
        console.say(
            f"  {name}: {len(part)} rows of {persons} persons, {len(part.labelled())} labelled"
        )
    for source in dict.fromkeys(samples.source.tolist()):
        own = samples.source == source
        console.say(f"  from {source}: {own.sum()} rows")
    odd = int((samples.flags != "").sum())
    console.say(f"suspicious rows: {odd}")
    if samples.other:
        console.say(f"further columns: {', '.join(samples.other)}")


def _picture(path: Path) -> None:
    try:
        encoded = Encoded.read(path)
        width, height = encoded.upright(encoded.decode())
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    kind = f", {encoded.header.kind}" if encoded.header.kind else ""
    console.say(f"{path.name}: a picture, {width} x {height}, upright{kind}")
    if encoded.note:
        console.say(encoded.note)


def _video(path: Path) -> None:
    try:
        facts = look_through(path)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    seconds = facts.last - facts.first
    rate = (facts.frames - 1) / seconds if seconds > 0 else 0.0
    turned = ", turned upright" if facts.turned else ""
    console.say(f"{path.name}: a video, {facts.width} x {facts.height}{turned}, {facts.codec}")
    console.say(
        f"{facts.frames} frames from {facts.first:.3f} to {facts.last:.3f} s: "
        f"{rate:.3f} per second, {'evenly' if facts.steady else 'at a changing rate'}"
    )
    console.say(f"sound: {'yes' if facts.sound else 'no'}")
    console.say(f"frames that cannot be decoded: {facts.broken}")
    for note in facts.notes:
        console.say(note)


def _table(table: LabelTable) -> None:
    console.say(f"{table.source}: labels, not prepared: {table.format}, {len(table.rows)} rows")
    _scheme(table.scheme)
    if table.pixels is not None:
        height, width = table.pixels.shape[1:]
        console.say(f"pictures of {width} x {height} px")
    else:
        console.say(f"picture files, such as {(table.images or [''])[0]}")
    for note in table.notes:
        console.say(note)
    console.say(f"rows that cannot be read: {len(table.rejected)}")
