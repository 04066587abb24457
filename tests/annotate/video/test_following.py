"""Faces keep their numbers: through crossing and hiding, not over a cut."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.video.run import ClipEngine
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.learn.networks.devices import single_thread
from fkp.vision.cuts import Cuts
from fkp.vision.detectors import find_detector
from fkp.vision.tracking import Spot, Track, assign, look_of, place_of, transform_at
from tests.composed import KINDS, Picture, Sprite, compose, judge
from tests.helpers import SAMPLES

HEADS = ("president", "astronaut", "vice_president", "speech", "group", "rotated_by_exif")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    with single_thread():
        yield


@pytest.fixture(scope="module")
def heads() -> list[Sprite]:
    """Six faces of the sample pictures, none of them turned away."""
    detector = find_detector("fkp")
    assert detector is not None
    found = []
    for name in HEADS:
        picture = cv2.imread(str(SAMPLES / f"{name}.jpg"))
        assert picture is not None
        image = np.asarray(picture, np.uint8)
        boxes = detector.detect(image).boxes
        assert len(boxes), name
        largest = boxes[np.argmax(boxes[:, 2] * boxes[:, 3])]
        found.append(Sprite.of(image, largest))
    return found


@pytest.fixture(scope="module")
def backgrounds() -> list[Picture]:
    """Blurred noise of some colours: textures without a face."""
    rng = np.random.default_rng(0)
    made = []
    for colour in ((90, 120, 60), (140, 110, 90), (60, 80, 130), (110, 110, 110)):
        coarse = rng.normal(0, 40, (9, 16, 3)) + colour
        made.append(np.clip(cv2.resize(coarse, (640, 360)), 0, 255).astype(np.uint8))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_composed_clips(
    kind: str,
    tmp_path: Path,
    heads: list[Sprite],
    backgrounds: list[Picture],
    one_thread: None,
) -> None:
    path = tmp_path / "clip.mp4"
    truth = compose(kind, path, heads, backgrounds, seed=1)
    engine = ClipEngine(load_model(find_model("bundled")), find_detector("fkp"), AnnotateConfig())
    results: list[Result] = []
    for chunk in engine.run(Inputs((str(path),), 0, ""), 0, lambda done, total: None):
        results += chunk.results
    found = judge(truth, [("", result) for result in results])
    assert found.idf1 >= 0.95
    assert found.switches <= 1
    assert found.missed < 0.03
    # The measure itself can fail: a face whose number changes half-way is worth half of one.
    for result in results[len(results) // 2 :]:
        if isinstance(result, Annotated):
            object.__setattr__(result, "numbers", tuple(n + 100 for n in result.numbers))
    worse = judge(truth, [("", result) for result in results])
    assert worse.idf1 < 0.95 or kind == "cuts"


def spotted(track: Track, times: list[float], x: list[float], sure: float = 0.9) -> None:
    for time, at in zip(times, x, strict=True):
        track.see(Spot(time, np.array([at + 50j, 60 + 0j]), sure))


def new_track() -> Track:
    look = np.zeros(256, np.float32)
    look[0] = 1
    return Track(np.array([0.0, 0.0, 0.7, 0.9]), 0.9, look)


def test_a_face_is_expected_on_its_way() -> None:
    track = new_track()
    times = [0.04 * i for i in range(10)]
    spotted(track, times, [100 + 5 * i for i in range(10)])
    (x, side) = track.expected(0.56)
    assert abs(x - (170 + 50j)) < 3  # five pixels a frame, and a little slower
    assert side == 60
    # Half hidden sightings that do not move say nothing.
    spotted(track, [0.40, 0.44, 0.48], [146, 146, 146], sure=0.3)
    assert abs(track.expected(0.56)[0] - (170 + 50j)) < 3
    track.forget()
    assert [s.time for s in track.spots] == [*times, 0.40, 0.44, 0.48]
    spotted(track, [5.0, 5.04, 5.08], [300, 300, 300])
    track.forget()
    assert [s.time for s in track.spots] == [5.0, 5.04, 5.08]
    track.lose(5.08)
    assert track.last.time == 5.04


def test_the_best_assignment_is_found() -> None:
    one, other = new_track(), new_track()
    spotted(one, [0, 0.04, 0.08], [100, 100, 100])
    spotted(other, [0, 0.04, 0.08], [130, 130, 130])
    places = [np.array([128 + 50j, 60 + 0j]), np.array([99 + 50j, 61 + 0j])]
    looks = [one.look, one.look]
    assert assign([one, other], places, looks, 0.12) == {0: 1, 1: 0}
    far = [np.array([400 + 50j, 60 + 0j]), np.array([100 + 50j, 200 + 0j])]
    assert assign([one, other], far, looks, 0.12) == {}
    assert assign([], places, looks, 0.12) == {}


def test_places_and_transforms_are_each_other_s_inverse() -> None:
    place = np.array([120.5 + 80.25j, 50 + 12j])
    assert np.allclose(place_of(transform_at(place, 112)), place)
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 255, (112, 112)).astype(np.uint8)
    look = look_of(crop)
    assert abs(np.linalg.norm(look) - 1) < 1e-5
    assert abs(look.mean()) < 1e-5
    brighter = np.clip(crop // 2 + 60, 0, 255).astype(np.uint8)
    assert look @ look_of(brighter) > 0.99


def test_cuts_are_seen_and_pans_are_not() -> None:
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 255, (12, 60)).astype(np.uint8), (1800, 360))
    other = cv2.resize(rng.integers(0, 255, (12, 20)).astype(np.uint8), (640, 360))
    cuts = Cuts()
    views = [wide[:, 12 * i : 12 * i + 640] for i in range(30)]  # a fast turn of the camera
    assert [cuts.at(np.asarray(view)) for view in views] == [True] + [False] * 29
    assert not cuts.at(np.asarray(views[-1]))
    assert cuts.at(np.asarray(other, np.uint8))
    assert not cuts.at(np.asarray(other, np.uint8))
