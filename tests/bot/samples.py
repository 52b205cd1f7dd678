"""Records with sensible values for tests of the bot, each with the fields that a test cares about replaced."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlite_utils import Database

from bot.effects import AlertBody, Participation, ShowProgress, alert_id
from bot.policy import Watch
from detectors.records import EpisodeState, Event, Message, Person, Quote, RoomKey
from tests.stand_ins import ROOM, person, show_info

HOST = person("@host")
WATCH = Watch("local", ROOM)

#: Columns that hold the wall clock of a write, by table.
CLOCKS: Mapping[str, frozenset[str]] = {
    "accounts": frozenset({"first_seen", "last_seen"}),
    "shows": frozenset({"updated", "first_heard"}),
    "participations": frozenset({"first_heard", "last_heard"}),
    "watch_periods": frozenset({"since", "until"}),
    "alerts": frozenset({"raised"}),
    "evidence": frozenset({"noted"}),
    "observations": frozenset({"noted"}),
    "outbox": frozenset({"next_try", "attempted"}),
    "snapshots": frozenset({"taken"}),
    "reviews": frozenset({"decided"}),
    "snoozes": frozenset({"until"}),
    "exemptions": frozenset({"since"}),
    "audit": frozenset({"done"}),
    "notes": frozenset({"written"}),
    "dismissed_texts": frozenset({"noted"}),
}


def quote(
    number: int,
    at: float,
    text: str = "book a call $",
    who: Person = HOST,
    pitch: float = 0.97,
    seat: int | None = None,
) -> Quote:
    """A quote of six seconds."""
    return Quote(f"show-1/{number}", at, at + 6.0, who, "speech", text, pitch, seat)


def episode(**changes: Any) -> EpisodeState:
    """A running episode of the host with one quote."""
    state = EpisodeState(
        person=HOST,
        number=1,
        since=100.0,
        at=106.0,
        logit=0.0,
        phase="pitch",
        offers=("coaching",),
        cues=("scarcity",),
        evidence=(quote(1, 100.0),),
        reasons=(Message("why.no_teaching"),),
    )
    return replace(state, **changes)


def body(**changes: Any) -> AlertBody:
    """What a warning about the host says; its id fits its community, room, show, person and episode."""
    made = AlertBody(
        id="",
        community="local",
        room=ROOM,
        show="show-1",
        channel="console",
        dry_run=False,
        person=HOST,
        episode=1,
        since=100.0,
        at=106.0,
        score=0.9,
        offers=("coaching",),
        cues=("scarcity",),
        evidence=(quote(1, 100.0),),
        reasons=(Message("why.no_teaching"),),
    )
    made = replace(made, **changes)
    return replace(made, id=alert_id(made.community, made.room, made.show, made.person.account, made.episode))


def progress(**changes: Any) -> ShowProgress:
    """A show of 200 seconds in which only the host talked."""
    people = (Participation(HOST, lines=10, selling_lines=2, words=80, seconds=60.0, seated=True),)
    made = ShowProgress(show_info(), at=200.0, events=11, unread=0, dropped=0, lost_seconds=0.0, people=people)
    return replace(made, **changes)


def tables(database: Database, but: Mapping[str, frozenset[str]] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without the columns that `but` names."""
    left_out = but or {}
    return {
        name: [
            {column: value for column, value in row.items() if column not in left_out.get(name, ())}
            for row in database.table(name).rows
        ]
        for name in database.table_names()
        if not name.startswith("_")
    }


class ListRoom:
    """A room that yields given batches. `skipped` counts broken inputs, as a room does."""

    def __init__(self, batches: Sequence[Sequence[Event]], key: RoomKey = ROOM) -> None:
        self.key = key
        self.skipped = 0
        self._batches = batches

    async def events(self) -> AsyncIterator[list[Event]]:
        """Yield the batches."""
        for batch in self._batches:
            yield list(batch)
