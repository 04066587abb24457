"""What a learning rate does: the course's network with one too small, too large, and right.

usage: python -m tests.benchmarks.learning_rates DATA.csv OUT.png [--epochs 8]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt

RATES = {0.001: "too small", 0.3: "too large", 0.1: "right"}


def main() -> None:
    """Train three times, print the errors and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    given = parser.parse_args()
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    with tempfile.TemporaryDirectory() as runs:
        for rate, word in RATES.items():
            command = [sys.executable, "-m", "fkp", "train", str(given.data), "--arch", "lecture"]
            more = ["--epochs", str(given.epochs), "--lr", str(rate), "--runs", runs]
            subprocess.run([*command, *more, "--name", str(rate), "-q"], check=True)
            curve = pd.read_csv(Path(runs) / str(rate) / "results.csv")
            error = 100 * curve["val_nme"]
            axis.plot(curve["epoch"], error, marker="o", label=f"--lr {rate}: {word}")
            print(f"--lr {rate}: {error.iloc[-1]:.2f} % after {len(error)} epochs", flush=True)
    axis.set(xlabel="epoch", ylabel="validation error, % of the eye distance", ylim=(0, None))
    axis.legend()
    axis.grid(alpha=0.3)
    figure.savefig(given.out, dpi=100)


if __name__ == "__main__":
    main()
