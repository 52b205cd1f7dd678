"""Fit the gate on chat that the transformer has read: `python -m detectors.training.train_gate --out detectors/model`.

The gate learns which lines the transformer of the same folder flags, from the chat of the training passages and of the
validation shows. Two linear models, one over hashed n-grams and one over the encoder's word vectors cut to their main
directions (principal components), are added with weights of their own (stacking; Wolpert, 1992). The threshold is set
on sums that each line got from models that had not seen its passage, so that at most 0.5 % of the flagged lines would
be passed by, and then lowered by a margin. A third model weighs their sum and what the network's lower layers make of
the line and its context; its threshold is set in the same way, on what both stages together would lose. (The network
itself has seen the training passages, which makes its lower layers look a little better there than they are.) Run it
after `export`, `train_words` and `calibrate`.

`--measure FILE` tells instead what the gate in the folder loses and passes by of any chat (rows with `text`).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tokenizers import Tokenizer

from detectors.classifier import GATE, LOWER, Classifier, Request
from detectors.gate import Gate
from detectors.language import LANGUAGES
from detectors.records import Reading
from detectors.training.manifest import write_manifest
from detectors.training.ngram_matrix import matrix
from detectors.training.passages import DATA, Example, examples, read_lines, training_files
from detectors.word_vectors import VectorModel

MOST_LOST = 0.005
#: Taken off the threshold of the text models: what is written for training is tidier than what comes. On real chat
#: (2,074 messages that are not in the repository, 348 of them flagged by a former version) it left .6 % of those lost.
MARGIN = 1.5
FOLDS = 5
DIRECTIONS = 32
GRAM_INVERSE_PENALTY = 30.0
VECTOR_INVERSE_PENALTY = 0.1
EARLY_INVERSE_PENALTY = 0.02
#: The same for the lower layers, where it matters more: without context, as real chat often is, .75 would have
#: lost 5.5 % of the flagged in all and passed by 54 % of the others; with 3.5 it lost .9 % and passed by 38 % (all of a
#: former version).
EARLY_MARGIN = 3.5
#: From these probabilities on a reading could move anything: quotes, weights, or a viewer's own advertising.
FLAGGED = {"pitch": 0.2, "spam": 0.3, "sponsor": 0.5}


def flagged(reading: Reading) -> bool:
    """Whether the transformer found something in the line that it must be shown for."""
    return any(reading.acts[act] >= least for act, least in FLAGGED.items())


def word_table(folder: Path, directions: int = DIRECTIONS) -> tuple[NDArray[np.int8], float]:
    """Return the encoder's word vectors cut to their main directions, in steps, and the size of a step."""
    stored = {one.name: one for one in onnx.load(str(folder / LOWER)).graph.initializer}
    name = next(name for name in stored if name.endswith("word_embeddings.weight_steps"))
    size = numpy_helper.to_array(stored[name.replace("_steps", "_size")])
    whole = numpy_helper.to_array(stored[name]).astype(np.float32) * size
    centred = whole - whole.mean(axis=0)
    _, found = np.linalg.eigh(centred.T @ centred)
    cut = centred @ found[:, ::-1][:, :directions]
    step = float(np.abs(cut).max()) / 127
    return np.round(cut / step).astype(np.int8), step


