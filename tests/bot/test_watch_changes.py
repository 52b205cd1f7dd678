"""Who listens to a room changes while it runs: what is lost, what is written down before, and where each one came."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from bot.live_show import Mark
from bot.policy import View, Watch
from bot.reading import ModelStage
from bot.store import Store
from bot.watch import Watcher
from detectors.records import Account, Event
from tests.bot.test_watch import SETTINGS, _explicit_parameters, closed, dump, opened, watcher_on
from tests.stand_ins import ROOM, MarkReader, speech

__all__ = ["_explicit_parameters"]

ONE, TWO = Watch("one", ROOM), Watch("two", ROOM)


class FedRoom:
    """A room that yields what it is given."""

    key = ROOM
    skipped = 0

    def __init__(self) -> None:
        self.batches: asyncio.Queue[list[Event]] = asyncio.Queue()

    async def events(self) -> AsyncIterator[list[Event]]:
        while True:
            yield await self.batches.get()


def selling(first: int, at: float) -> list[Event]:
    return [speech(first + i, at + 10.0 * i, "@host", f"my offer {first + i} $") for i in range(3)]


@pytest.mark.parametrize("stay", [(ONE,), (ONE, TWO), (ONE, TWO, Watch("three", ROOM))])
async def test_a_change_while_a_batch_is_looked_up_loses_nothing_for_those_who_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch, stay: Sequence[Watch]
) -> None:
    view = store.view

    async def changed_meanwhile(watch: Watch, show: str, accounts: set[Account], half_life: float) -> View:
        found = await view(watch, show, accounts, half_life)
        if watch == TWO and accounts:
            watcher.watch_for(stay)
        return found

    await store.register([ONE, TWO, Watch("three", ROOM)])
    room = FedRoom()
    watcher = Watcher(room, [ONE, TWO], ModelStage(MarkReader()), store, SETTINGS)
    task = asyncio.create_task(watcher.run())
    room.batches.put_nowait([opened()])
    monkeypatch.setattr(store, "view", changed_meanwhile)
    room.batches.put_nowait(selling(10, 10.0))
    async with asyncio.timeout(10):
        while not (found := (await dump(store))["alerts"]):  # noqa: ASYNC110 - a store tells nobody what is in it
            await asyncio.sleep(0.01)
    task.cancel()
    assert sorted(row["community"] for row in found) == sorted({"one", "two"} & {watch.community for watch in stay})


async def test_a_change_waits_for_the_batch_under_way_and_finds_it_written_down(store: Store) -> None:
    room, reader, reads = FedRoom(), MarkReader(), asyncio.Event()

    class SlowStage(ModelStage):
        async def read(self, *args: Any) -> Any:
            reads.set()
            await asyncio.sleep(0.05)
            return await super().read(*args)

    await store.register([ONE])
    watcher = Watcher(room, [ONE], SlowStage(reader), store, SETTINGS)
    task = asyncio.create_task(watcher.run())
    room.batches.put_nowait([opened()])
    async with asyncio.timeout(10):
        await reads.wait()
        reads.clear()
        room.batches.put_nowait([speech(10, 1.0, "@host", "hello =")])
        await reads.wait()
        async with watcher.between_batches():
            room.batches.put_nowait([speech(11, 12.0, "@host", "hello again =")])
            await asyncio.sleep(0.1)
            assert [row["lines"] for row in (await dump(store))["participations"]] == [1]
    task.cancel()


async def test_a_batch_that_takes_too_long_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.watch.HOLD_SECONDS", 0.05)
    room, reads = FedRoom(), asyncio.Event()

    class HungStage(ModelStage):
        async def read(self, *args: Any) -> Any:
            reads.set()
            await asyncio.sleep(60)

    await store.register([ONE])
    watcher = Watcher(room, [ONE], HungStage(MarkReader()), store, SETTINGS)
    task = asyncio.create_task(watcher.run())
    room.batches.put_nowait([opened()])
    async with asyncio.timeout(5):
        await reads.wait()
        async with watcher.between_batches():
            watcher.watch_for([ONE, TWO])
    task.cancel()


@pytest.mark.parametrize("lacks", [(), ("marks",)], ids=["", "from before marks were kept"])
async def test_where_a_community_came_to_a_show_is_known_after_a_restart(store: Store, lacks: tuple[str, ...]) -> None:
    await store.register([ONE, TWO])
    async with watcher_on(store, FedRoom(), ONE) as (watcher, _):
        await watcher._handle([opened()])
        await watcher._handle([speech(10, 60.0, "@host", "hello =")])
        watcher.watch_for([ONE, TWO])
        assert [watcher.mark(name).at for name in ("one", "two")] == [0.0, 60.0]
        live = watcher._live
        assert live is not None
        snapshot = live.snapshot()
        kept = {name: numbers for name, numbers in snapshot.numbers.items() if name not in lacks}
        await store.apply([live.progress(False, 0)], [type(snapshot)(snapshot.room, snapshot.show, kept)])
    async with watcher_on(store, FedRoom(), ONE, TWO, Watch("three", ROOM)) as (watcher, _):
        await watcher._handle([opened()])
        assert [watcher.mark(name).at for name in ("one", "two", "three")] == [0.0, 60.0, 60.0]
        await watcher._handle([closed(70.0)])
        assert watcher.mark("two") == Mark()
