"""Measure the classifier on a file of labelled lines: `python -m detectors.training.evaluate --lines F`.

Rows need `text`, `kind` and `label` (or `act`); `lang`, `context`, `channel`, `video` and `id` are used where they
are there. Beside the classifier stand TF-IDF with logistic regression, trained on the same lines, and a keyword
list. Speech is measured as pitch or not, chat as spam (or pitch) or not. Intervals are bootstrapped over videos. Below
stands, for each other label, the share of its rows that the classifier takes for what is looked for, and what it is
worth that it abstains.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from detectors.classifier import SHIPPED_MODEL, Classifier, ModelError, Request
from detectors.records import Reading
from detectors.training.baselines import fit_tfidf, keyword_scores, tfidf_scores
from detectors.training.passages import read_lines, training_files

Scores = NDArray[np.float64]
RESAMPLES = 1000
LEAST_ROWS = 20


@dataclass(frozen=True)
class Rows:
    """The rows of one kind: what to read, whether it is what is looked for, and which video it comes from.

    `labels` are those of the file: of rows that are not looked for, they say which look-alike they are.
    """

    requests: list[Request]
    truth: NDArray[np.bool_]
    groups: NDArray[Any]
    slices: dict[str, NDArray[np.bool_]]
    labels: NDArray[Any]


def load_rows(path: Path, kind: str) -> Rows:
    """Read the rows of `kind` from a file of labelled lines. Raises ValueError with the line number."""
    rows = []
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(raw)
            row["label"] = row.get("label", row.get("act"))
            if row["kind"] == kind and row["label"]:
                rows.append(row)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    wanted = {"pitch"} if kind == "speech" else {"spam", "pitch"}
    slices: dict[str, NDArray[np.bool_]] = {"all": np.ones(len(rows), dtype=bool)}
    for name in ("lang", "style", "channel"):
        for value in sorted({str(row[name]) for row in rows if row.get(name)}):
            slices[f"{name} {value}"] = np.array([str(row.get(name)) == value for row in rows])
    return Rows(
        [Request(row["text"], row["kind"], tuple(row.get("context", ())), row.get("lang")) for row in rows],
        np.array([row["label"] in wanted for row in rows], dtype=bool),
        np.array([str(row.get("video") or row.get("passage") or row.get("id") or i) for i, row in enumerate(rows)]),
        slices,
        np.array([str(row["label"]) for row in rows]),
    )


def classifier_scores(classifier: Classifier, rows: Rows, kind: str) -> Scores:
    """Return the probability of what is looked for, per row."""
    return scores_of(classifier_readings(classifier, rows), kind)


def scores_of(readings: Sequence[Reading], kind: str) -> Scores:
    """Return the probability of what is looked for in this kind of line."""
    return np.array([one.pitch + (one.acts["spam"] if kind == "chat" else 0.0) for one in readings])


def classifier_readings(classifier: Classifier, rows: Rows) -> list[Reading]:
    """Return a reading per row."""
    readings: list[Reading] = []
    for start in track(
        range(0, len(rows.requests), 64), description="reading", console=Console(stderr=True), transient=True
    ):
        readings += classifier.read(rows.requests[start : start + 64])
    return readings


def precision_at_recall(truth: NDArray[np.bool_], scores: Scores, recall: float = 0.9) -> float:
    """Return the best precision at which at least `recall` of the true rows are found."""
    precisions, recalls, _ = precision_recall_curve(truth, scores)
    return float(precisions[recalls >= recall].max())


def calibration_error(truth: NDArray[np.bool_], scores: Scores, bins: int = 10) -> float:
    """Expected calibration error: mean distance of stated probability and observed share over equal-width bins
    (Naeini et al., 2015)."""
    index = np.minimum((scores * bins).astype(int), bins - 1)
    total = 0.0
    for number in range(bins):
        inside = index == number
        if inside.any():
            total += inside.mean() * abs(float(truth[inside].mean()) - float(scores[inside].mean()))
    return float(total)


def bootstrap(
    truth: NDArray[np.bool_], groups: NDArray[Any], value: Callable[[NDArray[np.int64]], float], seed: int = 3
) -> tuple[float, float]:
    """Return the 95 % interval of `value(row indices)` when whole groups (videos) are drawn with replacement."""
    dice = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    values = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([members[i] for i in dice.integers(0, len(members), len(members))])
        if truth[drawn].any() and not truth[drawn].all():
            values.append(value(drawn))
    low, high = np.percentile(values, [2.5, 97.5]) if values else (float("nan"), float("nan"))
    return float(low), float(high)


def measure(rows: Rows, scored: dict[str, Scores]) -> list[dict[str, Any]]:
    """Return a result per slice and model."""
    results = []
    for name, inside in rows.slices.items():
        truth, groups = rows.truth[inside], rows.groups[inside]
        if inside.sum() < LEAST_ROWS or truth.all() or not truth.any():
            continue
        for model, everything in scored.items():
            scores = everything[inside]
            low, high = bootstrap(
                truth, groups, lambda d, t=truth, s=scores: float(average_precision_score(t[d], s[d]))
            )
            result = {"slice": name, "model": model, "rows": int(inside.sum()), "share": round(float(truth.mean()), 3)}
            result |= {
                "auprc": round(float(average_precision_score(truth, scores)), 3),
                "interval": [round(low, 3), round(high, 3)],
            }
            if scores.max() <= 1.0:
                result |= {
                    "f1": round(float(f1_score(truth, scores >= 0.5)), 3),
                    "ece": round(calibration_error(truth, scores), 3),
                }
            result["precision_at_recall_90"] = round(precision_at_recall(truth, scores), 3)
            results.append(result)
        results += _differences(name, truth, groups, {m: s[inside] for m, s in scored.items()})
    return results


def mistaken(rows: Rows, scores: Scores) -> list[dict[str, Any]]:
    """Return, per label that is not looked for, the share of its rows that the classifier takes for it (from .5 on)."""
    results = []
    for label in sorted(set(rows.labels[~rows.truth])):
        inside = ~rows.truth & (rows.labels == label)
        low, high = bootstrap_share(scores[inside] >= 0.5, rows.groups[inside])
        results.append(
            {
                "slice": f"label {label}",
                "model": "taken for one",
                "rows": int(inside.sum()),
                "share_mistaken": round(float((scores[inside] >= 0.5).mean()), 4),
                "interval": [round(low, 4), round(high, 4)],
            }
        )
    return results


def abstained(rows: Rows, scores: Scores, unsure: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return how many rows lie in the band in which the classifier abstains, and the share that is taken wrongly (at
    .5) in it and outside of it."""
    results = []
    for name, inside in (("in the band", unsure), ("outside the band", ~unsure)):
        if inside.any():
            wrong = (scores[inside] >= 0.5) != rows.truth[inside]
            low, high = bootstrap_share(wrong, rows.groups[inside])
            results.append(
                {
                    "slice": name,
                    "model": "taken wrongly",
                    "rows": int(inside.sum()),
                    "share": round(float(rows.truth[inside].mean()), 3),
                    "share_mistaken": round(float(wrong.mean()), 4),
                    "interval": [round(low, 4), round(high, 4)],
                }
            )
    return results


