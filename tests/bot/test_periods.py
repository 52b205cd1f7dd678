"""When communities watched a room: two of them see of one stream what lies in their own time, and no more."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlite_utils import Database

from bot import periods
from bot import store as store_module
from bot.digest_report import read_period
from bot.dossier import read_dossier
from bot.effects import Participation, ShowProgress
from bot.history import export_community
from bot.periods import heard_shows
from bot.policy import Watch
from bot.reports import find_account, listening_since, read_card
from bot.schedule import Period
from bot.store import Store
from bot.watches import add_watch, pause_watch, remove_watch
from config.settings import StreamSettings
from detectors.records import Person, RoomKey, ShowInfo
from tests.stand_ins import person

STREAMS = StreamSettings(hosts=["live.example"])
ROOM = RoomKey("media", "https://live.example/a.m3u8")
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOD = "discord:discord:1"


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: datetime = NOON

    def at(self, hours: float) -> None:
        self.now = NOON + timedelta(hours=hours)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    set_by_hand = Clock()

    class Set(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return set_by_hand.now

    for module in (periods, store_module):
        monkeypatch.setattr(module, "datetime", Set)
    return set_by_hand


async def watch(store: Store, community: str, **options: str) -> None:
    await add_watch(store, Watch(community, ROOM, "discord:9", consent=True), MOD, options, STREAMS)


async def heard(store: Store, number: int, minutes: float, *people: Person, lost: float = 0.0) -> None:
    """Write down where a show stands that began `minutes` ago."""
    info = ShowInfo(f"show-{number}", ROOM, f"Show {number}", people[0], "en", None)
    parts = tuple(Participation(one, int(minutes), 1, 80, 60.0 * minutes, True) for one in people)
    await store.apply([ShowProgress(info, 60.0 * minutes, 11, 0, 3, lost, parts)])


def shows(store: Store, community: str, name: str) -> Any:
    """Return how many shows, and hours, a community has heard somebody."""

    def work(database: Database) -> tuple[int, float] | None:
        account = find_account(database, name, community)
        if account is None:
            return None
        card = read_card(database, account, community)
        return card.shows, round(card.hours, 2)

    return store.run(work)


async def two_shows(store: Store, clock: Clock, between: Callable[[], Any]) -> None:
    """Let a show of an hour be heard, then another one of somebody else; `between` them something changes."""
    await heard(store, 1, 0, person("@early"))
    clock.at(1)
    await heard(store, 1, 60, person("@early"), lost=600.0)
    clock.at(2)
    await between()
    clock.at(3)
    await heard(store, 2, 0, person("@late"))
    clock.at(4)
    await heard(store, 2, 60, person("@late"), lost=1200.0)


async def test_a_late_watch_sees_nothing_of_what_others_heard_before(store: Store, clock: Clock) -> None:
    await watch(store, "a")
    await two_shows(store, clock, lambda: watch(store, "b"))
    assert [await shows(store, name, "@early") for name in "ab"] == [(1, 1.0), None]
    assert [await shows(store, name, "@late") for name in "ab"] == [(1, 1.0), (1, 1.0)]
    since = [await store.run(lambda db, one=one: listening_since(db, one)) for one in "abc"]
    assert since == [NOON.isoformat(), (NOON + 3 * HOUR).isoformat(), None]


async def test_a_watch_that_was_removed_or_paused_sees_nothing_of_what_others_hear_after(
    store: Store, clock: Clock
) -> None:
    for community in "abc":
        await watch(store, community)

    async def change() -> None:
        await remove_watch(store, "b", ROOM, MOD)
        await pause_watch(store, "c", ROOM, MOD, True)

    await two_shows(store, clock, change)
    assert [await shows(store, name, "@early") for name in "abc"] == [(1, 1.0)] * 3
    assert [await shows(store, name, "@late") for name in "abc"] == [(1, 1.0), None, None]


async def test_watching_again_is_another_period(store: Store, clock: Clock) -> None:
    await watch(store, "a")
    for number, (off, on) in enumerate(((remove, add), (pause, go_on))):
        clock.at(2 * number + 1)
        await off(store)
        clock.at(2 * number + 2)
        await on(store)
    rows = await store.run(lambda db: list(db.query("SELECT since, until FROM watch_periods ORDER BY since")))
    hours = [
        [None if one is None else (datetime.fromisoformat(one) - NOON) / HOUR for one in row.values()] for row in rows
    ]
    assert hours == [[0, 1], [2, 3], [4, None]]


async def add(store: Store) -> None:
    await watch(store, "a")


async def remove(store: Store) -> None:
    await remove_watch(store, "a", ROOM, MOD)


async def pause(store: Store) -> None:
    await pause_watch(store, "a", ROOM, MOD, True)


async def go_on(store: Store) -> None:
    await pause_watch(store, "a", ROOM, MOD, False)


async def test_of_a_show_that_was_joined_in_the_middle_only_its_own_part_counts(store: Store, clock: Clock) -> None:
    gone, stays = person("@gone"), person("@stays")
    await watch(store, "a")
    await heard(store, 1, 0, stays, gone)
    clock.at(1)
    await heard(store, 1, 60, stays, gone)
    clock.at(1.5)
    await heard(store, 1, 90, stays)  # the room is held while who listens changes
    await watch(store, "b")
    clock.at(2)
    parts = (Participation(stays, 120, 4, 95, 7200.0, True), Participation(gone, 60, 1, 80, 3600.0, True))
    info = ShowInfo("show-1", ROOM, "Show 1", stays, "en", None)
    await store.apply([ShowProgress(info, 7200.0, 11, 0, 3, 0.0, parts)])
    assert [await shows(store, name, "@stays") for name in "ab"] == [(1, 2.0), (1, 0.5)]
    assert [await shows(store, name, "@gone") for name in "ab"] == [(1, 2.0), None]
    since = await store.run(lambda database: listening_since(database, "b"))
    assert since == (NOON + 1.5 * HOUR).isoformat()


async def test_neither_digest_nor_export_nor_picture_holds_what_others_heard(store: Store, clock: Clock) -> None:
    await watch(store, "a")
    await two_shows(store, clock, lambda: watch(store, "b"))
    moments = {"room": str(ROOM), "since": (NOON + HOUR).isoformat(), "until": (NOON + 2.5 * HOUR).isoformat()}
    await store.run(lambda database: database.table("outages").insert(moments))
    period = Period(NOON - 9 * HOUR, NOON - HOUR, NOON + 9 * HOUR)
    rooms = [(await store.run(lambda db, one=one: read_period(db, one, period))).rooms[0] for one in "ab"]
    found = [(round(one.heard_hours, 2), round(one.lost_hours, 2), one.dropped, one.down_hours) for one in rooms]
    assert found == [(1.5, 0.5, 6, 1.5), (0.67, 0.33, 3, 0.5)]
    data = await store.run(lambda database: export_community(database, "b", MOD, 10**6))
    lines = [json.loads(line) for line in data.decode().splitlines()]
    assert [one["id"] for one in lines if one["type"] == "shows"] == ["show-2"]
    assert "@early" not in data.decode()
    early = str(person("@early").account)
    dossier = await store.run(lambda database: read_dossier(database, early, "b"))
    assert dossier is not None
    assert (dossier.shows, dossier.card.shows, dossier.known_to(moderator=True)) == ((), 0, False)


async def test_each_community_says_who_speaks_where_the_room_does_not_know(store: Store, clock: Clock) -> None:
    await watch(store, "a", host="@Kay")
    await watch(store, "b", host="@lee")
    await watch(store, "c")
    await heard(store, 1, 0, person("@speaker"))
    clock.at(1)
    await heard(store, 1, 60, person("@speaker"))
    for community, name in (("a", "@kay"), ("b", "@lee"), ("c", "@speaker")):
        known = {other: await shows(store, community, other) for other in ("@kay", "@lee", "@speaker")}
        assert known == {**dict.fromkeys(("@kay", "@lee", "@speaker")), name: (1, 1.0)}
    (show,) = await store.run(lambda database: heard_shows(database, "a"))
    assert show["host"] == "media:stream:@kay"


async def test_threads_that_are_listened_to_again_after_a_start_go_on(store: Store, clock: Clock) -> None:
    thread = Watch("a", RoomKey("discord", "1/2"), "discord:9")

    async def spans() -> list[list[float | None]]:
        rows = await store.run(lambda db: list(db.query("SELECT since, until FROM watch_periods ORDER BY since")))
        return [
            [None if one is None else (datetime.fromisoformat(one) - NOON) / HOUR for one in row.values()]
            for row in rows
        ]

    await store.register([thread], "thread")
    clock.at(1)
    await store.register([])  # a start
    assert await spans() == [[0, 1]]
    clock.at(2)
    await store.register([thread], "thread")
    assert await spans() == [[0, None]]
    await store.end_threads([thread.room])
    clock.at(3)
    info = ShowInfo("show-1", thread.room, "heard for others meanwhile", None, "en", None)
    await store.apply([ShowProgress(info, 60.0, 1, 0, 0, 0.0, ())])
    clock.at(4)
    await store.register([thread], "thread")
    assert await spans() == [[0, 2], [4, None]]


async def test_a_watch_of_the_settings_file_ends_when_it_is_taken_out(store: Store, clock: Clock) -> None:
    both: Sequence[Watch] = [Watch("a", ROOM), Watch("b", ROOM)]
    await store.register(both)
    clock.at(1)
    await store.register(both[:1])
    rows = await store.run(lambda db: list(db.query("SELECT community, until FROM watch_periods ORDER BY community")))
    assert [(row["community"], row["until"] is None) for row in rows] == [("a", True), ("b", False)]
