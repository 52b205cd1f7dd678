"""The app: puts the parts together. The only file that knows them all; nothing imports it but the command line."""

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.client import DiscordConnection, DiscordError, Parts, use_server
from bot.communities import read_staff_roles, register_communities
from bot.digests import Digests
from bot.faces import Face
from bot.listening import Listening, watches_of
from bot.outbox import Outbox
from bot.parcels import read_left
from bot.policy import Watch
from bot.reading import LineReader, ModelStage
from bot.reviews import Reviews
from bot.room_tasks import RoomTasks
from bot.rooms import Left, Room, RoomError
from bot.rooms.discord_hub import Hub
from bot.rooms.registry import Sources, check_address, open_room
from bot.sinks.discord import DiscordSink
from bot.sinks.discord_digest import DiscordDigests
from bot.speech.hearing import Hearing
from bot.store import MEMORY, Store, StoreError
from bot.watch import ShowSummary, Watcher
from config.settings import RoomSettings, Settings
from detectors.records import RoomKey
from detectors.repeats import RepeatMemory

log = logging.getLogger(__name__)

#: Summaries of ended shows that are kept for the last words.
MAX_SUMMARIES: Final = 100


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
    memory = RepeatMemory() if database is not None else None
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
                    opened = open_room(room, Sources(hearing))
                    played, undelivered = await _play(settings, face, stage, store, opened, memory)
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
    settings: Settings, face: Face, stage: ModelStage, store: Store, room: Room, memory: RepeatMemory | None
) -> tuple[list[ShowSummary], int]:
    """Play one room; return what became of it and how many of its warnings could not be shown."""
    watch = Watch("local", room.key, consent=True)
    await store.register([watch], source="replay")
    outbox = Outbox(store, face.sinks, str(room.key))
    collector = _Collector()
    observers = (*face.observers, collector)
    watcher = Watcher(room, [watch], stage, store, settings.policy, observers, outbox.drain, memory)
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
    _check_discord(settings)
    store = Store(settings.store.path, settings.store.busy_seconds)
    await store.open()
    stage = ModelStage(reader)
    service = _Service(settings, face, stage, store, hearing, _connection(settings, store))
    try:
        with face:
            await service.run()
        await service.last_words()
    except* (StoreError, BrokenPipeError, DiscordError) as group:
        raise group.exceptions[0] from None
    finally:
        stage.close()
        await hearing.close()
        await store.close()
    return service.exit_code


