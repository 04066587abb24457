"""Pictures of frames: upright, with square pixels, whole and in the colours that were meant."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from fkp.vision.images import to_gray
from fkp.vision.sources import Opening
from fkp.vision.video import Clip
from tests.helpers import STEADY, encode, frames

Picture = npt.NDArray[np.uint8]

CORNERS = {"red": (0, 0), "green": (0, -1), "blue": (-1, 0)}
"""Where the quarters of the stored picture have these colours; the last one is black."""


def film(
    path: Path,
    pictures: list[Picture],
    codec: str = "ffv1",
    pixels: str = "bgr0",
    change: Callable[[av.VideoStream], None] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip of these BGR pictures, 25 a second. change: what else to say of the stream."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        if change is not None:
            change(stream)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pixels)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def quarters(height: int = 48, width: int = 64) -> Picture:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2, 2] = 255
    picture[: height // 2, width // 2 :, 1] = 255
    picture[height // 2 :, : width // 2, 0] = 255
    return picture


def colours(image: Picture) -> list[str]:
    """Those of the four quarters, row by row."""
    height, width = image.shape[:2]
    names = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            pixel = image[y, x].astype(int)
            names.append("bgr"[int(pixel.argmax())] if pixel.max() > 100 else "-")
    return names


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [  # a, b, c, d of (x, y) -> (a x + c y, b x + d y)
        ((1, 0, 0, 1), "rgb-"),
        ((-1, 0, 0, 1), "gr-b"),
        ((1, 0, 0, -1), "b-rg"),
        ((-1, 0, 0, -1), "-bgr"),
        ((0, 1, -1, 0), "br-g"),
        ((0, -1, 1, 0), "g-rb"),
        ((0, 1, 1, 0), "rbg-"),
        ((0, -1, -1, 0), "-gbr"),
    ],
)
def test_all_of_the_display_matrix(
    tmp_path: Path, matrix: tuple[int, int, int, int], shown: str
) -> None:
    path = film(tmp_path / "a.mp4", [quarters()] * 2, "libx264", "yuv444p")
    a, b, c, d = (v << 16 for v in matrix)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    values = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in values)
    path.write_bytes(data)
    (first, _) = frames(path)
    assert colours(first.bgr()) == list(shown)
    size = (48, 64) if a else (64, 48)
    assert first.bgr().shape[:2] == first.gray().shape == size


@pytest.mark.parametrize(("pixel", "width"), [(Fraction(4, 3), 85), (Fraction(8, 9), 57)])
def test_pixels_are_made_square(tmp_path: Path, pixel: Fraction, width: int) -> None:
    def narrow(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = pixel

    path = film(tmp_path / "a.mkv", [quarters()] * 2, "libx264", "yuv444p", narrow)
    with Clip(path) as clip:
        (first, _) = clip.frames()
        assert first.bgr().shape == (48, width, 3)
        assert first.gray().shape == (48, width)
        assert np.abs(first.gray().astype(int) - to_gray(first.bgr())).mean() < 3
        assert first.picture is not None
        assert first.picture.stored((width, 48)) == (64, 48)
        (note,) = clip.notes
    assert f"{pixel.numerator}:{pixel.denominator}" in note


def combed(image: Picture) -> float:
    """By how much lines differ from the mean of those above and below."""
    lines = image.astype(float)
    return float(np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean())


def moving(interlaced: bool) -> list[Picture]:
    """A bar that moves; the second field of an interlaced frame half a frame later."""
    pictures = []
    for i in range(8):
        picture = np.full((96, 128, 3), 60, np.uint8)
        for field in (0, 1):
            left = 10 + 8 * i + (4 * field if interlaced else 0)
            picture[field::2, left : left + 24] = 200
        pictures.append(picture)
    return pictures


def test_interlaced_frames_are_made_whole(tmp_path: Path) -> None:
    options = {"x264-params": "tff=1:interlaced=1", "qp": "0"}
    path = film(tmp_path / "a.mkv", moving(True), "libx264", "yuv420p", options=options)
    shown = {}
    for mode in ("off", "auto", "on"):
        with Clip(path, Opening(deinterlace=mode)) as clip:
            found = list(clip.frames())
            assert [frame.pts for frame in found] == [40 * i for i in range(8)]
            shown[mode] = np.mean([combed(frame.gray()) for frame in found[1:-1]])
            assert clip.notes == ([] if mode == "off" else ["8 interlaced frames, deinterlaced"])
    assert shown["auto"] < shown["off"] / 3
    assert shown["on"] == shown["auto"]
    plain = film(tmp_path / "b.mkv", moving(False), "libx264", "yuv420p", options={"qp": "0"})
    with Clip(plain) as clip:  # frames that do not say so are left alone
        assert [combed(frame.gray()) for frame in clip.frames()] == [
            combed(to_gray(picture)) for picture in moving(False)
        ]
        assert clip.notes == []


def test_high_dynamic_range_is_brought_to_that_of_a_screen(tmp_path: Path) -> None:
    def pq(luminance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        power = (luminance / 10_000) ** 0.1593017578125
        return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)

    def hlg(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
        return np.where(light <= 1 / 12, np.sqrt(3 * light), bright)

    luminance = np.array([0.0, 5.0, 40.0, 100.0, 203.0, 1000.0])  # of gray bars, cd/m2
    coded = {16: pq(luminance), 18: hlg((luminance / 1000) ** (1 / 1.2))}
    for transfer, levels in coded.items():
        bars = np.repeat(np.rint(64 + levels * 876).astype(np.uint16), 16)
        neutral = np.full((16, 48), 512, np.uint16)
        path = tmp_path / f"{transfer}.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("ffv1", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 96, 32, "yuv420p10le"
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
            frame = av.VideoFrame(96, 32, "yuv420p10le")
            for plane, values in zip(
                frame.planes, (np.tile(bars, (32, 1)), neutral, neutral), strict=True
            ):
                rows = np.zeros((values.shape[0], plane.line_size // 2), np.uint16)
                rows[:, : values.shape[1]] = values
                plane.update(rows.tobytes())
            frame.pts = 0
            out.mux([*stream.encode(frame), *stream.encode(None)])
        with Clip(path) as clip:
            (frame_read,) = clip.frames()
            (note,) = clip.notes
        assert "dynamic range" in note
        bgr, gray = frame_read.bgr()[16, 8::16], frame_read.gray()[16, 8::16].astype(int)
        assert np.abs(bgr.astype(int) - gray[:, None]).max() <= 3
        # Up to 90 cd/m2 as on a screen of 203 cd/m2 with a gamma of 2.4 (ITU-R BT.1886); above,
        # brighter parts stay brighter, and white paper is not far from white.
        assert np.abs(gray[:3] - 255 * (luminance[:3] / 203) ** (1 / 2.4)).max() < 4
        assert np.all(np.diff(gray) > 0)
        assert gray[4] > 215
        assert gray[5] >= 254


@pytest.mark.parametrize(
    ("size", "space", "told"),
    [((1280, 720), 1, False), ((1280, 720), 1, True), ((64, 48), 5, False)],
)
def test_colours_are_those_that_were_meant(
    tmp_path: Path, size: tuple[int, int], space: int, told: bool
) -> None:
    """By what the file says; where it says nothing, BT.709 for high definition, else BT.601."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:] = (30, 60, 220)
    other = 5 if space == 1 else 1
    yuv = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
        format="yuv420p", src_colorspace=other, dst_colorspace=space
    )
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        plain = av.VideoFrame.from_ndarray(yuv.to_ndarray(), format="yuv420p")
        plain.pts = 0
        if told:
            plain.colorspace = stream.codec_context.colorspace = space
        out.mux([*stream.encode(plain), *stream.encode(None)])
    (frame,) = frames(path)
    assert np.abs(frame.bgr()[10, 10].astype(int) - (30, 60, 220)).max() <= 4


def test_luma_is_that_of_the_picture(tmp_path: Path) -> None:
    """However pixels are stored, gray is what gray of the colours would be."""
    y, x = np.mgrid[:48, :64]
    picture = np.stack([3 * x, 4 * y, 2 * x + y], axis=-1).astype(np.uint8)
    for pixels in ("yuv420p", "yuv444p", "yuv422p10le", "yuv420p12le", "gray",
                   "bgr0", "gbrp10le", "yuva420p"):  # fmt: skip
        path = film(tmp_path / f"{pixels}.mkv", [picture], "ffv1", pixels)
        (frame,) = frames(path)
        apart = np.abs(frame.gray().astype(int) - to_gray(frame.bgr()))
        assert apart.mean() < 1.5, pixels
        assert np.abs(frame.gray().astype(int) - to_gray(picture)).mean() < 3, pixels
    (bottom_up, *_) = frames(encode(tmp_path / "a.avi", STEADY, "rawvideo", pixels="bgr24"))
    assert bottom_up.gray()[:8, :8].mean() > 200
