"""What each show detector tells of a pitch: `python -m tests.bench.detectors DIR… [--cache DIR] [--json]`.

Per detector: how often it notes something about somebody who presents, in an hour of their pitches (from two minutes
before to two minutes after) and in an hour outside of them, and the logarithm of the ratio with its 95 % interval
(shows drawn with replacement). Then what a weight for it would change: the loss that `fit_arc` makes least, with the
detector's findings counting for or against their person. `arc` was fitted on the same shows, and the best of many
tries looks better than it is: a weight is worth having only where the ratio is clear and the loss falls by more than a
tenth.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bot.effects import OpenAlert
from bot.policy import Policy, View, Watch
from config.settings import PolicySettings
from detectors.arc import Arc, ArcParameters
from detectors.panel import DETECTORS, Panel
from detectors.records import Finding
from detectors.show import Show
from tests.bench.command import asked_shows, parser, print_rows
from tests.bench.fit_arc import loss_of
from tests.bench.shows import AFTER, Outcome, TruthShow, in_time, outcome_of

NAMES = tuple(make().name for make in DETECTORS)
#: What is tried as a weight, in log-odds.
WEIGHTS = (-1.0, -0.5, 0.5, 1.0)
RESAMPLES = 1000


@dataclass(frozen=True)
class Noted:
    """A show with what its detectors noted, per position of the event, and the hours in which it was selling or not.

    `inside` and `outside` count notes about presenters, `hours` holds those of both.
    """

    show: TruthShow
    findings: Mapping[int, tuple[Finding, ...]]
    inside: Counter[str]
    outside: Counter[str]
    hours: tuple[float, float]


def note(show: TruthShow) -> Noted:
    """Run all detectors over a show that was read."""
    memory, panel = Show(show.info), Panel()
    findings: dict[int, tuple[Finding, ...]] = {}
    inside: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    noted_about: set[str] = set()
    for position, (event, reading) in enumerate(in_time(show)):
        memory.apply(event)
        if found := panel.observe(memory, event, reading).findings:
            findings[position] = found
        for one in found:
            if memory.is_presenter(one.person.account):
                name = one.person.name.lower()
                noted_about.add(name)
                selling_now = any(at <= min(one.at, show.seconds) <= until for at, until in selling_spans(show, name))
                (inside if selling_now else outside)[one.detector] += 1
    presenters = {person.name.lower() for person in memory.presenters()} | noted_about
    selling = sum(until - at for name in presenters for at, until in selling_spans(show, name)) / 3600
    return Noted(show, findings, inside, outside, (selling, len(presenters) * show.seconds / 3600 - selling))


def selling_spans(show: TruthShow, name: str) -> list[tuple[float, float]]:
    """Return the stretches around somebody's pitches, in seconds of the show, without overlap."""
    spans: list[tuple[float, float]] = []
    for pitch in sorted((p for p in show.pitches if p.by.lower() == name.lower()), key=lambda p: p.start):
        at, until = max(0.0, pitch.start - AFTER), min(show.seconds, pitch.end + AFTER)
        if spans and at <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(until, spans[-1][1]))
        else:
            spans.append((at, until))
    return spans


def ratio(noted: Sequence[Noted], detector: str, drawn: Sequence[int]) -> float:
    """Return the logarithm of how much more often it notes something in an hour of pitches.

    One note is added, shared out by the hours, so that nothing noted tells nothing. NaN where one sort of hours lacks.
    """
    selling, talking = (sum(noted[i].hours[side] for i in drawn) for side in (0, 1))
    if not selling or not talking:
        return float("nan")
    share = selling / (selling + talking)
    inside = sum(noted[i].inside[detector] for i in drawn) + share
    outside = sum(noted[i].outside[detector] for i in drawn) + 1.0 - share
    return math.log(inside / selling) - math.log(outside / talking)


def judge_weighted(noted: Noted, parameters: ArcParameters, weights: Mapping[str, float]) -> Outcome:
    """Judge a show with weights for its detectors' findings."""
    memory, arc = Show(noted.show.info), Arc(parameters)
    info = noted.show.info
    policy = Policy(Watch("bench", info.room), info.id, PolicySettings.model_validate({}))
    alerts: list[OpenAlert] = []
    for position, (event, reading) in enumerate(in_time(noted.show)):
        memory.apply(event)
        for finding in noted.findings.get(position, ()):
            memory.note(replace(finding, weight=weights.get(finding.detector, 0.0)))
        episode = arc.observe(memory, event, reading)
        if episode is not None:
            alerts += [effect for effect in policy.decide(View(), episode) if isinstance(effect, OpenAlert)]
    return outcome_of(noted.show, alerts)


def weighted_loss(noted: Sequence[Noted], weights: Mapping[str, float]) -> float:
    """Return the loss of `fit_arc` with these weights."""
    return loss_of(lambda parameters: [judge_weighted(one, parameters, weights) for one in noted], ArcParameters())


def measure(shows: Sequence[TruthShow], seed: int = 3) -> list[dict[str, Any]]:
    """Return a row per detector."""
    noted = [note(show) for show in shows]
    dice = np.random.default_rng(seed)
    usual = weighted_loss(noted, {})
    rows = []
    for name in NAMES:
        inside, outside = (sum(getattr(one, side)[name] for one in noted) for side in ("inside", "outside"))
        draws = [dice.integers(0, len(noted), len(noted)).tolist() for _ in range(RESAMPLES)]
        low, high = np.nanpercentile([ratio(noted, name, d) for d in draws], [2.5, 97.5])
        changes = {f"{w:+}": round(weighted_loss(noted, {name: w}) - usual, 3) for w in WEIGHTS}
        rows.append(
            {
                "detector": name,
                "in_pitches": inside,
                "outside": outside,
                "log_ratio": round(ratio(noted, name, range(len(noted))), 2),
                "interval": [round(float(low), 2), round(float(high), 2)],
                "loss_with_weight": changes,
            }
        )
    return rows


def main() -> int:
    """Measure the folders of the command line."""
    asked = parser(__doc__)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    rows = measure(asked_shows(given))
    if given.json:
        print(json.dumps(rows))
    else:
        print_rows(rows, 160)
    return 0


if __name__ == "__main__":
    sys.exit(main())
