"""Write an ONNX graph node by node, with matrices multiplied in 8 bits.

A product of a matrix with a line's vectors is computed in whole numbers: the matrix is rounded per column when it is
written, the vectors per token when they are read ("vector-wise" quantisation; Dettmers et al., 2022, arXiv:2208.07339).
One step for a whole line, as dynamic quantisation has it, is several times as coarse, since some tokens hold far
larger numbers than others; and it makes a token's result depend on its neighbours.

Rounding makes last bits matter: where another processor or another onnxruntime computes one differently, some numbers
are rounded to the next step, and later layers carry that on. On one machine results repeat.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from detectors.training.quantise import round_to_8_bits

#: ONNX operators of this version, and those that onnxruntime adds.
_OPSET: Final = 17
RUNTIME: Final = "com.microsoft"
_IR_VERSION: Final = 9
#: What begins the names of values that are no parameters of the network.
CONSTANT: Final = "const."


class GraphWriter:
    """Collects nodes and stored values. Values are named after the network's parameters, 8-bit ones with `_steps` and
    `_size` behind."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._stored: dict[str, onnx.TensorProto] = {}

    def store(self, name: str, value: NDArray[Any]) -> str:
        """Keep a value under `name`. Raises ValueError when another one is kept there."""
        given = numpy_helper.from_array(np.ascontiguousarray(value), name)
        if self._stored.setdefault(name, given) != given:
            raise ValueError(f"{name}: stands for two different values")
        return name

    def constant(self, name: str, value: float | Sequence[int], kind: type = np.int64) -> str:
        """Keep a value that is no parameter."""
        return self.store(CONSTANT + name, np.array(value, kind))

    def node(self, operator: str, inputs: Sequence[str], out: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.nodes(operator, inputs, (out or f"{operator}.{len(self._nodes)}",), domain, **attributes)[0]

    def nodes(
        self, operator: str, inputs: Sequence[str], outs: Sequence[str], domain: str = "", **attributes: Any
    ) -> Sequence[str]:
        """Add a node with several outputs and return their names."""
        name = f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, outs, name, domain=domain, **attributes))
        return outs

    def rows(self, name: str, table: NDArray[np.float32], ids: str) -> str:
        """Return the rows `ids` of an 8-bit table; only those that are asked for are made whole."""
        steps, size = round_to_8_bits(table, axis=0)
        parts = self.store(f"{name}_steps", steps), self.store(f"{name}_size", size[:, None])
        taken, scale = (self.node("Gather", [part, ids], axis=0) for part in parts)
        return self.node("Mul", [self.node("Cast", [taken], to=TensorProto.FLOAT), scale])

    def product(self, name: str, vectors: str, matrix: NDArray[np.float32]) -> str:
        """Return `vectors` (1, tokens, in) times a `matrix` (in, out), both rounded to 8 bits.

        A token's vector is divided by its largest number; where all are zero the result is zero again, whatever
        the division gave.
        """
        steps, size = round_to_8_bits(matrix, axis=1)
        step, middle = self.constant("step", 1 / 127, np.float32), self.constant("middle", 128, np.uint8)
        largest = self.node("ReduceMax", [self.node("Abs", [vectors])], axes=[-1], keepdims=1)
        rounded = self.node("QuantizeLinear", [self.node("Div", [vectors, largest]), step, middle])
        stored = self.store(f"{name}_steps", steps), self.store(f"{name}_size", size)
        whole = self.node("MatMulIntegerToFloat", [rounded, stored[0], step, stored[1], middle], domain=RUNTIME)
        return self.node("Mul", [whole, largest])

    def finish(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """Return the model of all that was added."""
        graph = helper.make_graph(self._nodes, "network", inputs, outputs, list(self._stored.values()))
        versions = [helper.make_opsetid("", _OPSET), helper.make_opsetid(RUNTIME, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=_IR_VERSION, producer_name="pitchwatch")
