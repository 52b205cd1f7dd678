"""Turn a trained checkpoint into what ships: `python -m detectors.training.export CHECKPOINT --out detectors/model`.

Writes config.json (with labels), tokenizer.json, lower.onnx and upper.onnx (8-bit weights) and manifest.json (sha256 of
each).

The network is cut in two: lower.onnx holds the word vectors and the first layers, and gives `hidden`, from which
upper.onnx goes on to the logits, and `early`, the mean over the line's own tokens, from which the gate tells whether
the upper layers are worth their time (Xin et al., 2020, "DeeBERT").
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Final

import onnx
import torch
from onnx.utils import Extractor
from torch import nn

from detectors.classifier import GATE, LOWER, UPPER
from detectors.training.manifest import write_manifest
from detectors.training.model import PitchModel, own_mean
from detectors.training.quantise import quantise_weights

#: Layers of the lower part.
LOWER_LAYERS: Final = 4
#: Inputs of the whole, and of the upper part.
INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")
UPPER_INPUTS: Final = ("hidden", "attention_mask", "token_type_ids")


class _Outputs(nn.Module):
    def __init__(self, model: PitchModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # Given whole, the mask hangs on nothing but itself, so that the upper part needs no word vectors for it.
        hide = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        layers = self.model.bert(
            input_ids=input_ids,
            attention_mask=hide,
            token_type_ids=token_type_ids,
            output_hidden_states=True,
        ).hidden_states
        hidden = layers[LOWER_LAYERS]
        early, last = (own_mean(one, attention_mask, token_type_ids) for one in (hidden, layers[-1]))
        return hidden, early, self.model.head(last)


def export(checkpoint: Path, out: Path) -> None:
    """Write the 8-bit ONNX model and its companions from the PyTorch `checkpoint` into `out`."""
    model = PitchModel.from_pretrained(checkpoint, attn_implementation="eager").eval()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.onnx"
        sample = torch.ones((2, 8), dtype=torch.long)
        axes = {name: {0: "lines", 1: "tokens"} for name in (*INPUTS, "hidden")}
        axes |= {name: {0: "lines"} for name in ("early", "logits")}
        torch.onnx.export(
            _Outputs(model),
            (sample, sample, sample),
            str(full),
            input_names=list(INPUTS),
            output_names=["hidden", "early", "logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        network = onnx.load(str(full))
        quantise_weights(network)
        parts = Extractor(network)
        onnx.save(parts.extract_model(list(INPUTS), ["hidden", "early"]), str(out / LOWER))
        onnx.save(parts.extract_model(list(UPPER_INPUTS), ["logits"]), str(out / UPPER))
    # A checkpoint that was read back still tells of the calibration and gate of the model it was.
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    config.pop("calibration", None)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(checkpoint / "tokenizer.json", out / "tokenizer.json")
    (out / GATE).unlink(missing_ok=True)


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
