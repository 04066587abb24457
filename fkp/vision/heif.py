"""HEIF pictures, which OpenCV does not decode, by pillow-heif (the extra `heif`)."""

import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError


def read_heif(data: bytes) -> npt.NDArray[np.uint8]:
    """The main picture of a file as uint8 (H, W, 3) BGR, upright.

    Raises ImageError, also where pillow-heif is missing.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError("a HEIF picture: pip install 'fkp[heif]' to read it") from error
    try:
        image = np.asarray(pillow_heif.open_heif(data, convert_hdr_to_8bit=True, bgr_mode=True))
    except (ValueError, RuntimeError, EOFError, SyntaxError, OSError) as error:
        raise ImageError(f"cannot be decoded: {error}") from error
    colour = image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
    return np.ascontiguousarray(colour, np.uint8)
