"""Matrices in 8 bits, written into a graph: small ones give nearly what 32 bits give. Loaded as the bot loads them."""

import platform
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from detectors.classifier import load_network, session_options
from detectors.training.graph import GraphWriter
from detectors.training.quantise import round_to_8_bits

X86 = platform.machine() in ("x86_64", "AMD64")
DICE = np.random.default_rng(2)
TABLE = DICE.normal(0.0, DICE.uniform(0.01, 3.0, (600, 1)), (600, 384)).astype(np.float32)
MATRIX = DICE.normal(0.0, DICE.uniform(0.01, 3.0, (1, 400)), (384, 400)).astype(np.float32)


def answers(graph: GraphWriter, inputs: dict[str, NDArray[np.generic]], out: str, folder: Path) -> NDArray[np.float32]:
    """Run the graph that gives `out` as an onnxruntime session of the bot."""
    kinds = {np.dtype(np.int64): TensorProto.INT64, np.dtype(np.float32): TensorProto.FLOAT}
    told = [helper.make_tensor_value_info(n, kinds[v.dtype], ["a", "b", "c"][: v.ndim]) for n, v in inputs.items()]
    graph.node("Identity", [out], "out")
    model = graph.finish(told, [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["x", "y", "z"])])
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / "small.onnx"))
    (found,) = load_network(folder / "small.onnx").run(["out"], inputs)
    return np.asarray(found, dtype=np.float32)


def product(vectors: NDArray[np.float32], matrix: NDArray[np.float32], folder: Path) -> NDArray[np.float32]:
    graph = GraphWriter()
    return answers(graph, {"vectors": vectors}, graph.product("matrix", "vectors", matrix), folder)


def test_rows_of_a_table_are_half_a_step_off_at_most(tmp_path: Path) -> None:
    graph = GraphWriter()
    ids = np.array([[3, 599, 0, 3]], np.int64)
    found = answers(graph, {"ids": ids}, graph.rows("table", TABLE, "ids"), tmp_path)
    steps = np.abs(TABLE[ids]).max(axis=-1, keepdims=True) / 127
    assert found.shape == (1, 4, 384) and np.all(np.abs(found - TABLE[ids]) <= 0.501 * steps)


def test_products_stay_near_for_small_and_large_tokens_alike(tmp_path: Path) -> None:
    vectors = DICE.normal(0.0, 1.0, (1, 12, 384)).astype(np.float32)
    vectors[0, 3] *= 1000.0
    vectors[0, 4] *= 0.001
    whole, found = vectors @ MATRIX, product(vectors, MATRIX, tmp_path)
    for token in range(12):
        assert np.corrcoef(found[0, token], whole[0, token])[0, 1] > 0.999
        assert np.abs(found[0, token] - whole[0, token]).max() < 0.03 * np.abs(whole[0, token]).max()


def test_a_token_does_not_depend_on_its_neighbours_and_nothing_stays_nothing(tmp_path: Path) -> None:
    vectors = DICE.normal(0.0, 1.0, (1, 5, 384)).astype(np.float32)
    alone = product(vectors[:, :1], MATRIX, tmp_path)
    vectors[0, 1:] *= 500.0
    vectors[0, 2] = 0.0
    together = product(vectors, MATRIX, tmp_path)
    assert np.array_equal(together[:, :1], alone) and np.all(together[0, 2] == 0.0)


def test_sums_of_large_products_do_not_overflow(tmp_path: Path) -> None:
    """All the largest numbers there are, where an addition in 16 bits would stop at 32,767."""
    vectors, matrix = np.ones((1, 2, 384), np.float32), np.ones((384, 64), np.float32)
    assert np.allclose(product(vectors, matrix, tmp_path), 384.0, rtol=1e-5)


@pytest.mark.parametrize("vnni", [True, False])
def test_without_vnni_matrices_are_turned_so_that_nothing_overflows(
    vnni: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown settings are passed over in silence, so what came of this one is looked at. Only x86 needs it."""
    monkeypatch.setattr("detectors.classifier.has_vnni", lambda: vnni)
    found = product(np.ones((1, 2, 384), np.float32), np.ones((384, 64), np.float32), tmp_path)
    options = session_options()
    options.optimized_model_filepath = str(tmp_path / "as_computed.onnx")
    onnxruntime.InferenceSession(str(tmp_path / "small.onnx"), options, providers=["CPUExecutionProvider"])
    matrices = [one for one in onnx.load(options.optimized_model_filepath).graph.initializer if len(one.dims) == 2]
    assert [one.data_type for one in matrices] == [TensorProto.INT8 if vnni or not X86 else TensorProto.UINT8]
    assert vnni or np.allclose(found, 384.0, rtol=1e-5)


def test_a_name_stands_for_one_value() -> None:
    graph = GraphWriter()
    assert graph.constant("one", 1) == graph.constant("one", 1)
    with pytest.raises(ValueError, match="one: stands for two"):
        graph.constant("one", 2)


@pytest.mark.parametrize("axis", [0, 1])
def test_rounding_is_at_most_half_a_step_off_and_knows_slices_of_nothing(axis: int) -> None:
    weights = MATRIX.copy()
    weights[:, 3] = 0.0
    weights[5, :] = 0.0
    steps, size = round_to_8_bits(weights, axis)
    along = size[:, None] if axis == 0 else size[None, :]
    assert steps.dtype == np.int8 and len(size) == weights.shape[axis] and np.all(size > 0)
    assert np.all(np.abs(steps * along - weights) <= 0.5 * along + 1e-7)
