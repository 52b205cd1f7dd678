"""The trained network as two ONNX graphs, written operator by operator from its parameters.

The lower one holds the word vectors and the first layers, and gives `hidden`, from which the upper one goes on to the
logits, and `early`, the mean over the line's own tokens, from which the gate tells whether the upper layers are worth
their time (Xin et al., 2020, "DeeBERT"). Both read one line at a time, so nothing is padded and no mask is needed.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from transformers import BertConfig

from detectors.taxonomy import LABELS
from detectors.training.graph import RUNTIME, GraphWriter

Parameters = Mapping[str, NDArray[np.float32]]

#: Layers of the lower part.
LOWER_LAYERS: Final = 4
#: What a layer asks of each token, in the order in which the matrices stand side by side.
ASKED: Final = ("query", "key", "value")
SIDE_BY_SIDE: Final = "query_key_value"
_LAYER: Final = "bert.encoder.layer"
_TABLES: Final = "bert.embeddings"


def lower_part(parameters: Parameters, config: BertConfig) -> onnx.ModelProto:
    """Return the graph from `input_ids` and `token_type_ids`, both (1, tokens), to `hidden` (1, tokens, width) and
    `early` (1, width)."""
    encoder = _Encoder(parameters, config)
    vectors = encoder.embed()
    for layer in range(LOWER_LAYERS):
        vectors = encoder.layer(layer, vectors)
    encoder.graph.node("Identity", [vectors], "hidden")
    encoder.own_mean(vectors, "early")
    early = helper.make_tensor_value_info("early", TensorProto.FLOAT, [1, config.hidden_size])
    return encoder.graph.finish([_ids("input_ids"), _ids("token_type_ids")], [_hidden(config), early])


def upper_part(parameters: Parameters, config: BertConfig) -> onnx.ModelProto:
    """Return the graph from `hidden` and `token_type_ids` to `logits` (1, labels)."""
    encoder = _Encoder(parameters, config)
    graph, vectors = encoder.graph, "hidden"
    for layer in range(LOWER_LAYERS, config.num_hidden_layers):
        vectors = encoder.layer(layer, vectors)
    centred = graph.node("Sub", [encoder.own_mean(vectors), encoder.keep("centre")])
    scaled = graph.node("Div", [centred, encoder.keep("spread")])
    graph.node("Gemm", [scaled, encoder.keep("classifier.weight"), encoder.keep("classifier.bias")], "logits", transB=1)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(LABELS)])
    return graph.finish([_hidden(config), _ids("token_type_ids")], [logits])


def _ids(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"])


def _hidden(config: BertConfig) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [1, "tokens", config.hidden_size])


class _Encoder:
    """Writes the parts of a BERT encoder (Devlin et al., 2019) into a graph."""

    def __init__(self, parameters: Parameters, config: BertConfig) -> None:
        self.graph = GraphWriter()
        self._parameters = parameters
        self._config = config

    def keep(self, name: str) -> str:
        """Store a parameter as it is, and return its name."""
        return self.graph.store(name, self._parameters[name])

    def embed(self) -> str:
        """Add the vectors of words, places and types."""
        graph, given = self.graph, self._parameters
        length = graph.node("Gather", [graph.node("Shape", ["input_ids"]), graph.constant("second", 1)], axis=0)
        places = graph.node("Range", [graph.constant("zero", 0), length, graph.constant("one", 1)])
        words, stands = f"{_TABLES}.word_embeddings.weight", f"{_TABLES}.position_embeddings.weight"
        known = graph.node(
            "Add", [graph.rows(words, given[words], "input_ids"), graph.rows(stands, given[stands], places)]
        )
        types = graph.node("Gather", [self.keep(f"{_TABLES}.token_type_embeddings.weight"), "token_type_ids"], axis=0)
        return self._norm(f"{_TABLES}.LayerNorm", graph.node("Add", [known, types]))

    def layer(self, number: int, vectors: str) -> str:
        """Add one layer: attention over all tokens, then the feed-forward network of each."""
        graph, name = self.graph, f"{_LAYER}.{number}"
        own = f"{name}.attention.self"
        fused = f"{own}.{SIDE_BY_SIDE}"
        matrix, bias = (
            np.concatenate([self._parameters[f"{own}.{part}.{kind}"] for part in ASKED]) for kind in ("weight", "bias")
        )
        asked = graph.product(f"{fused}.weight", vectors, matrix.T)
        parts = graph.nodes("Split", [asked], [f"{fused}.{part}" for part in ASKED], axis=-1)
        heads = self._config.num_attention_heads
        told = [*parts, graph.store(f"{fused}.bias", bias)]
        seen = graph.node("MultiHeadAttention", told, domain=RUNTIME, num_heads=heads)
        vectors = self._add_and_norm(f"{name}.attention.output", seen, vectors)
        wide = self._dense(f"{name}.intermediate.dense", vectors)
        active = graph.node("BiasGelu", [wide, self.keep(f"{name}.intermediate.dense.bias")], domain=RUNTIME)
        return self._add_and_norm(f"{name}.output", active, vectors)

    def own_mean(self, vectors: str, out: str = "") -> str:
        """Add the mean over the tokens of type 1."""
        graph = self.graph
        tokens = graph.constant("tokens", [1])
        types = graph.node("Cast", ["token_type_ids"], to=TensorProto.FLOAT)
        own = graph.node("Unsqueeze", [types, graph.constant("width", [2])])
        total = graph.node("ReduceSum", [graph.node("Mul", [vectors, own]), tokens], keepdims=0)
        return graph.node("Div", [total, graph.node("ReduceSum", [own, tokens], keepdims=0)], out)

    def _dense(self, name: str, vectors: str) -> str:
        return self.graph.product(f"{name}.weight", vectors, self._parameters[f"{name}.weight"].T)

    def _add_and_norm(self, name: str, vectors: str, before: str) -> str:
        added = self.graph.node("Add", [self._dense(f"{name}.dense", vectors), self.keep(f"{name}.dense.bias")])
        return self._norm(f"{name}.LayerNorm", self.graph.node("Add", [added, before]))

    def _norm(self, name: str, vectors: str) -> str:
        told = [vectors, self.keep(f"{name}.weight"), self.keep(f"{name}.bias")]
        return self.graph.node("LayerNormalization", told, epsilon=self._config.layer_norm_eps)
