"""Every figure of MODEL_CARD.md, on pictures and people that the bundled networks never saw.

usage: python -m tests.benchmarks.bundled DATA [--work build/weights] [--yunet FILE.onnx] [--mtfl]
DATA is the folder of `make weights`; its split by person is made in the work folder. Where it has
the folder `judge`, the networks are also measured against its manual labels. With --yunet, another
detector in YuNet's layout is measured in the same run. With --mtfl, so is DATA/mtfl5.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import face_scores, predict
from fkp.annotate.outcome import Annotated
from fkp.annotate.photo.cutting import FaceCutter
from fkp.bundled.make import CHECKED, WeightsConfig, prepared_samples
from fkp.keypoints import IBUG68, MTFL5, RADIUS_90
from fkp.labels.reading import read_source
from fkp.labels.store import Samples
from fkp.labels.table import ReadOptions
from fkp.learn.detector.data import load
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.score import score_detector
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.vision.crop import CropTransform
from fkp.vision.detect import WEIGHTS, Detections, YuNetDetector
from fkp.vision.haar import HaarDetector
from fkp.vision.images import Image, resized, to_gray
from fkp.vision.yunet import load_yunet
from tests.benchmarks import manual

Array = npt.NDArray[np.float64]
LONG_SIDE = 640


def enlarged(detect: Callable[[Image], Detections]) -> Callable[[Image], Detections]:
    """A detector on the picture brought to LONG_SIDE, its boxes in the picture's own pixels."""

    def on_large(image: Image) -> Detections:
        scale = LONG_SIDE / max(image.shape[:2])
        found = detect(resized(image, scale))
        boxes = (found.boxes / scale).astype(np.float32)
        return Detections(boxes, found.scores, (found.anchors + 0.5) / scale - 0.5)

    return on_large


def with_face_probability(detector: YuNetDetector, model: Model) -> Callable[[Image], Detections]:
    """Detector and keypoint network together, as `fkp annotate` has them."""

    def detect(image: Image) -> Detections:
        found = detector.detect(image)
        scores = face_scores(found.scores, face_probabilities(image, found, model))
        return Detections(found.boxes, scores, found.anchors)

    return detect


def face_probabilities(image: Image, found: Detections, model: Model) -> npt.NDArray[np.float32]:
    """What a network says of each detection in a picture, (F,)."""
    gray = to_gray(image)
    cuts = [CropTransform.framed(a, model.layout, model.size).cut(gray) for a in found.anchors]
    return model.predict(np.stack(cuts)).face if cuts else found.scores


def main_face(scene: Scene) -> Scene:
    """Only the largest face of a frame is labelled: people in the background are unknown."""
    known = np.zeros(len(scene.boxes), bool)
    known[int(scene.boxes[:, 3].argmax())] = True
    return Scene(scene.image, scene.boxes, scene.anchors, known & scene.known)


def detectors(scenes: list[Scene], frames: list[Scene], model: Model, yunet: Path | None) -> None:
    """Average precision, recall and false alarms."""
    own = YuNetDetector(min_score=0.02)
    tried: dict[str, Callable[[Image], Detections]] = {
        "fkp": own.detect,
        "fkp, 640 px": enlarged(own.detect),
        "fkp + face probability": with_face_probability(YuNetDetector(), model),
        "fkp + face probability, 640 px": enlarged(with_face_probability(YuNetDetector(), model)),
    }
    if yunet is not None:
        tried["--yunet, 640 px"] = enlarged(YuNetDetector(yunet, min_score=0.02).detect)
    if HaarDetector.available():
        tried["haar"] = HaarDetector().detect
    for place, pictures in (("scenes", scenes), ("frames", [main_face(f) for f in frames])):
        for name, detect in tried.items():
            s = score_detector(pictures, detect)
            print(
                f"{place}: {name}: AP {s.ap:.3f} on {s.faces} faces in {s.pictures} pictures; at a "
                f"score of 0.5: recall {s.recall(0.5):.3f}, precision {s.precision(0.5):.3f}, "
                f"{s.false_alarms(0.5):.3f} false alarms in a picture of {s.empty} without a face"
            )


