"""Fit the words' own sign of a pitch on the training lines: `python -m detectors.training.train_words --out DIR`."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from detectors.training.manifest import write_manifest
from detectors.training.ngram_matrix import matrix
from detectors.training.passages import read_lines, training_files

#: Inverse strength of the penalty; of 3, 10, 30 and 100 the best beside the network on validation lines.
INVERSE_PENALTY = 10.0


def main() -> None:
    """Fit and write words.npz beside the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    lines = read_lines(training_files())
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
    model.fit(matrix([line.text for line in lines]), np.array([line.act == "pitch" for line in lines]))
    weights = model.coef_[0].astype(np.float16)
    np.savez_compressed(given.out / "words.npz", weights=weights, bias=np.float32(model.intercept_[0]))
    write_manifest(given.out)


if __name__ == "__main__":
    main()
