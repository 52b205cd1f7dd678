"""Rooms that hear voices stop when not everybody who watches them says that people were told."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from bot.listening import Listening
from bot.policy import Watch
from bot.reading import ModelStage
from bot.room_tasks import RoomTasks
from bot.rooms import RoomError
from bot.rooms.registry import Sources
from bot.store import Store
from bot.watch import Watcher
from bot.watches import RefusedWatchError, add_watch
from config.settings import RoomSettings, Settings
from detectors.records import Event, RoomKey
from tests.stand_ins import MarkReader

KEY = RoomKey("janus", "wss://live.example/janus#1")
SETTINGS = Settings.model_validate({"streams": {"hosts": ["live.example"]}})


class Room:
    """Says whether it hears, and goes on until it is stopped."""

    skipped = 0

    def __init__(self, settings: RoomSettings) -> None:
        self.key = RoomKey(settings.kind, settings.address)
        self.hears = settings.kind == "media" or all(watch.consent for watch in settings.watches)
        self.runs = False

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Nothing happens."""
        self.runs = True
        try:
            await asyncio.Event().wait()
        finally:
            self.runs = False
        yield []


class Opened:
    """Stands in for the registry's `open_room`."""

    def __init__(self) -> None:
        self.rooms: list[Room] = []
        self.wrong: RoomError | None = None

    def __call__(self, settings: RoomSettings, sources: Sources) -> Room:
        if self.wrong is not None:
            raise self.wrong
        self.rooms.append(Room(settings))
        return self.rooms[-1]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    made = Opened()
    monkeypatch.setattr("bot.listening.open_room", made)
    return made


@asynccontextmanager
async def listening(store: Store) -> AsyncIterator[Listening]:
    stage, nothing = ModelStage(MarkReader()), cast(Any, None)

    async def over() -> None:
        """Nobody is told."""

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = RoomTasks(group, SETTINGS.limits)
        yield Listening(
            store,
            SETTINGS,
            tasks,
            Sources(nothing),
            lambda room, watches: (Watcher(room, watches, stage, store, SETTINGS.policy), over),
        )
        tasks.cancel()
    stage.close()


async def watch(store: Store, community: str, consent: bool, key: RoomKey = KEY) -> None:
    await add_watch(store, Watch(community, key, "discord:9", consent=consent), "by", {}, SETTINGS.streams)


async def begun(room: Room) -> None:
    while not room.runs:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


async def test_a_room_that_runs_stops_hearing_when_one_watch_does_not_consent(store: Store, opened: Opened) -> None:
    async with listening(store) as rooms:
        await watch(store, "1", consent=True)
        await rooms.reload(KEY)
        await begun(opened.rooms[0])
        assert rooms.tasks.hears(KEY)
        await watch(store, "2", consent=False)
        await rooms.reload(KEY)
        await begun(opened.rooms[-1])
        assert not rooms.tasks.hears(KEY) and not opened.rooms[0].runs and list(rooms.running()) == [KEY]


@pytest.mark.parametrize("wrong", ["address", "opening"])
async def test_a_room_that_cannot_be_opened_otherwise_does_not_go_on_hearing(
    store: Store, opened: Opened, wrong: str
) -> None:
    key = KEY if wrong == "opening" else RoomKey("media", "https://live.example/1.m3u8")
    async with listening(store) as rooms:
        await watch(store, "1", True, key)
        await rooms.reload(key)
        await begun(opened.rooms[0])
        opened.wrong = RoomError("it cannot be opened")
        await watch(store, "2", True, key)
        with pytest.raises(RefusedWatchError):
            await rooms.reload(key)
        assert opened.rooms[0].runs  # everybody consents: it goes on as it was
        opened.wrong = RoomError("it cannot be opened") if wrong == "opening" else None
        await watch(store, "2", False, key)
        with pytest.raises(RefusedWatchError):
            await rooms.reload(key)
        assert not opened.rooms[0].runs and rooms.running() == {} and rooms.refusal(key) is not None


async def test_a_room_that_hears_refuses_a_watch_without_consent(store: Store, opened: Opened) -> None:
    async with listening(store) as rooms:
        await watch(store, "1", consent=True)
        await rooms.reload(KEY)
        with pytest.raises(ValueError, match="people were told"):
            rooms.tasks.watch_for(KEY, [Watch("1", KEY, consent=True), Watch("2", KEY)])
        rooms.tasks.watch_for(KEY, [Watch("1", KEY, consent=True)])
