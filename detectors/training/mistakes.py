"""List the lines that the classifier gets most wrong: `python -m detectors.training.mistakes LINES.jsonl [--count 30]`.

Worst first by log loss of "pitch or not"; per show at most `--per-show`, so that one odd show does not fill the list.
Takes files as `evaluate` does. For reading by hand: what is wrong, the label, the line, or the model?
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console

from detectors.classifier import SHIPPED_MODEL, Classifier, ModelError
from detectors.training.evaluate import Rows, Scores, classifier_scores, load_rows


def worst(rows: Rows, scores: Scores, count: int, per_show: int) -> list[int]:
    """Return the indices of the `count` rows with the greatest log loss, worst first, `per_show` of each at most."""
    likely = np.where(rows.truth, scores, 1.0 - scores)
    taken: Counter[str] = Counter()
    chosen: list[int] = []
    for index in np.argsort(likely, kind="stable").tolist():
        if len(chosen) == count:
            break
        show = str(rows.groups[index])
        taken[show] += 1
        if taken[show] <= per_show:
            chosen.append(index)
    return chosen


def main() -> int:
    """Print the worst mistakes in the file of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--per-show", type=int, default=2)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    given = parser.parse_args()
    try:
        rows = load_rows(given.lines, "speech")
        scores = classifier_scores(Classifier(given.model), rows, "speech")
    except (ValueError, OSError, ModelError) as error:
        print(f"mistakes: {error}", file=sys.stderr)
        return 2
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for index in worst(rows, scores, given.count, given.per_show):
        request = rows.requests[index]
        about = {
            "show": str(rows.groups[index]),
            "label": str(rows.labels[index]),
            "pitch": round(float(scores[index]), 3),
        }
        console.print(json.dumps(about))
        for earlier in request.context[-1:]:
            console.print(f"    before: {earlier}")
        console.print(f"    line:   {request.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
