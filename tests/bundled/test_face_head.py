"""The part of a network that says whether a crop is a face."""

from pathlib import Path

import numpy as np
import pytest

from fkp.bundled.face_head import fit_face_head
from fkp.errors import ModelError
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import read_samples
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import recipe
from fkp.learn.training.loop import Listener, train
from tests.helpers import write_course


def test_the_face_head_tells_faces_from_other_things(tmp_path: Path) -> None:
    write_course(tmp_path, 80, persons=40)
    prepare(
        PrepareConfig((tmp_path / "labels.csv",), tmp_path / "data.csv", size=48),
        lambda done, total: None,
    )
    samples = read_samples(tmp_path / "data.csv")
    framing = measure_framing(samples, None)
    model = train(recipe("integral", epochs=4, batch=16), samples, framing, Listener())
    others = np.random.default_rng(0).integers(0, 255, (60, 48, 48), np.uint8)
    before = model.predict(samples.crops[:5]).points
    faces = samples.part("train").crops
    fitted = fit_face_head(model, faces, others[:40], seed=0, steps=600, strict=0)
    lenient = fitted.predict(faces).face
    assert fitted.predict(samples.part("val").crops).face.min() > 0.8
    assert fitted.predict(others[40:]).face.max() < 0.2
    assert np.array_equal(fitted.predict(samples.crops[:5]).points, before)
    stricter = fit_face_head(model, faces, others[:40], seed=0, steps=600)
    assert (stricter.predict(faces).face < lenient).all()
    lecture = train(recipe("lecture", epochs=1), samples, framing, Listener())
    with pytest.raises(ModelError, match="no face head"):
        fit_face_head(lecture, others, others, seed=0)
