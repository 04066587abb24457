"""What more labels bring, from nothing and from the bundled network's weights.

    python -m tests.benchmarks.learning_curve data.csv --counts 50 200 1000 5000

Trains with the default settings on the first rows of the training persons, and measures on all test
rows: NME in per cent, and minutes of training.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from fkp.labels.store import Samples, read_samples
from fkp.learn.evaluation.evaluate import evaluate
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Listener, Origin, train


def first_rows(samples: Samples, count: int) -> Samples:
    """The data with `count` training rows, and a fifth as many for validation."""
    keep = np.zeros(len(samples), bool)
    keep[np.flatnonzero(samples.split == "train")[:count]] = True
    keep[np.flatnonzero(samples.split == "val")[: max(10, count // 5)]] = True
    return samples.take(keep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[50, 200, 1000, 5000])
    parser.add_argument("--starts", nargs="+", default=["nothing", "bundled"])
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    samples = read_samples(given.data)
    bundled = load_model(find_model("bundled"), trainable=True)
    before = evaluate(load_model(find_model("bundled")), samples, "test").scores.nme
    print(f"the bundled network as it is: {100 * before:.2f} %", flush=True)
    for count in given.counts:
        for start in given.starts:
            part = first_rows(samples, count)
            origin = Origin(start=bundled if start == "bundled" else None)
            config = recipe(threads=given.threads, init="" if start == "nothing" else start)
            started = time.perf_counter()
            model = train(config, part, measure_framing(part, None), Listener(), origin)
            minutes = (time.perf_counter() - started) / 60
            error = evaluate(model, samples, "test").scores.nme
            print(
                f"{count} labels from {start}: {100 * error:.2f} %, {minutes:.1f} min", flush=True
            )


if __name__ == "__main__":
    main()
