"""Overlays: colours and pixels that players understand, any sound, and a disk that is full."""

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fkp.errors import ImageError
from fkp.vision.joining import Sound, join
from fkp.vision.recording import Recording
from tests.helpers import encode, frames, shown

TICK = Fraction(1, 25)


def recorded(
    path: Path,
    size: tuple[int, int] = (64, 48),
    stored: tuple[int, int] | None = None,
    times: Sequence[int] = range(5),
    base: Fraction = TICK,
) -> Path:
    """A recording of a red picture, more or less dark."""
    with Recording(path, size, stored or size, base) as recording:
        for i, time in enumerate(times):
            image = np.zeros((size[1], size[0], 3), np.uint8)
            image[..., 2] = 255 - 10 * i
            recording.write(image, time)
    return path


@pytest.mark.parametrize(("size", "space"), [((64, 48), 6), ((1280, 720), 1)])
def test_players_are_told_the_colours(tmp_path: Path, size: tuple[int, int], space: int) -> None:
    path = recorded(tmp_path / "a.mp4", size)
    with av.open(str(path)) as film:
        context = film.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (space,) * 3
        assert context.color_range == 1
        frame = next(film.decode(video=0))
        # Red in BT.709 and BT.601 (from 16 to 235).
        luma = {1: 63, 6: 81}[space]
        assert abs(int(frame.to_ndarray()[0, 0]) - luma) <= 2
    assert np.abs(frames(path)[0].bgr()[5, 5].astype(int) - (0, 0, 255)).max() < 8


def test_what_is_not_reproducible_is_not_used(tmp_path: Path) -> None:
    """x264 writes its settings into the file."""
    assert b" mbtree=0 " in recorded(tmp_path / "a.mp4").read_bytes()


def test_pixels_keep_their_shape(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.mp4", (854, 480), (720, 480))
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert (stream.width, stream.height) == (720, 480)
        assert stream.sample_aspect_ratio is not None
        assert abs(float(stream.sample_aspect_ratio) - 854 / 720) < 1e-3
    assert abs(frames(path)[0].gray().shape[1] - 854) <= 1


@pytest.mark.parametrize("base", [TICK, Fraction(1, 1_000_000_000), Fraction(1001, 30_000)])
def test_times_are_kept_and_rise(tmp_path: Path, base: Fraction) -> None:
    ticks = [0, 1, 3] if base != Fraction(1, 10**9) else [0, 40_000_000, 40_000_001]
    times = shown(recorded(tmp_path / "a.mp4", times=ticks, base=base))
    assert np.allclose(times, [float(t * base) for t in ticks], atol=1e-4)
    assert np.all(np.diff(times) > 0)


def sounded(path: Path, codec: str, rate: int, layout: str, container: str | None = None) -> Path:
    """A clip of half a second with a tone."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        audio = out.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(audio, av.AudioStream)
        for i in range(13):
            image = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            frame = image.reformat(format="yuvj420p")
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        tone = (8000 * np.sin(np.arange(rate // 2) * 2 * np.pi * 440 / rate)).astype(np.int16)
        channels = audio.codec_context.layout.nb_channels
        data = np.repeat(tone[None, :], channels, axis=1).reshape(1, -1)
        own = av.AudioFrame.from_ndarray(data, format="s16", layout=layout)
        own.sample_rate = rate
        out.mux([*audio.encode(own), *audio.encode(None)])
    return path


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "name"),
    [
        ("pcm_s16le", 44100, "stereo", "a.avi"),
        ("adpcm_ms", 22050, "mono", "a.avi"),
        ("pcm_s16le", 192_000, "mono", "a.mkv"),
        ("pcm_u8", 6000, "mono", "a.avi"),
        ("pcm_s16le", 48000, "5.1", "a.mov"),
        ("aac", 44100, "mono", "a.mkv"),
        ("mp2", 32000, "stereo", "a.mkv"),
    ],
)
def test_any_sound_goes_along(
    tmp_path: Path, codec: str, rate: int, layout: str, name: str
) -> None:
    source = sounded(tmp_path / name, codec, rate, layout)
    part, out = recorded(tmp_path / "part.mp4"), tmp_path / "out.mp4"
    assert join([part], out, Sound(str(source), 0.0, 0.52)) == []
    with av.open(str(out)) as film:
        (audio,) = film.streams.audio
        assert audio.codec_context.name == "aac"
        sound = np.concatenate([f.to_ndarray().mean(0) for f in film.decode(audio)])
        own = audio.codec_context.sample_rate
    assert 0.45 < len(sound) / own < 0.65
    middle = sound[int(0.1 * own) : int(0.4 * own)]
    peak = np.argmax(abs(np.fft.rfft(middle))) * own / len(middle)
    assert abs(peak - 440) < 10
    assert len(shown(out)) == 5
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_sound_that_cannot_be_had_is_left_out(tmp_path: Path) -> None:
    part, out = recorded(tmp_path / "part.mp4"), tmp_path / "out.mp4"
    assert join([part], out, None) == []
    (tmp_path / "text.mp4").write_text("no clip")
    (note,) = join([part], out, Sound(str(tmp_path / "text.mp4"), 0.0, 1.0))
    assert "no sound: invalid data" in note
    assert len(shown(out)) == 5
    silent = encode(tmp_path / "silent.mp4", [0, 40])
    assert join([part], out, Sound(str(silent), 0.0, 1.0)) == []
    whole = part.read_bytes()
    part.write_bytes(whole[:-200])  # a damaged recording is never joined in silence
    with pytest.raises(ImageError):
        join([part], out, None)


def test_sound_of_an_excerpt_begins_with_it(tmp_path: Path) -> None:
    source = sounded(tmp_path / "a.mkv", "pcm_s16le", 8000, "mono")
    part, out = recorded(tmp_path / "part.mp4"), tmp_path / "out.mp4"
    assert join([part], out, Sound(str(source), 0.3, 0.5)) == []
    with av.open(str(out)) as film:
        (audio,) = film.streams.audio
        ends = [p.pts + (p.duration or 0) for p in film.demux(audio) if p.pts is not None]
        assert audio.time_base is not None
        assert 0.15 < float(max(ends) * audio.time_base) < 0.35


FULL = """
import resource, sys, numpy as np
from fractions import Fraction
from pathlib import Path
from fkp.vision.joining import join
from fkp.vision.recording import Recording
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
what = sys.argv[3]
if what == "join":
    with Recording(folder / "part.mp4", (64, 48), (64, 48), Fraction(1, 25)) as recording:
        for i in range(60):
            recording.write(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8), i)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if what == "join":
        join([folder / "part.mp4"], folder / "out.mp4", None)
    else:
        with Recording(folder / "a.mp4", (64, 48), (64, 48), Fraction(1, 25)) as recording:
            for i in range(60):
                recording.write(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8), i)
except OSError as error:
    print("told:", error.strerror)
"""


@pytest.mark.parametrize("what", ["record", "join"])
@pytest.mark.parametrize("limit", [0, 20_000, 50_000])
def test_a_full_disk_is_an_error_not_a_crash(tmp_path: Path, what: str, limit: int) -> None:
    """FFmpeg itself crashes where it is told of a write that failed."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(limit), what],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "told: File too large\n"), done.stderr
