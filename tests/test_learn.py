"""Losses, augmentation, metrics, networks, checkpoints."""

import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file

from fkp.errors import DataError, ModelError
from fkp.keypoints import FKP4, IBUG68, KAGGLE15, MTFL5, RADIUS_90, Prediction, Scheme
from fkp.learn import metrics
from fkp.learn.augment import Augmentation, augment, draw, warp
from fkp.learn.checkpoint import Model, find_model, load_model, save_model
from fkp.learn.config import recipe
from fkp.learn.framing import Framing
from fkp.learn.inference import fold
from fkp.learn.losses import LOSSES, doubt, masked_mean, wing
from fkp.learn.networks import ARCHITECTURES, Lecture, build
from fkp.learn.team import Team
from fkp.vision.crop import UPRIGHT_LAYOUT


def test_missing_labels_take_no_part_in_a_loss() -> None:
    predicted = torch.rand(3, 4, 2, requires_grad=True)
    target = torch.rand(3, 4, 2)
    target[1, 2] = torch.nan
    target[2] = torch.nan
    for loss in LOSSES.values():
        value = masked_mean(loss, predicted, target, Team())
        known = torch.isfinite(target)
        assert torch.isclose(value, loss(predicted[known] - target[known]).mean())
        (gradient,) = torch.autograd.grad(value, predicted)
        assert (gradient[~known] == 0).all()
        assert (gradient[known] != 0).all()
    nothing = masked_mean(LOSSES["mse"], predicted, torch.full_like(target, torch.nan), Team())
    assert nothing == 0


def test_wing_is_continuous_and_bends_at_its_width() -> None:
    near = wing(torch.tensor([0.0999999, 0.1000001]))
    assert torch.isclose(near[0], near[1], atol=1e-6)
    assert wing(torch.tensor(0.0)) == 0
    far = wing(torch.tensor([0.5, 0.6]))
    assert torch.isclose(far[1] - far[0], torch.tensor(0.1), atol=1e-6)


