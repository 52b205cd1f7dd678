"""Fit the numbers of `arc` on validation shows: `python -m tests.bench.fit_arc DIR… [--tries N]`.

A random search around the shipped values. A setting is better when it finds more shows and raises fewer false
alerts; among equals, when it is sooner; among those, when its margins are wider (so that a show nobody has seen has
room to differ): margins are tried by shifting the base by ±0.5.
"""

import argparse
import random
import sys
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

from detectors.arc import ArcParameters
from detectors.classifier import Classifier
from tests.bench.shows import TruthShow, judge, read_shows, summarise

RANGES = {
    "base": (-6.0, -2.0),
    "pivot": (0.04, 0.5),
    "line_most": (0.6, 3.0),
    "present": (0.15, 0.5),
    "half_life": (60.0, 300.0),
    "taught_bonus": (0.0, 1.5),
    "passage_bonus": (0.0, 1.5),
    "passage_gap": (45.0, 180.0),
    "shield_time": (0.0, 90.0),
    "shield_factor": (0.0, 1.0),
    "pull": (0.0, 2.0),
    "audience": (-2.5, 0.0),
    "stage": (0.0, 1.0),
}
SHIFTS = (-0.5, 0.0, 0.5)


def loss(shows: list[TruthShow], parameters: ArcParameters) -> float:
    """Return how bad the parameters are: a missed show weighs 1, a false alert 1.2, a minute of delay 0.6."""
    total = 0.0
    for shift in SHIFTS:
        outcomes = [judge(show, replace(parameters, base=parameters.base + shift), fast=True) for show in shows]
        figures = summarise(outcomes)
        missed = figures["with_pitch"] - figures["right_person"]
        delay = (figures["median_delay"] or 60.0) / 60.0
        total += (1.0 if shift == 0.0 else 0.5) * (missed + 1.2 * figures["false_alerts"] + 0.6 * delay)
    return total


def search(shows: list[TruthShow], tries: int, seed: int = 5) -> tuple[float, ArcParameters]:
    """Return the best loss and parameters of `tries` draws: half from everywhere, half near the best so far."""
    dice = random.Random(seed)
    best = ArcParameters()
    least = loss(shows, best)
    for number in track(range(tries), description="fitting", console=Console(stderr=True), transient=True):
        drawn = {}
        for name, (low, high) in RANGES.items():
            near = getattr(best, name) + dice.gauss(0.0, 0.12) * (high - low)
            value = dice.uniform(low, high) if number < tries // 3 else min(high, max(low, near))
            drawn[name] = round(value, 2)
        candidate = ArcParameters(**drawn)
        value = loss(shows, candidate)
        if value < least:
            least, best = value, candidate
    return least, best


def main() -> int:
    """Fit on the folders of the command line and print the parameters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--tries", type=int, default=300)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    reader = Classifier(given.model) if given.model else Classifier()
    shows = [show for folder in given.folders for show in read_shows(folder, reader)]
    print("before", round(loss(shows, ArcParameters()), 3), summarise([judge(show) for show in shows]))
    least, best = search(shows, given.tries)
    print("after", round(least, 3), summarise([judge(show, best) for show in shows]))
    print(asdict(best))
    return 0


if __name__ == "__main__":
    sys.exit(main())
