"""Photographs looked at turned, closely and in parts; each face once."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.outcome import Annotated
from fkp.annotate.photo.cutting import Cut, FaceCutter
from fkp.keypoints import MTFL5, Faces
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.detect import Detections, YuNetDetector, needed, search
from fkp.vision.images import Image, read_image
from fkp.vision.looks import Found, distinct, look, tiles
from fkp.vision.yunet import YuNet
from tests.helpers import SAMPLES

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def network() -> Model:
    """The bundled network."""
    return load_model(find_model("bundled"))


@pytest.fixture(scope="module")
def portrait() -> Image:
    """A face of about 95 x 125 pixels in the middle of 256 x 256."""
    return np.ascontiguousarray(read_image(SAMPLES / "astronaut.jpg")[:256, 90:346])


def annotated(image: Image, network: Model, detector: YuNetDetector | None = None) -> Faces:
    cutter = FaceCutter(detector or YuNetDetector(), network.layout, network.size)
    (result,) = predict([cutter.cut_image(image)], network, AnnotateConfig())
    assert isinstance(result, Annotated)
    return result.faces


def turned(image: Image, quarters: int) -> Image:
    """Clockwise."""
    return np.ascontiguousarray(np.rot90(image, -quarters))


def turned_points(points: npt.NDArray[np.floating], quarters: int, image: Image) -> Array:
    """Where points (..., 2) of a picture are when it is turned clockwise."""
    height, width = image.shape[:2]
    x, y = points[..., 0].astype(float), points[..., 1].astype(float)
    for _ in range(quarters):
        x, y = height - 1 - y, x
        height, width = width, height
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_portrait_is_found_where_it_is(
    network: Model, portrait: Image, quarters: int
) -> None:
    upright = annotated(portrait, network)
    faces = annotated(turned(portrait, quarters), network)
    assert upright.rotation.tolist() == [0]
    assert faces.rotation.tolist() == [90 * quarters]
    where = turned_points(upright.points[0], quarters, portrait)
    eyes = MTFL5.anchor_points(upright.scheme.convert(upright.points, MTFL5))[0, :2]
    distance = np.linalg.norm(eyes[1] - eyes[0])
    assert np.abs(faces.points[0] - where).max() < 0.03 * distance
    corners = turned_points(
        np.stack([upright.boxes[0, :2], upright.boxes[0, :2] + upright.boxes[0, 2:]]),
        quarters,
        portrait,
    )
    box = np.concatenate([corners.min(0), np.ptp(corners, axis=0)])
    assert np.abs(faces.boxes[0] - box).max() < 0.06 * box[2:].max()


class Marks:
    """Finds each white pixel of a picture: a face of one pixel."""

    sides = None

    def find(self, image: Image, least: float) -> tuple[Array, Array, Array]:
        y, x = np.nonzero(image[:, :, 0] == 255)
        boxes = np.stack([x, y, np.ones(len(x)), np.ones(len(x))], axis=1).astype(float)
        points = np.repeat((boxes[:, :2] + 0.5)[:, None], 5, axis=1)
        return boxes, np.full(len(x), 0.9), points


@pytest.mark.parametrize("margin", [0, 7])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_what_a_look_finds_is_in_the_pixels_of_the_picture(quarters: int, margin: int) -> None:
    image = np.zeros((50, 80, 3), np.uint8)
    image[13, 62] = 255
    found = look(Marks(), image, 0.5, quarters, margin)  # type: ignore[arg-type]
    assert found.boxes.tolist() == [[62, 13, 1, 1]]
    assert found.points[0].tolist() == [[62.5, 13.5]] * 5


def test_the_side_of_a_face_tells_its_rotation() -> None:
    upright = np.array([[30, 40], [60, 40], [45, 55], [33, 70], [57, 70]], float)
    angles = np.radians([0, 40, 50, 90, 130, 140, 180, 230, 310, 320])
    points = []
    for angle in angles:
        c, s = np.cos(angle), np.sin(angle)
        points.append(upright @ np.array([[c, s], [-s, c]]))
    points.append(np.full((5, 2), np.nan))
    points.append(np.where(np.arange(5)[:, None] < 2, upright, np.nan))
    f = len(points)
    nothing = np.zeros((f, 4), np.float32), np.zeros(f, np.float32)
    sure = np.ones((f, 5), np.float32)
    faces = Faces(MTFL5, *nothing, np.array(points, np.float32), sure)
    expected = [0, 0, 90, 90, 90, 180, 180, 270, 270, 0, np.nan, 0]
    assert np.array_equal(faces.rotation, np.array(expected, np.float32), equal_nan=True)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The sizes of the pictures that the network sees from now on."""
    sizes: list[tuple[int, ...]] = []
    real = YuNet.find

    def find(self: YuNet, image: Image, least: float) -> tuple[Array, Array, Array]:
        sizes.append(image.shape[:2])
        return real(self, image, least)

    monkeypatch.setattr(YuNet, "find", find)
    return sizes


