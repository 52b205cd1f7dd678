"""The server's clock, and waiting for something to happen on it without asking again and again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

EPOCH_MS = 1_420_070_400_000
#: How long a test waits for what should happen at once, in seconds.
PATIENCE = 20.0


class Clock:
    """Real time and what a test added to it; or time that stands still."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the server's time."""
        return (self._frozen or datetime.now(UTC)) + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += timedelta(seconds=seconds)

    def freeze(self, at: datetime | None = None) -> None:
        """Stop the clock, now or at a given time. From here on only `advance` moves it."""
        self._frozen, self._ahead = at or self.now(), timedelta()


class Ids:
    """Gives out Discord's ids: they grow, and carry the time they were made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._count = 0

    def next(self, at: datetime | None = None) -> int:
        """Return a new id, made now or at a given time."""
        moment = at or self._clock.now()
        first = (round(moment.timestamp() * 1000) - EPOCH_MS) << 22
        if at is not None:
            self._count += 1
            return first | (self._count & 0x3FFFFF)
        self._last = max(first, self._last + 1)
        return self._last


def made_at(snowflake: int) -> datetime:
    """Return the time that an id carries."""
    return datetime.fromtimestamp((EPOCH_MS + (snowflake >> 22)) / 1000, UTC)


class Changes:
    """Wakes up whoever waits for the state to change."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Say that something changed."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def until(self, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
        """Wait until a condition holds, asked after every change; return what it returned. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not (result := condition()):
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(future)
                try:
                    await future
                finally:
                    self._waiting.discard(future)
        return result
