"""What goes wrong when a test wants it to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.discord.api import Request
from tests.servers.discord.times import PATIENCE


@dataclass(eq=False)
class Fault:
    """Something that goes wrong with requests that fit, so many times (None: until cleared)."""

    method: str
    pattern: str
    left: int | None = 1
    #: Answer with this instead of doing what was asked.
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Do what was asked, then cut the connection off.
    lose_answer: bool = False
    #: Cut the connection off without doing anything.
    lose_request: bool = False
    #: Only requests for which this holds.
    where: Callable[[Request], bool] | None = None
    #: How many requests it struck.
    struck: int = 0

    def take(self, request: Request) -> bool:
        """Whether it strikes this request; if so, that is counted."""
        if self.left == 0 or not request.fits(self.method, self.pattern):
            return False
        if self.where is not None and not self.where(request):
            return False
        self.left = None if self.left is None else self.left - 1
        self.struck += 1
        return True

    def clear(self) -> None:
        """End it."""
        self.left = 0


@dataclass(eq=False)
class Hold:
    """Keeps requests that fit waiting: before they are done, or done but before they are answered."""

    method: str
    pattern: str
    after: bool = False
    requests: list[Request] = field(default_factory=list)
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def reached(self, seconds: float = PATIENCE) -> Request:
        """Wait until a request is kept waiting; return it."""
        async with asyncio.timeout(seconds):
            await self._reached.wait()
        return self.requests[-1]

    def release(self) -> None:
        """Let the requests go on, and those to come."""
        self._released.set()

    async def pass_by(self, request: Request, after: bool) -> None:
        """Keep a request waiting if it fits."""
        if self.after is after and not self._released.is_set() and request.fits(self.method, self.pattern):
            self.requests.append(request)
            self._reached.set()
            await self._released.wait()


@dataclass
class Bucket:
    """A real limit: so many requests to what fits within so many seconds of real time."""

    pattern: str
    limit: int
    per: float
    used: list[float] = field(default_factory=list)

    def take(self, now: float) -> tuple[int, float] | None:
        """Use the limit up by one: what remains and when it is whole again; None when nothing is left."""
        self.used = [one for one in self.used if now - one < self.per]
        if len(self.used) >= self.limit:
            return None
        self.used.append(now)
        return self.limit - len(self.used), self.wait(now)

    def wait(self, now: float) -> float:
        """Return after how many seconds something is left again."""
        return max(self.used[0] + self.per - now, 0.001) if self.used else self.per
