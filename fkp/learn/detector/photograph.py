"""Simulating cameras: colour, light, blur, noise, compression."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fkp.learn.detector.scenes import Array, Random
from fkp.vision.images import Image


@dataclass(frozen=True, slots=True)
class CanvasSettings:
    """The distribution of canvases; shares are of canvases or of faces."""

    smallest: float = 8.0  # face height, pixels
    largest: float = 0.95  # face height over the canvas side
    most_pasted: int = 6
    portrait: float = 0.25  # canvases that are one portrait
    cropped: float = 0.5  # such portraits that are cropped first
    mosaic: float = 0.12  # canvases of four smaller ones
    crowd: float = 0.06  # canvases with many small faces pasted
    peopled: float = 0.55  # the other canvases whose background has a face of its own
    pasted: float = 0.6  # the other canvases that get faces pasted
    swapped: float = 0.35  # faces of backgrounds that get another face
    turned: float = 0.12  # faces at any angle
    covered: float = 0.22  # faces partly hidden
    gray: float = 0.2
    dark: float = 0.12
    cast: float = 0.15  # canvases with a strong cast of one colour
    blurred: float = 0.2
    moved: float = 0.1  # canvases blurred along a line
    coarse: float = 0.15  # canvases enlarged from fewer pixels
    compressed: float = 0.3
    noisy: float = 0.2


def photograph(picture: Image, settings: CanvasSettings, rng: Random) -> Image:
    """Colour, light, blur, noise and compression."""
    image: npt.NDArray[Any] = picture
    if rng.random() < settings.gray:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < settings.coarse:
        height, width = image.shape[:2]
        share = 1 / rng.uniform(1.2, 2.5)
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < settings.blurred:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0))
    if rng.random() < settings.moved:
        image = cv2.filter2D(image, -1, _streak(int(rng.integers(3, 10)), rng))
    gain = np.exp(rng.uniform(-0.35, 0.35)) * np.exp(rng.uniform(-0.1, 0.1, 3))
    if rng.random() < settings.cast:
        gain = gain * np.exp(rng.uniform(-0.5, 0.4, 3))
    lift = rng.uniform(-30, 30)
    gamma = np.exp(rng.uniform(-0.3, 0.3))
    if rng.random() < settings.dark:
        gain, lift = gain * rng.uniform(0.15, 0.6), rng.uniform(0, 15)
    ramp = 255 * (np.arange(256)[:, None] / 255) ** gamma
    curve = np.clip((ramp - 128) * gain + 128 * min(1.0, float(gain.mean())) + lift, 0, 255)
    image = cv2.LUT(image, curve.astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < settings.noisy:
        noise = np.empty(image.size, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 30)))
        cv2.randn(noise, np.zeros(1), np.full(1, rng.uniform(2, 14)))
        image = np.clip(image + noise.reshape(image.shape), 0, 255).astype(np.uint8)
    if rng.random() < settings.compressed:
        quality = int(rng.integers(20, 80))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(image, np.uint8)


def _streak(length: int, rng: Random) -> Array:
    """The kernel of a motion blur."""
    kernel = np.zeros((length, length), np.float32)
    along = rng.uniform(0, np.pi)
    reach = np.array([np.cos(along), np.sin(along)]) * (length - 1) / 2
    ends = np.round((length - 1) / 2 + np.array([-reach, reach])).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), np.float64)
