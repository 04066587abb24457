"""`fkp annotate` against the loops that one would write otherwise, in one run, and its limits.

usage: python -m tests.benchmarks.annotate_photos [--rounds 5] [--peers PYTHON] [--photos FOLDER]
--peers: the Python of an environment with mediapipe==0.10.21 or dlib-bin and
face_recognition_models, where their loops run. --photos: FOLDER/large and FOLDER/small instead of
the pictures that are made from sample_images/. A ratio is the median of the rounds' ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.crop import CropTransform
from fkp.vision.haar import HaarDetector
from fkp.vision.images import to_gray

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"
GROUP = SAMPLES / "group.jpg"
PORTRAITS = tuple(SAMPLES / f"{name}.jpg" for name in ("president", "vice_president", "astronaut"))

PEER = """
import sys, time, cv2
name, paths = sys.argv[1], sys.argv[2:]
if name == "mediapipe":
    import mediapipe
    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=5, min_detection_confidence=0.5)
    run = lambda image: mesh.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
else:
    import dlib, face_recognition_models
    detect = dlib.get_frontal_face_detector()
    predict = dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
    def run(image):
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return [predict(rgb, box) for box in detect(rgb, 0)]
run(cv2.imread(paths[0]))
start = time.perf_counter()
for path in paths:
    run(cv2.imread(path))
print(len(paths) / (time.perf_counter() - start))
"""


POOL = """
import sys, time, multiprocessing, cv2
cv2.setNumThreads(1)
mesh = None
def begin():
    global mesh
    import mediapipe
    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=5, min_detection_confidence=0.5)
def work(path):
    found = mesh.process(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB))
    return len(found.multi_face_landmarks or [])
if __name__ == "__main__":
    processes, paths = int(sys.argv[1]), sys.argv[2:]
    with multiprocessing.Pool(processes, begin) as pool:
        pool.map(work, paths[: 4 * processes], 1)  # each process has loaded its models
        start = time.perf_counter()
        faces = sum(pool.imap(work, paths, 8))
        seconds = time.perf_counter() - start
    print(faces / len(paths), len(paths) / seconds)