def detector_time(paths: Sequence[Path]) -> None:
    """Milliseconds a picture of 640x480, one thread, in turn."""
    cv2.setNumThreads(1)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    networks = [load_yunet(path) for path in paths]
    seconds: list[list[float]] = [[] for _ in paths]
    for _ in range(41):
        for network, spent in zip(networks, seconds, strict=True):
            start = time.perf_counter()
            network.find(image, 0.5)
            spent.append(time.perf_counter() - start)
    for path, spent in zip(paths, seconds, strict=True):
        print(f"time: {path.name}: {1e3 * statistics.median(spent[1:]):.1f} ms")


def anchor_errors(frames: list[Scene], model: Model) -> None:
    """How far the detector's framing is from that by the labels' points."""
    detector = YuNetDetector()
    angle, scale, shift = [], [], []
    for scene in frames:
        found, truth = detector.detect(scene.image), main_face(scene)
        best = int(np.argmax(found.boxes[:, 3])) if len(found.boxes) else -1
        if best < 0 or not truth.known.any():
            continue
        size = model.size
        own = CropTransform.framed(found.anchors[best], model.layout, size)
        right = CropTransform.framed(truth.anchors[truth.known][0], model.layout, size)
        centre = np.full((1, 2), (size - 1) / 2)
        turn = np.angle(complex(own.a, own.b) / complex(right.a, right.b), deg=True)
        angle.append(turn)
        scale.append(np.log(own.scale / right.scale))
        shift.append((own.apply(right.invert(centre)) - centre)[0] / size)
    print(
        f"framing: against the machine's points, standard deviation of the angle "
        f"{np.std(angle):.1f} degrees, of the scale {100 * np.std(scale):.1f} %, of the place "
        f"{100 * np.std(shift):.1f} % of the side ({len(angle)} frames)"
    )


def crops(model: Model, samples: Samples) -> None:
    """Errors, calibration and face probability on the test people's crops."""
    part = samples.part("test")
    said = model.predict(part.crops)
    distance = np.linalg.norm(said.points - part.points, axis=2)
    outer = np.linalg.norm(part.points[:, 36] - part.points[:, 45], axis=1)[:, None]
    nme = (distance / outer).mean(1)
    inside = distance <= RADIUS_90 * said.scale
    rank = np.argsort(np.argsort(said.scale.mean(1)))
    worst = rank >= 0.9 * len(rank)
    print(
        f"crops: {len(part)} faces of {len(set(part.person))} people: "
        f"NME {100 * nme.mean():.2f} %, over 8 %: {100 * (nme > 0.08).mean():.2f} %; "
        f"90 % radius holds {100 * inside.mean():.1f} % "
        f"(points from {100 * inside.mean(0).min():.1f} to "
        f"{100 * inside.mean(0).max():.1f} %); NME of the least confident tenth "
        f"{100 * nme[worst].mean():.2f} %; face probability over 0.5: "
        f"{100 * (said.face > 0.5).mean():.2f} %"
    )


