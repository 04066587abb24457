"""Small real and drawn pictures and clips that the tests share, and the command."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.keypoints import FKP4, KAGGLE15, Scheme
from fkp.labels.boxes import BOX_COLUMNS
from fkp.vision.frames import Frame
from fkp.vision.video import Clip

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"


# Where a drawn face has its points, in a crop of 96 pixels.
FACE = {
    "left_eye_center": (64.0, 38.0),
    "right_eye_center": (32.0, 38.0),
    "nose_tip": (48.0, 56.0),
    "mouth_center_bottom_lip": (48.0, 74.0),
}


def draw_face(
    points: npt.NDArray[np.float64], size: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """A gray picture with a dark spot at each point (K, 2) of the course's scheme."""
    y, x = np.mgrid[:size, :size].astype(float)
    image = np.full((size, size), 190.0) + rng.normal(0, 3, (size, size))
    for i, (px, py) in enumerate(points):
        image -= (150 - 25 * i) * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (size / 24) ** 2))
    return np.clip(image, 0, 255).astype(np.uint8)


def faces(
    count: int, size: int = 96, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Drawn faces (N, size, size) and their points (N, 4, 2), each somewhat elsewhere."""
    rng = np.random.default_rng(seed)
    base = np.array([FACE[name] for name in FKP4.names]) * size / 96
    points = base + rng.uniform(-0.06, 0.06, (count, 1, 2)) * size
    points = points + rng.normal(0, 0.01 * size, points.shape)
    return np.stack([draw_face(p, size, rng) for p in points]), points


def label_frame(points: npt.NDArray[np.float64], scheme: Scheme) -> pd.DataFrame:
    """Points (N, K, 2) as a table of labels."""
    return pd.DataFrame(points.reshape(len(points), -1), columns=scheme.columns)


def write_kaggle(
    path: Path, count: int, size: int = 96, empty: float = 0.3
) -> npt.NDArray[np.float64]:
    """A CSV like Kaggle's training.csv; returns its points (N, 15, 2), NaN where left empty."""
    images, four = faces(count, size)
    rng = np.random.default_rng(1)
    points = rng.uniform(0.2, 0.8, (count, 15, 2)) * size
    for i, name in enumerate(FKP4.names):
        points[:, KAGGLE15.names.index(name)] = four[:, i]
    points = points.round(4)
    points[rng.random((count, 15)) < empty] = np.nan
    frame = label_frame(points, KAGGLE15)
    frame["Image"] = [" ".join(map(str, image.reshape(-1))) for image in images]
    frame.to_csv(path, index=False)
    return points


def write_course(
    folder: Path, count: int, unit: bool = True, persons: int = 0
) -> npt.NDArray[np.float64]:
    """labels.csv and faces.npy (96, 96, N); returns the points (N, 4, 2) in pixels."""
    images, points = faces(count)
    frame = label_frame(points / 96 if unit else points, FKP4)
    if persons:
        frame.insert(0, "person", [f"p{i % persons}" for i in range(count)])
    frame.to_csv(folder / "labels.csv", index=False)
    np.save(folder / "faces.npy", np.moveaxis(images, 0, -1))
    return points


def write_pictures(folder: Path, count: int) -> npt.NDArray[np.float64]:
    """pictures/*.png of two pictures a person, and labels.csv with paths; returns the points."""
    images, points = faces(count, 128)
    (folder / "pictures").mkdir()
    names = [f"pictures/Ann_{chr(97 + i // 2)}_{i % 2:04d}.png" for i in range(count)]
    for name, image in zip(names, images, strict=True):
        assert cv2.imwrite(str(folder / name), image)
    frame = label_frame(points, FKP4)
    frame.insert(0, "image", names)
    frame.to_csv(folder / "labels.csv", index=False)
    return points


def fkp(
    *arguments: str | Path, cwd: Path, data: bytes | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "fkp", *map(str, arguments)],
        cwd=cwd, input=data, capture_output=True, check=False,
        env={**os.environ, "FKP_CACHE": str(cwd / "cache"), "COLUMNS": "100", **env},
    )  # fmt: skip
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def fkp_here(*arguments: str | Path, cwd: Path) -> tuple[int, str]:
    """A command in this process, which has imported what it needs: exit code, and what it prints.

    Errors are raised.
    """
    from fkp.cli.main import cli

    said = io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(said), redirect_stderr(said):
        code = cli.main(list(map(str, arguments)), "fkp", standalone_mode=False)
    return code or 0, said.getvalue()


