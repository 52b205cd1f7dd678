"""Calibrate the probabilities of an exported model on validation lines.

`python -m detectors.training.calibrate --model detectors/model`

Per kind of line, on lines of whole validation shows: one temperature for all acts (Guo et al., 2017), and a logistic
regression that mixes the network's log-odds of a pitch with what the words alone say (Platt, 1999). Training passages
hold far more pitches than shows do; the regression's bias makes up for it. Languages share the weights and differ in
the bias, which a pull keeps together (`APART`): there are few shows of each.

The band in which the classifier abstains comes from the same regression fitted on other shows (Geifman & El-Yaniv,
2017, "Selective Classification"): of the lines above it at least nine in ten are pitches, and below it lie at most one
pitch in twenty and at most one in fifty of the lines. The shares are those that were seen, without a margin for chance.
`--measure` prints what the parts bring on shows held out, and changes nothing.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import GroupKFold

from detectors.classifier import Classifier, Request, pitch_log_odds, word_signs
from detectors.language import LANGUAGES, detect_language
from detectors.ngrams import NgramModel
from detectors.taxonomy import ACTS
from detectors.training.manifest import write_manifest
from detectors.training.passages import DATA, Example, examples, read_lines

#: Folds of whole shows for what is measured or fitted on lines that the regression has not seen.
FOLDS = 8
#: How far the biases of languages may part: 0 not at all, 1 as lightly held as every weight is. On shows held out the
#: log loss is least at 0 (`--measure`); .1 costs next to nothing and follows once there are more shows of each.
APART: Final = 0.1
#: Least share of pitches above the band; most below it, of its lines and of all pitches.
SURE_PITCH = 0.9
SURE_NONE = 0.02
MOST_MISSED = 0.05
#: Fewer lines above a threshold say nothing about it.
LEAST_ABOVE = 20


@dataclass(frozen=True)
class Signs:
    """The lines of one kind: logits (lines, acts), signs of a pitch (lines, 3), truth, language, show."""

    logits: NDArray[np.float64]
    values: NDArray[np.float64]
    acts: NDArray[np.int64]
    french: NDArray[np.bool_]
    shows: NDArray[Any]

    @property
    def pitch(self) -> NDArray[np.bool_]:
        """Which lines are pitches."""
        return self.acts == ACTS.index("pitch")


def fit(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Return temperature and pitch shift that make the log loss of `truth` (indices of acts) least.

    Shapes: logits (lines, acts), truth (lines,).
    """

    def loss(values: NDArray[np.float64]) -> float:
        scaled = logits / np.exp(values[0])
        scaled[:, ACTS.index("pitch")] += values[1]
        scaled -= scaled.max(axis=1, keepdims=True)
        likely = scaled[np.arange(len(truth)), truth] - np.log(np.exp(scaled).sum(axis=1))
        # A light pull to "no change" keeps few lines from deciding much.
        return float(-likely.mean() + 0.002 * (values**2).sum())

    found = minimize(loss, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(found[0])), float(found[1])


def mix(
    signs: NDArray[np.float64], truth: NDArray[np.bool_], french: NDArray[np.bool_], apart: float = APART
) -> dict[str, list[float]]:
    """Return, per language, bias and weights with which the signs of a pitch say how likely one is."""
    found = _regression(signs, truth, french, apart)
    *weights, offset = (round(float(value), 4) for value in found.coef_[0])
    bias = round(float(found.intercept_[0]), 4)
    return {lang: [round(bias + (apart * offset if lang == "fr" else 0.0), 4), *weights] for lang in LANGUAGES}


def held_out(signs: Signs, apart: float = APART) -> NDArray[np.float64]:
    """Return the probability of a pitch of each line, from regressions that have not seen its show."""
    found = np.zeros(len(signs.acts))
    for fitted, left in folds(signs):
        model = _regression(signs.values[fitted], signs.pitch[fitted], signs.french[fitted], apart)
        found[left] = model.predict_proba(_columns(signs.values[left], signs.french[left], apart))[:, 1]
    return found


def folds(signs: Signs) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return lines to fit on and lines of other shows. Raises ValueError with fewer than two shows."""
    count = min(FOLDS, len(np.unique(signs.shows)))
    return list(GroupKFold(count).split(signs.values, groups=signs.shows))


def abstain_band(probability: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the band [low, high) of probabilities in which a line is neither surely a pitch nor surely none.

    From `high` on at least `SURE_PITCH` of the lines are pitches (1 where that is never so). Below `low` at most
    `SURE_NONE` of the lines are, and at most `MOST_MISSED` of all pitches lie there. The band is empty (low = high)
    where both hold for one threshold.
    """
    ordered = np.argsort(probability)
    ranked, pitches = probability[ordered], np.concatenate([[0], np.cumsum(truth[ordered])])
    # Lines from a cut on, and before it; cuts only where the probability changes, and behind the last.
    cuts = np.array([*np.flatnonzero(np.diff(ranked, prepend=-1.0) > 0.0), len(ranked)])
    before, after = pitches[cuts], pitches[-1] - pitches[cuts]
    values = np.append(ranked, 1.0)[cuts]
    count = len(ranked) - cuts
    sure = (count >= LEAST_ABOVE) & (after >= SURE_PITCH * count)
    high = float(values[sure][0]) if sure.any() else 1.0
    harmless = (before <= SURE_NONE * cuts) & (before <= MOST_MISSED * pitches[-1])
    low = float(values[harmless][-1])
    return min(low, high), high


