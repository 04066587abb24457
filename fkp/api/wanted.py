"""Which faces are wanted, from the arguments of a run."""

from dataclasses import replace

from fkp.annotate.config import ORDERS, AnnotateConfig
from fkp.annotate.output.keep import Keep, names_one_of
from fkp.annotate.output.rows import Columns
from fkp.errors import FkpError, UsageError
from fkp.keypoints import IBUG68
from fkp.vision.head import Camera
from fkp.vision.iris import IRIS
from fkp.vision.quality import QUALITY


def wanted_faces(
    config: AnnotateConfig, quality: bool, iris: bool, keep: str | None, order: str,
    camera: Camera | None,
) -> AnnotateConfig:  # fmt: skip
    """The configuration with the quality, irises, choice and order of faces.

    camera: for measures in `keep`, None without measures. Raises FkpError, UsageError.
    """
    if order not in ORDERS:
        raise UsageError(f"order: expected one of {', '.join(ORDERS)}, got {order}")
    assert config.scheme is not None
    with_eyes = config.scheme.names == IBUG68.names
    if iris and not with_eyes:
        raise FkpError(
            f"irises need the 68 points, which the bundled network has; not these "
            f"{len(config.scheme)} of {config.scheme.name}"
        )
    columns = Columns(config.scheme, True, camera, True, with_eyes)
    chooser = None if keep is None else Keep(keep, columns)
    rated = quality or (keep is not None and names_one_of(keep, QUALITY))
    looked = iris or (with_eyes and keep is not None and names_one_of(keep, IRIS))
    return replace(config, quality=rated, iris=looked, keep=chooser, order=order)
