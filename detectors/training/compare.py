"""Compare recipes of the line classifier at an equal budget: `python -m detectors.training.compare --out RUNS.jsonl`.

Every run sees the same draw of training lines as often, and is measured on the lines of the validation shows by its
network alone (no words, no calibration). Layers: twelve, six and four, tuned from the base encoder; six and four
distilled from the shipped model. Context: six of the shipped model's layers tuned with no earlier line, two, three,
four, and four with a mark of who spoke. TF-IDF stands beside.

`--share 1 --epochs 3` compares at full size; it takes the better part of a day on two cores.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from tokenizers import Tokenizer

from detectors.classifier import SHIPPED_MODEL, pitch_log_odds
from detectors.context import CONTEXT_CHARS, CONTEXT_LINES, choose_lines
from detectors.encoding import encode
from detectors.training.baselines import fit_tfidf, tfidf_scores
from detectors.training.evaluate import bootstrap, precision_at_recall
from detectors.training.model import PitchModel, student_of
from detectors.training.passages import DATA, Example, LabelledLine, read_lines, training_files
from detectors.training.train import Item, Recipe, fresh, load, pooled, tune


@dataclass(frozen=True)
class Run:
    """One row of the table.

    `cut` starts from the shipped model's layers instead of the base encoder's; `distilled` does so, and learns from
    what the shipped model says of each line as well.
    """

    name: str
    layers: int
    context: int = CONTEXT_LINES
    marked: bool = False
    cut: bool = False
    distilled: bool = False


#: The cheap ones first, so that a run that is stopped has told most.
RUNS = (
    Run("4 layers", 4),
    Run("6 layers", 6),
    Run("4 layers, distilled", 4, distilled=True),
    Run("6 layers, distilled", 6, distilled=True),
    Run("6 layers cut, context 3", 6, cut=True),
    Run("6 layers cut, no context", 6, context=0, cut=True),
    Run("6 layers cut, context 4", 6, context=4, cut=True),
    Run("6 layers cut, context 4, marked", 6, context=4, marked=True, cut=True),
    Run("6 layers cut, context 2", 6, context=2, cut=True),
    Run("12 layers", 12),
)


def with_context(lines: Sequence[LabelledLine], run: Run) -> Iterator[Example]:
    """Give each line the context that `run` asks for."""
    for _, group in groupby(lines, key=lambda line: line.passage):
        passage = list(group)
        for position, line in enumerate(passage):
            chosen = choose_lines(passage[:position], line.kind, line.who, run.context)
            yield Example(line, tuple(_told(earlier, line, run.marked) for earlier in chosen))


def _told(earlier: LabelledLine, line: LabelledLine, marked: bool) -> str:
    text = earlier.text[-CONTEXT_CHARS:]
    if not marked:
        return text
    who = "same" if earlier.who == line.who else "chat" if earlier.kind == "chat" else "other"
    return f"{who}: {text}"


def execute(run: Run, lines: Sequence[LabelledLine], epochs: int, seed: int) -> tuple[PitchModel, Tokenizer]:
    """Train `run` on `lines` and return its network."""
    data = list(with_context(lines, run))
    if run.distilled or run.cut:
        teacher, tokenizer = load(SHIPPED_MODEL)
        teacher.eval()
        model = student_of(teacher, run.layers)
        recipe = Recipe(run.layers, frozen=0, epochs=epochs, seed=seed)
        tune(model, tokenizer, recipe, data, teacher if run.distilled else None)
    else:
        recipe = Recipe(run.layers, frozen=run.layers // 2, epochs=epochs, seed=seed)
        model, tokenizer = fresh(recipe, data)
        tune(model, tokenizer, recipe, data)
    return model, tokenizer


def scores(model: PitchModel, tokenizer: Tokenizer, data: Sequence[Example]) -> NDArray[np.float64]:
    """Return the log-odds of a pitch of each line."""
    items = [Item(encode(tokenizer, one.line.text, one.line.kind, one.context), 0, ()) for one in data]
    logits = model.head(pooled(model, items)).detach().numpy()
    return np.array([pitch_log_odds(row) for row in logits])


def measured(name: str, found: NDArray[np.float64], lines: Sequence[LabelledLine]) -> dict[str, Any]:
    """Return average precision with its interval, by kind and language, and precision at recall .9."""
    truth = np.array([line.act == "pitch" for line in lines])
    shows = np.array([line.passage for line in lines])
    low, high = bootstrap(truth, shows, lambda d: float(average_precision_score(truth[d], found[d])))
    row: dict[str, Any] = {"run": name, "lines": len(lines), "auprc": _average(truth, found)}
    row |= {"interval": [round(low, 3), round(high, 3)], "p_at_r90": round(precision_at_recall(truth, found), 3)}
    for field in ("kind", "lang"):
        for value in sorted({str(getattr(line, field)) for line in lines}):
            inside = np.array([getattr(line, field) == value for line in lines])
            if truth[inside].any():
                row[value] = _average(truth[inside], found[inside])
    return row


def _average(truth: NDArray[np.bool_], found: NDArray[np.float64]) -> float:
    return round(float(average_precision_score(truth, found)), 3)


def main() -> None:
    """Run what the command line asks for, and append a row for each run to the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON Lines; rows are added")
    parser.add_argument("--share", type=float, default=0.2, help="share of the training passages that is drawn")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--runs", nargs="*", default=["tf-idf", *(run.name for run in RUNS)])
    given = parser.parse_args()
    dice = random.Random(given.seed)
    every = read_lines(training_files())
    drawn = {name for name in sorted({line.passage for line in every}) if dice.random() < given.share}
    lines = [line for line in every if line.passage in drawn]
    held = read_lines(sorted((DATA / "validation").glob("*.jsonl")))
    budget = {"trained_on": len(lines), "epochs": given.epochs, "seed": given.seed}
    if "tf-idf" in given.runs:
        words = fit_tfidf([line.text for line in lines], [line.act for line in lines])
        _write(given.out, measured("tf-idf", tfidf_scores(words, [line.text for line in held]), held) | budget)
    for run in (run for run in RUNS if run.name in given.runs):
        began = time.monotonic()
        model, tokenizer = execute(run, lines, given.epochs, given.seed)
        trained = time.monotonic()
        row = measured(run.name, scores(model, tokenizer, list(with_context(held, run))), held)
        row |= {"train_seconds": round(trained - began), "read_seconds": round(time.monotonic() - trained)}
        _write(given.out, row | asdict(run) | budget)


def _write(out: Path, row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
