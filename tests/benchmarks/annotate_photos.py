"""`fkp annotate` on 640-pixel photos, against a loop that takes them one by one.

usage: annotate_photos.py [COUNT]
The loop is what a course would write: read, find the faces at full size with OpenCV's cascade
(so it needs OpenCV 4), run the network on each crop by itself. Prints pictures a second, medians
of three in turn.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from fkp.annotate.drawing import Drawing
from fkp.annotate.inputs import find_inputs
from fkp.annotate.local import Local
from fkp.annotate.pipeline import AnnotateConfig, annotate
from fkp.annotate.results import TableFile
from fkp.annotate.rows import CsvRows
from fkp.cli.models import find_model
from fkp.learn.checkpoint import Model, load_model
from fkp.vision.crop import CropTransform
from fkp.vision.detect import YuNetDetector
from fkp.vision.haar import HaarDetector
from fkp.vision.images import to_gray

GROUP = Path(__file__).resolve().parents[2] / "sample_images" / "group.jpg"


def write_photos(folder: Path, count: int) -> None:
    """Shifted, noisy views of the group picture."""
    rng = np.random.default_rng(0)
    group = cv2.imread(str(GROUP))
    if group is None:
        raise SystemExit(f"{GROUP} cannot be read")
    for i in range(count):
        x, y = rng.integers(0, group.shape[1] - 746), rng.integers(0, 20)
        view = cv2.resize(group[y : y + 540, x : x + 746], (640, 463))
        noisy = np.clip(view + rng.normal(0, 4, view.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i:05d}.jpg"), noisy)


def one_by_one(paths: tuple[str, ...], network: Model) -> float:
    """Pictures a second of the loop."""
    detector = HaarDetector(det_size=100_000)
    start = time.perf_counter()
    for path in paths:
        image = np.asarray(cv2.imread(path), np.uint8)
        for anchors in detector.detect(image).anchors:
            crop = CropTransform.framed(anchors, network.layout, network.size)
            crop.invert(network.predict(to_gray(crop.cut(image))[None]).points[0])
    return len(paths) / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    network = load_model(find_model("bundled"))
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder) / "photos", Path(folder) / "out"
        photos.mkdir()
        out.mkdir()
        write_photos(photos, count)
        inputs = find_inputs([str(photos)])
        loop: list[float] = []
        drawn: list[float] = []
        table: list[float] = []
        for _ in range(3):
            loop.append(one_by_one(inputs.paths, network))
            for overlays, rates in ((False, table), (True, drawn)):
                drawing = Drawing(out / "overlays") if overlays else None
                config = AnnotateConfig(jobs=os.cpu_count() or 1, drawing=drawing)
                engine = Local(network, YuNetDetector(), config)
                start = time.perf_counter()
                with TableFile(out / "keypoints.csv", CsvRows(network.scheme)) as table_file:
                    annotate(inputs, engine, lambda done, total: None, table_file)
                rates.append(count / (time.perf_counter() - start))
    ratio = statistics.median(t / one for t, one in zip(table, loop, strict=True))
    print(f"one by one: {statistics.median(loop):.1f} pictures/s")
    print(f"fkp annotate to a table: {statistics.median(table):.1f} pictures/s, {ratio:.2f} times")
    print(f"fkp annotate with overlays: {statistics.median(drawn):.1f} pictures/s")


if __name__ == "__main__":
    main()
