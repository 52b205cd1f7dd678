"""What the second look brings: `python -m tests.bench.second_look DIR… [--cache DIR]`.

Told are, of all lines of people who present that count as evidence and were looked at twice: average precision of lying
inside their pitch by the line's own probability, by the second look's, and by a logistic regression of both (shows held
out); and the loss that `fit_arc` makes least at different bounds of the second look.
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
from detectors.records import Line, Reading
from tests.bench.command import asked_shows, parser
from tests.bench.fit_arc import loss
from tests.bench.shows import TruthShow, inside

#: How sure the second look must be for a line to count.
BOUNDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)


def looked_twice(show: TruthShow, least: float) -> list[tuple[float, float, bool]]:
    """Return the probability alone, that of the passage, and the truth of every line that counts as evidence."""
    return [
        (reading.pitch, reading.passage, inside(show, event))
        for event, reading in zip(show.events, show.readings, strict=True)
        if isinstance(event, Line)
        and isinstance(reading, Reading)
        and reading.passage is not None
        and reading.pitch >= least
    ]


def measure(shows: Sequence[TruthShow]) -> dict[str, Any]:
    """Return the figures over all shows. Raises ValueError where nothing was looked at twice."""
    parameters = ArcParameters()
    found = [(show.info.id, *line) for show in shows for line in looked_twice(show, parameters.present)]
    if not found:
        raise ValueError("no line was looked at twice")
    groups = [show for show, *_ in found]
    signs = np.array([[_log_odds(alone), _log_odds(passage)] for _, alone, passage, _ in found])
    inside = np.array([truth for *_, truth in found])
    return {
        "lines": len(found),
        "inside": round(float(inside.mean()), 3),
        "ap_line": round(float(average_precision_score(inside, signs[:, 0])), 3),
        "ap_second_look": round(float(average_precision_score(inside, signs[:, 1])), 3),
        "ap_both": _held_out(signs, inside, groups),
        "loss_at_bound": {str(least): round(loss(shows, replace(parameters, again=least)), 3) for least in BOUNDS},
    }


def _held_out(values: NDArray[np.float64], wanted: NDArray[np.bool_], groups: Sequence[str]) -> float:
    model = LogisticRegression(max_iter=1000)
    found = cross_val_predict(
        model, values, wanted, groups=groups, cv=GroupKFold(min(8, len(set(groups)))), method="decision_function"
    )
    return round(float(average_precision_score(wanted, found)), 3)


def _log_odds(probability: float) -> float:
    bounded = min(0.9999, max(0.0001, probability))
    return math.log(bounded / (1.0 - bounded))


def main() -> int:
    """Measure the folders of the command line."""
    try:
        print(json.dumps(measure(asked_shows(parser(__doc__).parse_args())), indent=2))
    except ValueError as error:
        print(f"second_look: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