def found_faces(
    paths: list[str], model: Model, truth: Array, missed_beyond: float = 0.5
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The 68 points (N, 68, 2) of the face nearest to each picture's labels (N, 5, 2), and which
    pictures have one nearer than a share of the labels' extent.
    """
    cutter = FaceCutter(YuNetDetector(), model.layout, model.size)
    points = np.full((len(paths), 68, 2), np.nan)
    for start in range(0, len(paths), 200):
        cuts = [cutter(path) for path in paths[start : start + 200]]
        for i, result in enumerate(predict(cuts, model, AnnotateConfig()), start):
            if not isinstance(result, Annotated) or len(result.faces) == 0:
                continue
            faces = result.faces
            five = IBUG68.anchor_points(faces.points)
            away = np.linalg.norm(five - truth[i], axis=2).mean(1)
            extent = np.ptp(truth[i], axis=0).max()
            if away.min() < missed_beyond * extent:
                points[i] = faces.points[int(away.argmin())]
    return points, np.isfinite(points).all((1, 2))


def five_point_errors(name: str, points: Array, found: npt.NDArray[np.bool_], truth: Array) -> None:
    """NME of five points by the distance of the eye centres, and of failures."""
    pupil = np.linalg.norm(truth[:, 0] - truth[:, 1], axis=1)[:, None]
    error = (np.linalg.norm(IBUG68.anchor_points(points) - truth, axis=2) / pupil).mean(1)[found]
    print(
        f"{name}: {len(truth)} faces, {int((~found).sum())} missed; five points: "
        f"NME {100 * error.mean():.2f} % of the eye distance, "
        f"over 10 %: {100 * (error > 0.1).mean():.2f} %"
    )


def end_to_end(data: Path, samples: Samples, model: Model) -> None:
    """Detector, then network, on the frames of the test people, against both labels of them."""
    frames = data / "ytf68"
    people = set(samples.person[samples.split == "test"].tolist())
    table = read_source(
        frames / "training_frames_keypoints.csv", ReadOptions(scheme=IBUG68, origin=1)
    )
    names = table.images or []
    rows = [i for i, name in enumerate(names) if name.rsplit("_", 1)[0] in people]
    truth = IBUG68.anchor_points(table.points[rows])
    paths = [str(frames / "training" / names[i]) for i in rows]
    points, found = found_faces(paths, model, truth)
    five_point_errors("frames, the table's own labels", points, found, truth)
    part = samples.part("test")
    here = {Path(image).name: i for i, image in enumerate(part.image.tolist())}
    nme = []
    for path, face, ok in zip(paths, points, found, strict=True):
        at = here.get(Path(path).name)
        if at is None or not ok:
            continue
        a, b, tx, ty = part.transforms[at]
        label = CropTransform(a, b, tx, ty, part.size).invert(part.points[at])
        outer = np.linalg.norm(label[36] - label[45])
        nme.append(np.linalg.norm(face - label, axis=1).mean() / outer)
    print(
        f"frames, the labels of training: {len(nme)} faces: NME {100 * np.mean(nme):.2f} % of the "
        f"outer eye distance, over 8 %: {100 * np.mean(np.array(nme) > 0.08):.2f} %"
    )


def mtfl(data: Path, samples: Samples, model: Model) -> None:
    """Manual five points on small pictures, of people that training did not see by name."""
    table = read_source(data / "mtfl5" / "training.txt", ReadOptions())
    names = table.images or []
    known = set(samples.person[samples.split == "train"].tolist())
    for part in ("lfw_5590", "net_7876"):
        rows = [
            i
            for i, name in enumerate(names)
            if part in name and Path(name.replace("\\", "/")).stem.rsplit("_", 1)[0] not in known
        ]
        truth = MTFL5.anchor_points(table.points[rows])
        paths = [str(data / "mtfl5" / names[i].replace("\\", "/")) for i in rows]
        points, found = found_faces(paths, model, truth)
        five_point_errors(f"mtfl5 {part}, manual", points, found, truth)


def network_time(model: Model) -> None:
    """Milliseconds a face on one core, in batches of 32."""
    torch.set_num_threads(1)
    crops = np.random.default_rng(0).integers(0, 256, (256, model.size, model.size), np.uint8)
    model.predict(crops, 32)
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        model.predict(crops, 32)
        seconds.append(time.perf_counter() - start)
    print(f"time: keypoint network: {1e3 * statistics.median(seconds) / 256:.2f} ms a face")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/weights"))
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--mtfl", action="store_true")
    parser.add_argument("--model", default="bundled")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    samples = prepared_samples(WeightsConfig(given.data, given.work))
    persons = dict(zip(samples.person.tolist(), samples.split.tolist(), strict=True))
    pictures = load(given.data, persons, CHECKED)
    model = load_model(find_model(given.model))
    frames = list(pictures.test_frames.values())
    crops(model, samples)
    anchor_errors(frames, model)
    end_to_end(given.data, samples, model)
    if given.mtfl:
        mtfl(given.data, samples, model)
    detectors(list(pictures.test_scenes.values()), frames, model, given.yunet)
    if (given.data / "judge").is_dir():
        manual.report(given.data / "judge", model, YuNetDetector())
    detector_time([WEIGHTS, *([given.yunet] if given.yunet else [])])
    network_time(model)


if __name__ == "__main__":
    main()
