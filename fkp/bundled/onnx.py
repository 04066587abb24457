"""The bundled keypoint network in ONNX, which annotation runs on CPUs without PyTorch.

    python -m fkp.bundled.onnx [CHECKPOINT]

writes CHECKPOINT.onnx beside CHECKPOINT.safetensors, by default beside the bundled one. Run it
whenever the checkpoint changes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fkp.api import load
from fkp.learn.networks.names import BUNDLED, find_model


def write_onnx(checkpoint: Path) -> Path:
    """The same network and header in ONNX, beside the checkpoint; raises ModelError where the
    points would differ.
    """
    path = checkpoint.with_suffix(".onnx")
    load(checkpoint, device="cpu", detector=None).export(path, format="onnx")
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m fkp.bundled.onnx", description=__doc__)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=find_model(BUNDLED))
    print(f"wrote {write_onnx(parser.parse_args(arguments).checkpoint)}")


if __name__ == "__main__":
    main()
