"""What each part of the detection brings: `python -m tests.bench.ablation DIR… [--cache DIR] [--json]`.

Every row leaves one part out and measures whole shows and single lines again (average precision of a line being
inside a pitch of its speaker, as the truth has it). Parts of `arc` cost nothing to leave out; the others have all lines
read anew. Weights of other detectors are not built in: `detectors` beside this file measures them.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from bot.reading import LineReader
from detectors.arc import ArcParameters
from detectors.classifier import Classifier, Request
from detectors.records import Line, Reading
from detectors.training.manifest import write_manifest
from tests.bench.command import asked_shows, parser, print_rows
from tests.bench.shows import TruthShow, inside, judge, read_shows, summarise

#: Parts of `arc`, each with the value that makes it do nothing.
ARC_PARTS: dict[str, dict[str, float]] = {
    "teaching before": {"taught_bonus": 0.0},
    "second passages": {"passage_bonus": 0.0},
    "sponsor reads and warnings take off": {"pull": 0.0, "shield_factor": 1.0},
    "forgetting": {"half_life": 1e9},
    "the second look": {"again": 0.0},
    "helpers in the chat": {"helper": ArcParameters().audience},
    "one sure line": {"sure": 0.0},
    "the bound of a line": {"line_most": 9.3},
}


#: Parts without which all lines are read anew; see `readers`.
READ_ANEW = ("context", "gate", "words beside the network")


class Changed:
    """Reads with the classifier after changing each request."""

    def __init__(self, classifier: LineReader, change: Callable[[Request], Request]) -> None:
        self._classifier = classifier
        self._change = change

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        """Return one reading per request, in order."""
        return self._classifier.read([self._change(request) for request in requests])


def without_words(folder: Path) -> Classifier:
    """Return the model of `folder` whose network decides alone, softened but not mixed with what the words say."""
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made) / "model"
        shutil.copytree(folder, copy)
        config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        config["calibration"].pop("mix")
        (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
        write_manifest(copy)
        return Classifier(copy)


def readers(folder: Path) -> dict[str, LineReader]:
    """Return a reader per part that is left out of reading lines."""
    classifier = Classifier(folder)
    return {
        "context": Changed(classifier, lambda request: replace(request, context=())),
        "gate": Changed(classifier, lambda request: replace(request, gated=False)),
        "words beside the network": without_words(folder),
    }


def measured(name: str, shows: Sequence[TruthShow], parameters: ArcParameters | None = None) -> dict[str, Any]:
    """Return the figures of the shows and of their lines."""
    figures = summarise([judge(show, parameters, fast=True) for show in shows])
    row: dict[str, Any] = {"without": name, "right_person": f"{figures['right_person']} of {figures['with_pitch']}"}
    row |= {key: figures[key] for key in ("false_alerts", "median_delay")}
    return row | {"line_auprc": _line_auprc(shows)}


def _line_auprc(shows: Sequence[TruthShow]) -> float:
    truth, found = [], []
    for show in shows:
        for event, reading in zip(show.events, show.readings, strict=True):
            if isinstance(event, Line) and isinstance(reading, Reading):
                truth.append(inside(show, event))
                found.append(reading.pitch)
    return round(float(average_precision_score(np.array(truth), np.array(found))), 3)


def main() -> int:
    """Measure the folders of the command line."""
    asked = parser(__doc__)
    asked.add_argument(
        "--read-anew", nargs="*", choices=READ_ANEW, help="of the parts that have lines read anew, only these"
    )
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    shows = asked_shows(given)
    rows = [measured("nothing", shows)]
    rows += [measured(part, shows, replace(ArcParameters(), **off)) for part, off in ARC_PARTS.items()]
    anew = readers(given.model)
    for name in READ_ANEW if given.read_anew is None else given.read_anew:
        rows.append(measured(name, [show for folder in given.folders for show in read_shows(folder, anew[name])]))
    if given.json:
        print(json.dumps(rows))
    else:
        print_rows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
