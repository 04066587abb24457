"""How well faces are followed through composed clips: identities, switches, faces missed.

    python -m tests.benchmarks.video_tracks DATA [--seeds 8] [--keep FOLDER]

DATA holds `ytf68/` (frames of persons, boxes.csv) and `scenes/` (pictures for backgrounds). The
clips are made of persons and scenes drawn by a seed: two faces that cross, one that passes behind a
post, cuts, a zoom, a crowd.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Result
from fkp.annotate.output.rows import Record
from fkp.annotate.video.run import ClipEngine
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.detectors import find_detector
from tests.composed import KINDS, Following, Picture, Sprite, Truth, compare, compose


def followed(path: Path, smooth: float = 0.5) -> list[Record]:
    """What `fkp video` has of a clip."""
    detector = find_detector("fkp")
    engine = ClipEngine(
        load_model(find_model("bundled")), detector, AnnotateConfig(), smooth=smooth
    )
    results: list[Result] = []
    for chunk in engine.run(Inputs((str(path),), 0, ""), 0, lambda done, total: None):
        results += chunk.results
    return [(str(path), result) for result in results]


def material(data: Path, rng: np.random.Generator) -> tuple[list[Sprite], list[Picture]]:
    """Six heads of different persons and four backgrounds."""
    boxes = pd.read_csv(data / "ytf68" / "boxes.csv")
    boxes["person"] = boxes["image"].str.replace(r"_\d+\.jpg$", "", regex=True)
    sprites = []
    for person in rng.permutation(boxes["person"].unique())[:6]:
        row = boxes[boxes["person"] == person].iloc[0]
        picture = cv2.imread(str(data / "ytf68" / "training" / Path(row["image"]).name))
        assert picture is not None, row["image"]
        box = [float(row[f"box_{c}"]) for c in "xywh"]
        sprites.append(Sprite.of(np.asarray(picture, np.uint8), box))
    scenes = pd.read_csv(data / "scenes" / "boxes.csv")
    images = sorted((data / "scenes" / "images").iterdir())
    faces = {Path(str(name)).name for name in scenes["image"]}
    empty = [path for path in images if path.name not in faces]
    backgrounds = [cv2.imread(str(empty[i])) for i in rng.choice(len(empty), 4, replace=False)]
    return sprites, [np.asarray(b, np.uint8) for b in backgrounds]


def main() -> None:
    """Print a line for each kind of clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--keep", type=Path, help="leave the clips here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in given.kinds:
            found: list[Following] = []
            for seed in range(given.seeds):
                path = folder / f"{kind}{seed}.mp4"
                sprites, backgrounds = material(given.data, np.random.default_rng(seed))
                truth: Truth = compose(kind, path, sprites, backgrounds, seed)
                found.append(compare(truth, followed(path)))
            each = " ".join(f"{f.idf1:.3f}/{f.switches}" for f in found)
            mean = np.mean([f.idf1 for f in found])
            missed = np.mean([f.missed for f in found])
            print(
                f"{kind:9} IDF1 {mean:.3f}, missed {missed:.3f}; IDF1/switches {each}", flush=True
            )


if __name__ == "__main__":
    main()
