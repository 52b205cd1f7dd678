"""The watcher: from a room's events to stored warnings, also across repeats, failures and stops."""

import asyncio
import gc
import json
import logging
import tracemalloc
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import bot.watch
from bot.effects import alert_id
from bot.outbox import Outbox, Reconciled
from bot.parcels import Parcel
from bot.policy import Watch
from bot.reading import LineReader, ModelStage
from bot.store import Store, StoreError
from bot.watch import ShowSummary, Watcher
from config.settings import PolicySettings
from detectors.arc import Arc, ArcParameters
from detectors.classifier import Request
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
from detectors.show import MAX_PEOPLE, Show
from tests.bot.samples import CLOCKS, HOST, WATCH, ListRoom, tables
from tests.stand_ins import ROOM, MarkReader, chat, person, reading, show_info, speech

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
    monkeypatch.setattr(bot.watch, "Panel", lambda memory: Panel(Arc(PARAMETERS), memory))


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


class FailingReader:
    """Reads marks, but dies of every batch that holds a word."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._marks = MarkReader()

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        if any(self._word in request.text for request in requests):
            raise RuntimeError("out of memory")
        return self._marks.read(requests)


async def test_a_model_that_fails_leaves_lines_unread_and_nothing_is_called_clean(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    events = [opened(), *(speech(10 + i, 10.0 * i, "@host", f"$ offer {i}") for i in range(6)), closed(70.0)]
    with caplog.at_level(logging.CRITICAL):
        summary = await watch(store, events, reader=FailingReader("offer"))
    found = await dump(store)
    assert (summary.unread, summary.events, summary.alerts, summary.phases) == (6, 6, 0, ())
    assert (found["shows"][0]["unread"], found["shows"][0]["phases"], found["alerts"]) == (6, "[]", [])
    assert [(row["lines"], row["selling_lines"]) for row in found["participations"]] == [(6, 0)]


async def test_a_model_that_fails_for_a_while_does_not_stop_the_show(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        summary = await watch(store, evening(), reader=FailingReader("lesson 3"))
    found = await dump(store)
    assert 0 < summary.unread <= 4
    assert found["shows"][0]["unread"] == summary.unread
    assert [row["id"] for row in found["alerts"]] == [FIRST, SECOND]


class StoppedRoom(ListRoom):
    """A room that goes silent after a number of batches, until somebody stops listening."""

    def __init__(self, batches: Sequence[Sequence[Event]], after: int) -> None:
        super().__init__(batches[:after])
        self.silent = asyncio.Event()

    async def events(self) -> AsyncIterator[list[Event]]:
        async for batch in super().events():
            yield batch
        self.silent.set()
        await asyncio.Event().wait()


async def run_until_stopped(store: Store, batches: Sequence[Sequence[Event]], after: int, save: bool) -> None:
    room = StoppedRoom(batches, after)
    async with watcher_on(store, room) as (watcher, _):
        running = asyncio.create_task(watcher.run())
        async with asyncio.timeout(30):
            await room.silent.wait()
        if save:
            await watcher.save()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    async def run() -> dict[str, list[dict[str, Any]]]:
        store = Store(tmp_path_factory.mktemp("whole") / "test.db")
        await store.open()
        await watch(store, evening())
        found = await dump(store, CLOCKS)
        await store.close()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bot.watch, "Panel", lambda memory: Panel(Arc(PARAMETERS), memory))
        return asyncio.run(run())


def stops() -> Iterator[tuple[int, int]]:
    """Sizes of batches, and after how many of them to stop: here and there, and after each line that sells."""
    events = evening()
    yield from ((6, after) for after in range(1, len(in_batches(events, 6)), 2))
    selling = [i for i, event in enumerate(events) if isinstance(event, Line) and "$" in event.text]
    yield from ((1, i + 1) for i in selling)


def in_order(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows in an order that does not depend on when they were first written."""
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def not_yet_stored(found: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    """Events that the snapshot counts as handled and whose words stand nowhere."""
    if not found["snapshots"]:
        return set()
    handled = {event_id for event_id, _ in json.loads(found["snapshots"][0]["numbers"])["seen"][1]}
    return handled - {row["event_id"] for row in found["evidence"]}


def without(gone: set[str], found: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Everything but the quotes of events in `gone`: snapshots hold no words, so that a quote that no warning had
    brought into the store before a stop may be missing from it."""
    return in_order({**found, "evidence": [row for row in found["evidence"] if row["event_id"] not in gone]})


@pytest.mark.parametrize("save", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize(("size", "after"), list(stops()))
async def test_a_stop_in_the_middle_changes_no_result(
    tmp_path: Path, uninterrupted: dict[str, list[dict[str, Any]]], size: int, after: int, save: bool
) -> None:
    store = Store(tmp_path / "test.db")
    await store.open()
    await run_until_stopped(store, in_batches(evening(), size), after, save)
    gone = not_yet_stored(await dump(store))
    await store.close()
    store = Store(tmp_path / "test.db")
    await store.open()
    summary = await watch(store, evening())
    found = await dump(store, CLOCKS)
    await store.close()
    assert without(gone, found) == without(gone, uninterrupted)
    assert summary.alerts == 2


async def test_what_is_in_the_works_when_the_process_stops_is_left_to_the_next_start(store: Store) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def halt() -> None:
        entered.set()
        await leave.wait()

    class HaltingStage(ModelStage):
        async def read(self, show: Show, batch: Sequence[Event]) -> list[Reading | Unavailable | None]:
            if any(event.at >= 300.0 for event in batch):
                await halt()
            return await super().read(show, batch)

    stage = HaltingStage(MarkReader())
    await store.register([WATCH])
    watcher = Watcher(ListRoom(in_batches(evening())), [WATCH], stage, store, SETTINGS)
    running = asyncio.create_task(watcher.run())
    async with asyncio.timeout(30):
        await entered.wait()
    before = await dump(store)
    await watcher.save()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    stage.close()
    assert await dump(store) == before
    await watch(store, evening())
    assert [row["id"] for row in (await dump(store))["alerts"]] == [FIRST, SECOND]


async def test_a_change_that_the_store_refused_is_made_when_the_room_is_opened_again(
    store: Store, uninterrupted: dict[str, list[dict[str, Any]]]
) -> None:
    await store.run(
        lambda database: database.execute(
            "CREATE TRIGGER no BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )
    )
    async with watcher_on(store, ListRoom(in_batches(evening()))) as (watcher, onlooker):
        with pytest.raises(StoreError):
            await watcher.run()
        await watcher.save()
        refused = await dump(store)
        assert refused["alerts"] == []
        await store.run(lambda database: database.execute("DROP TRIGGER no"))
        await watcher.run()
    gone = not_yet_stored(refused)
    assert without(gone, await dump(store, CLOCKS)) == without(gone, uninterrupted)
    assert [summary.alerts for summary in onlooker.summaries] == [2]


async def test_a_room_that_fails_in_the_middle_goes_on_where_it_was(
    store: Store, uninterrupted: dict[str, list[dict[str, Any]]]
) -> None:
    class FailingRoom(ListRoom):
        failed = False

        async def events(self) -> AsyncIterator[list[Event]]:
            number = 0
            async for batch in super().events():
                number += 1
                if number == 8 and not self.failed:
                    self.failed = True
                    raise ConnectionError("the room hung up")
                yield batch

    async with watcher_on(store, FailingRoom(in_batches(evening(), 6))) as (watcher, _):
        with pytest.raises(ConnectionError):
            await watcher.run()
        await watcher.run()
    found = await dump(store, CLOCKS)
    assert in_order({**found, "evidence": []}) == in_order({**uninterrupted, "evidence": []})


async def test_a_doubtful_line_after_a_restart_does_no_harm(store: Store) -> None:
    """The quotes from before are gone then, and a line that is no pitch by itself is none that could be quoted."""

    class DoubtingReader(MarkReader):
        def read(self, requests: Sequence[Request]) -> list[Reading]:
            sure = super().read(requests)
            return [reading(0.45) if "~" in r.text else s for r, s in zip(requests, sure, strict=True)]

    lines = [speech(10 + i, 10.0 * i, "@host", text) for i, text in enumerate(["a $", "~", "~", "~", "b $"])]
    whole = [[event] for event in (opened(), *lines, closed(70.0))]
    await run_until_stopped(store, whole, 2, save=True)
    async with watcher_on(store, ListRoom(whole), reader=DoubtingReader()) as (watcher, onlooker):
        await watcher.run()
    assert onlooker.summaries[0].events == 5
    assert evidence(await dump(store), FIRST) == ["b $"]


async def test_an_episode_that_follows_at_once_on_the_quiet_ends_the_one_before(store: Store) -> None:
    """The tick that would have ended the first one comes only after the second one has begun."""
    times = [0.0, 10.0, 619.0, 625.0]
    events = [opened(), *(speech(10 + i, at, "@host", f"$ {i}", seconds=4.0) for i, at in enumerate(times))]
    await watch(store, [*events, closed(640.0)])
    found = await dump(store)
    assert [(row["id"], row["running"]) for row in found["alerts"]] == [(FIRST, 0), (SECOND, 0)]
    assert [evidence(found, alert) for alert in (FIRST, SECOND)] == [["$ 0", "$ 1"], ["$ 2", "$ 3"]]


async def test_two_communities_on_one_room_see_nothing_of_each_other(store: Store) -> None:
    eager = Watch("eager", ROOM, "discord:1", "high")
    calm = Watch("calm", ROOM, "console", "low", dry_run=True)
    other = Watch("other", ROOM, "console", "normal")
    guest = person("@guest").account
    exempt = {"community": "other", "account": str(HOST.account), "by": "mod", "since": "2026-01-01T00:00:00+00:00"}
    await store.run(lambda database: database.table("exemptions").insert(exempt))
    summary = await watch(store, evening(), eager, calm, other)
    found = await dump(store)
    ids = {
        (watch.community, who, number): alert_id(watch.community, ROOM, "show-1", account, number)
        for watch in (eager, calm, other)
        for who, account in (("host", HOST.account), ("guest", guest))
        for number in (1, 2)
    }
    assert len(set(ids.values())) == len(ids)
    raised = [(row["community"], row["id"], row["at"]) for row in found["alerts"]]
    assert sorted(raised) == sorted(
        [
            ("eager", ids["eager", "guest", 1], 207.0),
            ("eager", ids["eager", "host", 1], 306.0),
            ("eager", ids["eager", "host", 2], 1_006.0),
            ("calm", ids["calm", "host", 1], 326.0),
            *(("calm", row["id"], row["at"]) for row in found["alerts"] if row["id"] == ids["calm", "host", 2]),
        ]
    )
    assert {(row["sink"], row["channel"]) for row in found["outbox"]} == {
        ("discord", "discord:1"),
        ("dry_run", "console"),
    }
    adverts = [row["community"] for row in found["observations"] if row["detector"] == "viewer_advert"]
    remarks = {(row["community"], row["account"]) for row in found["observations"] if row["detector"] == "remark"}
    assert adverts == ["eager", "calm", "other"]
    assert remarks == {("calm", str(HOST.account)), ("calm", str(guest)), ("other", str(guest))}
    assert len(found["shows"]) == 1
    assert summary.events == 54
    assert summary.alerts == len(found["alerts"])


async def test_what_one_community_decided_moves_the_scale_for_it_alone(store: Store) -> None:
    a, b = Watch("a", ROOM), Watch("b", ROOM)
    await watch(store, evening(), a, b)
    warnings = [row["id"] for row in (await dump(store))["alerts"] if row["community"] == "a"]

    def dismiss(database: Any) -> None:
        for alert in warnings * 2:
            row = {"alert": alert, "community": "a", "reviewer": "mod", "decision": "dismissed", "note": ""}
            database.table("reviews").insert({**row, "decided": "2999-01-01T00:00:00+00:00"})

    await store.run(dismiss)
    next_show = replace(show_info(), id="show-2")
    lines = [speech(10 + i, 10.0 * i, "@host", f"$ {i}") for i in range(2)]
    events: list[Event] = [RoomState("show-2#1", 0.0, "open", next_show), *lines, closed(30.0)]
    await watch(store, events, a, b)
    raised = [row["community"] for row in (await dump(store))["alerts"] if row["show"] == "show-2"]
    assert raised == ["b"]


def seated() -> list[Event]:
    """A show is opened; a moderator and a guest sit down."""
    people = enumerate(("@mod", "@guest"), start=2)
    return [opened(), *(SeatChange(f"show-1/{n}", 0.0, n, person(who), "joined") for n, who in people)]


def two_offers(at: float, who: str, exempt: bool) -> list[Line]:
    """What is a warning of anybody else, ten seconds later."""
    lines = [speech(100 + int(at) + i, at + 10.0 * i, who, f"{who} offers {i} $") for i in range(2)]
    return [replace(line, exempt=exempt) for line in lines]


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_of_whom_the_room_says_that_they_look_after_it_nothing_is_said(store: Store, size: int) -> None:
    events = [*seated(), *two_offers(10.0, "@mod", True), *two_offers(100.0, "@guest", False), closed(150.0)]
    async with watcher_on(store, ListRoom(in_batches(events, size))) as (watcher, onlooker):
        await watcher.run()
    found = await dump(store)
    assert [(row["name"], row["at"]) for row in found["alerts"]] == [("@guest", 116.0)]
    remarks = [row["account"] for row in found["observations"] if row["detector"] == "remark"]
    assert remarks == ["replay:script:@guest"]
    assert onlooker.summaries[0].alerts == 1
    assert found["exemptions"] == []


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_who_looks_after_the_room_no_longer_is_like_anybody_else(store: Store, size: int) -> None:
    between = [chat(50 + i, 100.0 + i, "@ana", "hello") for i in range(4)]
    offers = [two_offers(10.0, "@mod", True), two_offers(800.0, "@mod", False)]
    events = [*seated(), *offers[0], *between, *offers[1], closed(900.0)]
    async with watcher_on(store, ListRoom(in_batches(events, size))) as (watcher, _):
        await watcher.run()
    assert [(row["name"], row["at"]) for row in (await dump(store))["alerts"]] == [("@mod", 816.0)]


@pytest.mark.parametrize("size", [1, 100])
async def test_who_comes_to_look_after_the_room_is_warned_of_no_further(store: Store, size: int) -> None:
    before, after = two_offers(10.0, "@mod", False), two_offers(40.0, "@mod", True)
    events = [*seated(), before[0], *after, closed(90.0)]
    async with watcher_on(store, ListRoom(in_batches(events, size))) as (watcher, _):
        await watcher.run()
    found = await dump(store)
    assert found["alerts"] == []
    assert [row["event_id"] for row in found["observations"] if row["detector"] == "remark"] == [before[0].id]


async def test_a_room_that_exempts_somebody_does_so_for_all_who_watch_it(store: Store) -> None:
    events = [*seated(), *two_offers(10.0, "@mod", True), closed(60.0)]
    await watch(store, events, Watch("a", ROOM), Watch("b", ROOM, "discord:1", "high"))
    assert (await dump(store))["alerts"] == []


async def test_events_before_a_show_began_are_nobodys(store: Store) -> None:
    before = speech(10, 1.0, "@host", "$ too early")
    await watch(store, [before, *evening()])
    found = await dump(store)
    assert found["shows"][0]["events"] == 54
    assert "$ too early" not in [row["text"] for row in found["evidence"]]


async def test_one_batch_may_hold_a_whole_show_and_the_next(store: Store) -> None:
    second = replace(show_info(), id="show-2")
    lines = [speech(10 + i, 10.0 * i, "@host", f"$ {i}") for i in range(2)]
    again = [replace(line, id=line.id.replace("show-1", "show-2")) for line in lines]
    batch = [opened(), *lines, closed(20.0)]
    batch += [RoomState("show-2#1", 0.0, "open", second), *again, RoomState("show-2#end", 20.0, "closed")]
    async with watcher_on(store, ListRoom([batch])) as (watcher, onlooker):
        await watcher.run()
    assert [(summary.info.id, summary.events, summary.alerts) for summary in onlooker.summaries] == [
        ("show-1", 2, 1),
        ("show-2", 2, 1),
    ]
    assert [(row["show"], row["episode"]) for row in (await dump(store))["alerts"]] == [("show-1", 1), ("show-2", 1)]


@pytest.mark.parametrize(
    "text",
    [
        f"I have {'9' * 400} followers",
        f"I made ${'9' * 3_900} a month",
        "\x00\x1b[2J",
        " ",
        "$" * 4_000,
        "www." * 1_000,
        "a.b/" * 1_000,
        "{0} {name} %s \\",
        "@everyone <@1> [x](y)",
    ],
)
async def test_no_text_of_a_room_stops_it(store: Store, text: str) -> None:
    events = [opened(), speech(10, 0.0, "@host", text), chat(11, 1.0, "@ana", text), speech(12, 9.0, "@host", "= so")]
    summary = await watch(store, [*events, closed(20.0)])
    assert (summary.events, summary.unread) == (3, 0)


async def test_time_in_which_the_room_was_lost_is_told(store: Store) -> None:
    events: list[Event] = [
        opened(),
        speech(10, 5.0, "@host", "= hello"),
        RoomState("show-1/lost", 20.0, "lost"),
        RoomState("show-1/back", 80.0, "back"),
        speech(11, 90.0, "@host", "= sorry"),
        RoomState("show-1/lost2", 100.0, "lost"),
        closed(130.0),
    ]
    await watch(store, events)
    assert [(r["seconds"], r["lost_seconds"]) for r in (await dump(store))["shows"]] == [(130.0, 90.0)]


class PlainReader:
    """Reads marks with readings made once."""

    def __init__(self) -> None:
        self._readings = {"$": reading(0.97, offers=["coaching"]), "?": reading(0.01, "spam")}
        self._other = reading(0.02)

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        return [self._readings.get(request.text[0], self._other) for request in requests]


class CrowdedRoom(ListRoom):
    """A show without an end in sight: most lines come from somebody new, and guests come and go."""

    def __init__(self, lines: int, look: Callable[[int], None]) -> None:
        super().__init__([])
        self._lines = lines
        self._look = look

    async def events(self) -> AsyncIterator[list[Event]]:
        yield [opened(), SeatChange("show-1/host", 0.0, 1, HOST, "joined")]
        for start in range(0, self._lines, 16):
            yield [event for number in range(start, start + 16) for event in self._happens(number)]
            self._look(start + 16)
        yield [closed(self._lines / 20)]

    def _happens(self, number: int) -> Iterator[Event]:
        at = number / 20
        if number % 600 == 0:
            yield Tick(at)
        if number % 500 == 0:
            yield SeatChange(f"show-1/seat-{number}", at, 2, person(f"@guest{number}"), "joined")
        if number % 10 == 0:
            yield speech(
                10 + number, at, "@host", "$ my offer" if number % 20_000 < 40 else "some words on this and that"
            )
        elif number % 500 == 1:
            yield speech(10 + number, at, f"@guest{number - 1}", "I made 10k followers", seat=2)
        else:
            yield chat(10 + number, at, f"@viewer{number}", "? mine instead" if number % 1_000 == 2 else "hello there")


def lengths(root: object) -> list[int]:
    """How much each container holds that can be reached from `root`."""
    found: list[int] = []
    known: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in known or isinstance(value, str | bytes | int | float | type):
            continue
        known.add(id(value))
        inner: list[object] = []
        if isinstance(value, Mapping):
            inner = [*value.keys(), *value.values()]
        elif isinstance(value, Collection):
            inner = list(value)
        elif is_dataclass(value):
            waiting += [getattr(value, each.name) for each in fields(value)]
        elif type(value).__module__.startswith(("bot.", "detectors.")):
            waiting += vars(value).values()
        if isinstance(value, Collection):
            found.append(len(value))
        waiting += inner
    return found


async def test_a_show_of_a_hundred_thousand_lines_does_not_grow_in_memory(store: Store) -> None:
    lines = 100_000
    kept: dict[int, list[int]] = {}
    traced: dict[int, int] = {}

    def look(number: int) -> None:
        if number % 20_000 == 0:
            kept[number] = lengths(watcher)
        if number == 88_000:
            tracemalloc.start()
        if number in (94_000, lines):
            gc.collect()
            traced[number] = tracemalloc.get_traced_memory()[0]

    stage = ModelStage(PlainReader())
    await store.register([WATCH])
    watcher = Watcher(CrowdedRoom(lines, look), [WATCH], stage, store, SETTINGS)
    try:
        await watcher.run()
    finally:
        tracemalloc.stop()
        stage.close()
    found = (await dump(store))["shows"][0]
    assert (found["events"], found["seconds"], found["ended"]) == (lines + lines // 500 + 1, 5_000.0, 1)
    assert max(max(held) for held in kept.values()) <= MAX_PEOPLE
    # The timeline still fills up, and each new guest leaves a trace. Anything kept per line would be far more.
    assert sum(kept[lines]) - sum(kept[20_000]) < lines // 20
    assert traced[lines] - traced[94_000] < 200_000
