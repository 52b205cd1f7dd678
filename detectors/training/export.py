"""Turn a trained checkpoint into what ships: `python -m detectors.training.export CHECKPOINT --out detectors/model`.

Writes config.json (with labels), tokenizer.json, lower.onnx and upper.onnx (`detectors/training/network.py`) and
manifest.json (sha256 of each).
"""

import argparse
import json
import shutil
from pathlib import Path

import onnx

from detectors.classifier import GATE, LOWER, UPPER
from detectors.training.manifest import write_manifest
from detectors.training.model import PitchModel
from detectors.training.network import LOWER_LAYERS, lower_part, upper_part


def export(checkpoint: Path, out: Path) -> None:
    """Write the 8-bit ONNX model and its companions from the PyTorch `checkpoint` into `out`.

    Raises ValueError for a network that the graph cannot express.
    """
    model = PitchModel.from_pretrained(checkpoint)
    if model.config.hidden_act != "gelu":
        raise ValueError(f"{checkpoint}: hidden_act must be gelu, not {model.config.hidden_act}")
    if model.config.num_hidden_layers < LOWER_LAYERS:
        raise ValueError(f"{checkpoint}: needs {LOWER_LAYERS} layers at least, for the lower part")
    parameters = {name: value.numpy() for name, value in model.state_dict().items()}
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(lower_part(parameters, model.config), str(out / LOWER))
    onnx.save(upper_part(parameters, model.config), str(out / UPPER))
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
