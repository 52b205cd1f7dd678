"""Models, rooms, stores and processes that fail in the middle of a show."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import bot.live_show
from bot.reading import ModelStage
from bot.store import Store, StoreError
from bot.watch import Watcher
from detectors.arc import Arc
from detectors.classifier import Request
from detectors.panel import Panel
from detectors.records import (
    Event,
    Line,
    Reading,
    Unavailable,
)
from detectors.show import Show
from tests.bot.samples import CLOCKS, WATCH, ListRoom
from tests.bot.test_watch import (
    FIRST,
    PARAMETERS,
    SECOND,
    SETTINGS,
    _explicit_parameters,
    closed,
    dump,
    evening,
    evidence,
    in_batches,
    opened,
    watch,
    watcher_on,
)
from tests.stand_ins import MarkReader, reading, speech

__all__ = ["_explicit_parameters"]


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
        patch.setattr(bot.live_show, "Panel", lambda memory: Panel(Arc(PARAMETERS), memory))
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