def spots(points: torch.Tensor, size: int) -> torch.Tensor:
    """Pictures (B, 1, S, S) with a spot at the single point (B, 1, 2) of each."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    at = points[:, 0]
    square = (x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2
    return torch.exp(-square / (2 * 2.0**2))[:, None]


def centroids(images: torch.Tensor) -> torch.Tensor:
    weight = images[:, 0] / images.sum((1, 2, 3))[:, None, None]
    ramp = torch.arange(images.shape[-1])
    return torch.stack([(weight.sum(1) * ramp).sum(1), (weight.sum(2) * ramp).sum(1)], 1)


def test_labels_follow_the_warp() -> None:
    generator = torch.Generator().manual_seed(0)
    size = 64
    points = 31.5 + 12 * (2 * torch.rand(32, 1, 2, generator=generator) - 1)
    changes = draw(32, size, (0,), Augmentation(), generator)
    assert 0 < int(changes.flipped.sum()) < 32
    images, moved = warp(spots(points, size), points, changes.matrices)
    assert (moved - points).abs().max() > 5
    assert (centroids(images) - moved[:, 0]).abs().max() < 0.05


def test_a_mirrored_face_swaps_its_sides() -> None:
    generator = torch.Generator().manual_seed(0)
    still = Augmentation(rotation=0, scale=0, shift=0)
    points = torch.tensor([[[60.0, 30.0], [30.0, 30.0], [45.0, 50.0], [45.0, 70.0]]]).repeat(
        16, 1, 1
    )
    changes = draw(16, 96, FKP4.flip_order, still, generator)
    _, moved = augment(torch.rand(16, 1, 96, 96), points, FKP4.flip_order, changes)
    # Mirrored or not, the subject's left eye stays on the right of the picture.
    assert (moved[:, 0, 0] > moved[:, 1, 0]).all()
    mirrored = (moved[:, 0, 0] - 65).abs() < 1e-3  # 95 - 30
    assert 0 < int(mirrored.sum()) < 16
    assert torch.allclose(moved[~mirrored], points[~mirrored], atol=1e-3)


def test_a_scheme_without_sides_is_not_mirrored() -> None:
    generator = torch.Generator().manual_seed(0)
    still = Augmentation(rotation=0, scale=0, shift=0)
    points = torch.rand(16, 3, 2) * 64
    changes = draw(16, 64, None, still, generator)
    _, moved = augment(torch.rand(16, 1, 64, 64), points, None, changes)
    assert torch.allclose(moved, points, atol=1e-3)


def test_missing_points_stay_missing_and_pictures_stay_in_range() -> None:
    points = torch.rand(8, 4, 2) * 64
    points[:, 1] = torch.nan
    changes = draw(8, 64, None, Augmentation(), torch.Generator().manual_seed(1))
    images, moved = augment(torch.rand(8, 1, 64, 64), points, None, changes)
    assert torch.isnan(moved[:, 1]).all()
    assert torch.isfinite(moved[:, [0, 2, 3]]).all()
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.dtype == torch.float32


def test_the_lecture_network_is_the_courses() -> None:
    network = Lecture(4, 96)
    shapes = [tuple(p.shape) for p in network.parameters() if p.ndim > 1]
    assert shapes == [(6, 1, 5, 5), (16, 6, 5, 5), (32, 16, 3, 3), (8, 32 * 9 * 9)]
    assert network(torch.rand(2, 1, 96, 96)).points.shape == (2, 4, 2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [32, 50, 96])
def test_networks_take_any_size(architecture: str, size: int) -> None:
    network = build(architecture, 7, size).eval()
    output = network(torch.rand(2, 1, size, size))
    assert output.points.shape == (2, 7, 2)
    if architecture != "lecture":
        assert output.log_scale.shape == (2, 7)
        assert output.face.shape == (2,)
    with pytest.raises(ModelError, match="at least"):
        build(architecture, 7, 16)


def test_recipes() -> None:
    lecture = recipe("lecture", lr=0.5, epochs=None)
    assert (lecture.optimizer, lecture.loss, lecture.lr) == ("sgd", "mse", 0.5)
    assert lecture.augmentation is None
    assert recipe("integral").augmentation is not None
    with pytest.raises(DataError, match="expected more than 0"):
        recipe("integral", lr=-1.0)
    epochs = [recipe("integral").for_rows(rows).epochs for rows in (10, 6400, 10**6)]
    assert epochs == [300, 100, 30]
    fine = recipe("integral", init="bundled")
    assert [fine.for_rows(rows).epochs for rows in (10, 6400, 10**6)] == [60, 33, 10]
    assert fine.lr < recipe("integral").lr
    assert recipe("integral", init="bundled", lr=0.1).lr == 0.1
    assert recipe("integral", epochs=7).for_rows(6400).epochs == 7
    with pytest.raises(DataError, match="loss: expected one of"):
        recipe("integral", loss="huber")


def test_doubt_is_least_at_the_true_scale() -> None:
    # Distances of a Gamma distribution of shape 2 and scale 0.03 about the labels.
    generator = np.random.default_rng(0)
    length, angle = generator.gamma(2, 0.03, (5000, 1)), generator.uniform(0, 7, (5000, 1))
    target = torch.zeros(5000, 1, 2)
    predicted = torch.from_numpy(
        np.stack([length * np.cos(angle), length * np.sin(angle)], 2).astype(np.float32)
    )
    predicted.requires_grad_()
    tried = [0.02, 0.025, 0.03, 0.036, 0.045]
    losses = [
        float(doubt(torch.full((5000, 1), np.log(b)), predicted, target, Team())) for b in tried
    ]
    assert int(np.argmin(losses)) == 2
    # Nine in ten lie within the 90 % radius.
    assert (length < RADIUS_90 * 0.03).mean() == pytest.approx(0.9, abs=0.01)
    # Points without a label take no part, and the points learn nothing from it.
    scale = torch.zeros(5000, 1, requires_grad=True)
    target[:4000] = torch.nan
    doubt(scale, predicted, target, Team()).backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is None
    assert scale.grad is not None
    assert (scale.grad[:4000] == 0).all()


def test_confidence_is_a_probability() -> None:
    scale = np.array([[1.0, 4.0, np.nan]], np.float32)
    said = Prediction(np.zeros((1, 3, 2), np.float32), scale, np.ones(1, np.float32))
    confidence = said.confidence(RADIUS_90)
    assert confidence[0, 0] == pytest.approx(0.9, abs=1e-4)
    assert 0 < confidence[0, 1] < 0.5
    assert np.isnan(confidence[0, 2])


def test_folding_changes_nothing() -> None:
    network = build("integral", 5, 48)
    network.train()
    for _ in range(3):  # moves the batch norms' means
        network(torch.rand(8, 1, 48, 48))
    network.eval()
    crops = torch.rand(4, 1, 48, 48)
    folded = fold(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    for before, after in zip(network(crops), folded(crops), strict=True):
        assert torch.allclose(before, after, atol=1e-4)


def test_metrics_by_hand() -> None:
    labels = np.zeros((3, 4, 2))
    labels[:, 0] = [10, 0]  # left eye
    labels[:, 2] = [5, 5]
    labels[:, 3] = [5, 10]
    labels[1, 3] = np.nan
    labels[2, 0] = np.nan
    predicted = np.nan_to_num(labels) + np.array([3.0, 4.0])  # 5 pixels off everywhere
    predicted[2, 1] = labels[2, 1]
    scores = metrics.score(predicted, labels, FKP4)
    assert scores.norm == "pupil"
    assert scores.points == 10
    assert scores.mae == pytest.approx(45 / 10)
    assert scores.rmse == pytest.approx(np.sqrt(9 * 25 / 20))
    assert scores.nme == pytest.approx(0.5)  # of two faces; the third has one eye only
    assert scores.normalised == 2
    assert scores.failure == {0.08: 1.0, 0.10: 1.0}
    assert scores.count_of_point.tolist() == [2, 3, 3, 2]
    assert scores.mae_of_point == pytest.approx([5, 10 / 3, 5, 5])


def test_auc_is_the_area_under_the_error_distribution() -> None:
    labels = np.zeros((4, 4, 2))
    labels[:, 0] = [100, 0]
    predicted = labels + np.array([0.0, 2.0, 5.0, 20.0])[:, None, None] * np.array([1.0, 0.0])
    scores = metrics.score(predicted, labels, FKP4)
    steps = np.linspace(0, 0.1, 100001)
    shares = (scores.nme_of_face[None] <= steps[:, None]).mean(1)
    assert scores.auc[0.10] == pytest.approx(shares.mean(), abs=1e-4)
    assert scores.failure[0.08] == 0.25


def test_normalisers() -> None:
    points = np.random.default_rng(0).uniform(0, 90, (5, 68, 2))
    outer = metrics.normalisers(points, IBUG68, "outer")
    assert np.allclose(outer, np.linalg.norm(points[:, 36] - points[:, 45], axis=1))
    assert metrics.default_norm(IBUG68) == "outer"
    assert metrics.default_norm(KAGGLE15) == "pupil"
    assert metrics.default_norm(Scheme("x", ("a", "b"))) == "box"
    with pytest.raises(DataError, match="no outer eye corners"):
        metrics.normalisers(points[:, :5], MTFL5, "outer")
    with pytest.raises(DataError, match="no labelled points"):
        metrics.score(points, points * np.nan, IBUG68)


def model(architecture: str = "integral", scheme: Scheme = FKP4, size: int = 32) -> Model:
    torch.manual_seed(0)
    network = build(architecture, len(scheme), size).eval()
    return Model(network, architecture, scheme, size, "face", Framing(UPRIGHT_LAYOUT, "labels"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_checkpoint_says_what_it_is(tmp_path: Path, architecture: str) -> None:
    own = Scheme.from_names(["left_eye", "right_eye", "chin"])
    saved = model(architecture, own)
    save_model(tmp_path / "m.safetensors", saved)
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.scheme == own
    assert (loaded.size, loaded.crop, loaded.architecture) == (32, "face", architecture)
    assert np.array_equal(loaded.layout, UPRIGHT_LAYOUT)
    crops = np.random.default_rng(0).integers(0, 255, (5, 32, 32), np.uint8)
    # What was loaded may calculate in bf16.
    assert np.allclose(loaded.predict(crops).points, saved.predict(crops).points, atol=0.02)
    whole = load_model(tmp_path / "m.safetensors", trainable=True)
    assert np.allclose(whole.predict(crops).points, saved.predict(crops).points, atol=1e-4)
    assert np.isnan(loaded.predict(crops).face).all()
    assert loaded.predict(crops[:0]).points.shape == (0, 3, 2)
    # Batches do not change the points.
    assert np.allclose(
        loaded.predict(crops, batch=2).points, loaded.predict(crops).points, atol=0.02
    )
    with pytest.raises(ModelError, match="expected crops of 32 pixels"):
        loaded.predict(crops[:, :16, :16])


def test_a_foreign_or_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(ModelError, match="no such file"):
        load_model(path)
    path.write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="not one that fkp train wrote"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"size": 10**9}, "not sensible"),
        ({"architecture": "evil"}, "unknown architecture"),
        ({"scheme": {"name": "x"}}, "do not fit"),
        ({"layout": [[None, None]] * 5}, "do not fit"),
        ({"layout": "x"}, "do not fit"),
        ({"calibration": -1}, "calibration of -1"),
        ({"size": 64, "architecture": "lecture"}, "weights differ"),
    ],
)
def test_a_header_that_lies_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, model())
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    meta = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["fkp"])
    save_file(load_file(path), path, metadata={"fkp": json.dumps({**meta, **change})})
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_files_from_strangers_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, model("lecture"))
    good = path.read_bytes()
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])

    def write(changed: dict[str, object], body: bytes) -> None:
        text = json.dumps(changed).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + body)

    for cut in (0, 7, 8, 100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:cut])
        with pytest.raises(ModelError, match=r"not a \.safetensors"):
            load_model(path)
    path.write_bytes(pickle.dumps({"network": [1, 2, 3]}))
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    path.write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    # Ten gigabytes in the header, and not in the file.
    claim = {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10_000_000_000]}
    write({**header, "head.weight": claim}, good[8 + length :])
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    # And in a file with a hole in it, which takes no room: the shapes tell.
    write({"__metadata__": header["__metadata__"], "head.weight": claim}, b"")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + 10_000_000_000)
    tracemalloc.start()
    with pytest.raises(ModelError, match="weights differ"):
        load_model(path)
    names = [name for name in header if name != "__metadata__"]
    ends = [4 * i for i in range(len(names) + 1)]
    tiny = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [a, b]}
        for name, a, b in zip(names, ends, ends[1:], strict=False)
    }
    write({"__metadata__": header["__metadata__"], **tiny}, b"\0" * ends[-1])
    with pytest.raises(ModelError, match="expected shape"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    deep = {**header["__metadata__"], "fkp": "[" * 100_000}
    write({**header, "__metadata__": deep}, good[8 + length :])
    with pytest.raises(ModelError, match="do not fit"):
        load_model(path)
    with pytest.raises(ModelError, match="is a folder"):
        load_model(tmp_path)


def test_a_batch_that_does_not_fit_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(find_model("bundled"))
    crops = np.random.default_rng(0).integers(0, 256, (11, 112, 112)).astype(np.uint8)
    expected = model.predict(crops, batch=8)
    whole, sizes = Model._batch, []

    def small_only(
        self: Model, crops: npt.NDArray[np.uint8], least: npt.NDArray[np.float32] | None
    ) -> Prediction:
        sizes.append(len(crops))
        if len(crops) > 2:
            raise torch.OutOfMemoryError
        return whole(self, crops, least)

    monkeypatch.setattr(Model, "_batch", small_only)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    halved = model.predict(crops, batch=8)
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert np.abs(halved.points - expected.points).max() < 0.5


def test_no_points_are_looked_for_where_there_is_no_face() -> None:
    model = load_model(find_model("bundled"))
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (5, 112, 112)).astype(np.uint8)
    every = model.predict(crops)
    least = np.array([0, 2, 0, 2, 2], np.float32)
    some = model.predict(crops, least=least)
    assert np.allclose(some.face, every.face, atol=1e-3)
    assert np.isnan(some.points).all((1, 2)).tolist() == [False, True, False, True, True]
    assert np.isnan(some.scale).all(1).tolist() == [False, True, False, True, True]
    assert np.allclose(some.points[[0, 2]], every.points[[0, 2]], atol=0.5)
    assert np.isnan(model.predict(crops, least=np.full(5, 2, np.float32)).points).all()
