"""Matrices in 8 bits: a small network with both kinds of them gives nearly the same answers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from detectors.training.quantise import quantise_weights, round_to_8_bits

DICE = np.random.default_rng(2)
TABLE = DICE.normal(0.0, DICE.uniform(0.01, 3.0, (600, 1)), (600, 384)).astype(np.float32)
MATRIX = DICE.normal(0.0, DICE.uniform(0.01, 3.0, (1, 400)), (384, 400)).astype(np.float32)
SMALL = DICE.normal(0.0, 1.0, (400, 8)).astype(np.float32)


def network() -> onnx.ModelProto:
    """Rows of a table, times a large and a small matrix."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"], "/model/table/Gather"),
            helper.make_node("MatMul", ["rows", "matrix"], ["wide"], "/model/dense/MatMul"),
            helper.make_node("MatMul", ["wide", "small"], ["out"], "/model/head/MatMul"),
        ],
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(v, name) for name, v in (("table", TABLE), ("matrix", MATRIX), ("small", SMALL))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answers(model: onnx.ModelProto) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"ids": np.arange(600, dtype=np.int64)})
    return np.asarray(out, dtype=np.float32)


def test_answers_stay_and_the_size_shrinks() -> None:
    model = network()
    before, size = answers(model), model.ByteSize()
    quantise_weights(model)
    onnx.checker.check_model(model)
    after = answers(model)
    assert np.abs(after - before).max() < 0.02 * np.abs(before).max()
    assert np.corrcoef(after.ravel(), before.ravel())[0, 1] > 0.9999
    assert model.ByteSize() < 0.3 * size
    kinds = {one.name: one.data_type for one in model.graph.initializer}
    assert kinds["small"] == TensorProto.FLOAT and kinds["matrix_steps"] == kinds["table_steps"] == TensorProto.INT8


@pytest.mark.parametrize("axis", [0, 1])
def test_rounding_is_at_most_half_a_step_off_and_knows_slices_of_nothing(axis: int) -> None:
    weights = MATRIX.copy()
    weights[:, 3] = 0.0
    weights[5, :] = 0.0
    steps, size = round_to_8_bits(weights, axis)
    along = size[:, None] if axis == 0 else size[None, :]
    assert steps.dtype == np.int8 and len(size) == weights.shape[axis] and np.all(size > 0)
    assert np.all(np.abs(steps * along - weights) <= 0.5 * along + 1e-7)
