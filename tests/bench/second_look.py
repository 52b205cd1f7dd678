"""Whether a second look brings anything: `python -m tests.bench.second_look DIR… [--cache DIR]`.

Before a line of somebody who presents counts as evidence, what they said in the two minutes up to it is read again by
the same classifier, in stretches of sixty words. Told are, of all such lines: average precision of being inside their
pitch by the line's own probability, by the second look's, and by a logistic regression of both (shows held out); and
the loss that `fit_arc` makes least when a line counts only where the second look agrees.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from detectors.arc import ArcParameters
from detectors.classifier import Classifier, Request
from detectors.records import Line, Reading
from detectors.show import Show
from tests.bench.command import asked_shows, parser
from tests.bench.fit_arc import loss
from tests.bench.shows import TruthShow

SECONDS = 120.0
WORDS = 60
#: The second look must be at least this sure for a line to count.
LEAST = (0.02, 0.05, 0.1, 0.2)


def stretches(said: Sequence[Line], until: Line) -> list[str]:
    """Return what one person said in the two minutes up to the end of `until`, in stretches; the last is whole."""
    words = [word for line in said if line.until > until.until - SECONDS for word in line.text.split()]
    return [" ".join(words[max(0, end - WORDS) : end]) for end in range(len(words), 0, -WORDS)][::-1]


def candidates(show: TruthShow, least: float) -> list[tuple[int, list[str], bool]]:
    """Return position, stretches and truth of every line that counts as evidence."""
    memory = Show(show.info)
    said: dict[str, list[Line]] = {}
    found = []
    for position, (event, reading) in enumerate(zip(show.events, show.readings, strict=True)):
        memory.apply(event)
        if not isinstance(event, Line) or not isinstance(reading, Reading) or event.weight == 0.0:
            continue
        own = said.setdefault(event.who, [])
        own.append(event)
        if reading.pitch >= least and memory.is_presenter(event.person.account):
            selling = any(
                p.by.lower() == event.person.name.lower() and p.start <= event.at and event.until <= p.end
                for p in show.pitches
            )
            found.append((position, stretches(own, event), selling))
    return found


def look(classifier: Classifier, texts: Sequence[str], lang: str) -> tuple[float, float]:
    """Return the greatest and the mean log-odds of the stretches."""
    requests = [Request(text, "speech", lang=lang) for text in texts]
    values = [_log_odds(reading.pitch) for reading in classifier.read(requests)]
    return max(values), sum(values) / len(values)


def measure(shows: Sequence[TruthShow], classifier: Classifier) -> dict[str, Any]:
    """Return the figures over all shows."""
    parameters = ArcParameters()
    signs, truth, groups = [], [], []
    seen: list[dict[int, float]] = []
    for show in shows:
        looked: dict[int, float] = {}
        for position, texts, selling in candidates(show, parameters.present):
            reading = show.readings[position]
            assert isinstance(reading, Reading)
            most, mean = look(classifier, texts, reading.lang)
            signs.append([_log_odds(reading.pitch), most, mean])
            truth.append(selling)
            groups.append(show.info.id)
            looked[position] = 1.0 / (1.0 + math.exp(-most))
        seen.append(looked)
    values, wanted = np.array(signs), np.array(truth)
    losses = {}
    for least in LEAST:
        vetoed = [
            _vetoed(show, {p for p, s in looked.items() if s < least}) for show, looked in zip(shows, seen, strict=True)
        ]
        losses[str(least)] = round(loss(vetoed, parameters), 3)
    return {
        "lines": len(truth),
        "inside": round(float(wanted.mean()), 3),
        "ap_line": round(float(average_precision_score(wanted, values[:, 0])), 3),
        "ap_second_look": _held_out(values[:, 1:], wanted, groups),
        "ap_both": _held_out(values, wanted, groups),
        "loss": round(loss(shows, parameters), 3),
        "loss_if_second_look_at_least": losses,
    }


def _held_out(values: NDArray[np.float64], truth: NDArray[np.bool_], groups: Sequence[str]) -> float:
    model = LogisticRegression(max_iter=1000)
    found = cross_val_predict(
        model, values, truth, groups=groups, cv=GroupKFold(min(8, len(set(groups)))), method="decision_function"
    )
    return round(float(average_precision_score(truth, found)), 3)


def _vetoed(show: TruthShow, positions: set[int]) -> TruthShow:
    """Return the show with the lines at `positions` taken for no pitch."""
    readings = []
    for position, reading in enumerate(show.readings):
        if position in positions and isinstance(reading, Reading):
            moved = {"pitch": 0.0, "other": reading.acts["other"] + reading.pitch}
            reading = replace(reading, acts={**reading.acts, **moved})
        readings.append(reading)
    return replace(show, readings=tuple(readings))


def _log_odds(probability: float) -> float:
    bounded = min(0.9999, max(0.0001, probability))
    return math.log(bounded / (1.0 - bounded))


def main() -> int:
    """Measure the folders of the command line."""
    given = parser(__doc__).parse_args()
    print(json.dumps(measure(asked_shows(given), Classifier(given.model)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