def contents(out: Path) -> dict[str, bytes]:
    """Every result but run.json, which tells the time, and the lock."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("run.json", ".lock")
    }


SECOND = Fraction(1, 1000)


def encode(
    path: Path,
    times: Sequence[int],
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    pixels: str = "yuv420p",
    sound: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip whose frames have these times in milliseconds; each is brighter than the last."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = SECOND
        audio = out.add_stream("aac", rate=8000) if sound else None
        for i, time in enumerate(times):
            image = np.full((size[1], size[0], 3), 20 + 3 * i, np.uint8)
            image[: size[1] // 4, : size[0] // 4] = 255  # a mark in the upper left corner
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, SECOND
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
            silence.sample_rate = 8000
            out.mux(audio.encode(silence))
            out.mux(audio.encode(None))
    return path


STEADY = [40 * i for i in range(24)]


CHANGING = [0, 33, 66, 166, 200, 500, 533, 1500, 1510, 1520]


CLIPS: dict[str, Callable[[Path], Path]] = {
    "plain.mp4": lambda p: encode(p, STEADY),
    "sound.mp4": lambda p: encode(p, STEADY, sound=True),
    "changing.mkv": lambda p: encode(p, CHANGING),
    "changing.mp4": lambda p: encode(p, CHANGING),
    "odd.mp4": lambda p: encode(p, STEADY, size=(65, 49), pixels="yuv444p"),
    "ten_bits.mkv": lambda p: encode(p, STEADY, pixels="yuv420p10le"),
    "late.ts": lambda p: encode(p, [3500 + t for t in STEADY]),
    "reordered.mkv": lambda p: encode(p, STEADY, options={"bf": "3"}),
    "pictures.avi": lambda p: encode(p, STEADY, "mjpeg", pixels="yuvj420p"),
    "other.webm": lambda p: encode(p, STEADY, "libvpx-vp9"),
    "interlaced.ts": lambda p: encode(
        p, STEADY, "libx264", options={"x264-params": "tff=1:interlaced=1"}
    ),
}


def frames(path: Path) -> list[Frame]:
    with Clip(path) as clip:
        return list(clip.frames())


def shown(path: Path) -> list[float]:
    """The times at which a video's frames are shown."""
    return [frame.time for frame in frames(path)]


def long_clip(samples: Path, path: Path) -> Path:
    """The sample clip four times over."""
    with av.open(str(path), "w") as out:
        stream, shift = None, 0
        for _ in range(4):
            with av.open(str(samples / "clip.mp4")) as clip:
                moving = clip.streams.video[0]
                assert moving.time_base is not None
                stream = stream or out.add_stream_from_template(moving)
                for packet in clip.demux(moving):
                    if packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        out.mux(packet)
                shift += 120 * round(1 / (25 * moving.time_base))
    return path


def shorter(source: Path, path: Path, count: int) -> Path:
    """The first pictures of a clip."""
    with Clip(source) as clip, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        images = [frame.bgr() for frame, _ in zip(clip.frames(), range(count), strict=False)]
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))
    return path


BOXED_FACE = np.array([[12, 18], [32, 18], [22, 28], [14, 38], [30, 38]])
POINTS = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")


def write_boxes(folder: Path, count: int = 30) -> Path:
    """Gray pictures with a drawn face in each, and their table of boxes."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(count):
        image = rng.integers(90, 110, (96, 128, 3)).astype(np.uint8)
        x, y = rng.uniform(10, 70), rng.uniform(5, 35)
        anchors = BOXED_FACE + np.array([x, y])
        for px, py in anchors:
            cv2.circle(image, (round(px), round(py)), 2, (20, 20, 20), -1)
        assert cv2.imwrite(str(folder / f"{i}.png"), image)
        rows.append([f"{i}.png", x, y, 44, 52, *anchors.reshape(-1)])
    points = [f"{name}_{axis}" for name in POINTS for axis in "xy"]
    table = folder / "boxes.csv"
    pd.DataFrame(rows, columns=["image", *BOX_COLUMNS, *points]).to_csv(table, index=False)
    return table
