"""TensorBoard events of a run."""

import math
from pathlib import Path

from fkp.errors import DataError
from fkp.learn.networks.checkpoint import Model
from fkp.learn.training.loop import Epoch, Listener


class Board(Listener):
    """Writes the figures of each epoch as events. Raises DataError without tensorboard."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise DataError(
                "TensorBoard needs a package: pip install 'fkp[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def epoch(self, result: Epoch, model: Model) -> None:
        values = {
            "loss/train": result.train_loss,
            "validation/rmse_px": result.val_rmse,
            "validation/nme": result.val_nme,
            "lr": result.lr,
            "images_per_second": result.images_per_second,
        }
        for name, value in values.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, result.epoch)
        self._writer.flush()
