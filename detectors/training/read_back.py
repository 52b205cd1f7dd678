"""Read the shipped 8-bit model back into PyTorch: `python -m detectors.training.read_back MODEL --out CHECKPOINT`.

Gives a `transformers` checkpoint with the same labels, to look into, to tune further, or to distil from. What the
8 bits rounded away stays lost.
"""

import argparse
import re
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from transformers import BertConfig

from detectors.classifier import LOWER, UPPER
from detectors.training.model import PitchModel

_NODE = re.compile(r"/(?:model/)?(.+?)/(?:Gemm|MatMul)_whole")


def read_back(folder: Path) -> PitchModel:
    """Return the model of a model folder. Raises ValueError when its graph is not one that `export` writes."""
    graphs = [onnx.load(str(folder / part)).graph for part in (LOWER, UPPER)]
    stored = {one.name: numpy_helper.to_array(one) for graph in graphs for one in graph.initializer}
    weights = {name.removeprefix("model."): value for name, value in stored.items() if _is_parameter(name, value)}
    for node in chain.from_iterable(graph.node for graph in graphs):
        if node.op_type == "DequantizeLinear":  # a matrix, transposed: steps and their size per column
            steps, size = (stored[name].astype(np.float32) for name in node.input[:2])
            weights[_parameter(node.name)] = (steps * size).T
        elif node.op_type == "Gather" and node.input[0].endswith("_steps"):  # a table: the same per row
            base = node.input[0].removesuffix("_steps")
            whole = stored[f"{base}_steps"].astype(np.float32) * stored[f"{base}_size"]
            weights[base.removeprefix("model.")] = whole
    model = PitchModel(BertConfig.from_pretrained(folder))
    given = {name: torch.tensor(value) for name, value in weights.items()}
    missing, unknown = model.load_state_dict(given, strict=False)
    lacking = [name for name in missing if not name.endswith(("position_ids", "token_type_ids"))]
    if lacking or unknown:
        raise ValueError(
            f"{folder}: lacks {', '.join(lacking) or 'nothing'}; too much: {', '.join(unknown) or 'nothing'}"
        )
    return model


def _is_parameter(name: str, value: NDArray[np.generic]) -> bool:
    return name.startswith("model.") and value.dtype == np.float32 and not name.endswith("_size")


def _parameter(node: str) -> str:
    found = _NODE.fullmatch(node)
    if found is None:
        raise ValueError(f"{node}: not a node that export writes")
    return found[1].replace("/", ".") + ".weight"


def main() -> None:
    """Write the checkpoint named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    read_back(given.model).save_pretrained(given.out)
    shutil.copyfile(given.model / "tokenizer.json", given.out / "tokenizer.json")


if __name__ == "__main__":
    main()