def test_a_photograph_with_a_face_is_looked_at_once(
    portrait: Image, counted: list[tuple[int, ...]]
) -> None:
    detector = YuNetDetector()
    assert detector.search(portrait).scores[0] > 0.9
    assert counted == [(512, 512)]
    counted.clear()
    detector.detect(turned(portrait, 1))  # a frame is not turned
    assert (512, 512) in counted[:1]
    assert len(counted) <= 2


def test_the_search_is_the_detector_s_own_or_any_other_s(portrait: Image) -> None:
    class Mine:
        name = "mine"
        det_size = 320

        def detect(self, image: Image) -> Detections:
            box = np.array([[10, 20, 30, 40]], np.float32)
            return Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2)))

    assert needed(Mine(), 8000, 6000) == 320
    assert search(Mine(), portrait, 4).boxes.tolist() == [[41.5, 81.5, 120, 160]]
    assert needed(YuNetDetector(), 4000, 3000) == 640
    assert needed(YuNetDetector(), 20_000, 1000) == 2500
    assert needed(YuNetDetector(min_face=24), 4000, 3000) == pytest.approx(2667, abs=1)


def wide(portrait: Image, size: tuple[int, int], side: int, count: int) -> tuple[Image, Array]:
    """A picture (width, height) with portraits of which the face is `side` pixels high, and the
    centres (count, 2) of the faces.
    """
    rng = np.random.default_rng(0)
    width, height = size
    noise = rng.integers(60, 120, (height // 8, width // 8, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(noise, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    factor = side / 126
    small = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    h, w = small.shape[:2]
    columns = rng.permutation((width - w) // (w + 8))[:count]
    places = np.stack([columns * (w + 8), rng.integers(0, height - h, count)], axis=1)
    for x, y in places:
        image[y : y + h, x : x + w] = small
    return image, places + np.array([134, 115]) * factor


@pytest.mark.parametrize(
    ("size", "side", "least"), [((8000, 400), 150, 0.0), ((4000, 480), 26, 20.0)]
)
def test_small_faces_in_a_large_picture(
    tmp_path: Path, portrait: Image, size: tuple[int, int], side: int, least: float
) -> None:
    image, centres = wide(portrait, size, side, 12)
    assert cv2.imwrite(str(tmp_path / "x.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    network = load_model(find_model("bundled"))
    cutter = FaceCutter(YuNetDetector(min_face=least), network.layout, network.size)
    (result,) = predict([cutter(str(tmp_path / "x.jpg"))], network, AnnotateConfig())
    assert isinstance(result, Annotated)
    boxes = result.faces.boxes.astype(float)
    away = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - centres[:, None]).max(2)  # (12, F)
    assert ((away < side / 3).sum(1) == 1).all()
    assert len(boxes) == 12
    assert result.note == ""


def test_large_faces_are_found_beside_small_ones(portrait: Image, network: Model) -> None:
    image = np.full((1000, 2400, 3), 90, np.uint8)
    image[:400], _ = wide(portrait, (2400, 400), 40, 4)
    image[450:962, 200:712] = cv2.resize(portrait, (512, 512))
    faces = annotated(image, network, YuNetDetector(min_face=24))
    assert len(faces) == 5
    assert faces.boxes[:, 3].max() == pytest.approx(252, rel=0.1)


def test_a_bound_on_the_work_is_said(portrait: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fkp.vision.detect.MOST_PIXELS", 300_000)
    image, _ = wide(portrait, (2400, 400), 100, 2)
    found = YuNetDetector(min_face=20).search(image)
    assert found.note == "too large to be searched for faces smaller than 29 pixels"
    assert found.smallest == pytest.approx(16 / np.sqrt(300_000 / 960_000))
    assert YuNetDetector(min_face=40).search(image).note == ""


def test_a_large_picture_without_a_face_says_what_was_looked_for(
    tmp_path: Path, network: Model
) -> None:
    for width, note in ((600, ""), (3000, "faces of less than 75 pixels were not looked for")):
        gray = np.full((width // 2, width, 3), 120, np.uint8)
        assert cv2.imwrite(str(tmp_path / "x.png"), gray)
        cutter = FaceCutter(YuNetDetector(), network.layout, network.size)
        (result,) = predict([cutter(str(tmp_path / "x.png"))], network, AnnotateConfig())
        assert isinstance(result, Annotated)
        assert result.note == note


def test_small_faces_of_a_reduced_picture_are_left_out_by_their_whole_size(
    tmp_path: Path, samples: Path
) -> None:
    large = cv2.resize(read_image(samples / "astronaut.jpg"), (2600, 2600))
    assert cv2.imwrite(str(tmp_path / "x.jpg"), large)
    for least, count in ((500, 1), (700, 0)):
        cut = FaceCutter(YuNetDetector(min_face=least), UPRIGHT_LAYOUT, 48)(str(tmp_path / "x.jpg"))
        assert isinstance(cut, Cut)
        assert len(cut.boxes) == count


@pytest.mark.parametrize(
    ("length", "side", "overlap"),
    [(100, 100, 20), (101, 100, 20), (1000, 100, 20), (999, 320, 128), (5001, 640, 128)],
)
def test_tiles_cover_all_and_overlap(length: int, side: int, overlap: int) -> None:
    starts = [x for x, _ in tiles(length, 10, side, overlap)]
    assert starts[0] == 0
    assert starts[-1] == max(0, length - side)
    assert all(b - a <= side - overlap for a, b in pairwise(starts))


SAME: dict[str, tuple[list[float], list[float], int]] = {
    "the inner face of a close-up": ([0, 0, 100, 130], [25, 40, 50, 65], 1),
    "a face around a face": ([25, 40, 50, 65], [0, 0, 100, 130], 1),
    "an eye": ([0, 0, 100, 130], [15, 35, 25, 25], 1),
    "a shifted face": ([0, 0, 100, 130], [30, 30, 95, 125], 1),
    "cheek to cheek": ([0, 0, 100, 130], [80, 10, 90, 120], 2),
    "a baby before a shoulder": ([0, 0, 100, 130], [70, 90, 60, 75], 2),
    "a child before a chin": ([0, 0, 100, 130], [15, 110, 70, 90], 2),
    "a face behind an ear": ([0, 0, 100, 130], [82, 5, 24, 30], 2),
}


@pytest.mark.parametrize("kind", SAME)
def test_a_face_is_there_once(kind: str) -> None:
    better, other, count = SAME[kind]
    kept = distinct(np.array([other, better]), np.array([0.5, 0.9]))
    assert kept.tolist() == [1, 0][:count]


def test_no_faces_stay_none() -> None:
    assert len(distinct(np.zeros((0, 4)), np.zeros(0))) == 0
    assert Found.none().best == 0


def test_of_a_face_cut_out_twice_the_better_one_counts(portrait: Image, network: Model) -> None:
    detector = YuNetDetector()
    cutter = FaceCutter(detector, network.layout, network.size)
    upright = cutter.cut_image(portrait)
    anchors = detector.search(portrait).anchors[0, [4, 3, 2, 1, 0]]  # as if it were upside down
    wrong = CropTransform.framed(anchors, network.layout, network.size)
    twice = replace(
        upright,
        crops=np.stack([wrong.cut(portrait[:, :, 1]), upright.crops[0]]),
        transforms=[wrong, upright.transforms[0]],
        boxes=np.repeat(upright.boxes, 2, axis=0),
        scores=np.array([0.9, 0.9], np.float32),
    )
    (result,) = predict([twice], network, AnnotateConfig(min_score=0))
    assert isinstance(result, Annotated)
    assert result.faces.rotation.tolist() == [0]
