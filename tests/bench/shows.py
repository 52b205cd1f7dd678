"""Measure detection on whole shows: `python -m tests.bench.shows DIR [--json]` (`make bench-shows SHOWS=DIR`).

DIR holds show scripts with `NAME.truth.json` beside them:
`{"expect_alert", "pitches": [{"by", "from", "to", "offers", "cues"}]}`, times in seconds of the show.

- found: a warning about a person who pitches, while they do (or up to two minutes after).
- right person: the first warning of the show is about somebody who pitches.
- false: a warning about somebody who does not, or far from any pitch of theirs.
- delay: from the start of the pitch in which the warning came to the warning, in seconds of the show.
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bot.effects import OpenAlert
from bot.policy import Policy, View, Watch
from bot.reading import LineReader
from bot.rooms.replay import BATCH_EVENTS, ReplayRoom
from bot.watch import with_ticks
from config.settings import PolicySettings
from detectors.arc import Arc, ArcParameters
from detectors.classifier import Classifier
from detectors.panel import Panel
from detectors.records import Event, Line, Reading, RoomState, ShowInfo, Unavailable
from detectors.show import Show

#: A warning this long after a pitch still belongs to it, in seconds.
AFTER = 120.0
#: Resamplings of whole shows for an interval.
RESAMPLES = 1000


@dataclass(frozen=True)
class Pitch:
    """A pitch of the truth."""

    by: str
    start: float
    end: float
    offers: tuple[str, ...]


@dataclass(frozen=True)
class TruthShow:
    """A show with its truth, its events, and what the models read in them."""

    info: ShowInfo
    events: tuple[Event, ...]
    readings: tuple[Reading | Unavailable | None, ...]
    pitches: tuple[Pitch, ...]

    @property
    def seconds(self) -> float:
        """Length of the show."""
        return max(event.at for event in self.events)


@dataclass(frozen=True)
class Outcome:
    """What came of one show. `delay` is None when nothing was found."""

    show: str
    lang: str
    seconds: float
    expected: bool
    found: bool
    right_person: bool
    right_offers: bool
    false_alerts: int
    delay: float | None
    alerts: tuple[tuple[str, float, float], ...]


def read_shows(folder: Path, reader: LineReader) -> list[TruthShow]:
    """Read every show of `folder` with its truth, and have all its lines read by the models."""
    paths = sorted(path for path in folder.glob("*.jsonl") if path.with_suffix(".truth.json").exists())
    return [
        read_show(path, reader)
        for path in track(paths, description="reading", console=Console(stderr=True), transient=True)
    ]


def read_show(path: Path, reader: LineReader) -> TruthShow:
    """Read the show script `path` with its truth, and have all its lines read as the bot has them read."""
    import asyncio

    from bot.reading import ModelStage

    async def play() -> tuple[list[Event], list[Reading | Unavailable | None], ShowInfo]:
        stage = ModelStage(reader)
        events: list[Event] = []
        readings: list[Reading | Unavailable | None] = []
        show: Show | None = None
        async for batch in ReplayRoom(path).events():
            first = batch[0]
            if isinstance(first, RoomState) and first.show is not None:
                show = Show(first.show)
            assert show is not None and len(batch) <= BATCH_EVENTS
            readings += await stage.read(show, batch)
            events += batch
            for event in batch:
                show.apply(event)
        stage.close()
        assert show is not None
        return events, readings, show.info

    events, readings, info = asyncio.run(play())
    truth = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))
    pitches = tuple(Pitch(p["by"], p["from"], p["to"], tuple(p["offers"])) for p in truth["pitches"])
    return TruthShow(info, tuple(events), tuple(readings), pitches)


def judge(
    show: TruthShow, parameters: ArcParameters | None = None, settings: PolicySettings | None = None, fast: bool = False
) -> Outcome:
    """Run detectors and policy over a show that was read, and hold the warnings against the truth.

    `fast` leaves out the detectors that only observe.
    """
    memory, arc = Show(show.info), Arc(parameters)
    panel = Panel(arc)
    policy = Policy(Watch("bench", show.info.room), show.info.id, settings or PolicySettings.model_validate({}))
    alerts: list[OpenAlert] = []
    for event, reading in in_time(show):
        memory.apply(event)
        episode = arc.observe(memory, event, reading) if fast else panel.observe(memory, event, reading).episode
        if episode is not None:
            alerts += [effect for effect in policy.decide(View(), episode) if isinstance(effect, OpenAlert)]
    return outcome_of(show, alerts)


def in_time(show: TruthShow) -> Iterable[tuple[Event, Reading | Unavailable | None]]:
    """Yield events with their readings and the ticks between them, as the watcher hands them on."""
    at = 0.0
    for event, reading in zip(show.events, show.readings, strict=True):
        *ticks, last = with_ticks(at, [event])
        yield from ((tick, None) for tick in ticks)
        yield last, reading
        at = max(at, event.at)


def outcome_of(show: TruthShow, alerts: Sequence[OpenAlert]) -> Outcome:
    """Hold the warnings of a show against its truth."""
    hits = [(alert, pitch) for alert in alerts if (pitch := _pitch_of(show, alert)) is not None]
    delay = None
    if hits:
        alert, pitch = hits[0]
        delay = alert.body.at - pitch.start
    return Outcome(
        show=show.info.id,
        lang=show.info.lang or "mix",
        seconds=show.seconds,
        expected=bool(show.pitches),
        found=bool(hits),
        right_person=bool(hits) and alerts[0] is hits[0][0],
        right_offers=any(set(alert.body.offers) & set(pitch.offers) for alert, pitch in hits),
        false_alerts=len(alerts) - len(hits),
        delay=delay,
        alerts=tuple((alert.body.person.name, alert.body.at, alert.body.score) for alert in alerts),
    )


def _pitch_of(show: TruthShow, alert: OpenAlert) -> Pitch | None:
    """Return the pitch that a warning is about: the one under way, or the last one that ended shortly before."""
    own = [p for p in show.pitches if p.by.lower() == alert.body.person.name.lower() and p.start <= alert.body.at]
    return next((p for p in reversed(own) if alert.body.at <= p.end + AFTER), None)


def inside(show: TruthShow, line: Line) -> bool:
    """Whether a line lies within a pitch of its speaker."""
    own = (pitch for pitch in show.pitches if pitch.by.lower() == line.person.name.lower())
    return any(pitch.start <= line.at and line.until <= pitch.end for pitch in own)


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures over all shows."""
    pitched = [outcome for outcome in outcomes if outcome.expected]
    hours = sum(outcome.seconds for outcome in outcomes) / 3600
    delays = [outcome.delay for outcome in outcomes if outcome.delay is not None]
    false = sum(outcome.false_alerts for outcome in outcomes)
    return {
        "shows": len(outcomes),
        "with_pitch": len(pitched),
        "found": sum(outcome.found for outcome in pitched),
        "right_person": sum(outcome.right_person for outcome in pitched),
        "right_offers": sum(outcome.right_offers for outcome in pitched),
        "false_alerts": false,
        "false_shows": sum(bool(outcome.false_alerts) and not outcome.expected for outcome in outcomes),
        "hours": round(hours, 2),
        "false_per_hour": round(false / hours, 3) if hours else 0.0,
        "median_delay": round(statistics.median(delays), 1) if delays else None,
    }


