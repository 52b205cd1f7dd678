"""Fit the gate on the chat lines of the training data: `python -m detectors.training.train_gate --out detectors/model`.

The threshold is set on logits that each line got from a model that had not seen its passage, so that at most
0.5 % of the lines that matter (pitch or spam) would be passed by.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from detectors.ngrams import BUCKETS, features
from detectors.training.manifest import write_manifest
from detectors.training.passages import LabelledLine, read_lines, training_files

MOST_LOST = 0.005
#: Taken off the threshold: what is written for training is tidier than what comes.
MARGIN = 0.8
FOLDS = 5


def matrix(texts: Sequence[str]) -> csr_matrix:
    """Return hashed features, each row scaled by one over the root of its number of features."""
    rows = [features(text) for text in texts]
    values = [np.full(len(row), 1.0 / np.sqrt(max(1, len(row))), dtype=np.float32) for row in rows]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((np.concatenate(values), np.concatenate(rows), ends), shape=(len(texts), BUCKETS))


def matters(line: LabelledLine) -> bool:
    """Whether the transformer must see the line."""
    return line.act in ("pitch", "spam", "sponsor")


def fit(lines: Sequence[LabelledLine]) -> tuple[NDArray[np.float32], float, float, dict[str, float]]:
    """Return weights, bias, threshold, and figures on lines of passages that were held out."""
    inputs = matrix([line.text for line in lines])
    truth = np.array([matters(line) for line in lines])
    groups = np.array([line.passage for line in lines])
    model = LogisticRegression(C=30.0, class_weight="balanced", max_iter=3000)
    held_out = cross_val_predict(model, inputs, truth, groups=groups, cv=GroupKFold(FOLDS), method="decision_function")
    threshold = float(np.quantile(held_out[truth], MOST_LOST, method="lower")) - MARGIN
    model.fit(inputs, truth)
    figures = {
        "lines": len(lines),
        "that_matter": int(truth.sum()),
        "lost": float((held_out[truth] < threshold).mean()),
        "passed_by": float((held_out[~truth] < threshold).mean()),
    }
    return model.coef_[0].astype(np.float32), float(model.intercept_[0]), threshold, figures


def main() -> None:
    """Fit, print the figures, and write gate.npz beside the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    chat = [line for line in read_lines(training_files()) if line.kind == "chat"]
    weights, bias, threshold, figures = fit(chat)
    print(figures)
    np.savez_compressed(given.out / "gate.npz", weights=weights.astype(np.float16), bias=bias, threshold=threshold)
    write_manifest(given.out)


if __name__ == "__main__":
    main()
