"""Read the shipped 8-bit model back into PyTorch: `python -m detectors.training.read_back MODEL --out CHECKPOINT`.

Gives a `transformers` checkpoint with the same labels, to look into, to tune further, or to distil from. What the
8 bits rounded away stays lost.
"""

import argparse
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper
from transformers import BertConfig

from detectors.classifier import LOWER, UPPER
from detectors.training.graph import CONSTANT
from detectors.training.model import PitchModel
from detectors.training.network import ASKED, SIDE_BY_SIDE


def read_back(folder: Path) -> PitchModel:
    """Return the model of a model folder. Raises ValueError when its graph is not one that `export` writes."""
    model = PitchModel(BertConfig.from_pretrained(folder))
    try:
        graphs = [onnx.load(str(folder / part)).graph for part in (LOWER, UPPER)]
        stored = {one.name: numpy_helper.to_array(one) for graph in graphs for one in graph.initializer}
        given = {name: torch.tensor(value) for name, value in _parameters(stored)}
        missing, unknown = model.load_state_dict(given, strict=False)
    except (DecodeError, KeyError, RuntimeError) as error:  # no graph, steps without a size, other shapes
        raise ValueError(f"{folder}: {error}") from error
    lacking = [name for name in missing if not name.endswith(("position_ids", "token_type_ids"))]
    if lacking or unknown:
        raise ValueError(
            f"{folder}: lacks {', '.join(lacking) or 'nothing'}; too much: {', '.join(unknown) or 'nothing'}"
        )
    return model


def _parameters(stored: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Give the names and values of the network's parameters, made whole again."""
    for name, value in stored.items():
        if name.startswith(CONSTANT) or name.endswith("_size"):
            continue
        whole = value
        if name.endswith("_steps"):
            name = name.removesuffix("_steps")
            size = stored[f"{name}_size"]
            whole = value.astype(np.float32) * size
            if size.ndim == 1:  # a matrix, which stands transposed; tables have a size per row
                whole = np.ascontiguousarray(whole.T)
        if SIDE_BY_SIDE in name:
            parts = np.split(whole, len(ASKED))
            yield from ((name.replace(SIDE_BY_SIDE, part), one) for part, one in zip(ASKED, parts, strict=True))
        else:
            yield name, whole


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