def fit(
    chat: Sequence[Example], found: NDArray[np.bool_], early: NDArray[np.float32], folder: Path
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the arrays of gate.npz, and figures on lines of passages that were held out.

    `found` tells which lines the transformer flags, `early` (lines, width) what its lower layers make of them.
    """
    groups = [one.line.passage for one in chat]
    arrays, sums = _fit_texts([one.line.text for one in chat], groups, found, folder)
    first = sums < arrays["threshold"]
    more, late = _fit_early(sums, early, groups, found, first)
    passed = first | (late < more["early_threshold"])
    figures = {
        "lines": len(chat),
        "flagged": int(found.sum()),
        "lost": round(float(passed[found].mean()), 4),
        "passed_by": round(float(passed[~found].mean()), 3),
        "by_text": round(float(first[~found].mean()), 3),
    }
    return arrays | more, figures


def _fit_texts(
    texts: Sequence[str], groups: Sequence[str], found: NDArray[np.bool_], folder: Path
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Return the arrays of the text models, and each line's sum from models that had not seen its passage."""
    table, step = word_table(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pooling = VectorModel(tokenizer, table, step, np.zeros(0, dtype=np.float32), 0.0)
    inputs = (matrix(texts), np.array([pooling.pooled(text) for text in texts]))
    grams = LogisticRegression(C=GRAM_INVERSE_PENALTY, class_weight="balanced", max_iter=3000)
    vectors = _standardised(VECTOR_INVERSE_PENALTY)
    held_out = np.stack(
        [_held_out(model, x, groups, found) for model, x in zip((grams, vectors), inputs, strict=True)], axis=1
    )
    shares = LogisticRegression(class_weight="balanced").fit(held_out, found).coef_[0]
    sums = held_out @ shares
    grams.fit(inputs[0], found)
    by_vector, offset = _weights(vectors.fit(inputs[1], found))
    arrays = {
        "weights": (shares[0] * grams.coef_[0]).astype(np.float16),
        "bias": np.float32(shares[0] * grams.intercept_[0] + shares[1] * offset),
        "table": table,
        "size": np.float32(step),
        "vector_weights": (shares[1] * by_vector).astype(np.float32),
        "threshold": np.float32(_threshold(sums[found], MARGIN)),
    }
    return arrays, sums


def _fit_early(
    sums: NDArray[np.float64],
    early: NDArray[np.float32],
    groups: Sequence[str],
    found: NDArray[np.bool_],
    first: NDArray[np.bool_],
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Return the arrays of the model of the lower layers, and each line's sum, held out."""
    inputs = np.column_stack([sums, early])
    model = _standardised(EARLY_INVERSE_PENALTY)
    late = _held_out(model, inputs, groups, found)
    weights, offset = _weights(model.fit(inputs, found))
    arrays = {
        "early_said": np.float32(weights[0]),
        "early_weights": weights[1:].astype(np.float32),
        "early_threshold": np.float32(_threshold(np.where(first, -np.inf, late)[found], EARLY_MARGIN) - offset),
    }
    return arrays, late - offset


def _standardised(inverse_penalty: float) -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=3000)
    )


def _held_out(model: Any, inputs: Any, groups: Sequence[str], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = cross_val_predict(
        model, inputs, found, groups=groups, cv=GroupKFold(FOLDS), method="decision_function"
    )
    return values


def _weights(model: Pipeline) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias of a standardised model for inputs as they come."""
    scaler, linear = model[0], model[-1]
    weights: NDArray[np.float64] = linear.coef_[0] / scaler.scale_
    return weights, float(linear.intercept_[0] - weights @ scaler.mean_)


def _threshold(flagged_sums: NDArray[np.float64], margin: float) -> float:
    """Return the threshold that loses `MOST_LOST` of the flagged lines, lowered; those at -inf are lost already."""
    value = float(np.quantile(flagged_sums, MOST_LOST, method="lower"))
    return (value if np.isfinite(value) else float(flagged_sums[np.isfinite(flagged_sums)].min())) - margin


def measure(folder: Path, file: Path) -> dict[str, float]:
    """Return what the folder's gate does with the chat of `file`. Raises ValueError or KeyError on a bad row."""
    rows = [json.loads(raw) for raw in file.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    requests = [Request(row["text"], "chat", lang=row.get("lang")) for row in rows]
    readings = Classifier(folder, with_gate=False).read(requests)
    found = np.array([flagged(reading) for reading in readings])
    gated = Classifier(folder).read([replace(request, gated=True) for request in requests])
    passed = np.array([reading.by == "gate" for reading in gated])
    gate = Gate.load(folder / GATE, Tokenizer.from_file(str(folder / "tokenizer.json")))
    first = np.array([gate.passes_by(gate.logit(text)) for text in texts])
    return {
        "lines": len(texts),
        "flagged": int(found.sum()),
        "lost": round(float(passed[found].mean()), 4),
        "passed_by": round(float(passed[~found].mean()), 3),
        "by_text": round(float(first[~found].mean()), 3),
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
    requests = [
        Request(one.line.text, "chat", one.context, one.line.lang if one.line.lang in LANGUAGES else None)
        for one in chat
    ]
    classifier = Classifier(given.out, with_gate=False)
    found = np.array([flagged(reading) for reading in classifier.read(requests)])
    arrays, figures = fit(chat, found, classifier.early(requests), given.out)
    print(figures)
    np.savez_compressed(given.out / GATE, **arrays)
    write_manifest(given.out)


if __name__ == "__main__":
    main()
