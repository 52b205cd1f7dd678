"""Turn a trained checkpoint into what ships: `python -m detectors.training.export CHECKPOINT --out detectors/model`.

Writes config.json (with labels), tokenizer.json, model.onnx (8-bit weights) and manifest.json (sha256 of each).
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import onnx
import torch
from torch import nn

from detectors.training.manifest import write_manifest
from detectors.training.model import PitchModel
from detectors.training.quantise import quantise_weights


class _Logits(nn.Module):
    def __init__(self, model: PitchModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        return self.model(input_ids, attention_mask, token_type_ids).logits


def export(checkpoint: Path, out: Path) -> None:
    """Write the 8-bit ONNX model and its companions from the PyTorch `checkpoint` into `out`."""
    model = PitchModel.from_pretrained(checkpoint, attn_implementation="eager").eval()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.onnx"
        sample = torch.ones((2, 8), dtype=torch.long)
        names = ["input_ids", "attention_mask", "token_type_ids"]
        axes = {name: {0: "lines", 1: "tokens"} for name in names} | {"logits": {0: "lines"}}
        torch.onnx.export(
            _Logits(model),
            (sample, sample, sample),
            str(full),
            input_names=names,
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        network = onnx.load(str(full))
        quantise_weights(network)
        onnx.save(network, str(out / "model.onnx"))
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(checkpoint / name, out / name)


def main() -> None:
    """Export the checkpoint named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    export(given.checkpoint, given.out)
    write_manifest(given.out)


if __name__ == "__main__":
    main()
