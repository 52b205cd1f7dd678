"""The whole way from a room to stored warnings, for tests in the private network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.commands.janus_server import URL
from bot.parcels import read_left
from bot.policy import Watch
from bot.reading import ModelStage
from bot.rooms import Left
from bot.rooms.janus import JanusRoom
from bot.speech.hearing import Hearing
from bot.store import MEMORY, Store
from bot.watch import Watcher
from config.settings import PolicySettings
from detectors.classifier import SHIPPED_MODEL, Classifier
from detectors.records import RoomKey
from tests.servers.janus import ROOM, Listening


class Onlooker(Listening):
    """Looks on at a watcher, as a listener does at a room."""

    def opened(self, show: Any) -> None:
        """Nothing to note."""

    def ended(self, summary: Any) -> None:
        """Nothing to note."""

    def read(self, show: Any, event: Any, reading: Any, episode: Any) -> None:
        """Note the event."""
        self.note(event)


@dataclass
class Watched:
    """A room that is watched: what was seen, and what was stored."""

    told: Onlooker
    running: "asyncio.Task[None]"
    store: Store
    watcher: Watcher

    async def inside(self) -> None:
        """Wait until the room was entered; a watcher that fails before that says why."""
        entering = asyncio.create_task(self.told.inside())
        await asyncio.wait({entering, self.running}, return_when=asyncio.FIRST_COMPLETED)
        if self.running.done():
            entering.cancel()
            await self.running
            pytest.fail("the watcher ended before the room was entered")
        await entering

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Return what is in a table."""
        return await self.store.run(lambda database: list(database.query(f"SELECT * FROM {table}")))

    async def warned(self, who: str, within: float = 20.0) -> bool:
        """Whether somebody is warned about soon."""
        try:
            async with asyncio.timeout(within):
                while not any(who in row["account"] for row in await self.rows("alerts")):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def watched(hearing: Hearing | None, database: Path | str = MEMORY) -> AsyncIterator[Watched]:
    """Have the room watched, with everything that a running bot puts behind it; at the end it stops as a bot does."""
    store = Store(database, 1.0)
    await store.open()

    async def resume(key: RoomKey) -> Left | None:
        return await store.run(lambda database: read_left(database, key))

    room = JanusRoom(f"{URL}#{ROOM}", hearing, resume=resume)
    told = Onlooker(room)
    watch = Watch("local", room.key, consent=True)
    await store.register([watch], source="test")
    stage = ModelStage(Classifier(SHIPPED_MODEL, 1))
    watcher = Watcher(room, [watch], stage, store, PolicySettings.model_validate({}), (told,))
    running = asyncio.create_task(watcher.run())
    try:
        yield Watched(told, running, store, watcher)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await watcher.save()
        await store.close()
        stage.close()
