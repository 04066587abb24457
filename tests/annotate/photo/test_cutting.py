"""Reading as little of a picture as its faces need."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.photo.cutting import Cut, FaceCutter
from fkp.keypoints import IBUG68, Faces
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.detect import Detections, YuNetDetector
from fkp.vision.images import Encoded, Image, read_image


def write_large(path: Path, samples: Path, width: int, shift: int = 0) -> None:
    """A sample portrait as a large JPEG, with grain."""
    image = read_image(samples / "president.jpg")
    factor = width / image.shape[1]
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    canvas = np.full((large.shape[0] + shift, large.shape[1] + shift, 3), 90, np.uint8)
    canvas[shift:, shift:] = large
    grain = np.random.default_rng(0).normal(0, 4, canvas.shape)
    assert cv2.imwrite(str(path), np.clip(canvas + grain, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def network() -> Model:
    """The bundled network."""
    return load_model(find_model("bundled"))


def faces(path: Path, network: Model) -> Faces:
    cutter = FaceCutter(YuNetDetector(), network.layout, network.size)
    (result,) = predict([cutter(str(path))], network, AnnotateConfig())
    assert isinstance(result, Annotated)
    return result.faces


def test_reduced_decoding_moves_no_point(
    tmp_path: Path, samples: Path, network: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.jpg"
    write_large(path, samples, 2800)
    assert Encoded.read(path).reduction(640) == 4
    reduced = faces(path, network)
    monkeypatch.setattr(Encoded, "reduction", lambda self, needed: 1)
    whole = faces(path, network)
    assert len(reduced) == len(whole) == 1
    eyes = IBUG68.anchor_points(whole.points)[0, :2]
    away = np.linalg.norm(reduced.points - whole.points, axis=2).mean()
    assert away < 0.003 * np.linalg.norm(eyes[1] - eyes[0])
    assert np.abs(reduced.boxes - whole.boxes).max() < 0.02 * whole.boxes[0, 3]


class Fixed:
    """A detector that finds one face of a given size, wherever."""

    name = "fixed"
    det_size = 100

    def __init__(self, share: float) -> None:
        self.share = share

    def detect(self, image: Image) -> Detections:
        side = self.share * image.shape[1]
        anchors = UPRIGHT_LAYOUT[None] * side - 0.5
        box = np.array([[0, 0, side, side]], np.float32)
        return Detections(box, np.ones(1, np.float32), anchors)


@pytest.mark.parametrize(("share", "factor"), [(0.9, 8), (0.2, 8), (0.1, 4), (0.02, 1)])
def test_small_faces_are_cut_from_a_larger_picture(
    tmp_path: Path, share: float, factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.linspace(0, 255, 1600).astype(np.uint8)
    picture = np.repeat(np.repeat(ramp[None], 1600, 0)[:, :, None], 3, 2)
    path = tmp_path / "ramp.jpg"
    assert cv2.imwrite(str(path), picture)
    decoded: list[int] = []
    real = Encoded.decode

    def decode(self: Encoded, factor: int = 1, gray: bool = False) -> Image:
        decoded.append(factor)
        return real(self, factor, gray)

    monkeypatch.setattr(Encoded, "decode", decode)
    cut = FaceCutter(Fixed(share), UPRIGHT_LAYOUT, 48)(str(path))
    assert isinstance(cut, Cut)
    assert decoded[0] == 8
    assert decoded[-1] == factor
    # The transform is from pixels of the whole picture: the ramp's gray values tell where it looks.
    at = cut.transforms[0].invert(np.array([[24.0, 24.0]]))[0, 0]
    assert cut.crops[0, 24, 24] == pytest.approx(at / 1599 * 255, abs=2)


def test_a_crop_from_a_reduced_picture_is_the_same_crop() -> None:
    whole = CropTransform(0.03, 0.01, 5.0, -7.0, 64)
    points = np.array([[100.0, 250.0], [0.0, 0.0], [731.5, 4.25]])
    for factor in (1, 2, 4, 8):
        reduced = (points - (factor - 1) / 2) / factor
        assert np.allclose(whole.reduced(factor).apply(reduced), whole.apply(points))


def test_only_a_jpeg_is_reduced(tmp_path: Path) -> None:
    picture = np.zeros((2000, 3000, 3), np.uint8)
    for name, factors in (("a.jpg", (4, 1)), ("a.png", (1, 1))):
        assert cv2.imwrite(str(tmp_path / name), picture)
        encoded = Encoded.read(tmp_path / name)
        assert (encoded.reduction(640), encoded.reduction(2000)) == factors
        assert encoded.decode(factors[0]).shape[1] == 3000 // factors[0]


def test_a_failure_has_its_reason(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    result = FaceCutter(None, UPRIGHT_LAYOUT, 48)(str(tmp_path / "x.jpg"))
    assert result == Failure("empty file (0 bytes)")
