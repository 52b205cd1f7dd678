"""Rooms as tasks: opened again when they fail, stopped when asked, and none of it any matter of the others."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bot import room_tasks
from bot.reading import ModelStage
from bot.room_tasks import RoomTasks
from bot.rooms import RoomError, RoomLostError
from bot.store import Store, StoreError
from bot.watch import Watcher
from config.settings import LimitSettings, PolicySettings
from detectors.records import Event, Message, RoomKey, RoomState
from tests.bot.samples import WATCH
from tests.stand_ins import MarkReader, show_info, speech

LIMITS = LimitSettings(restart_seconds=2.0, restart_most_seconds=10.0)
OTHER = RoomKey("replay", "other.jsonl")
SHOW: list[list[Event]] = [
    [RoomState("show-1/1", 0.0, "open", show_info()), speech(10, 5.0, "@host", "= hello")],
    [RoomState("show-1/end", 20.0, "closed")],
]


class Room:
    """Fails with `errors`, in order, before it plays a show, and then goes on until `over`, if it is given."""

    skipped = 0

    def __init__(self, *errors: Exception, over: asyncio.Event | None = None, key: RoomKey = WATCH.room) -> None:
        self.key = key
        self.opened = 0
        self.playing = asyncio.Event()
        self._errors = list(errors)
        self._over = over

    async def events(self) -> AsyncIterator[list[Event]]:
        self.opened += 1
        if self._errors:
            raise self._errors.pop(0)
        yield list(SHOW[0])
        self.playing.set()
        if self._over is not None:
            await self._over.wait()
        yield list(SHOW[1])


class Hooks:
    """Notes what was called, and fails before with `errors`."""

    def __init__(self, *errors: Exception) -> None:
        self.called: list[str] = []
        self.is_over = asyncio.Event()
        self._errors = list(errors)

    async def before(self) -> None:
        self.called.append("before")
        if self._errors:
            raise self._errors.pop(0)

    async def after(self) -> None:
        self.called.append("after")
        self.is_over.set()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The waits that were asked for, without their jitter; none of them takes any time."""
    noted: list[float] = []
    pause = asyncio.sleep

    async def sleep(seconds: float) -> None:
        noted.append(seconds)
        await pause(0)

    def middle(low: float, high: float) -> float:
        assert (low, high) == (0.8, 1.2)
        return 1.0

    monkeypatch.setattr(random, "uniform", middle)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    yield noted


