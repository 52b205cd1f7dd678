"""Several communities on one room, who is exempt, hostile and endless shows."""

import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from bot.effects import alert_id
from bot.policy import Watch
from bot.reading import ModelStage
from bot.store import Store
from bot.watch import Watcher
from detectors.classifier import Request
from detectors.records import (
    Event,
    Line,
    Reading,
    RoomState,
    SeatChange,
    Tick,
)
from detectors.show import MAX_PEOPLE
from tests.bot.samples import HOST, WATCH, ListRoom
from tests.bot.test_watch import (
    SETTINGS,
    _explicit_parameters,
    closed,
    dump,
    evening,
    in_batches,
    opened,
    watch,
    watcher_on,
)
from tests.stand_ins import ROOM, chat, person, reading, show_info, speech

__all__ = ["_explicit_parameters"]


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
