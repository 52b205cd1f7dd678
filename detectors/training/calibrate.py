"""Calibrate the probabilities of an exported model on validation lines.

`python -m detectors.training.calibrate --model detectors/model`

Per kind of line, on lines of whole validation shows: one temperature for all acts (Guo et al., 2017), and a logistic
regression that mixes the network's log-odds of a pitch with what the words alone say (Platt, 1999). Training passages
hold far more pitches than shows do; the regression's bias makes up for it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from detectors.classifier import Classifier, Request, pitch_log_odds, word_signs
from detectors.ngrams import NgramModel
from detectors.taxonomy import ACTS
from detectors.training.manifest import write_manifest
from detectors.training.passages import DATA, examples, read_lines


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


def mix(signs: NDArray[np.float64], truth: NDArray[np.bool_]) -> list[float]:
    """Return bias and weights with which the signs of a pitch, shape (lines, signs), say how likely one is."""
    found = LogisticRegression(C=1.0, max_iter=1000).fit(signs, truth)
    return [round(float(value), 4) for value in (found.intercept_[0], *found.coef_[0])]


def calibrate(folder: Path, files: list[Path]) -> dict[str, dict[str, object]]:
    """Fit on `files`, write the result into the folder's config.json, and return it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("calibration", None)
    _write(folder, config)
    classifier, words = Classifier(folder, with_gate=False), NgramModel.load(folder / "words.npz")
    everything = list(examples(read_lines(files)))
    calibration: dict[str, dict[str, object]] = {"temperature": {}, "mix": {}}
    for kind in ("speech", "chat"):
        lines = [example for example in everything if example.line.kind == kind]
        requests = [Request(e.line.text, "chat" if kind == "chat" else "speech", e.context) for e in lines]
        logits = classifier.logits(requests)
        truth = np.array([ACTS.index(example.line.act) for example in lines])
        temperature, _ = fit(logits[:, : len(ACTS)].astype(np.float64), truth)
        signs = [
            (pitch_log_odds(row), *word_signs(words, request.text, request.context))
            for row, request in zip(logits, requests, strict=True)
        ]
        calibration["temperature"][kind] = round(temperature, 3)
        calibration["mix"][kind] = mix(np.array(signs), truth == ACTS.index("pitch"))
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