@asynccontextmanager
async def running(limits: LimitSettings = LIMITS) -> AsyncIterator[RoomTasks]:
    """Rooms in a group of their own, which must be over within a time."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        yield RoomTasks(group, limits)


@pytest.fixture
def stage() -> Iterator[ModelStage]:
    made = ModelStage(MarkReader())
    yield made
    made.close()


def watcher(store: Store, stage: ModelStage, room: Room) -> Watcher:
    return Watcher(room, [WATCH], stage, store, PolicySettings.model_validate({}))  # type: ignore[arg-type]


async def shows(store: Store) -> list[tuple[str, int]]:
    return await store.run(
        lambda database: [(row["id"], row["ended"]) for row in database.query("SELECT * FROM shows ORDER BY id")]
    )


async def test_a_room_runs_to_its_end_between_its_hooks(store: Store, stage: ModelStage, waits: list[float]) -> None:
    room, hooks = Room(), Hooks()
    async with running() as rooms:
        rooms.start(watcher(store, stage, room), hooks.before, hooks.after)
        assert rooms.keys == (WATCH.room,)
        await rooms.all_over()
        assert rooms.keys == ()
    assert (hooks.called, room.opened, waits, rooms.failed) == (["before", "after"], 1, [], False)
    assert await shows(store) == [("show-1", 1)]


@pytest.mark.parametrize(
    "error", [RoomLostError("the line was cut"), StoreError("locked"), ValueError("a bug")], ids=lambda e: str(e)
)
async def test_a_room_that_fails_is_opened_again_later_and_later(
    store: Store, stage: ModelStage, waits: list[float], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    room, hooks = Room(*[error] * 5), Hooks()
    with caplog.at_level(logging.WARNING):
        async with running() as rooms:
            rooms.start(watcher(store, stage, room), hooks.before, hooks.after)
            await rooms.all_over()
    assert waits == [2.0, 4.0, 8.0, 10.0, 10.0]
    assert (room.opened, rooms.failed, hooks.called) == (6, False, ["before"] * 6 + ["after"])
    assert await shows(store) == [("show-1", 1)]
    warned = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert warned == [f"{WATCH.room}: {error}; opened again in {wait:.0f} s" for wait in waits]
    traced = [each.getMessage() for each in caplog.records if each.exc_info]
    assert traced == ([f"room {WATCH.room} failed"] * 5 if isinstance(error, ValueError) else [])


async def test_a_room_that_ran_well_for_a_while_starts_with_the_first_wait_again(
    store: Store, stage: ModelStage, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_tasks, "WELL_AFTER", -1.0)
    async with running() as rooms:
        rooms.start(watcher(store, stage, Room(*[RoomLostError("gone")] * 3)), Hooks().before, Hooks().after)
        await rooms.all_over()
    assert waits == [2.0, 2.0, 2.0]


async def test_a_store_that_is_busy_before_a_room_begins_is_waited_for(
    store: Store, stage: ModelStage, waits: list[float]
) -> None:
    room, hooks, other = Room(), Hooks(StoreError("locked")), Hooks()
    async with running() as rooms:
        rooms.start(watcher(store, stage, room), hooks.before, hooks.after)
        rooms.start(watcher(store, stage, Room(key=OTHER)), other.before, other.after)
        await rooms.all_over()
    assert (hooks.called, other.called, waits, room.opened) == (
        ["before", "before", "after"],
        ["before", "after"],
        [2.0],
        1,
    )


async def test_a_room_that_cannot_be_opened_at_all_is_given_up_and_the_others_go_on(
    store: Store, stage: ModelStage, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    wrong, over = Room(RoomError("no such room: check the address")), asyncio.Event()
    other, hooks, others = Room(over=over, key=OTHER), Hooks(), Hooks()
    async with running() as rooms:
        rooms.start(watcher(store, stage, wrong), hooks.before, hooks.after)
        rooms.start(watcher(store, stage, other), others.before, others.after)
        await hooks.is_over.wait()
        await other.playing.wait()
        assert (rooms.keys, rooms.failed, others.called) == ((OTHER,), True, ["before"])
        over.set()
        await rooms.all_over()
    assert (hooks.called, others.called, waits, wrong.opened) == (["before", "after"], ["before", "after"], [], 1)
    assert caplog.messages == ["no such room: check the address"]


async def test_a_room_that_is_stopped_keeps_where_its_show_stands(
    store: Store, stage: ModelStage, waits: list[float]
) -> None:
    room, hooks = Room(over=asyncio.Event()), Hooks()
    async with running() as rooms:
        watching = watcher(store, stage, room)
        rooms.start(watching, hooks.before, hooks.after)
        await room.playing.wait()
        assert await shows(store) == []
        await rooms.stop(WATCH.room)
        assert rooms.keys == ()
        await rooms.all_over()
        await rooms.stop(WATCH.room)
    assert (hooks.called, rooms.failed, waits) == (["before"], False, [])
    assert await shows(store) == [("show-1", 0)]
    saved = await store.snapshot(WATCH.room, "show-1")
    assert saved is not None and saved["show"]["events"] == 1


async def test_a_stopped_room_can_be_started_again_and_goes_on(
    store: Store, stage: ModelStage, waits: list[float]
) -> None:
    first, second, hooks = Room(over=asyncio.Event()), Room(), Hooks()
    async with running() as rooms:
        rooms.start(watcher(store, stage, first), Hooks().before, Hooks().after)
        await first.playing.wait()
        await rooms.stop(WATCH.room)
        rooms.start(watcher(store, stage, second), hooks.before, hooks.after)
        await rooms.all_over()
    assert hooks.called == ["before", "after"]
    found = await store.run(lambda database: list(database.query("SELECT events, ended FROM shows")))
    assert found == [{"events": 1, "ended": 1}]


async def test_a_room_is_stopped_while_it_waits_to_be_opened_again(
    store: Store, stage: ModelStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def forever(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    room = Room(RoomLostError("gone"))
    monkeypatch.setattr(asyncio, "sleep", forever)
    async with running() as rooms:
        rooms.start(watcher(store, stage, room), Hooks().before, Hooks().after)
        await waiting.wait()
        await rooms.stop(WATCH.room)
    assert (room.opened, rooms.keys, await shows(store)) == (1, (), [])


async def test_all_rooms_cut_off_at_once_give_back_their_watchers(
    store: Store, stage: ModelStage, waits: list[float]
) -> None:
    room_list: Sequence[Room] = [Room(over=asyncio.Event()), Room(over=asyncio.Event(), key=OTHER)]
    watchers = [watcher(store, stage, room) for room in room_list]
    hooks = Hooks()
    async with running() as rooms:
        for each in watchers:
            rooms.start(each, hooks.before, hooks.after)
        for room in room_list:
            await room.playing.wait()
        assert rooms.cancel() == watchers
        assert rooms.keys == ()
    assert hooks.called == ["before", "before"]


async def test_rooms_that_are_added_while_others_run_are_waited_for_too(
    store: Store, stage: ModelStage, waits: list[float]
) -> None:
    first, second, over = asyncio.Event(), asyncio.Event(), Hooks()
    one, two = Room(over=first), Room(over=second, key=OTHER)
    async with running() as rooms:
        rooms.start(watcher(store, stage, one), Hooks().before, over.after)
        ended = asyncio.create_task(rooms.all_over())
        await one.playing.wait()
        rooms.start(watcher(store, stage, two), Hooks().before, Hooks().after)
        await two.playing.wait()
        first.set()
        await over.is_over.wait()
        assert not ended.done()
        second.set()
        await ended
    assert rooms.keys == ()


async def test_a_room_of_a_community_that_cannot_be_opened_is_told_to_it_and_not_by_the_exit_code(
    store: Store, stage: ModelStage, waits: list[float]
) -> None:
    wrong, why = Room(RoomError("https://live.example: holds no sound")), Message("reason.gone")
    other = Room(RoomError("gone", why), key=OTHER)
    async with running() as rooms:
        for room in (wrong, other):
            rooms.start(watcher(store, stage, room), Hooks().before, Hooks().after, operators=False)
        await rooms.all_over()
        assert not rooms.failed
        lacking = Message("reason.wrong", {"details": "https://live.example: holds no sound"})
        assert rooms.given_up == {WATCH.room: lacking, OTHER: why}
