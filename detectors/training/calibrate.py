"""Calibrate the pitch probability of an exported model on validation lines.

`python -m detectors.training.calibrate --model detectors/model`

Training passages hold far more pitches than shows do, so a fresh model says "pitch" too often. Per kind of line, one
temperature for all acts and one shift for the pitch logit are fitted by log loss on lines of whole validation shows
(temperature: Guo et al., 2017; shift: Saerens et al., 2002, for changed priors).
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from detectors.classifier import Classifier, Request
from detectors.taxonomy import ACTS
from detectors.training.manifest import write_manifest
from detectors.training.passages import DATA, Example, examples, read_lines


def fit(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Return temperature and pitch shift that make the log loss of `truth` (indices of acts) least.

    Shapes: logits (lines, acts), truth (lines,).
    """

    def log_loss(values: NDArray[np.float64]) -> float:
        scaled = logits / np.exp(values[0])
        scaled[:, ACTS.index("pitch")] += values[1]
        scaled -= scaled.max(axis=1, keepdims=True)
        likely = scaled[np.arange(len(truth)), truth] - np.log(np.exp(scaled).sum(axis=1))
        # A light pull to "no change" keeps few lines from deciding much.
        return float(-likely.mean() + 0.002 * (values**2).sum())

    found = minimize(log_loss, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(found[0])), float(found[1])


def act_logits(classifier: Classifier, lines: list[Example]) -> NDArray[np.float64]:
    """Return log probabilities of the acts, shape (lines, acts)."""
    requests = [Request(e.line.text, "chat" if e.line.kind == "chat" else "speech", e.context) for e in lines]
    return np.log([[reading.acts[act] + 1e-9 for act in ACTS] for reading in classifier.read(requests)])


def calibrate(folder: Path, files: list[Path]) -> dict[str, dict[str, float]]:
    """Fit on `files`, write the result into the folder's config.json, and return it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("calibration", None)
    _write(folder, config)
    classifier = Classifier(folder)
    everything = list(examples(read_lines(files)))
    calibration: dict[str, dict[str, float]] = {"temperature": {}, "pitch_shift": {}}
    for kind in ("speech", "chat"):
        lines = [example for example in everything if example.line.kind == kind]
        truth = np.array([ACTS.index(example.line.act) for example in lines])
        temperature, shift = fit(act_logits(classifier, lines), truth)
        calibration["temperature"][kind] = round(temperature, 3)
        calibration["pitch_shift"][kind] = round(shift, 3)
    _write(folder, {**config, "calibration": calibration})
    return calibration


def _write(folder: Path, config: dict[str, object]) -> None:
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write_manifest(folder)


def main() -> None:
    """Calibrate the folder of the command line on the validation lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--lines", type=Path, nargs="*", default=sorted((DATA / "validation").glob("*.jsonl")))
    given = parser.parse_args()
    print(json.dumps(calibrate(given.model, given.lines)))


if __name__ == "__main__":
    main()
