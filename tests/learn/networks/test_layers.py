"""A network's layers, and what a file is."""

import json
from pathlib import Path

import pytest

from fkp.learn.networks.layers import layers
from fkp.learn.networks.lecture import Lecture
from tests.helpers import fkp, write_pictures


@pytest.mark.slow
def test_layers_of_the_course(tmp_path: Path) -> None:
    found = layers(Lecture(4, 96), 96)
    convolutions = [layer for layer in found if layer.kind.startswith("conv")]
    assert [layer.output for layer in convolutions] == [(6, 92, 92), (16, 42, 42), (32, 19, 19)]
    assert convolutions[0].formula == "(96 + 2*0 - 5) / 1 + 1 = 92"
    assert convolutions[0].parameters == 6 * 25 + 6
    assert convolutions[1].multiply_adds == 16 * 42 * 42 * 6 * 25
    assert found[-1].parameters == 32 * 9 * 9 * 8 + 8
    done = fkp("info", "bundled", cwd=tmp_path)
    assert "68 points (ibug68)" in done.stdout
    assert "863,581 parameters" in done.stdout
    header = json.loads(fkp("info", "bundled", "--json", cwd=tmp_path).stdout)
    assert header["scheme"]["name"] == "ibug68"
    write_pictures(tmp_path, 6)
    done = fkp("info", "labels.csv", cwd=tmp_path)
    assert "labels.csv: labels, not prepared: CSV with picture paths" in done.stdout
    done = fkp("info", "nothing.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing.csv: no such file" in done.stderr