def intervals(outcomes: Sequence[Outcome], seed: int = 3) -> dict[str, list[float] | None]:
    """Return 95 % intervals of the figures that are aimed at, when whole shows are drawn with replacement.

    They are percentiles (Efron, 1979): where all shows were found, or none gave a false alert, the interval is a point,
    and says less than the number of shows does.
    """
    dice = random.Random(seed)
    drawn = [summarise(dice.choices(outcomes, k=len(outcomes))) for _ in range(RESAMPLES)]
    found: dict[str, list[float]] = {"right_person_share": [], "false_per_hour": [], "median_delay": []}
    for figures in drawn:
        if figures["with_pitch"]:
            found["right_person_share"].append(figures["right_person"] / figures["with_pitch"])
        found["false_per_hour"].append(figures["false_per_hour"])
        if figures["median_delay"] is not None:
            found["median_delay"].append(figures["median_delay"])
    return {name: _middle(values) if values else None for name, values in found.items()}


def _middle(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.025, 0.975))
    return [round(low, 3), round(high, 3)]


def print_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Print a line per show and the figures by language."""
    outcomes = list(outcomes)
    console = Console(width=140, highlight=False, markup=False)
    table = Table(box=None, header_style="bold")
    for column in ("show", "pitch", "found", "right", "offers", "false", "delay", "warnings (who, at, score)"):
        table.add_column(column)
    for o in outcomes:
        marks = [_mark(o.found), _mark(o.right_person), _mark(o.right_offers)] if o.expected else ["", "", ""]
        delay = "" if o.delay is None else f"{o.delay:.0f} s"
        said = ", ".join(f"{who} {at:.0f} {score:.2f}" for who, at, score in o.alerts)
        table.add_row(o.show, "yes" if o.expected else "no", *marks, str(o.false_alerts or ""), delay, said)
    console.print(table)
    for name, inside in (
        ("all", outcomes),
        *((lang, [o for o in outcomes if o.lang == lang]) for lang in ("en", "fr", "mix")),
    ):
        if inside:
            console.print(f"{name:4} {json.dumps(summarise(list(inside)))}")
            console.print(f"     95 % of resamplings: {json.dumps(intervals(list(inside)))}")


def _mark(value: bool) -> str:
    return "yes" if value else "NO"


def main() -> int:
    """Measure the folder on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, help="model folder (default: the one that ships)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    shows = read_shows(given.folder, Classifier(given.model) if given.model else Classifier())
    if not shows:
        print(f"bench-shows: {given.folder}: no show scripts with .truth.json beside them", file=sys.stderr)
        return 2
    outcomes = [judge(show) for show in shows]
    if given.json:
        print(json.dumps(summarise(outcomes) | {"intervals": intervals(outcomes)}))
    else:
        print_outcomes(outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
