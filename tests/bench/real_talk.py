"""Count warnings on real talk that sells nothing: `python -m tests.bench.real_talk FILE… [--json]`.

FILE holds transcript lines (JSON Lines with `text`, `label`, `channel`, `video`, `seg`, `kind`). The rows that are no
pitch are put in order by video and segment, one show per channel, the channel as its host on the first seat. Every
warning is counted as false. `--with-pitches` leaves the pitches where they are and counts warnings that quote one as
right.
"""

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.effects import OpenAlert
from bot.policy import Policy, View, Watch
from bot.reading import ModelStage
from bot.watch import with_ticks
from config.settings import PolicySettings
from detectors.arc import WORDS_PER_SECOND
from detectors.classifier import Classifier
from detectors.panel import Panel
from detectors.records import Account, Event, Line, Person, RoomKey, SeatChange, ShowInfo
from detectors.show import Show

#: Shows shorter than this, in seconds, are left out.
LEAST_SECONDS = 300.0
#: Lines that are read at once.
BATCH = 16


@dataclass(frozen=True)
class Talk:
    """One channel's rows in order, as a show."""

    info: ShowInfo
    events: list[Event]
    pitches: frozenset[str]

    @property
    def seconds(self) -> float:
        """Length of the talk."""
        return max(event.at for event in self.events)


def talks(rows: Sequence[dict[str, Any]], with_pitches: bool) -> list[Talk]:
    """Return a show per channel from its speech, in the pace of ordinary talk."""
    channels: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("kind") == "speech" and row.get("channel") and (with_pitches or row["label"] != "pitch"):
            channels[row["channel"]].append(row)
    made = []
    for channel, said in sorted(channels.items()):
        said.sort(key=lambda row: (str(row.get("video")), row.get("seg") or [0]))
        host = Person(Account("bench", "show", channel), channel)
        info = ShowInfo(channel, RoomKey("bench", channel), channel, host, said[0].get("lang"))
        events: list[Event] = [SeatChange("seat", 0.0, 1, host, "joined")]
        at = 1.0
        for number, row in enumerate(said):
            until = at + len(row["text"].split()) / WORDS_PER_SECOND
            events.append(Line(f"s{number}", at, until, host, row["text"], "speech", 1))
            at = until + 0.4
        pitches = frozenset(f"s{number}" for number, row in enumerate(said) if row["label"] == "pitch")
        made.append(Talk(info, events, pitches))
    return [talk for talk in made if talk.seconds >= LEAST_SECONDS]


async def warnings(talk: Talk, classifier: Classifier) -> list[OpenAlert]:
    """Return the warnings that a community with default settings would get."""
    stage, show, panel = ModelStage(classifier), Show(talk.info), Panel()
    policy = Policy(Watch("bench", talk.info.room), talk.info.id, PolicySettings.model_validate({}))
    found: list[OpenAlert] = []
    at = 0.0
    for start in range(0, len(talk.events), BATCH):
        batch = talk.events[start : start + BATCH]
        readings = await stage.read(show, batch)
        for event, reading in zip(batch, readings, strict=True):
            *ticks, _ = with_ticks(at, [event])
            for step, read in (*((tick, None) for tick in ticks), (event, reading)):
                show.apply(step)
                episode = panel.observe(show, step, read).episode
                if episode is not None:
                    found += [effect for effect in policy.decide(View(), episode) if isinstance(effect, OpenAlert)]
            at = max(at, event.at)
    stage.close()
    return found


def main() -> int:
    """Measure the files of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--with-pitches", action="store_true")
    parser.add_argument("--model", type=Path, help="model folder (default: the one that ships)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        rows = [json.loads(raw) for path in given.files for raw in path.read_text(encoding="utf-8").splitlines()]
        shows = talks(rows, given.with_pitches)
    except (OSError, ValueError, KeyError) as error:
        print(f"real_talk: {error}", file=sys.stderr)
        return 2
    if not shows:
        print(f"real_talk: no channel has {LEAST_SECONDS / 60:.0f} minutes of talk", file=sys.stderr)
        return 1
    classifier = Classifier(given.model) if given.model else Classifier()
    results = []
    for talk in shows:
        found = asyncio.run(warnings(talk, classifier))
        right = sum(any(quote.event_id in talk.pitches for quote in alert.body.evidence) for alert in found)
        minutes = round(talk.seconds / 60, 1)
        results.append({"channel": talk.info.id, "minutes": minutes, "right": right, "false": len(found) - right})
    hours = sum(row["minutes"] for row in results) / 60
    false = sum(row["false"] for row in results)
    whole = {"hours": round(hours, 2), "right": sum(row["right"] for row in results), "false": false}
    whole["false_per_hour"] = round(false / hours, 2)
    if given.json:
        print(json.dumps(whole))
        return 0
    table = Table(box=None, header_style="bold")
    for name in ("channel", "minutes", "right", "false"):
        table.add_column(name)
    for row in results:
        table.add_row(*(str(value) for value in row.values()))
    console = Console(width=100, highlight=False)
    console.print(table)
    console.print(json.dumps(whole))
    return 0


if __name__ == "__main__":
    sys.exit(main())
