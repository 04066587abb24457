"""fkp as a library."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import fkp
from fkp.errors import DataError, ImageError, ModelError
from fkp.keypoints import IBUG68
from fkp.learn.training.augment import AUGMENTATIONS
from tests.helpers import write_course


def test_a_picture_from_a_file_and_from_memory(samples: Path) -> None:
    network = fkp.load()
    assert network.scheme is IBUG68
    path = samples / "astronaut.jpg"
    (of_file,) = [network.annotate(path)]
    image = cv2.imread(str(path))
    assert image is not None
    of_array = network.annotate(np.asarray(image, np.uint8))
    assert len(of_file) == len(of_array) == 1
    size = float(of_file.boxes[0, 2])
    assert np.abs(of_file.points - of_array.points).max() < 0.02 * size
    assert of_array.confidence.mean() > 0.5
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert len(network.annotate(np.asarray(gray, np.uint8))) == 1
    assert len(network.annotate(np.zeros((64, 64, 3), np.uint8))) == 0
    both = list(network.annotate_files([path, samples / "README.md"]))
    assert isinstance(both[1], str)
    with pytest.raises(ImageError, match="expected uint8"):
        network.annotate(np.zeros((64, 64, 4), np.uint8))
    with pytest.raises(ImageError, match=r"README\.md: "):
        network.annotate(samples / "README.md")


def test_crops_without_a_detector() -> None:
    network = fkp.load(detector=None)
    crop = np.load(Path(fkp.__file__).parent / "weights" / "crops.npy")[0]
    faces = network.annotate(crop)
    assert len(faces) == 1
    direct = network.model.predict(crop[None]).points[0]
    assert np.abs(faces.points[0] - direct).max() < 0.5
    with pytest.raises(DataError, match="detector haar"):
        fkp.load(detector="haar")
    with pytest.raises(ModelError, match="no such file"):
        fkp.load("nothing.safetensors")


def test_training_and_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FKP_CACHE", str(tmp_path / "cache"))
    write_course(tmp_path, 40, persons=20)
    data = tmp_path / "labels.csv"
    model = fkp.train(data, tmp_path / "run", arch="lecture", epochs=2, aug="light", lr="auto")
    assert model.training["augmentation"] is not None
    assert AUGMENTATIONS["light"] is not None
    assert 1e-4 < float(str(model.training["lr"])) < 5
    result = fkp.evaluate(tmp_path / "run" / "best.safetensors", data, "val")
    assert result.scores.rmse == pytest.approx(model.scores["val_rmse"], rel=1e-3)
    with pytest.raises(DataError, match="aug: expected one of"):
        fkp.train(data, tmp_path / "other", aug="much")
    with pytest.raises(DataError, match="unknown training settings: colour"):
        fkp.train(data, tmp_path / "other", colour="red")


def test_importing_fkp_is_quick() -> None:
    code = (
        "import sys, fkp; fkp.__version__; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute nothing"):
        _ = fkp.nothing
