"""The watcher: from a room's events to stored warnings, also across repeats, failures and stops."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bot.live_show
from bot.effects import alert_id
from bot.outbox import Outbox, Reconciled
from bot.parcels import Parcel
from bot.policy import Watch
from bot.reading import LineReader, ModelStage
from bot.store import Store
from bot.watch import ShowSummary, Watcher
from config.settings import PolicySettings
from detectors.arc import Arc, ArcParameters
from detectors.panel import Panel
from detectors.records import (
    EpisodeState,
    Event,
    Line,
    PhaseSpan,
    Reading,
    RoomState,
    SeatChange,
    Tick,
    Unavailable,
)
from detectors.show import Show
from tests.bot.samples import CLOCKS, HOST, WATCH, ListRoom, tables
from tests.stand_ins import ROOM, MarkReader, chat, person, show_info, speech

#: One line alone is a remark, two close together are a warning.
PARAMETERS = ArcParameters(
    base=-4.0,
    pivot=0.4,
    line_most=3.0,
    half_life=150.0,
    taught_after=240.0,
    taught_bonus=0.7,
    passage_gap=90.0,
    passage_bonus=0.8,
    shield_time=45.0,
    shield_factor=0.5,
    pull=0.6,
    audience=-0.8,
    floor=-3.0,
    episode_gap=600.0,
    present=0.5,
    stage=0.0,
)
SETTINGS = PolicySettings(
    threshold_low=0.99,
    threshold_normal=0.8,
    threshold_high=0.2,
    update_seconds=0.0,
    alerts_per_hour=100,
    prior_half_life_days=90.0,
)
FIRST = alert_id("local", ROOM, "show-1", HOST.account, 1)
SECOND = alert_id("local", ROOM, "show-1", HOST.account, 2)


@pytest.fixture(autouse=True)
def _explicit_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.live_show, "Panel", lambda memory: Panel(Arc(PARAMETERS), memory))


def opened() -> RoomState:
    return RoomState("show-1/1", 0.0, "open", show_info())


def closed(at: float) -> RoomState:
    return RoomState("show-1/end", at, "closed")


def in_batches(events: Sequence[Event], size: int = 4) -> list[list[Event]]:
    return [list(events[i : i + size]) for i in range(0, len(events), size)]


def evening() -> list[Event]:
    """The host teaches, then pitches in two episodes; a guest drops one remark; a viewer advertises."""
    lessons = [speech(100 + i, 5.0 + 10.0 * i, "@host", f"= lesson {i}") for i in range(29)]
    first = [speech(200 + i, 300.0 + 10.0 * i, "@host", f"first offer {i} $") for i in range(5)]
    talk = [speech(300 + i, 400.0 + 60.0 * i, "@host", f"some talk {i}") for i in range(10)]
    second = [speech(400 + i, 1_000.0 + 10.0 * i, "@host", f"second offer {i} $") for i in range(4)]
    others: list[Event] = [
        opened(),
        SeatChange("show-1/2", 0.0, 1, HOST, "joined"),
        SeatChange("show-1/3", 0.0, 2, person("@guest"), "joined"),
        chat(4, 40.0, "@ana", "hello"),
        chat(5, 41.0, "@bob", "?! watch my channel instead"),
        speech(6, 201.0, "@guest", "well, $ mine", seat=2),
        chat(7, 500.0, "@ana", "what did it cost"),
        closed(1_100.0),
    ]
    return sorted([*lessons, *first, *talk, *second, *others], key=lambda event: event.at)


class Onlooker:
    """An observer that keeps the summaries and what it saw of each event."""

    def __init__(self) -> None:
        self.opened_shows: list[str] = []
        self.seen: list[tuple[Event, Reading | Unavailable | None, EpisodeState | None]] = []
        self.summaries: list[ShowSummary] = []

    def opened(self, show: Show) -> None:
        self.opened_shows.append(show.info.id)

    def read(
        self, show: Show, event: Event, reading: Reading | Unavailable | None, episode: EpisodeState | None
    ) -> None:
        self.seen.append((event, reading, episode))

    def ended(self, summary: ShowSummary) -> None:
        self.summaries.append(summary)


@asynccontextmanager
async def watcher_on(
    store: Store, room: ListRoom, *watches: Watch, reader: LineReader | None = None, **more: Any
) -> AsyncIterator[tuple[Watcher, Onlooker]]:
    stage, onlooker = ModelStage(reader or MarkReader()), Onlooker()
    await store.register(watches or [WATCH])
    yield Watcher(room, watches or [WATCH], stage, store, SETTINGS, [onlooker], **more), onlooker
    stage.close()


async def watch(
    store: Store, events: Sequence[Event], *watches: Watch, reader: LineReader | None = None
) -> ShowSummary:
    """Watch a whole show; return what became of it."""
    async with watcher_on(store, ListRoom(in_batches(events)), *watches, reader=reader) as (watcher, onlooker):
        await watcher.run()
    return onlooker.summaries[0]


async def dump(store: Store, but: Mapping[str, frozenset[str]] | None = None) -> dict[str, list[dict[str, Any]]]:
    return await store.run(lambda database: tables(database, but))


def evidence(found: Mapping[str, list[dict[str, Any]]], alert: str) -> list[str]:
    return [row["text"] for row in found["evidence"] if row["alert"] == alert]


async def test_teaching_that_turns_into_selling_is_one_warning_about_the_right_person(store: Store) -> None:
    summary = await watch(store, evening())
    found = await dump(store)
    alerts = [
        {name: row[name] for name in ("id", "account", "name", "presenter", "episode", "since", "status", "running")}
        for row in found["alerts"]
    ]
    host = {"account": "replay:script:@host", "name": "@host", "presenter": None, "status": "open", "running": 0}
    assert alerts == [
        {"id": FIRST, **host, "episode": 1, "since": 300.0},
        {"id": SECOND, **host, "episode": 2, "since": 1_000.0},
    ]
    assert [row["at"] for row in found["alerts"]] == [316.0, 1_016.0]
    assert [json.loads(row["offers"]) + json.loads(row["cues"]) for row in found["alerts"]] == [
        ["coaching", "scarcity"]
    ] * 2
    assert all(row["score"] > 0.8 for row in found["alerts"])
    assert evidence(found, FIRST) == [f"first offer {i} $" for i in range(5)]
    assert evidence(found, SECOND) == [f"second offer {i} $" for i in range(4)]
    observed = [(row["detector"], row["account"], row["event_id"], row["quote"]) for row in found["observations"]]
    assert observed == [
        ("viewer_advert", "replay:script:@bob", "show-1/5", "?! watch my channel instead"),
        ("remark", "replay:script:@guest", "show-1/6", "well, $ mine"),
        ("remark", "replay:script:@host", "show-1/200", "first offer 0 $"),
        ("remark", "replay:script:@host", "show-1/400", "second offer 0 $"),
    ]
    parts = {row["account"]: (row["lines"], row["selling_lines"], row["seated"]) for row in found["participations"]}
    assert parts == {
        "replay:script:@host": (48, 9, 1),
        "replay:script:@guest": (1, 1, 1),
        "replay:script:@ana": (2, 0, 0),
        "replay:script:@bob": (1, 0, 0),
    }
    show = found["shows"][0]
    assert (show["events"], show["seconds"], show["unread"], show["ended"]) == (54, 1_100.0, 0, 1)
    assert summary == ShowSummary(
        show_info(), events=54, known=0, skipped=0, unread=0, alerts=2, seconds=1_100.0, phases=summary.phases
    )
    assert [[span.at, span.until, span.phase] for span in summary.phases] == json.loads(show["phases"])
    assert [span.phase for span in summary.phases][:2] == ["teach", "pitch"]


async def test_a_show_of_teaching_alone_warns_nobody(store: Store) -> None:
    events = [opened(), *(speech(10 + i, 10.0 * i, "@host", f"= lesson {i}") for i in range(30)), closed(310.0)]
    summary = await watch(store, events)
    found = await dump(store)
    assert (found["alerts"], found["evidence"], found["outbox"], found["observations"]) == ([], [], [], [])
    assert (summary.alerts, summary.unread, summary.events) == (0, 0, 30)
    assert summary.phases == (PhaseSpan(0.0, 300.0, "teach"),)


async def test_whoever_looks_on_sees_every_event_once_in_order(store: Store) -> None:
    events = evening()
    async with watcher_on(store, ListRoom(in_batches(events))) as (watcher, onlooker):
        await watcher.run()
    assert onlooker.opened_shows == ["show-1"]
    assert [event for event, _, _ in onlooker.seen if not isinstance(event, Tick)] == events
    ticks = [event.at for event, _, _ in onlooker.seen if isinstance(event, Tick)]
    assert ticks == [30.0 * step for step in range(1, 37)]
    assert all(isinstance(read, Reading) == isinstance(event, Line) for event, read, _ in onlooker.seen)
    told = [(event.at, episode.number) for event, _, episode in onlooker.seen if episode and episode.ended]
    assert told == [(810.0, 1), (960.0, 1)]
    assert len(onlooker.summaries) == 1


class NotingSink:
    """Notes when something was delivered, as counted by events that were seen."""

    name = "console"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.delivered: list[tuple[str, int, float]] = []
        self._clock = clock

    async def deliver(self, parcel: Parcel) -> str | None:
        self.delivered.append((parcel.alert, parcel.version, self._clock()))
        return None

    async def reconcile(self, parcel: Parcel) -> Reconciled:
        return Reconciled("not_sent")

    async def blocked(self, parcel: Parcel, reason: str) -> None:
        raise AssertionError(reason)


async def test_warnings_go_out_after_the_batch_that_tipped_them(store: Store) -> None:
    onlooker = Onlooker()
    sink = NotingSink(lambda: onlooker.seen[-1][0].at)
    stage = ModelStage(MarkReader())
    outbox = Outbox(store, {"console": sink})
    room = ListRoom([[event] for event in evening()])
    watcher = Watcher(room, [WATCH], stage, store, SETTINGS, [onlooker], outbox.drain)
    await store.register([WATCH])
    await watcher.run()
    stage.close()
    assert [(alert, version) for alert, version, _ in sink.delivered] == [
        (FIRST, 1),
        (FIRST, 2),
        (FIRST, 3),
        (SECOND, 1),
        (SECOND, 2),
    ]
    assert [at for _, _, at in sink.delivered] == [310.0, 320.0, 340.0, 1_010.0, 1_030.0]


async def test_the_same_events_twice_change_nothing(store: Store) -> None:
    events = evening()
    first = await watch(store, events)
    once = await dump(store)
    second = await watch(store, events)
    assert await dump(store) == once
    lines = sum(not isinstance(event, Tick) for event in events)
    assert second == replace(first, known=lines)


async def test_the_same_events_again_within_one_run_change_nothing(tmp_path: Path) -> None:
    events = evening()
    half = len(events) // 2
    found = []
    for name, run in (("once", events), ("twice", [*events[:half], *events[1:half], *events[half:]])):
        store = Store(tmp_path / name)
        await store.open()
        await watch(store, run)
        found.append(await dump(store, {**CLOCKS, "snapshots": frozenset({"taken", "numbers"})}))
        await store.close()
    assert found[0] == found[1]


async def test_what_was_added_to_a_show_later_is_handled(store: Store) -> None:
    events = evening()
    await watch(store, [*events[:-1], closed(1_030.0)])
    more = [speech(500 + i, 1_040.0 + 10.0 * i, "@guest", f"$ mine too {i}", seat=2) for i in range(2)]
    await watch(store, [*events[:-1], *more, closed(1_100.0)])
    found = await dump(store)
    by_guest = alert_id("local", ROOM, "show-1", person("@guest").account, 2)
    assert [row["id"] for row in found["alerts"]] == [FIRST, SECOND, by_guest]
    assert [row["running"] for row in found["alerts"]] == [0, 0, 0]
    show = found["shows"][0]
    assert (show["events"], show["seconds"], show["ended"]) == (56, 1_100.0, 1)
