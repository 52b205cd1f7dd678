"""Listening: which rooms run, for whom, and what changes that while the bot runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from pydantic import ValidationError

from bot.policy import Watch
from bot.reasons import reason_of
from bot.room_tasks import RoomHealth, RoomTasks
from bot.rooms import Room, RoomError
from bot.rooms.discord_hub import Subscription
from bot.rooms.discord_text import DiscordTextRoom
from bot.rooms.registry import Sources, check_address, open_room
from bot.store import Store, StoreError
from bot.threads import Threads, guild_of
from bot.watch import Watcher
from bot.watches import RefusedWatchError, heard_rows, list_watches, room_settings
from config.settings import RoomSettings, Settings
from detectors.records import Message, RoomKey

log = logging.getLogger(__name__)

#: Makes what listens to a room for its watches, and what is called when the room is over.
MakeWatcher = Callable[[Room, Sequence[Watch]], tuple[Watcher, Callable[[], Awaitable[None]]]]


class Listening:
    """The rooms of the settings file, those that communities added, and the threads below them."""

    def __init__(self, store: Store, settings: Settings, tasks: RoomTasks, sources: Sources, make: MakeWatcher) -> None:
        self.tasks = tasks
        self.threads = Threads()
        self._store = store
        self._settings = settings
        self._sources = sources
        self._make = make
        self._watching: dict[RoomKey, tuple[Watch, ...]] = {}
        self._in_file: dict[RoomKey, RoomSettings] = {}
        #: How rooms were opened that run now, whoever watches them.
        self._opened: dict[RoomKey, RoomSettings] = {}
        #: Why rooms of communities could not be opened.
        self._refusals: dict[RoomKey, Message] = {}
        #: Rooms with a watch of their own, also those that are paused or down now.
        self._own_rooms: frozenset[RoomKey] = frozenset()
        self._reloading = asyncio.Lock()
        self._changing = asyncio.Lock()

    def begin(self, in_file: Sequence[tuple[RoomSettings, Room]]) -> None:
        """Start the rooms of the settings file."""
        self._in_file = {room.key: settings for settings, room in in_file}
        for settings, room in in_file:
            self._opened[room.key] = settings
            self._start(room, watches_of(settings, room.key))

    async def open_added(self) -> None:
        """Open what communities added themselves. What cannot be opened is told, and holds nothing else up."""
        rows = await list_watches(self._store)
        self._own_rooms = frozenset(row.watch.room for row in rows)
        for key in {row.watch.room for row in rows if row.source == "community"}:
            try:
                await self.reload(key)
            except RefusedWatchError as error:
                log.error("%s: cannot be opened: %s", key, error.__cause__ or error)

    @asynccontextmanager
    async def changing(self, key: RoomKey) -> AsyncIterator[None]:
        """Hold a room while its watches change, up to and with `reload`: what was said before is written down before,
        and nothing is heard in between. Raises StoreError."""
        async with self._changing, self.tasks.between_batches(key):
            yield

    async def reload(self, key: RoomKey) -> None:
        """Bring a room in line with its watches: open it, close it, or let it go on for others.

        Raises RefusedWatchError when it cannot be opened.
        """
        async with self._reloading:  # two at once would open the room twice
            await self._reload(key)

    async def _reload(self, key: RoomKey) -> None:
        rows = await list_watches(self._store, room=key)
        self._own_rooms = (self._own_rooms | {key}) if rows else (self._own_rooms - {key})
        self._refusals.pop(key, None)
        try:
            settings = room_settings(key, rows, self._in_file.get(key), self._settings.streams)
            if settings is not None:
                check_address(settings)
                room = open_room(settings, self._sources)
        except (RoomError, ValidationError) as error:
            heard = heard_rows(rows, self._settings.streams)
            if self.tasks.hears(key) and not all(row.watch.consent for row in heard):
                await self._close(key)  # whatever is wrong: it must not go on hearing
            wrong = isinstance(error, ValidationError)
            self._refusals[key] = Message("reason.settings") if wrong else reason_of(error)
            raise RefusedWatchError("watch.cannot_open", why=self._refusals[key]) from error
        if settings is None:
            await self._close(key)
            return
        watches = [row.watch for row in heard_rows(rows, self._settings.streams)]
        if self._goes_on(key, settings):
            await self._close_threads(key)
            self._watching[key] = tuple(watches)
            self.tasks.watch_for(key, watches)
            return
        await self._close(key)
        self._opened[key] = settings
        self._start(room, watches)

    def _goes_on(self, key: RoomKey, settings: RoomSettings) -> bool:
        """Whether a room that runs would be opened in the same way for others: nobody is to notice who else watches."""
        health, opened = self.tasks.health().get(key), self._opened.get(key)
        if health is None or health.down or opened is None:
            return False
        # What one community says of a live show's host is no reason to leave it and come back for the others.
        shared = len(settings.watches) > 1
        return _opening(opened, host=not shared) == _opening(settings, host=not shared)

    async def _close(self, key: RoomKey) -> None:
        """Stop a room and the threads below it, which are watched as it was."""
        await self._close_threads(key)
        self._watching.pop(key, None)
        self._opened.pop(key, None)
        await self.tasks.stop(key)

    async def _close_threads(self, above: RoomKey) -> None:
        """Stop the threads below a channel; they are listened to again, as it is watched then, from their next message
        on."""
        below = self.threads.below(above)
        for thread in below:
            await self._stop_thread(thread)
        await self._store.end_threads(below)

    async def _stop_thread(self, thread: RoomKey) -> None:
        self._watching.pop(thread, None)
        self.threads.drop(thread)
        await self.tasks.stop(thread)

    def _start(self, room: Room, watches: Sequence[Watch], source: str | None = None) -> None:
        self._watching[room.key] = tuple(watches)
        watcher, tell = self._make(room, watches)

        async def over() -> None:
            self._watching.pop(room.key, None)
            self._opened.pop(room.key, None)
            self.threads.drop(room.key)
            await tell()

        async def before() -> None:
            if source is not None:
                await self._store.register(watches, source)

        self.tasks.start(watcher, before, over, operators=room.key in self._in_file)

    def listen_to_thread(self, guild: int, above: int, thread: int, written: Subscription) -> None:
        """Watch a thread as the channel above it is watched, from its first message on."""
        hub, above_key = self._sources.discord, RoomKey("discord", f"{guild}/{above}")
        assert hub is not None
        watches, key = self._watching.get(above_key, ()), RoomKey("discord", f"{guild}/{thread}")
        if not watches or key in self.tasks.keys or key in self._own_rooms:
            hub.unsubscribe(written)  # it is watched by itself, if not just now
            return
        admitted = self.threads.admit(key, above_key, self._guilds())
        if not admitted.ok:
            log.warning("thread %d is not listened to: its server's share is used up", thread)
            hub.unsubscribe(written)
            return
        if admitted.instead is not None:
            self.tasks.spawn(self._make_room(admitted.instead))
        room = DiscordTextRoom(f"{guild}/{thread}", hub, self._sources.resume, written)
        self._start(room, [replace(watch, room=room.key) for watch in watches], "thread")

    async def _make_room(self, thread: RoomKey) -> None:
        """Stop a thread for another server's; its next message asks for it again."""
        log.info("%s is not listened to for now: another server has a right to its place", thread)
        try:
            await self._stop_thread(thread)
            await self._store.end_threads([thread])
        except StoreError as error:
            log.warning("%s: where it stands was not written down: %s", thread, error)

    def _guilds(self) -> set[str]:
        return {guild_of(key) for key in self._watching if key.kind == "discord"}

    def running(self, community: str | None = None) -> Mapping[RoomKey, RoomHealth]:
        """Return how the rooms that run now are doing, as far as it is a community's to know; without one, all."""
        return self.tasks.health(community)

    def refusal(self, key: RoomKey) -> Message | None:
        """Return why a room does not run, if it could not be opened."""
        return self._refusals.get(key) or self.tasks.given_up.get(key)

    def refused_threads(self, community: str) -> tuple[int, int]:
        """Return how many threads of a server were not listened to for want of room, and how many it has a right to."""
        return self.threads.refused(community), self.threads.share(len({community, *self._guilds()}))


def _opening(settings: RoomSettings, host: bool) -> RoomSettings:
    """Return what of a room's settings decides how it is opened: not who watches, but whether it may be heard."""
    may_hear = all(watch.consent for watch in settings.watches)
    watch = settings.watches[0].model_copy(
        update={"community": "", "channel": "", "sensitivity": "normal", "dry_run": False, "consent": may_hear}
    )
    return settings.model_copy(update={"watches": [watch]} | ({} if host else {"host": None}))


def watches_of(room: RoomSettings, key: RoomKey) -> list[Watch]:
    """Return the watches of a room in the settings file."""
    return [Watch(w.community, key, w.channel, w.sensitivity, w.dry_run, w.consent) for w in room.watches]
