"""The app: puts the parts together. The only file that knows them all; nothing imports it but the command line."""

import asyncio
import logging
import random
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.faces import Face
from bot.outbox import Outbox
from bot.policy import Watch
from bot.reading import LineReader, ModelStage
from bot.rooms import Room, RoomError, RoomLostError
from bot.rooms.registry import check_address, open_room
from bot.speech.hearing import Hearing
from bot.store import MEMORY, Store, StoreError
from bot.watch import ShowSummary, Watcher
from config.settings import RoomSettings, Settings
from detectors.records import RoomKey

log = logging.getLogger(__name__)

#: Summaries of ended shows that are kept for the last words.
MAX_SUMMARIES: Final = 100
#: A room that has run this long without failing is taken to be well again, in seconds.
WELL_AFTER: Final = 60.0


class _Collector:
    """Keeps the summaries of ended shows until their warnings are out."""

    def __init__(self) -> None:
        self.ended_shows: list[ShowSummary] = []

    def opened(self, show: object) -> None:
        """Nothing to keep yet."""

    def read(self, *_: object) -> None:
        """Nothing to keep."""

    def ended(self, summary: ShowSummary) -> None:
        """Keep the summary."""
        self.ended_shows.append(summary)


async def play(
    settings: Settings,
    reader: LineReader,
    hearing: Hearing,
    face: Face,
    rooms: Sequence[RoomSettings],
    database: Path | None,
) -> int:
    """Play files one after the other; return the exit code. Whoever names a file on the command line may hear it.

    Without `database` each show gets a store of its own in memory, so that no show learns from another. Warnings
    go out after each batch, so that the same input gives the same output.
    """
    stage = ModelStage(reader)
    summaries: list[ShowSummary] = []
    alerted: list[str] = []
    failed = False
    try:
        with face:
            for room in rooms:
                store = Store(database or MEMORY, settings.store.busy_seconds)
                await store.open()
                try:
                    if database is not None:
                        await store.expire_evidence(settings.store.keep_evidence_days)
                    opened = open_room(room, hearing)
                    played, undelivered = await _play(settings, face, stage, store, opened)
                    summaries += played
                    failed = failed or undelivered > 0
                    alerted += await _alerted(store, [opened.key])
                finally:
                    await store.close()
    finally:
        stage.close()
        await hearing.close()
    face.finished(summaries, str(database) if database else None, alerted)
    return 1 if failed or any(summary.unread for summary in summaries) else 0


async def _play(
    settings: Settings, face: Face, stage: ModelStage, store: Store, room: Room
) -> tuple[list[ShowSummary], int]:
    """Play one room; return what became of it and how many of its warnings could not be shown."""
    watch = Watch("local", room.key, consent=True)
    await store.register([watch], source="replay")
    outbox = Outbox(store, face.sinks, str(room.key))
    collector = _Collector()
    watcher = Watcher(room, [watch], stage, store, settings.policy, (*face.observers, collector), outbox.drain)
    await watcher.run()
    for summary in collector.ended_shows:
        face.show_ended(summary)
    return collector.ended_shows, await outbox.undelivered()


async def serve(settings: Settings, reader: LineReader, hearing: Hearing, face: Face) -> int:
    """Run the service until every room is over or a signal says stop; return the exit code.

    Raises RoomError when a configured address is wrong, before anything is opened.
    """
    for room in settings.rooms:
        check_address(room)
    store = Store(settings.store.path, settings.store.busy_seconds)
    await store.open()
    stage = ModelStage(reader)
    service = _Service(settings, face, stage, store, hearing)
    try:
        with face:
            await service.run()
        await service.last_words()
    except* (StoreError, BrokenPipeError) as group:
        raise group.exceptions[0] from None
    finally:
        stage.close()
        await hearing.close()
        await store.close()
    return service.exit_code


