"""Rooms as tasks: each is run to its end, opened again when it fails, and can be added and taken away while it runs."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bot.rooms import RoomError, RoomLostError
from bot.store import StoreError
from bot.watch import Watcher
from config.settings import LimitSettings
from detectors.records import RoomKey

log = logging.getLogger(__name__)

#: A room that has run this long without failing is taken to be well again, in seconds.
WELL_AFTER: Final = 60.0


@dataclass(frozen=True, slots=True)
class RoomHealth:
    """How a room is doing: the show that is on, how far it is and what of it was lost (seconds, lines), what was
    passed over, how often it failed and why last. `down` while it waits to be opened again."""

    show: str | None
    seconds: float
    lost_seconds: float
    unread: int
    skipped: int
    failures: int
    error: str
    down: bool


@dataclass
class _Trouble:
    failures: int = 0
    error: str = ""
    down: bool = False


Hook = Callable[[], Awaitable[None]]


class RoomTasks:
    """The tasks of all rooms. A room that fails is opened again; the others do not notice."""

    def __init__(self, group: asyncio.TaskGroup, limits: LimitSettings) -> None:
        self._group = group
        self._limits = limits
        self._tasks: dict[RoomKey, tuple[asyncio.Task[None], Watcher]] = {}
        self._troubles: dict[RoomKey, _Trouble] = {}
        self._closed = False
        #: Some room could not be opened at all.
        self.failed = False

    @property
    def keys(self) -> tuple[RoomKey, ...]:
        """The rooms that run now."""
        return tuple(self._tasks)

    def health(self) -> dict[RoomKey, RoomHealth]:
        """Return how every room that runs is doing."""
        return {key: self._health(key, watcher) for key, (_, watcher) in self._tasks.items()}

    def _health(self, key: RoomKey, watcher: Watcher) -> RoomHealth:
        trouble, show, skipped = self._troubles.get(key, _Trouble()), watcher.show, watcher.room.skipped
        told = (skipped, trouble.failures, trouble.error, trouble.down)
        if show is None:
            return RoomHealth(None, 0.0, 0.0, 0, *told)
        return RoomHealth(show.info.title or show.info.id, show.at, show.lost_seconds, show.unread, *told)

    def start(self, watcher: Watcher, before: Hook, after: Hook) -> None:
        """Run a room; `before` is called first, each time it is opened, `after` when it ended by itself."""
        if self._closed:
            return  # the service stops: nobody would cancel this one
        self._tasks[watcher.room.key] = (self._group.create_task(self._run(watcher, before, after)), watcher)

    async def stop(self, key: RoomKey) -> None:
        """Stop a room, if it runs; where its show stands is kept."""
        task, watcher = self._tasks.pop(key, (None, None))
        if task is None or watcher is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watcher.save()

    async def all_over(self) -> None:
        """Wait until no room runs any more."""
        while self._tasks:
            await asyncio.wait([task for task, _ in self._tasks.values()])

    def cancel(self) -> list[Watcher]:
        """Cut all rooms off; return their watchers, which know where the shows stand."""
        self._closed = True
        stopped = list(self._tasks.values())
        self._tasks.clear()
        for task, _ in stopped:
            task.cancel()
        return [watcher for _, watcher in stopped]

    async def _run(self, watcher: Watcher, before: Hook, after: Hook) -> None:
        await self._supervise(watcher, before)
        if self._tasks.get(watcher.room.key, (None, None))[1] is watcher:
            del self._tasks[watcher.room.key]
            self._troubles.pop(watcher.room.key, None)
        await after()

    async def _supervise(self, watcher: Watcher, before: Hook) -> None:
        """Run a room to its end; open it again, later and later, when it fails."""
        limits, trouble = self._limits, _Trouble()
        self._troubles[watcher.room.key] = trouble
        wait = limits.restart_seconds
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                trouble.down = False
                await before()
                await watcher.run()
                return
            except RoomError as error:
                log.error("%s", error)
                self.failed = True
                return
            except Exception as error:
                if not isinstance(error, StoreError | RoomLostError):
                    log.exception("room %s failed", watcher.room.key)
                wait = limits.restart_seconds if clock() - began > WELL_AFTER else wait
                log.warning("%s: %s; opened again in %.0f s", watcher.room.key, error, wait)
                trouble.failures, trouble.error, trouble.down = trouble.failures + 1, str(error)[:300], True
                await asyncio.sleep(wait * random.uniform(0.8, 1.2))
                wait = min(2 * wait, limits.restart_most_seconds)
