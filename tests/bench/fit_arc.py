"""Fit the numbers of `arc` on validation shows: `python -m tests.bench.fit_arc DIR… [--minutes N] [--halves]`.

A random search around the shipped values: each try moves a few of them, by steps that shrink while nothing gets better.
What is made least weighs misses, false alerts and delay (see `loss_of`). Margins count as well, so that a show nobody
has seen has room to differ: every setting is tried with its base shifted up and down, too, where all of that weighs
half. The search ends by the clock, so that the same seed gets further on a faster machine.

`--halves` fits on one half of the shows and tells what that is worth on the other, and the other way round: how much of
what a search gains is learnt by heart. A row holds the loss of the start and of what was fitted, on the half fitted on
(`start`, `fitted`) and on the one left out (`start_left`, `fitted_left`), what was found there, and the numbers fitted.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from detectors.arc import ArcParameters
from detectors.second_look import LOOK_FROM
from tests.bench.command import asked_shows, parser
from tests.bench.shows import Outcome, TruthShow, judge, summarise

#: What is searched, and between which bounds.
RANGES = {
    "base": (-7.0, -2.0),
    "pivot": (LOOK_FROM, 0.6),
    "line_most": (0.6, 5.0),
    "present": (LOOK_FROM, 0.5),
    "half_life": (60.0, 600.0),
    "taught_after": (30.0, 600.0),
    "taught_bonus": (0.0, 3.0),
    "passage_bonus": (0.0, 2.0),
    "passage_gap": (20.0, 180.0),
    "shield_time": (0.0, 180.0),
    "shield_factor": (0.0, 1.0),
    "pull": (0.0, 4.0),
    "audience": (-2.5, 2.0),
    "helper": (-2.5, 4.0),
    "stage": (0.0, 1.0),
    "again": (0.0, 0.5),
}
#: Shifts of the base, in log-odds, and what a miss or a false alert weighs there.
SHIFTS = {0.0: 1.0, -0.6: 0.5, 0.6: 0.5}
#: A show that is missed, or warned of later than this, costs as much delay as this, in seconds.
LATEST = 180.0


def loss_of(
    judged: Callable[[ArcParameters], Sequence[Outcome]], parameters: ArcParameters, most: float = float("inf")
) -> float:
    """Return how bad the parameters are: a missed show weighs 1, a false alert 1.2, a minute of delay .6.

    `judged` gives the outcomes of all shows with given parameters. Delay is the mean of mean and median. Stops counting
    beyond `most`.
    """
    total = 0.0
    for shift, weight in SHIFTS.items():
        outcomes = judged(replace(parameters, base=parameters.base + shift))
        figures = summarise(outcomes)
        missed = figures["with_pitch"] - figures["right_person"]
        delays = [min(LATEST, LATEST if o.delay is None else o.delay) for o in outcomes if o.expected]
        late = (statistics.fmean(delays) + statistics.median(delays)) / 120.0 if delays else 0.0
        total += weight * (missed + 1.2 * figures["false_alerts"] + 0.6 * late)
        if total > most:
            break
    return total


def loss(shows: Sequence[TruthShow], parameters: ArcParameters, most: float = float("inf")) -> float:
    """Return how bad the parameters are for shows that were read."""
    return loss_of(lambda tried: [judge(show, tried, fast=True) for show in shows], parameters, most)


def search(
    shows: Sequence[TruthShow], seconds: float, seed: int = 5, start: ArcParameters | None = None
) -> tuple[float, ArcParameters]:
    """Return the least loss and its parameters after `seconds` of search."""
    dice = random.Random(seed)
    best = start or ArcParameters()
    least = loss(shows, best)
    step, until, tries = 0.25, time.monotonic() + seconds, 0
    while time.monotonic() < until:
        tries += 1
        drawn = {}
        for name in dice.sample(sorted(RANGES), dice.randint(1, 4)):
            low, high = RANGES[name]
            value = getattr(best, name) + dice.gauss(0.0, step) * (high - low)
            drawn[name] = round(min(high, max(low, value)), 3)
        candidate = replace(best, **drawn)
        value = loss(shows, candidate, least)
        if value < least:
            least, best, step = value, candidate, min(0.25, step * 1.5)
            print(f"{tries:5} tries: {least:.3f} {drawn}", file=sys.stderr, flush=True)
        else:
            step = max(0.03, step * 0.985)
    return least, best


def halves(shows: Sequence[TruthShow]) -> tuple[list[TruthShow], list[TruthShow]]:
    """Return two halves of the shows: every other one of those that hold a pitch, and of those that hold none.

    Where there is an odd one, the first half has it. Raises ValueError when fewer than two shows hold a pitch.
    """
    ordered = sorted(shows, key=lambda show: show.info.id)
    kinds = [[show for show in ordered if bool(show.pitches) is pitched] for pitched in (True, False)]
    if len(kinds[0]) < 2:
        raise ValueError("each half needs a show with a pitch")
    one, other = ([show for kind in kinds for show in kind[first::2]] for first in (0, 1))
    return one, other


def fit_halves(
    one: Sequence[TruthShow], other: Sequence[TruthShow], seconds: float, seed: int, start: ArcParameters
) -> Iterator[dict[str, Any]]:
    """Yield, for each half, what was fitted on it and what that is worth there and on the other half."""
    for fitted, left in ((one, other), (other, one)):
        least, best = search(fitted, seconds, seed, start)
        losses = {"start": loss(fitted, start), "fitted": least}
        losses |= {"start_left": loss(left, start), "fitted_left": loss(left, best)}
        found = summarise([judge(show, best, fast=True) for show in left])
        yield {name: round(value, 3) for name, value in losses.items()} | {"found_left": found, "numbers": asdict(best)}


def main() -> int:
    """Fit on the folders of the command line and print the parameters."""
    asked = parser(__doc__)
    asked.add_argument("--minutes", type=float, default=7.0)
    asked.add_argument("--seed", type=int, default=5)
    asked.add_argument("--start", type=json.loads, default={}, help="values to start from, as a JSON object")
    asked.add_argument(
        "--halves", action="store_true", help="fit on one half, measure on the other; --minutes for each"
    )
    given = asked.parse_args()
    try:
        start = replace(ArcParameters(), **given.start)
    except TypeError as error:
        print(f"fit_arc: --start: {error}", file=sys.stderr)
        return 2
    shows = asked_shows(given)
    if given.halves:
        try:
            one, other = halves(shows)
        except ValueError as error:
            print(f"fit_arc: --halves: {error}", file=sys.stderr)
            return 2
        for row in fit_halves(one, other, 60.0 * given.minutes, given.seed, start):
            print(json.dumps(row), flush=True)
        return 0
    print("before", round(loss(shows, start), 3), summarise([judge(show, start) for show in shows]), flush=True)
    least, best = search(shows, 60.0 * given.minutes, given.seed, start)
    print("after", round(least, 3), summarise([judge(show, best) for show in shows]))
    print(json.dumps(asdict(best)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
