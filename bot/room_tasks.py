"""Rooms as tasks: each is run to its end, opened again when it fails, and can be added and taken away while it runs."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from bot.live_show import Mark
from bot.policy import Watch
from bot.reasons import reason_of
from bot.rooms import RoomError, RoomLostError
from bot.store import StoreError
from bot.watch import Watcher
from config.settings import LimitSettings
from detectors.records import Message, RoomKey

log = logging.getLogger(__name__)

#: A room that has run this long without failing is taken to be well again, in seconds.
WELL_AFTER: Final = 60.0
#: Rooms remembered that cannot be opened.
MAX_GIVEN_UP: Final = 1_000


@dataclass(frozen=True, slots=True)
class RoomHealth:
    """How a room is doing: the show that is on, how far it is and what of it was lost (seconds, lines), what was
    passed over, how often it failed and why last. `down` while it waits to be opened again.

    `delay` is how many seconds lines take lately from being said to being read: as a rule, and 95 of 100 at most.
    """

    show: str | None
    seconds: float
    lost_seconds: float
    unread: int
    skipped: int
    failures: int
    error: str
    down: bool
    delay: tuple[float, float] | None = None
    reason: Message | None = None


@dataclass
class _Trouble:
    failures: int = 0
    error: str = ""
    down: bool = False
    reason: Message | None = None
    #: How often it had failed when each community came to it.
    before: dict[str, int] = field(default_factory=dict)


Hook = Callable[[], Awaitable[None]]


class RoomTasks:
    """The tasks of all rooms. A room that fails is opened again; the others do not notice."""

    def __init__(self, group: asyncio.TaskGroup, limits: LimitSettings) -> None:
        self._group = group
        self._limits = limits
        self._tasks: dict[RoomKey, tuple[asyncio.Task[None], Watcher]] = {}
        self._troubles: dict[RoomKey, _Trouble] = {}
        self._closed = False
        #: Some room of whoever runs the bot could not be opened at all.
        self.failed = False
        #: Rooms that cannot be opened at all, and why, until they are started anew.
        self.given_up: dict[RoomKey, Message] = {}

    @property
    def keys(self) -> tuple[RoomKey, ...]:
        """The rooms that run now."""
        return tuple(self._tasks)

    def health(self, community: str | None = None) -> dict[RoomKey, RoomHealth]:
        """Return how every room that runs is doing; for a `community`, each of its own, since it came to it."""
        return {
            key: self._health(key, watcher, community)
            for key, (_, watcher) in self._tasks.items()
            if community is None or any(watch.community == community for watch in watcher.watches)
        }

    def _health(self, key: RoomKey, watcher: Watcher, community: str | None) -> RoomHealth:
        trouble, show = self._troubles.get(key, _Trouble()), watcher.show
        mark = watcher.mark(community) if community is not None else Mark()
        failures = trouble.failures - (trouble.before.get(community, 0) if community is not None else 0)
        told = failures > 0 or trouble.down
        return RoomHealth(
            show=(show.info.title or show.info.id) if show else None,
            seconds=show.at - mark.at if show else 0.0,
            lost_seconds=show.lost_seconds - mark.lost_seconds if show else 0.0,
            unread=show.unread - mark.unread if show else 0,
            skipped=watcher.room.skipped - mark.skipped,
            failures=failures,
            error=trouble.error if told else "",
            down=trouble.down,
            delay=watcher.delays.lately(),
            reason=trouble.reason if told else None,
        )

    def hears(self, key: RoomKey) -> bool:
        """Whether a room runs that listens to voices."""
        running = self._tasks.get(key)
        return running is not None and bool(getattr(running[1].room, "hears", False))

    def watch_for(self, key: RoomKey, watches: Sequence[Watch]) -> None:
        """Let a room that runs go on for these watches. Raises ValueError when it hears voices and may not for them."""
        if self.hears(key) and not all(watch.consent for watch in watches):
            raise ValueError(f"{key}: it hears voices, and not every watch says that people were told")
        watcher, trouble = self._tasks[key][1], self._troubles.setdefault(key, _Trouble())
        there = {watch.community for watch in watcher.watches}
        trouble.before = {
            watch.community: trouble.before.get(watch.community, 0) if watch.community in there else trouble.failures
            for watch in watches
        }
        watcher.watch_for(watches)

    @asynccontextmanager
    async def between_batches(self, key: RoomKey) -> AsyncIterator[None]:
        """Hold a room, if it runs, while who listens to it changes. Raises StoreError."""
        async with AsyncExitStack() as held:
            if key in self._tasks:
                await held.enter_async_context(self._tasks[key][1].between_batches())
            yield

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the rooms, unless the service stops."""
        if self._closed:
            work.close()
        else:
            self._group.create_task(work)

    def start(self, watcher: Watcher, before: Hook, after: Hook, operators: bool = True) -> None:
        """Run a room; `before` is called first, each time it is opened, `after` when it ended by itself.

        `operators`: it is a room of whoever runs the bot, who is told by the exit code that it cannot be opened.
        """
        if self._closed:
            return  # the service stops: nobody would cancel this one
        key = watcher.room.key
        self.given_up.pop(key, None)
        self._tasks[key] = (self._group.create_task(self._run(watcher, before, after, operators)), watcher)

    async def stop(self, key: RoomKey) -> None:
        """Stop a room, if it runs; where its show stands is kept."""
        task, watcher = self._tasks.pop(key, (None, None))
        if task is None or watcher is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watcher.leave()

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

    async def _run(self, watcher: Watcher, before: Hook, after: Hook, operators: bool) -> None:
        wrong = await self._supervise(watcher, before)
        if wrong is not None:
            self.failed = self.failed or operators
            self.given_up[watcher.room.key] = reason_of(wrong)
            while len(self.given_up) > MAX_GIVEN_UP:
                del self.given_up[next(iter(self.given_up))]
        if self._tasks.get(watcher.room.key, (None, None))[1] is watcher:
            del self._tasks[watcher.room.key]
            self._troubles.pop(watcher.room.key, None)
        await after()

    async def _supervise(self, watcher: Watcher, before: Hook) -> RoomError | None:
        """Run a room to its end; open it again, later and later, when it fails. Return why it never can be, if so."""
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
                return None
            except RoomError as error:
                log.error("%s", error)
                return error
            except Exception as error:
                if not isinstance(error, StoreError | RoomLostError):
                    log.exception("room %s failed", watcher.room.key)
                wait = limits.restart_seconds if clock() - began > WELL_AFTER else wait
                log.warning("%s: %s; opened again in %.0f s", watcher.room.key, error, wait)
                trouble.failures, trouble.error, trouble.down = trouble.failures + 1, str(error)[:300], True
                trouble.reason = reason_of(error)
                await asyncio.sleep(wait * random.uniform(0.8, 1.2))
                wait = min(2 * wait, limits.restart_most_seconds)
