"""`fkp prepare` on a Kaggle-size CSV, against pandas.read_csv and a split of each row.

usage: python -m tests.benchmarks.prepare_kaggle [ROWS]   (7,049 as in the contest; about a minute)
Prints the seconds of each, their ratio as medians of three runs in turn, and the peak memory.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from fkp.keypoints import KAGGLE15

PORTRAIT = Path(__file__).resolve().parents[2] / "sample_images" / "president.jpg"

BASELINE = """
import sys, time, resource
import numpy as np, pandas as pd
start = time.perf_counter()
frame = pd.read_csv(sys.argv[1])
pixels = np.stack([np.array(s.split(), dtype=np.uint8) for s in frame["Image"]])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""

PREPARE = """
import sys, time, resource
from pathlib import Path
from fkp.labels.prepare import PrepareConfig, prepare
start = time.perf_counter()
prepare(PrepareConfig((Path(sys.argv[1]),), Path(sys.argv[2])), lambda done, total: None)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def write_csv(path: Path, rows: int) -> None:
    """A CSV like training.csv: noisy, shifted copies of a portrait, two thirds of cells empty."""
    rng = np.random.default_rng(0)
    picture = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise SystemExit(f"{PORTRAIT} cannot be read")
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join([*KAGGLE15.columns, "Image"]) + "\n")
        for _ in range(rows):
            x, y = rng.integers(300, 400), rng.integers(60, 160)
            crop = cv2.resize(picture[y : y + 320, x : x + 320], (96, 96))
            noisy = np.clip(crop + rng.normal(0, 6, crop.shape), 0, 255).astype(np.uint8)
            labels = [f"{v:.8f}" if rng.random() < 0.4 else "" for v in rng.uniform(20, 76, 30)]
            file.write(",".join(labels) + "," + " ".join(map(str, noisy.reshape(-1))) + "\n")


def run(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds and gigabytes of a program in a process of its own."""
    output = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    ).stdout
    seconds, gigabytes = output.split()
    return float(seconds), float(gigabytes)


def main() -> None:
    """Measure and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 7049
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "training.csv", Path(folder) / "data.csv"
        write_csv(path, rows)
        pairs = [(run(BASELINE, str(path)), run(PREPARE, str(path), str(output))) for _ in range(3)]
    baseline = statistics.median(b[0] for b, _ in pairs)
    ours = statistics.median(p[0] for _, p in pairs)
    ratio = statistics.median(b[0] / p[0] for b, p in pairs)
    memory = max(p[1] for _, p in pairs)
    print(
        f"pandas and split: {baseline:.2f} s; fkp prepare: {ours:.2f} s; {ratio:.1f} times faster"
    )
    print(f"peak memory of fkp prepare: {memory:.2f} GB")


if __name__ == "__main__":
    main()