class _Service:
    """All configured rooms, each supervised, and one outbox."""

    def __init__(
        self,
        settings: Settings,
        face: Face,
        stage: ModelStage,
        store: Store,
        hearing: Hearing,
        discord: DiscordConnection | None,
    ) -> None:
        self._settings = settings
        self._discord = discord
        self._digests: Digests | None = None
        self._sources = Sources(hearing, discord.hub if discord else None, self._under_way)
        self._face = face
        self._stage = stage
        self._store = store
        sinks = dict(face.sinks)
        if discord is not None:
            sinks["discord"] = DiscordSink(discord, store, settings.discord.send_seconds, settings.language)
            self._digests = discord.parts.digests = self._made_digests(discord)
        self._outbox = Outbox(store, sinks)
        self._memory = RepeatMemory()
        self._summaries: deque[ShowSummary] = deque(maxlen=MAX_SUMMARIES)
        self._unread = 0
        self._keys: list[RoomKey] = []
        self._stopped = False
        self.exit_code = 0

    async def run(self) -> None:
        """Run until all rooms are over or a signal comes."""
        rooms = [(one, open_room(one, self._sources)) for one in self._settings.rooms]
        self._keys = [room.key for _, room in rooms]
        await self._store.register([watch for one, room in rooms for watch in watches_of(one, room.key)])
        await register_communities(self._store, self._settings.discord.communities)
        stop = asyncio.Event()
        clock = AsyncIOScheduler(timezone="UTC")
        job: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        clock.add_job(self._expire, "interval", hours=1, next_run_time=datetime.now(UTC), **job)
        if self._digests is not None:
            clock.add_job(self._digests.tick, "interval", minutes=1, next_run_time=datetime.now(UTC), **job)
        clock.start()
        with _stopped_by_signals(stop):
            async with asyncio.TaskGroup() as group:
                tasks = RoomTasks(group, self._settings.limits)
                self.rooms = Listening(self._store, self._settings, tasks, self._sources, self._watcher)
                self.rooms.begin(rooms)
                await self.rooms.open_added()
                stopped = await self._serve(group, stop)
        clock.shutdown(wait=False)
        for watcher in stopped:
            await watcher.save()
        await self._outbox.drain()

    async def _serve(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> list[Watcher]:
        """Run beside the rooms what else is needed, until the end; return what was cut off."""
        background = [group.create_task(self._outbox.run())]
        ends: list[asyncio.Task[Any]] = [group.create_task(stop.wait())]
        if self._discord is None:
            ends.append(group.create_task(self.rooms.tasks.all_over()))
        else:
            # Buttons are there to be clicked as long as the bot runs, whatever became of the rooms.
            self._discord.hub.on_thread = self.rooms.listen_to_thread
            self._discord.hub.on_deleted = self._store.note_deleted
            self._discord.hub.staff_roles = await read_staff_roles(self._store)
            self._discord.parts.rooms = self.rooms
            background.append(group.create_task(self._discord.run()))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        self._stopped = stop.is_set()
        await self._outbox.stop()  # nothing is cut off between being shown and being marked so
        for task in (*background, *ends):
            task.cancel()
        return self.rooms.tasks.cancel()

    def _made_digests(self, discord: DiscordConnection) -> Digests:
        settings = self._settings
        sink = DiscordDigests(discord, self._store, settings.discord.send_seconds, settings.language)
        return Digests(self._store, sink, settings.policy.prior_half_life_days, self._heard)

    def _heard(self) -> dict[str, bool]:
        """Return the rooms that run, and whether each can be heard now."""
        return {str(key): not health.down for key, health in self.rooms.running().items()}

    async def _under_way(self, key: RoomKey) -> Left | None:
        """Return where a room was left at the last stop."""
        return await self._store.run(lambda database: read_left(database, key))

    def _watcher(self, room: Room, watches: Sequence[Watch]) -> tuple[Watcher, Callable[[], Awaitable[None]]]:
        """Return what listens to a room, and what tells of its shows that are over."""
        collector = _Collector()

        async def tell() -> None:
            await self._tell(collector)

        observers = (*self._face.observers, collector)
        policy = self._settings.policy
        return Watcher(room, watches, self._stage, self._store, policy, observers, tell, self._memory), tell

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
        if self._unread or self.rooms.tasks.failed or await self._outbox.undelivered():
            self.exit_code = 1

    async def _expire(self) -> None:
        """Delete old quotes; a database that is busy now is asked again in an hour."""
        try:
            gone = await self._store.expire_evidence(self._settings.store.keep_evidence_days)
        except StoreError as error:
            log.warning("old quotes were not deleted: %s", error)
            return
        log.info("%d old quotes deleted", gone)


def _check_discord(settings: Settings) -> None:
    """Raise RoomError when something needs Discord and there is no token."""
    if settings.discord.token is not None:
        return
    for room in settings.rooms:
        if room.kind == "discord" or any(watch.channel.startswith("discord:") for watch in room.watches):
            raise RoomError(f"{room.address}: needs Discord: set PITCHWATCH_DISCORD__TOKEN to the bot's token")


def _connection(settings: Settings, store: Store) -> DiscordConnection | None:
    if settings.discord.token is None:
        return None
    use_server(settings.discord)
    return DiscordConnection(Parts(settings, store, Reviews(store, settings.policy), Hub()))


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
