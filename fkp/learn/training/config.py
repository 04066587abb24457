"""Training settings, with the defaults of each architecture."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from fkp.errors import DataError
from fkp.learn.networks.architectures import ARCHITECTURES, DEFAULT
from fkp.learn.training.augment import Augmentation
from fkp.learn.training.losses import LOSSES

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("onecycle", "constant")
SEEN = 640_000
"""Rows seen in a training from random weights, unless epochs are given: 10,000 batches."""
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run. `recipe(architecture)` has the defaults that suit a network."""

    architecture: str = DEFAULT
    epochs: int = 0  # 0: by the number of training rows, see `for_rows`
    batch: int = 64
    optimizer: str = "adamw"
    lr: float = 2e-3  # the peak, with onecycle
    schedule: str = "onecycle"
    momentum: float = 0.0  # of sgd
    weight_decay: float = 0.02
    loss: str = "wing"
    ema: float = 0.999  # decay of the averaged weights, 0: no averaging
    face_weight: float = 0.02  # of the face loss, if there are crops of other things
    visible_weight: float = 0.005  # of the visibility loss
    patience: int = 0  # epochs without improvement before stopping, 0: never
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    init: str = ""  # the checkpoint to start from; "" for random weights
    freeze: bool = False  # keep the encoder's weights
    compile: bool = False  # by torch.compile
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0  # on the CPU, 0: torch's default
    seed: int = 0

    def __post_init__(self) -> None:
        choices = {
            "architecture": tuple(ARCHITECTURES), "optimizer": OPTIMIZERS, "schedule": SCHEDULES,
            "loss": tuple(LOSSES), "precision": PRECISIONS,
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise DataError(f"{name}: expected one of {', '.join(known)}")
        if self.epochs < 0:
            raise DataError(f"epochs: expected 0 (by the rows) or more, got {self.epochs}")
        for name in ("batch", "lr"):
            if not getattr(self, name) > 0:
                raise DataError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise DataError(f"ema: expected a decay in 0..1, got {self.ema}")

    def for_rows(self, rows: int) -> "TrainConfig":
        """The same settings with a number of epochs, if none was given.

        After that the error hardly falls. Starting from trained weights takes a third of it.
        """
        if self.epochs:
            return self
        seen, least, most = (SEEN // 3, 10, 60) if self.init else (SEEN, 30, 300)
        return replace(self, epochs=min(max(round(seen / max(rows, 1)), least), most))

    def as_dict(self) -> dict[str, object]:
        """Plain values, for config.json and the checkpoint."""
        return asdict(self)


def from_dict(values: dict[str, Any]) -> TrainConfig:
    """The configuration from the values of `as_dict`; raises DataError for any others."""
    try:
        augmentation = values.get("augmentation")
        if augmentation is not None:
            augmentation = Augmentation(**augmentation)
        return TrainConfig(**{**values, "augmentation": augmentation})
    except TypeError as error:
        raise DataError(f"not a training configuration of this version of fkp: {error}") from error


def recipe(architecture: str | None = None, **changes: object) -> TrainConfig:
    """The defaults of an architecture, with some settings changed; None leaves a default.

    `lecture` is trained as in the course: mini-batch SGD at a constant rate, MSE, no augmentation.
    Raises DataError for unknown settings and values.
    """
    base = TrainConfig(architecture=architecture or DEFAULT)
    if architecture == "lecture":
        base = replace(
            base, epochs=100, batch=32, optimizer="sgd", lr=0.1, momentum=0.9, schedule="constant",
            weight_decay=0.0, loss="mse", ema=0.0, patience=20, augmentation=None,
        )  # fmt: skip
    elif changes.get("init"):
        base = replace(base, lr=5e-4)  # a higher rate undoes what was learnt
    known = {f.name for f in fields(base)}
    unknown = set(changes) - known
    if unknown:
        raise DataError(f"unknown training settings: {', '.join(sorted(unknown))}")
    return replace(base, **{k: v for k, v in changes.items() if v is not None})  # type: ignore[arg-type]
