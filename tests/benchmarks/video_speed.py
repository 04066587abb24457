"""`fkp video` against MediaPipe's tracking loop on the same 720p clip of one face, in one run.

usage: python -m tests.benchmarks.video_speed [--rounds 5] [--frames 900] [--peers PYTHON]
    [--clip CLIP] [--hour]
--peers: the Python of an environment with mediapipe==0.10.21. --hour: also the memory of a run
over 90,000 frames (an hour at 25 a second) against that over the clip. A ratio is the median of the
rounds' ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

PORTRAIT = Path(__file__).resolve().parents[2] / "sample_images" / "president.jpg"
SIZE, RATE = (1280, 720), 30

DECODE = """
import sys, time, cv2
clip, count, start = cv2.VideoCapture(sys.argv[1]), 0, time.perf_counter()
while clip.read()[0]:
    count += 1
print(count / (time.perf_counter() - start))
"""
MEDIAPIPE = """
import csv, sys, time, cv2, mediapipe
mesh = mediapipe.solutions.face_mesh.FaceMesh(
    static_image_mode=False, max_num_faces=1, min_detection_confidence=0.5)
clip, count, start = cv2.VideoCapture(sys.argv[1]), 0, time.perf_counter()
with open(sys.argv[2], "w", newline="") as file:
    table = csv.writer(file)
    while True:
        read, frame = clip.read()
        if not read:
            break
        found = mesh.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).multi_face_landmarks or []
        for face in found:
            table.writerow([count, *(v for p in face.landmark for v in (p.x, p.y))])
        count += 1
print(count / (time.perf_counter() - start))
"""


def write_clip(path: Path, frames: int) -> None:
    """A portrait under a camera that sways and comes nearer and goes away."""
    picture = cv2.imread(str(PORTRAIT))
    if picture is None:
        raise SystemExit(f"{PORTRAIT} cannot be read")
    width, height = SIZE
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 3, (8, height, width, 1))
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(frames):
            t = i / RATE
            scale = width / picture.shape[1] * (1.15 + 0.15 * np.sin(0.7 * t))
            x = (width - scale * picture.shape[1]) / 2 + 60 * np.sin(0.9 * t)
            y = -scale * 0.05 * picture.shape[0] + 20 * np.sin(1.3 * t)
            view = cv2.warpAffine(
                picture, np.array([[scale, 0, x], [0, scale, y]]), SIZE, flags=cv2.INTER_LINEAR
            )
            noisy = np.clip(view + noise[i % len(noise)], 0, 255).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="bgr24")))
        out.mux(stream.encode(None))


def loop(source: Path, target: Path, times: int) -> None:
    """The same clip again and again, without encoding it anew."""
    with av.open(str(target), "w") as out:
        stream = None
        shift = 0
        for _ in range(times):
            with av.open(str(source)) as clip:
                moving = clip.streams.video[0]
                stream = stream or out.add_stream_from_template(moving)
                last = 0
                for packet in clip.demux(moving):
                    if packet.pts is None or packet.dts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
                shift += last


def told(*command: str | Path) -> float:
    """What a program says at its end."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1])


def fkp(clip: Path, out: Path, *options: str) -> float:
    """Frames a second of `fkp video`, without the start of Python, as of the peers."""
    command = [sys.executable, "-m", "fkp", "video", str(clip), "--out", str(out), "--overwrite"]
    subprocess.run([*command, *options, "-q"], check=True)
    return float(json.loads((out / "run.json").read_text())["frames_per_second"])


def memory(clip: Path, out: Path) -> tuple[float, float]:
    """Largest memory in MB of a run, and its seconds."""
    command = [sys.executable, "-m", "fkp", "video", str(clip), "--out", str(out), "--overwrite"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--no-overlays", "-q"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("fkp failed")
    return usage.ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024, (
        time.perf_counter() - started
    )


def main() -> None:
    """Print frames a second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--hour", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = given.clip or folder / "clip.mp4"
        if given.clip is None:
            write_clip(clip, given.frames)
        rounds: list[dict[str, float]] = []
        for _ in range(given.rounds):
            speeds = {"decoding by OpenCV": told(sys.executable, "-c", DECODE, clip)}
            if given.peers:
                speeds["MediaPipe"] = told(given.peers, "-c", MEDIAPIPE, clip, folder / "m.csv")
            speeds["fkp, to a table"] = fkp(clip, folder / "table", "--no-overlays")
            speeds["fkp, with overlay"] = fkp(clip, folder / "overlay")
            rounds.append(speeds)
        for name in rounds[0]:
            speed = statistics.median(r[name] for r in rounds)
            ratio = statistics.median(r["fkp, to a table"] / r[name] for r in rounds)
            print(f"{name:20} {speed:6.1f} frames a second; fkp's table {ratio:.2f} times that")
        overlay, source = folder / "overlay" / "overlay.mp4", clip
        print(f"overlay: {overlay.stat().st_size / source.stat().st_size:.2f} of the clip's size")
        if given.hour:
            loop(clip, folder / "hour.mp4", -(-90_000 // given.frames))
            for source in (clip, folder / "hour.mp4"):
                most, seconds = memory(source, folder / "memory")
                print(f"{source.name}: at most {most:.0f} MB in {seconds:.0f} s")


if __name__ == "__main__":
    main()
