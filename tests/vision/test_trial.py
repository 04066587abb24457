"""Detectors from strangers: each is refused, with its reason, before any picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp.errors import ModelError
from fkp.vision import trial
from fkp.vision.detect import YuNetDetector
from fkp.vision.onnx_parts import external_files
from fkp.vision.yunet import OUTPUTS, YuNet

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

FLOAT = onnx.TensorProto.FLOAT
CHANNELS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def constant(name: str, values: Any, dtype: Any) -> Any:
    return numpy_helper.from_array(np.array(values, dtype), name)


def detector(sides: tuple[int | str, int | str] = ("h", "w"), score: float = 0.0) -> Any:
    """A network in YuNet's layout that gives every cell the same score."""
    nodes, weights = [], []
    for stride in (8, 16, 32):
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["input"], [f"pool{stride}"], **pool))
        weights.append(constant(f"flat{stride}", [1, 3, -1], np.int64))
        nodes += [
            helper.make_node("Reshape", [f"pool{stride}", f"flat{stride}"], [f"row{stride}"]),
            helper.make_node("Transpose", [f"row{stride}"], [f"cells{stride}"], perm=[0, 2, 1]),
        ]
        for kind, channels in CHANNELS.items():
            name = f"{kind}_{stride}"
            weights.append(constant(f"w_{name}", np.zeros((3, channels)), np.float32))
            weights.append(constant(f"b_{name}", np.full(channels, score), np.float32))
            nodes += [
                helper.make_node("MatMul", [f"cells{stride}", f"w_{name}"], [f"zero_{name}"]),
                helper.make_node("Add", [f"zero_{name}", f"b_{name}"], [name]),
            ]
    entry = helper.make_tensor_value_info("input", FLOAT, [1, 3, *sides])
    outputs = [helper.make_tensor_value_info(name, FLOAT, None) for name in OUTPUTS]
    graph = helper.make_graph(nodes, "detector", [entry], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def before(model: Any, node: Any, *weights: Any) -> Any:
    """The network with a node that takes `input` and gives it on as `first`."""
    for other in model.graph.node:
        other.input[:] = ["first" if name == "input" else name for name in other.input]
    model.graph.node.insert(0, node)
    model.graph.initializer.extend(weights)
    return model


def endless() -> Any:
    """A network that loops for ever."""
    info = helper.make_tensor_value_info
    flag, count = onnx.TensorProto.BOOL, onnx.TensorProto.INT64
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Relu", ["x"], ["y"])],
        "body",
        [info("i", count, []), info("go", flag, []), info("x", FLOAT, None)],
        [info("on", flag, []), info("y", FLOAT, None)],
    )
    loop = helper.make_node("Loop", ["", "true", "input"], ["first"], body=body)
    return before(detector(), loop, constant("true", True, np.bool_))


def only_small() -> Any:
    """A network that fails where a picture is not 32 x 32."""
    shape = constant("shape", [1, 3, 32, 32], np.int64)
    return before(detector(), helper.make_node("Reshape", ["input", "shape"], ["first"]), shape)


def greedy() -> Any:
    """A network that wants 100 GiB for any picture."""
    shape = constant("shape", [30_000, 30_000, 30], np.int64)
    wide = helper.make_node("ConstantOfShape", ["shape"], ["wide"])
    model = before(detector(), helper.make_node("Add", ["input", "low"], ["first"]), shape)
    model.graph.node.insert(0, helper.make_node("ReduceMin", ["wide"], ["low"], keepdims=0))
    model.graph.node.insert(0, wide)
    return model


def misshapen() -> Any:
    """A network that gives one cell too few."""
    model = detector()
    model.graph.output.pop()
    cut = ["kps_32", "from", "to", "axis"]
    model.graph.node.append(helper.make_node("Slice", cut, ["short"]))
    for name, value in (("from", 0), ("to", -1), ("axis", 1)):
        model.graph.initializer.append(constant(name, [value], np.int64))
    for node in model.graph.node[:-1]:
        node.output[:] = ["whole" if name == "kps_32" else name for name in node.output]
    model.graph.node[-1].input[0], model.graph.node[-1].output[0] = "whole", "kps_32"
    model.graph.output.append(helper.make_tensor_value_info("kps_32", FLOAT, None))
    return model


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "absurd size": (lambda: detector((100_000, 100_000)), "100000 x 100000 pixels; expected"),
    "no multiple": (lambda: detector((320, 300)), "300 x 320 pixels; expected multiples of 32"),
    "symbolic width": (lambda: detector((320, "w")), "w x 320 pixels; expected both sides"),
    "symbolic height": (lambda: detector(("h", 320)), "320 x h pixels; expected both sides"),
    "one size alone": (only_small, "it fails on a picture of 96 x 64 pixels"),
    "wrong shapes": (misshapen, "not a face detector in YuNet's layout"),
    "too much memory": (greedy, "memory|fails on a picture|not a face detector"),
}


def saved(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("kind", BAD)
def test_a_detector_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    make, reason = BAD[kind]
    with pytest.raises(ModelError, match=reason) as caught:
        YuNetDetector(saved(tmp_path / "x.onnx", make()))
    assert str(tmp_path / "x.onnx") in str(caught.value)


def test_a_detector_that_loops_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 3.0)
    with pytest.raises(ModelError, match="took more than 3 s"):
        YuNetDetector(saved(tmp_path / "x.onnx", endless()))


@pytest.mark.parametrize("sides", [("h", "w"), (96, 64)])
def test_a_sound_detector(tmp_path: Path, sides: tuple[int | str, int | str]) -> None:
    path = saved(tmp_path / "x.onnx", detector(sides))
    found = YuNetDetector(path, min_score=0.5).search(np.zeros((50, 80, 3), np.uint8))
    assert len(found.boxes) == 0


def test_faces_that_no_face_can_be_are_left_out(tmp_path: Path) -> None:
    # Each cell says: a face with points all in one place, with sides of e ** 100 strides.
    network = YuNet(saved(tmp_path / "x.onnx", detector(score=100.0)))
    assert len(network.find(np.zeros((64, 64, 3), np.uint8), 0.5)[0]) == 0


def test_weights_in_another_file_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnx.external_data_helper import convert_model_to_external_data

    model = detector()
    assert external_files(model.SerializeToString()) == []
    convert_model_to_external_data(model, location="more/weights.bin", size_threshold=0)
    (tmp_path / "more").mkdir()
    onnx.save(model, tmp_path / "x.onnx")
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would find them
    with pytest.raises(ModelError, match=r"keeps its weights in more/weights\.bin"):
        YuNetDetector(tmp_path / "x.onnx")


def test_a_constant_in_a_subgraph_may_be_in_another_file() -> None:
    tensor = constant("t", np.zeros(9), np.float32)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="hidden.bin")
    inner = helper.make_graph([helper.make_node("Constant", [], ["t"], value=tensor)], "g", [], [])
    model = before(detector(), helper.make_node("Identity", ["input"], ["first"]))
    model.graph.node[0].attribute.append(helper.make_attribute("then_branch", inner))
    assert external_files(model.SerializeToString()) == ["hidden.bin"]
    with pytest.raises(ValueError, match="not a protocol buffer"):
        external_files(b"junk")