def bootstrap_share(hit: NDArray[np.bool_], groups: NDArray[Any], seed: int = 3) -> tuple[float, float]:
    """Return the 95 % interval of a share when whole groups are drawn with replacement."""
    dice = np.random.default_rng(seed)
    sums = np.array([[hit[groups == group].sum(), (groups == group).sum()] for group in np.unique(groups)])
    drawn = sums[dice.integers(0, len(sums), (RESAMPLES, len(sums)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return float(low), float(high)


def _differences(
    name: str, truth: NDArray[np.bool_], groups: NDArray[Any], scored: dict[str, Scores]
) -> list[dict[str, Any]]:
    ours = scored["classifier"]
    results = []
    for model, theirs in scored.items():
        if model == "classifier":
            continue

        def gain(drawn: NDArray[np.int64], other: Scores = theirs) -> float:
            return float(
                average_precision_score(truth[drawn], ours[drawn]) - average_precision_score(truth[drawn], other[drawn])
            )

        low, high = bootstrap(truth, groups, gain)
        everything = np.arange(len(truth))
        results.append(
            {
                "slice": name,
                "model": f"classifier − {model}",
                "auprc": round(gain(everything), 3),
                "interval": [round(low, 3), round(high, 3)],
            }
        )
    return results


def evaluate(path: Path, model: Path, baselines: bool = True) -> list[dict[str, Any]]:
    """Measure every kind in the file; return results with their kind."""
    classifier = Classifier(model)
    train = read_lines(training_files()) if baselines else []
    results = []
    for kind in ("speech", "chat"):
        rows = load_rows(path, kind)
        if len(rows.requests) < LEAST_ROWS or rows.truth.all() or not rows.truth.any():
            continue
        readings = classifier_readings(classifier, rows)
        scored = {"classifier": scores_of(readings, kind)}
        texts = [request.text for request in rows.requests]
        if baselines:
            tfidf = fit_tfidf([line.text for line in train], [line.act for line in train])
            scored["tf-idf"] = tfidf_scores(tfidf, texts)
            if kind == "chat":
                scored["tf-idf"] = scored["tf-idf"] + tfidf_scores(tfidf, texts, "spam")
            scored["keywords"] = keyword_scores(texts)
        found = [*measure(rows, scored), *mistaken(rows, scored["classifier"])]
        if kind == "speech":  # the band is one of pitches; in chat, spam is looked for as well
            found += abstained(rows, scored["classifier"], np.array([reading.unsure for reading in readings]))
        results += [{"kind": kind, **result} for result in found]
    return results


def print_results(results: Sequence[dict[str, Any]]) -> None:
    """Print results as a table."""
    table = Table(box=None, header_style="bold")
    for column in ("kind", "slice", "rows", "share", "model", "auprc", "95 % interval", "f1", "p@r.9", "ece"):
        table.add_column(column)
    for row in results:
        low, high = row["interval"]
        cells = [
            row["kind"],
            row["slice"],
            row.get("rows", ""),
            row.get("share", ""),
            row["model"],
            row.get("auprc", row.get("share_mistaken")),
            f"{low:.3f} … {high:.3f}",
        ]
        cells += [row.get("f1", ""), row.get("precision_at_recall_90", ""), row.get("ece", "")]
        table.add_row(*(str(cell) for cell in cells))
    Console(width=150).print(table)


def main() -> int:
    """Evaluate the file on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=Path, required=True, help="labelled lines, JSON Lines")
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="model folder (default: the one that ships)")
    parser.add_argument("--no-baselines", action="store_true", help="the classifier alone")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        results = evaluate(given.lines, given.model, not given.no_baselines)
    except (ValueError, OSError, ModelError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    if not results:
        print(f"evaluate: {given.lines}: no kind has {LEAST_ROWS} rows with both labels", file=sys.stderr)
        return 1
    if given.json:
        for row in results:
            print(json.dumps(row, ensure_ascii=False))
    else:
        print_results(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