class _Service:
    """All configured rooms, each supervised, and one outbox."""

    def __init__(self, settings: Settings, face: Face, stage: ModelStage, store: Store, hearing: Hearing) -> None:
        self._settings = settings
        self._hearing = hearing
        self._face = face
        self._stage = stage
        self._store = store
        self._outbox = Outbox(store, face.sinks)
        self._summaries: deque[ShowSummary] = deque(maxlen=MAX_SUMMARIES)
        self._unread = 0
        self._keys: list[RoomKey] = []
        self._stopped = False
        self.exit_code = 0

    async def run(self) -> None:
        """Run until all rooms are over or a signal comes."""
        rooms = [(room := open_room(one, self._hearing), _watches(one, room.key)) for one in self._settings.rooms]
        self._keys = [room.key for room, _ in rooms]
        await self._store.register([watch for _, watches in rooms for watch in watches])
        watchers = [self._watcher(room, watches) for room, watches in rooms]
        stop = asyncio.Event()
        clock = AsyncIOScheduler(timezone="UTC")
        job: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        clock.add_job(self._expire, "interval", hours=1, next_run_time=datetime.now(UTC), **job)
        clock.start()
        with _stopped_by_signals(stop):
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(self._outbox.run())]
                listening = [group.create_task(self._supervise(watcher, collector)) for watcher, collector in watchers]
                stopping = group.create_task(stop.wait())
                everything = group.create_task(_all_over(listening))
                await asyncio.wait((stopping, everything), return_when=asyncio.FIRST_COMPLETED)
                self._stopped = stop.is_set()
                async with self._outbox.sending:  # nothing is cut off between being shown and being marked so
                    for task in (*background, *listening, everything, stopping):
                        task.cancel()
        clock.shutdown(wait=False)
        for watcher, _ in watchers:
            await watcher.save()
        await self._outbox.drain()

    def _watcher(self, room: Room, watches: Sequence[Watch]) -> tuple[Watcher, _Collector]:
        collector = _Collector()

        async def tell() -> None:
            await self._tell(collector)

        observers = (*self._face.observers, collector)
        policy = self._settings.policy
        return Watcher(room, watches, self._stage, self._store, policy, observers, tell), collector

    async def _tell(self, collector: _Collector) -> None:
        """Say what became of shows that are over; their warnings first."""
        if collector.ended_shows:
            await self._outbox.drain()
            for summary in collector.ended_shows:
                self._face.show_ended(summary)
                self._unread += summary.unread
            self._summaries.extend(collector.ended_shows)
            collector.ended_shows.clear()

    async def last_words(self) -> None:
        """Say what to do next, unless somebody stopped the service."""
        if not self._stopped:
            database = str(self._settings.store.path)
            self._face.finished(list(self._summaries), database, await _alerted(self._store, self._keys))
        if self._unread or await self._outbox.undelivered():
            self.exit_code = 1

    async def _supervise(self, watcher: Watcher, collector: _Collector) -> None:
        """Run a room to its end; open it again, later and later, when it fails."""
        limits = self._settings.limits
        wait = limits.restart_seconds
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await watcher.run()
                break
            except RoomError as error:
                log.error("%s", error)
                self.exit_code = 1
                return
            except Exception as error:
                if not isinstance(error, StoreError | RoomLostError):
                    log.exception("room %s failed", watcher.room.key)
                wait = limits.restart_seconds if clock() - began > WELL_AFTER else wait
                log.warning("%s: %s; opened again in %.0f s", watcher.room.key, error, wait)
                await asyncio.sleep(wait * random.uniform(0.8, 1.2))
                wait = min(2 * wait, limits.restart_most_seconds)
        await self._tell(collector)

    async def _expire(self) -> None:
        """Delete old quotes; a database that is busy now is asked again in an hour."""
        try:
            gone = await self._store.expire_evidence(self._settings.store.keep_evidence_days)
        except StoreError as error:
            log.warning("old quotes were not deleted: %s", error)
            return
        log.info("%d old quotes deleted", gone)


async def _all_over(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all tasks are done; what they raise is their group's matter."""
    await asyncio.wait(tasks)


def _watches(room: RoomSettings, key: RoomKey) -> list[Watch]:
    return [Watch(w.community, key, w.channel, w.sensitivity, w.dry_run, w.consent) for w in room.watches]


async def _alerted(store: Store, rooms: Sequence[RoomKey]) -> list[str]:
    """Return who was warned about in the rooms, the surest first."""
    marks = ",".join("?" * len(rooms))
    query = f"SELECT name FROM alerts WHERE room IN ({marks}) GROUP BY name ORDER BY MAX(score) DESC, name LIMIT 10"
    return await store.run(lambda database: [row["name"] for row in database.query(query, [str(key) for key in rooms])])


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` when the process is asked to end; the second time, let it end at once."""
    loop = asyncio.get_running_loop()

    def ask(number: signal.Signals) -> None:
        log.info("%s: stopping", number.name)
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
