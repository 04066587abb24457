"""Training of the face detector, on drawn pictures."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from fkp.errors import LabelError
from fkp.labels.boxes import read_boxes
from fkp.learn.detector.canvas import CanvasMaker
from fkp.learn.detector.data import DetectorData, read_scenes, read_verdicts
from fkp.learn.detector.negatives import cut_negatives
from fkp.learn.detector.network import CHANNELS, FaceNet, export_onnx
from fkp.learn.detector.photograph import CanvasSettings
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.score import average_precision, iou, score_detector
from fkp.learn.detector.targets import FACE, IGNORED, NOTHING, assign, cells, collect, loss
from fkp.learn.detector.train import DetectorConfig, train_detector
from fkp.vision.detect import Detections

COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])
"""Of the five anchors of a drawn portrait, BGR."""


PLAIN = CanvasSettings(
    mosaic=0,
    crowd=0,
    swapped=0,
    cast=0,
    moved=0,
    coarse=0,
    covered=0,
    gray=0,
    dark=0,
    blurred=0,
    compressed=0,
    noisy=0,
    portrait=0,
    peopled=0,
    pasted=1,
)


def portrait(size: int = 160) -> Scene:
    """A gray head with five coloured anchors."""
    image = np.full((size, size, 3), 128, np.uint8)
    anchors = np.array([[64.0, 70], [96, 70], [80, 90], [68, 105], [92, 105]]) * size / 160
    for (x, y), colour in zip(anchors, COLOURS, strict=True):
        cv2.circle(image, (round(x), round(y)), size // 32, colour.tolist(), -1)
    box = np.array([[50.0, 45, 60, 80]]) * size / 160
    return Scene(image, box, anchors[None], np.ones(1, bool))


def scene(level: int = 60) -> Scene:
    """A plain picture without a face."""
    none = np.zeros((0, 4))
    image = np.full((240, 320, 3), level, np.uint8)
    return Scene(image, none, np.zeros((0, 5, 2)), np.zeros(0, bool))


def canvases(count: int, settings: CanvasSettings, size: int = 320) -> list[Scene]:
    maker = CanvasMaker([scene()], [[portrait()]], (1.0,), (False,), settings)
    rng = np.random.default_rng(0)
    return [maker.make(size, rng, np.ones(1))[0] for _ in range(count)]


def test_labels_follow_the_faces_onto_the_canvas() -> None:
    checked = 0
    for canvas in canvases(20, replace(PLAIN, smallest=60, turned=0.5)):
        for box, anchors, known in zip(canvas.boxes, canvas.anchors, canvas.known, strict=True):
            inside = ((anchors > 3) & (anchors < 316)).all(1)
            if not known or not inside.all():
                continue
            seen = canvas.image[tuple(anchors.round().astype(int).T[::-1])].astype(int)
            # Light differs from canvas to canvas; which colour is strong does not. Mirrored
            # faces have their right eye on the other side, in the colour of the left one.
            order = [0, 1, 2, 3, 4]
            strong = seen > 128
            as_drawn = (strong == (COLOURS > 0)[order]).all(1).mean()
            mirrored = (strong == (COLOURS > 0)[[1, 0, 2, 4, 3]]).all(1).mean()
            if max(as_drawn, mirrored) > 0.7:
                checked += 1
            centre = box[:2] + box[2:] / 2
            assert np.abs(anchors.mean(0) - centre).max() < 0.2 * box[3]
    assert checked > 10


def test_canvases_are_reproducible_and_use_all_they_have() -> None:
    first, second = canvases(5, CanvasSettings()), canvases(5, CanvasSettings())
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.boxes, b.boxes)
    many = canvases(30, CanvasSettings())
    heights = np.concatenate([c.boxes[:, 3] for c in many])
    assert heights.min() < 30
    assert heights.max() > 150


def test_cells_and_the_faces_that_they_answer_for() -> None:
    grid = cells(320, 320)
    assert len(grid) == 40**2 + 20**2 + 10**2
    boxes = np.array([[100.0, 100, 16, 20], [10, 10, 150, 200], [250, 20, 40, 40]])
    anchors = np.repeat((boxes[:, :2] + boxes[:, 2:] / 2)[:, None], 5, 1)
    label, box, points = assign(boxes, anchors, np.array([True, True, False]), grid)
    strides = grid[:, 2]
    small = (label == FACE) & (box[:, 3] == 20)
    large = (label == FACE) & (box[:, 3] == 200)
    assert set(strides[small]) == {8}
    assert set(strides[large]) == {32}
    centres = (grid[:, :2] + 0.5) * strides[:, None]
    assert np.abs(centres[small] - [108, 110]).max() <= 8
    assert np.array_equal(points[small][0], anchors[0])
    # All of the doubtful face is left alone, and nothing else is but middles on other levels.
    doubtful = ((centres > [250, 20]) & (centres < [290, 60])).all(1)
    assert (label[doubtful] == IGNORED).all()
    assert (label == NOTHING).mean() > 0.9
    assert (assign(boxes[:0], anchors[:0], np.zeros(0, bool), grid)[0] == NOTHING).all()


def perfect(targets_box: npt.NDArray[np.float64], label: npt.NDArray[np.int64]) -> torch.Tensor:
    """Outputs (1, N, 16) that say exactly what the targets want."""
    grid = cells(320, 320)
    output = np.zeros((len(grid), sum(CHANNELS)))
    output[:, :2] = np.where(label == FACE, 20, -20)[:, None]
    centre = targets_box[:, :2] + targets_box[:, 2:] / 2
    output[:, 2:4] = centre / grid[:, 2:] - grid[:, :2]
    with np.errstate(divide="ignore"):
        output[:, 4:6] = np.maximum(np.log(targets_box[:, 2:] / grid[:, 2:]), -10)
    points = centre[:, None] / grid[:, None, 2:] - grid[:, None, :2]
    output[:, 6:] = np.repeat(points, 5, 1).reshape(len(grid), 10)
    return torch.from_numpy(output[None]).float()


def test_the_loss_is_nothing_for_the_truth_and_grows_with_every_error() -> None:
    grid = cells(320, 320)
    boxes = np.array([[100.0, 100, 32, 40]])
    anchors = np.repeat((boxes[:, :2] + boxes[:, 2:] / 2)[:, None], 5, 1)
    parts = assign(boxes, anchors, np.ones(1, bool), grid)
    targets, tensor = collect([parts]), torch.from_numpy(grid).float()
    truth = perfect(parts[1], parts[0])
    value, wrong = loss(truth, targets, tensor)
    assert float(value) < 1e-3
    assert float(wrong[0]) < 1e-3
    for channel, change in ((0, -25.0), (1, -25.0), (2, 1.0), (4, 1.0), (6, 1.0)):
        worse = truth.clone()
        worse[..., channel] += torch.from_numpy(np.where(parts[0] == FACE, change, 0.0))
        assert float(loss(worse, targets, tensor)[0]) > float(value) + 0.05, channel
    alarm = truth.clone()
    alarm[0, 0, :2] = 20
    assert float(loss(alarm, targets, tensor)[1][0]) == pytest.approx(1, abs=1e-3)


def test_overlap_and_average_precision() -> None:
    a = np.array([[0.0, 0, 10, 10]])
    assert iou(a, np.array([[5.0, 0, 10, 10], [20, 20, 5, 5], [0, 0, 10, 10]])) == pytest.approx(
        np.array([[1 / 3, 0, 1]])
    )
    # Recall 1/4 at precision 1, 2/4 at 2/3, 3/4 at 3/5.
    hits = np.array([True, False, True, False, True])
    assert average_precision(hits, 4) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    assert average_precision(np.ones(3, bool), 3) == 1
    assert np.isnan(average_precision(hits[:0], 0))


def test_scores_of_a_detector() -> None:
    labelled = replace(portrait(), known=np.array([True]))
    doubtful = replace(portrait(), known=np.array([False]))

    def detect(image: npt.NDArray[np.uint8]) -> Detections:
        boxes = np.array([[50, 45, 60, 80], [0, 0, 20, 20]], np.float32)
        return Detections(boxes, np.array([0.9, 0.4], np.float32), np.zeros((2, 5, 2)))

    result = score_detector([labelled, doubtful, scene()], detect)
    assert (result.faces, result.pictures, result.empty) == (1, 3, 1)
    assert result.recall(0.5) == 1
    # One box on the doubtful face counts for nothing; two in the empty picture are alarms.
    assert len(result.scores) == 5
    assert result.false_alarms(0.5) == 1
    assert result.false_alarms(0.3) == 2
    assert result.precision(0.5) == 0.5


@pytest.fixture
def data() -> DetectorData:
    scenes = [scene(level) for level in (20, 120, 220)]
    return DetectorData(
        scenes, ([portrait()], [portrait(100)]), (0.5, 0.5), (False, True), {}, {}, []
    )


TINY = DetectorConfig(iterations=4, sides=(64, 96), pixels=8192, save_every=2, device="cpu")


def test_a_stopped_training_goes_on_as_if_it_had_not(tmp_path: Path, data: DetectorData) -> None:
    class StopError(Exception):
        pass

    torch.set_num_threads(1)
    whole = train_detector(TINY, data, tmp_path / "whole.state", lambda i, v, s: None)
    state = tmp_path / "stopped.state"
    real = np.random.default_rng

    def stop(seed: object) -> np.random.Generator:
        if seed == (0, 3) and not state.with_suffix(".again").exists():
            raise StopError
        return real(seed)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "default_rng", stop)
        with pytest.raises(StopError):
            train_detector(TINY, data, state, lambda i, v, s: None)
    assert torch.load(state, weights_only=True)["iteration"] == 2
    resumed = train_detector(TINY, data, state, lambda i, v, s: None)
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_forked_process_makes_the_same_canvases(tmp_path: Path, data: DetectorData) -> None:
    torch.set_num_threads(1)
    made = [
        train_detector(replace(TINY, forked=forked), data, tmp_path / f"{forked}.state", quiet)
        for forked in (False, True)
    ]
    for name, weights in made[0].state_dict().items():
        assert torch.equal(weights, made[1].state_dict()[name]), name


def quiet(iteration: int, loss: float, seconds: float) -> None:
    """Report nothing."""


def test_boxes_that_a_person_looked_at(tmp_path: Path) -> None:
    """Their verdict counts more than the scores; other boxes follow the scores."""
    (tmp_path / "images").mkdir()
    assert cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((90, 90, 3), np.uint8))
    anchors = ",".join(["20"] * 10)
    names = ["right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left"]
    columns = ",".join(f"{name}_{axis}" for name in names for axis in "xy")
    rows = [(1.5, 0.9, 0.9), (2.5, 0.9, 0.9), (3.5, 0.9, 0.9), (4.5, 0.3, 0.0), (5.5, 0.3, 0.9)]
    table = "".join(f"a.png,{x},7,30,40,{anchors},{one},{two}\n" for x, one, two in rows)
    (tmp_path / "boxes.csv").write_text(
        f"image,box_x,box_y,box_w,box_h,{columns},score,second\n{table}"
    )
    checked = tmp_path / "checked.csv"
    checked.write_text(
        "image,box_x,box_y,what\na.png,2.5,7,nothing\na.png,3.5,7,unknown\na.png,4.5,7,face\n"
    )
    boxes = read_boxes(tmp_path / "boxes.csv")
    plain = read_scenes(tmp_path / "images", boxes)["a.png"]
    assert plain.boxes[:, 0].tolist() == [1.5, 2.5, 3.5, 5.5]
    seen = read_scenes(tmp_path / "images", boxes, read_verdicts(checked))["a.png"]
    assert seen.boxes[:, 0].tolist() == [1.5, 3.5, 4.5, 5.5]
    assert seen.known.tolist() == [True, False, True, False]
    checked.write_text("image,box_x,box_y,what\na.png,2.5,7,maybe\n")
    with pytest.raises(LabelError, match="not maybe"):
        read_verdicts(checked)


def test_the_exported_network_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FaceNet().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    path = tmp_path / "faces.onnx"
    export_onnx(network, path)
    image = np.random.default_rng(0).integers(0, 256, (96, 160, 3)).astype(np.uint8)
    detector = cv2.FaceDetectorYN.create(str(path), "", (160, 96), 0.0, 1.0, 5000)
    _, rows = detector.detect(image)
    with torch.no_grad():
        maps = network(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float())
    expected = []
    for stride, part in zip((8, 16, 32), maps, strict=True):
        x = np.mgrid[: part.shape[2], : part.shape[3]][1]
        values = part[0].numpy().astype(np.float64)
        score = np.sqrt(1 / (1 + np.exp(-values[0])) / (1 + np.exp(-values[1])))
        point = (x + values[6]) * stride
        expected += list(zip(score.ravel(), point.ravel(), strict=True))
    order = np.argsort([-score for score, _ in expected])[:10]
    assert np.allclose(rows[:10, 14], [expected[i][0] for i in order], atol=1e-4)
    assert np.allclose(rows[:10, 4], [expected[i][1] for i in order], atol=0.01)


def test_negatives_keep_clear_of_faces() -> None:
    half = np.full((200, 200, 3), 50, np.uint8)
    half[:, 100:] = 250
    box = np.array([[100.0, 0, 100, 200]])
    crops = cut_negatives([Scene(half, box, np.zeros((1, 5, 2)), np.zeros(1, bool))], 32, 200, 0)
    assert len(crops) > 20
    assert np.median(crops) == 50
    assert (crops > 200).mean() < 0.05
    assert cut_negatives([], 32, 5, 0).shape == (0, 32, 32)