def band_held_out(signs: Signs, probability: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which lines lie above and which below a band that was set on other shows."""
    sure, none = np.zeros(len(probability), dtype=bool), np.zeros(len(probability), dtype=bool)
    for fitted, left in folds(signs):
        low, high = abstain_band(probability[fitted], signs.pitch[fitted])
        sure[left], none[left] = probability[left] >= high, probability[left] < low
    return sure, none


def read_signs(folder: Path, everything: list[Example], kind: str) -> Signs:
    """Have the network and the words of `folder` read the lines of one kind."""
    classifier, words = Classifier(folder, with_gate=False), NgramModel.load(folder / "words.npz")
    lines = [example for example in everything if example.line.kind == kind]
    requests = [Request(e.line.text, "chat" if kind == "chat" else "speech", e.context) for e in lines]
    logits = classifier.logits(requests)
    values = [
        (pitch_log_odds(row), *word_signs(words, request.text, request.context))
        for row, request in zip(logits, requests, strict=True)
    ]
    hints = [e.line.lang if e.line.lang in LANGUAGES else None for e in lines]
    return Signs(
        logits[:, : len(ACTS)].astype(np.float64),
        np.array(values),
        np.array([ACTS.index(e.line.act) for e in lines]),
        np.array([detect_language(e.line.text, hint) == "fr" for e, hint in zip(lines, hints, strict=True)]),
        np.array([e.line.passage for e in lines]),
    )


def calibrate(folder: Path, files: list[Path]) -> dict[str, dict[str, object]]:
    """Fit on `files`, write the result into the folder's config.json, and return it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    everything = list(examples(read_lines(files)))
    calibration: dict[str, dict[str, object]] = {"temperature": {}, "mix": {}, "abstain": {}}
    for kind in ("speech", "chat"):
        signs = read_signs(folder, everything, kind)
        temperature, _ = fit(signs.logits, signs.acts)
        calibration["temperature"][kind] = round(temperature, 3)
        calibration["mix"][kind] = mix(signs.values, signs.pitch, signs.french)
        low, high = abstain_band(held_out(signs), signs.pitch)
        # Rounded outwards: the band may only grow.
        calibration["abstain"][kind] = [math.floor(low * 1e5) / 1e5, math.ceil(high * 1e5) / 1e5]
    config["calibration"] = calibration
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write_manifest(folder)
    return calibration


def measure(folder: Path, files: list[Path]) -> list[dict[str, Any]]:
    """Return, per kind, what the mix, a bias per language and the band bring on shows held out."""
    everything = list(examples(read_lines(files)))
    rows = []
    for kind in ("speech", "chat"):
        signs = read_signs(folder, everything, kind)
        each = held_out(signs)
        sure, none = band_held_out(signs, each)
        rows.append(
            {
                "kind": kind,
                "lines": len(signs.acts),
                "average_precision": {
                    "network alone": round(float(average_precision_score(signs.pitch, signs.values[:, 0])), 3),
                    "mixed": round(float(average_precision_score(signs.pitch, each)), 3),
                },
                "log_loss_by_apart": {
                    str(apart): round(float(log_loss(signs.pitch, held_out(signs, apart))), 4)
                    for apart in (0.0, 0.1, 0.3, 1.0)
                },
                "band": [round(edge, 4) for edge in abstain_band(each, signs.pitch)],
                "abstains": round(float((~sure & ~none).mean()), 3),
                "pitches_above": round(float(signs.pitch[sure].mean()), 3) if sure.any() else None,
                "pitches_below": round(float(signs.pitch[none].mean()), 4) if none.any() else None,
                "of_pitches": {
                    "above": round(float(sure[signs.pitch].mean()), 3),
                    "in the band": round(float((~sure & ~none)[signs.pitch].mean()), 3),
                    "below": round(float(none[signs.pitch].mean()), 3),
                },
            }
        )
    return rows


def _regression(
    signs: NDArray[np.float64], truth: NDArray[np.bool_], french: NDArray[np.bool_], apart: float
) -> LogisticRegression:
    return LogisticRegression(C=1.0, max_iter=1000).fit(_columns(signs, french, apart), truth)


def _columns(signs: NDArray[np.float64], french: NDArray[np.bool_], apart: float) -> NDArray[np.float64]:
    # A smaller column needs a larger weight, which the penalty holds back more.
    return np.column_stack([signs, apart * french])


def main() -> None:
    """Calibrate the folder of the command line on the validation lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--lines", type=Path, nargs="*", default=sorted((DATA / "validation").glob("*.jsonl")))
    parser.add_argument("--measure", action="store_true", help="print what the parts bring; change nothing")
    given = parser.parse_args()
    if given.measure:
        for row in measure(given.model, given.lines):
            print(json.dumps(row))
    else:
        print(json.dumps(calibrate(given.model, given.lines)))


if __name__ == "__main__":
    main()
