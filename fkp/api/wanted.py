"""Which faces are wanted, from the arguments of a run."""

from dataclasses import replace

from fkp.annotate.config import ORDERS, AnnotateConfig
from fkp.annotate.output.keep import Keep, names_one_of
from fkp.annotate.output.rows import Columns
from fkp.errors import UsageError
from fkp.vision.head import Camera
from fkp.vision.quality import QUALITY


def wanted_faces(
    config: AnnotateConfig, quality: bool, keep: str | None, order: str, camera: Camera | None
) -> AnnotateConfig:
    """The configuration with the quality, choice and order of faces.

    camera: for measures in `keep`, None without measures. Raises UsageError.
    """
    if order not in ORDERS:
        raise UsageError(f"order: expected one of {', '.join(ORDERS)}, got {order}")
    assert config.scheme is not None
    chooser = None if keep is None else Keep(keep, Columns(config.scheme, True, camera, True))
    rated = quality or (keep is not None and names_one_of(keep, QUALITY))
    return replace(config, quality=rated, keep=chooser, order=order)
