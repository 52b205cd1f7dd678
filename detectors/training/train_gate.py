"""Fit the gate on chat that the transformer has read: `python -m detectors.training.train_gate --out detectors/model`.

The gate learns which lines the transformer of the same folder flags, from the chat of the training passages and of the
validation shows. Two linear models, one over hashed n-grams and one over the encoder's word vectors cut to their main
directions (principal components), are added with weights of their own (stacking; Wolpert, 1992). The threshold is set
on sums that each line got from models that had not seen its passage, so that at most 0.5 % of the flagged lines would
be passed by, and then lowered by a margin. Run it after `export`, `train_words` and `calibrate`.

`--measure FILE` tells instead what the gate in the folder loses and passes by of any chat (rows with `text`).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tokenizers import Tokenizer

from detectors.classifier import GATE, Classifier, Request
from detectors.gate import Gate
from detectors.records import Reading
from detectors.training.manifest import write_manifest
from detectors.training.ngram_matrix import matrix
from detectors.training.passages import DATA, Example, examples, read_lines, training_files
from detectors.word_vectors import VectorModel

MOST_LOST = 0.005
#: Taken off the threshold: what is written for training is tidier than what comes. On real chat (2,074 messages that
#: are not in the repository, 450 of them flagged) 6.0 % of the flagged would be lost without it, 0.9 % with it.
MARGIN = 1.5
FOLDS = 5
DIRECTIONS = 32
GRAM_INVERSE_PENALTY = 30.0
VECTOR_INVERSE_PENALTY = 0.1
#: From these probabilities on a reading could move anything: quotes, weights, or a viewer's own advertising.
FLAGGED = {"pitch": 0.2, "spam": 0.3, "sponsor": 0.5}


def flagged(reading: Reading) -> bool:
    """Whether the transformer found something in the line that it must be shown for."""
    return any(reading.acts[act] >= least for act, least in FLAGGED.items())


def word_table(folder: Path, directions: int = DIRECTIONS) -> tuple[NDArray[np.int8], float]:
    """Return the encoder's word vectors cut to their main directions, in steps, and the size of a step."""
    stored = {one.name: one for one in onnx.load(str(folder / "model.onnx")).graph.initializer}
    name = next(name for name in stored if name.endswith("word_embeddings.weight_steps"))
    size = numpy_helper.to_array(stored[name.replace("_steps", "_size")])
    whole = numpy_helper.to_array(stored[name]).astype(np.float32) * size
    centred = whole - whole.mean(axis=0)
    _, found = np.linalg.eigh(centred.T @ centred)
    cut = centred @ found[:, ::-1][:, :directions]
    step = float(np.abs(cut).max()) / 127
    return np.round(cut / step).astype(np.int8), step


def fit(chat: Sequence[Example], found: NDArray[np.bool_], folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the arrays of gate.npz, and figures on lines of passages that were held out."""
    texts = [one.line.text for one in chat]
    table, step = word_table(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pooling = VectorModel(tokenizer, table, step, np.zeros(0, dtype=np.float32), 0.0)
    inputs = (matrix(texts), np.array([pooling.pooled(text) for text in texts]))
    grams = LogisticRegression(C=GRAM_INVERSE_PENALTY, class_weight="balanced", max_iter=3000)
    linear = LogisticRegression(C=VECTOR_INVERSE_PENALTY, class_weight="balanced", max_iter=3000)
    vectors = make_pipeline(StandardScaler(), linear)
    folds = {"groups": [one.line.passage for one in chat], "cv": GroupKFold(FOLDS), "method": "decision_function"}
    held_out = np.stack(
        [cross_val_predict(model, x, found, **folds) for model, x in zip((grams, vectors), inputs, strict=True)], axis=1
    )
    shares = LogisticRegression(class_weight="balanced").fit(held_out, found).coef_[0]
    sums = held_out @ shares
    threshold = float(np.quantile(sums[found], MOST_LOST, method="lower")) - MARGIN
    grams.fit(inputs[0], found)
    vectors.fit(inputs[1], found)
    by_vector = linear.coef_[0] / vectors[0].scale_
    bias = shares[0] * grams.intercept_[0] + shares[1] * (linear.intercept_[0] - by_vector @ vectors[0].mean_)
    arrays = {
        "weights": (shares[0] * grams.coef_[0]).astype(np.float16),
        "bias": np.float32(bias),
        "table": table,
        "size": np.float32(step),
        "vector_weights": (shares[1] * by_vector).astype(np.float32),
        "threshold": np.float32(threshold),
    }
    figures = {
        "lines": len(chat),
        "flagged": int(found.sum()),
        "lost": round(float((sums[found] < threshold).mean()), 4),
        "passed_by": round(float((sums[~found] < threshold).mean()), 3),
    }
    return arrays, figures


def measure(folder: Path, file: Path) -> dict[str, float]:
    """Return what the folder's gate does with the chat of `file`. Raises ValueError or KeyError on a bad row."""
    texts = [json.loads(raw)["text"] for raw in file.read_text(encoding="utf-8").splitlines()]
    readings = Classifier(folder, with_gate=False).read([Request(text, "chat") for text in texts])
    found = np.array([flagged(reading) for reading in readings])
    gate = Gate.load(folder / GATE, Tokenizer.from_file(str(folder / "tokenizer.json")))
    passed = np.array([gate.passes_by(text) for text in texts])
    return {
        "lines": len(texts),
        "flagged": int(found.sum()),
        "lost": round(float(passed[found].mean()), 4),
        "passed_by": round(float(passed[~found].mean()), 3),
    }


def main() -> None:
    """Have the chat read, fit, print the figures, and write gate.npz beside the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="model folder")
    parser.add_argument("--measure", type=Path, metavar="FILE", help="measure on the chat of FILE, write nothing")
    given = parser.parse_args()
    if given.measure:
        print(measure(given.out, given.measure))
        return
    files = [*training_files(), *sorted((DATA / "validation").glob("*.jsonl"))]
    chat = [one for one in examples(read_lines(files)) if one.line.kind == "chat"]
    requests = [Request(one.line.text, "chat", one.context) for one in chat]
    readings = Classifier(given.out, with_gate=False).read(requests)
    arrays, figures = fit(chat, np.array([flagged(reading) for reading in readings]), given.out)
    print(figures)
    np.savez_compressed(given.out / GATE, **arrays)
    write_manifest(given.out)


if __name__ == "__main__":
    main()
