"""What computing in 8 bits changes: `python -m detectors.training.rounding MODEL [CHECKPOINT]`.

Reads a draw of the validation lines with a model folder and with the network in 32 bits, that of CHECKPOINT or else
the folder's own weights, and prints how far logits and the probability of a pitch lie apart (the network's own, before
calibration), and the average precision of both.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from tokenizers import Tokenizer

from detectors.classifier import Classifier, Request, pitch_log_odds
from detectors.encoding import EncodedLine, encode
from detectors.training.model import PitchModel
from detectors.training.passages import DATA, Example, examples, read_lines
from detectors.training.train import load

LINES = 1500


def in_32_bits(model: PitchModel, tokenizer: Tokenizer, lines: Sequence[Example]) -> NDArray[np.float32]:
    """Return the network's logits computed in 32 bits, shape (lines, labels)."""
    model.eval()
    return np.array([_logits(model, encode(tokenizer, x.line.text, x.line.kind, x.context)) for x in lines])


def _logits(model: PitchModel, line: EncodedLine) -> NDArray[np.float32]:
    ids, types = torch.tensor([line.ids]), torch.tensor([line.types])
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(ids, torch.ones_like(ids), types).logits[0].numpy()
    return logits


def apart(rounded: NDArray[np.float32], whole: NDArray[np.float32]) -> dict[str, float]:
    """Return mean and largest difference of logits, both (lines, labels), and of the probability of a pitch."""
    pitch = [1.0 / (1.0 + np.exp([-pitch_log_odds(row) for row in logits])) for logits in (rounded, whole)]
    found = {"logit": np.abs(rounded - whole), "pitch": np.abs(pitch[0] - pitch[1])}
    return {
        f"{name}_{kind}": round(float(take(values)), 4)
        for name, values in found.items()
        for kind, take in (("mean", np.mean), ("most", np.max))
    }


def main() -> int:
    """Compare the model and the network of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--lines", type=int, default=LINES, help="how many lines are drawn")
    given = parser.parse_args()
    if given.lines < 1:
        parser.error("--lines must be 1 at least")
    lines = list(examples(read_lines(sorted((DATA / "validation").glob("*.jsonl")))))
    lines = random.Random(5).sample(lines, min(given.lines, len(lines)))
    torch.set_num_threads(1)  # one line is too little to share, and waiting threads take the processor from others
    try:
        classifier = Classifier(given.model, with_gate=False)
        model, tokenizer = load(given.checkpoint or given.model)
    except Exception as error:  # tokenizers and transformers raise bare and unrelated ones
        print(f"rounding: {error}", file=sys.stderr)
        return 2
    rounded = classifier.logits([Request(one.line.text, one.line.kind, one.context) for one in lines])
    whole = in_32_bits(model, tokenizer, lines)
    truth = [one.line.act == "pitch" for one in lines]
    found: dict[str, float] = {"lines": len(lines), **apart(rounded, whole)}
    for name, logits in (("rounded", rounded), ("whole", whole)):
        scores = [pitch_log_odds(row) for row in logits]
        found[f"{name}_average_precision"] = round(float(average_precision_score(truth, scores)), 3)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