"""
"""MediaPipe on all cores, as one writes it: prints faces a picture and pictures a second."""

PARENT = """
import json, resource, sys, fkp
fkp.annotate(sys.argv[1], sys.argv[2], overlays=False, overwrite=True, jobs=2)
alone = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
fkp.annotate(sys.argv[1], sys.argv[2], overlays=False, overwrite=True, jobs=2)
parent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - alone
facts = json.load(open(sys.argv[2] + "/run.json"))
stages = ("decode", "detect", "crop", "network")
print(facts["inputs"], parent, sum(facts["seconds"][stage] for stage in stages))
"""
"""Of a second run, whose two workers are there already: pictures, processor seconds of the parent,
seconds of the workers."""


def write_portraits(folder: Path, count: int) -> None:
    """Pictures of 640x480 with one face each, shifted and noisy."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pictures = [cv2.imread(str(path)) for path in PORTRAITS]
    for i in range(count):
        picture = pictures[i % len(pictures)]
        if picture is None:
            raise SystemExit(f"{PORTRAITS[i % len(pictures)]} cannot be read")
        height, width = picture.shape[:2]
        scale = max(480 / height, 320 / width) * rng.uniform(1, 1.3)
        x, y = (640 - scale * width) / 2 + rng.uniform(-30, 30), rng.uniform(-20, 0)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        view = cv2.warpAffine(picture, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        noise = cv2.GaussianBlur(rng.normal(0, 6, (480, 640, 3)), (0, 0), 0.8)
        cv2.imwrite(str(folder / f"{i:05d}.jpg"), np.clip(view + noise, 0, 255).astype(np.uint8))


def write_photos(folder: Path, count: int, width: int) -> None:
    """Shifted, noisy views of the group picture, as from a camera."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    group = cv2.imread(str(GROUP))
    if group is None:
        raise SystemExit(f"{GROUP} cannot be read")
    for i in range(count):
        x, y = rng.integers(0, group.shape[1] - 720), rng.integers(0, 20)
        view = cv2.resize(group[y : y + 540, x : x + 720], (width, width * 3 // 4))
        noise = rng.normal(0, 4, (width // 4 * 3 // 4, width // 4, 3))
        noisy = view + cv2.resize(noise, view.shape[1::-1])
        cv2.imwrite(str(folder / f"{i:05d}.jpg"), np.clip(noisy, 0, 255).astype(np.uint8))


def multiplied(source: Path, target: Path, count: int) -> Path:
    """A folder of `count` links to the pictures of another, for a long run."""
    target.mkdir(exist_ok=True)
    pictures = sorted(source.glob("*.jpg"))
    for i in range(count):
        link = target / f"{i:05d}.jpg"
        if not link.is_symlink():
            link.symlink_to(pictures[i % len(pictures)].resolve())
    return target


def decoding(paths: Sequence[str]) -> float:
    """Pictures a second that are merely read."""
    start = time.perf_counter()
    for path in paths:
        cv2.imread(path)
    return len(paths) / (time.perf_counter() - start)


def one_by_one(paths: Sequence[str]) -> float:
    """Pictures a second of the course's loop: OpenCV's cascade at full size, one crop at a time."""
    detector, network = HaarDetector(det_size=100_000), load_model(find_model("bundled"))
    start = time.perf_counter()
    for path in paths:
        image = np.asarray(cv2.imread(path), np.uint8)
        for anchors in detector.detect(image).anchors:
            crop = CropTransform.framed(anchors, network.layout, network.size)
            crop.invert(network.predict(to_gray(crop.cut(image))[None]).points[0])
    return len(paths) / (time.perf_counter() - start)


def peer(python: str, name: str, paths: Sequence[str]) -> float:
    """Pictures a second of another library's loop."""
    done = subprocess.run(
        [python, "-c", PEER, name, *paths], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def pool(python: str, paths: Sequence[str], processes: int = 2) -> tuple[float, float]:
    """Faces a picture and pictures a second of a pool of processes around MediaPipe."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(POOL)
        script.flush()
        done = subprocess.run(
            [python, script.name, str(processes), *paths],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    faces, rate = done.stdout.split()[-2:]
    return float(faces), float(rate)


def parent_and_workers(folder: Path, out: Path) -> tuple[float, float]:
    """Pictures a second that the parent of any number of workers can serve, by its own processor
    time, and that one worker does.
    """
    command = [sys.executable, "-c", PARENT, str(folder), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    pictures, parent, workers = map(float, done.stdout.split()[-3:])
    return pictures / parent, pictures / workers


def faces_each(out: Path) -> float:
    """Faces a picture of the last run of `annotate` there."""
    facts = json.loads((out / "run.json").read_text())
    return float(facts["faces"]) / float(facts["inputs"])


def annotate(folder: Path, out: Path, *options: str) -> float:
    """Pictures a second of `fkp annotate`, its start left out as the loops' is."""
    command = [sys.executable, "-m", "fkp", "annotate", str(folder), "--out", str(out)]
    subprocess.run([*command, "--overwrite", "-q", *options], check=True)
    return float(json.loads((out / "run.json").read_text())["inputs_per_second"])


def table(
    title: str, loops: dict[str, Callable[[], float]], own: dict[str, Callable[[], float]], n: int
) -> None:
    """All of them in turn, n times: rates, and the ratios of ours to the loops."""
    rates: dict[str, list[float]] = {name: [] for name in (*loops, *own)}
    for _ in range(n):
        for name, measure in {**loops, **own}.items():
            rates[name].append(measure())
    print(f"\n{title}: pictures a second, and times the loops' rate")
    print("".join(f"{name:>26}" for name in ("", *loops)))
    print(f"{'':26}" + "".join(f"{statistics.median(rates[name]):26.1f}" for name in loops))
    for name in own:
        ratios = [
            statistics.median(a / b for a, b in zip(rates[name], rates[loop], strict=True))
            for loop in loops
        ]
        line = "".join(f"{ratio:25.2f}x" for ratio in ratios)
        print(f"{name:>18}{statistics.median(rates[name]):8.1f}{line}")


def memory(folder: Path, out: Path, jobs: int) -> float:
    """The most that all processes hold together, MB (each shared page counted once)."""
    command = [sys.executable, "-m", "fkp", "annotate", str(folder), "--out", str(out)]
    run = subprocess.Popen([*command, "--overwrite", "-q", "--jobs", str(jobs)])
    most = 0.0
    while run.poll() is None:
        most = max(most, sum(_share(pid) for pid in _family(run.pid)))
        time.sleep(0.1)
    return most


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [pid, *(p for child in children.read_text().split() for p in _family(int(child)))]
    except OSError:  # it has ended
        return []


def _share(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def limits(small: Path, out: Path) -> None:
    """Start, workers and memory."""
    one = [str(next(iter(sorted(small.iterdir()))))]
    start = time.perf_counter()
    annotate(Path(one[0]), out, "--no-overlays")
    print(f"\nstart to the end of one picture: {time.perf_counter() - start:.1f} s")
    few = multiplied(small, out.parent / "few", 200)
    many = multiplied(small, out.parent / "many", 5000)
    rates = [annotate(many, out, "--no-overlays", "--jobs", str(jobs)) for jobs in (1, 2)]
    print(f"two workers: {rates[1] / rates[0]:.2f} times one")
    held = [memory(few, out, 2), memory(many, out, 2), memory(few, out, 3)]
    print(
        f"memory: {held[0]:.0f} MB for 200 pictures, {held[1]:.0f} MB for 5000, "
        f"{held[2] - held[0]:.0f} MB for a third worker"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", help="a Python")
    parser.add_argument("--photos", type=Path)
    given = parser.parse_args()
    print(f"{os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as temporary:
        work, out = Path(temporary), Path(temporary) / "out"
        photos = given.photos or work
        if given.photos is None:
            write_photos(work / "large", 16, 4000)
            write_photos(work / "small", 120, 640)
        for kind, count, loop_count in (("large", 480, 24), ("small", 2400, 240)):
            folder = photos / kind
            paths = [str(p) for p in sorted(folder.glob("*.jpg"))[:loop_count]]
            loops: dict[str, Callable[[], float]] = {"decode": lambda p=paths: decoding(p)}  # type: ignore[misc]
            if HaarDetector.available() and kind == "small":
                loops["haar"] = lambda p=paths: one_by_one(p[:40])  # type: ignore[misc]
            for name in ("mediapipe", "dlib") if given.peers else ():
                loops[name] = lambda n=name, p=paths: peer(given.peers, n, p[:120])  # type: ignore[misc]
            many = multiplied(folder, work / f"many {kind}", count)
            own = {
                "table": ("--no-overlays",),
                "table, det 320": ("--no-overlays", "--det-size", "320"),
                "overlays": (),
            }
            ours = {name: lambda o=o, m=many: annotate(m, out, *o) for name, o in own.items()}
            table(kind, loops, ours, given.rounds)  # type: ignore[arg-type]
        limits(photos / "small", out)


if __name__ == "__main__":
    main()
