"""A real Janus in a private network, people in it, and a room that is listened to: for tests that run in there.

Tests in files called `inside_….py` run in a process, a network and with a Janus of their own; `Inside` starts them.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bot.commands.janus_people import PeopleProcess
from bot.commands.janus_server import URL, Guard, JanusServer, ServedRoom, missing
from bot.rooms.janus import JanusOptions, JanusRoom
from detectors.records import Event, Line, RoomState, SeatChange

ROOT = Path(__file__).parents[2]
EVENING = ROOT / "samples" / "sound" / "evening"
ROOM = 1234

T = TypeVar("T", bound=Event)


def need_janus() -> None:
    """Skip where no Janus can run; where CI=true, fail."""
    why = missing()
    if why is not None and os.environ.get("CI") == "true":
        pytest.fail(f"needs a real Janus: {why}")
    if why is not None:
        pytest.skip(f"needs a real Janus: {why}")


class Inside:
    """One test of a file, under way in a private network of its own."""

    def __init__(self, file: Path, test: str) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", f"{file}::{test}"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.commands.janus_server", *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def result(self, seconds: float) -> None:
        """Wait for its end, for at most so many seconds; its failure is ours."""
        try:
            output, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.end()
            pytest.fail(f"it took longer than {seconds:.0f} s")
        print(output)
        if self._process.returncode != 0:
            pytest.fail(output, pytrace=False)

    def end(self) -> None:
        """End it and all that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@dataclass
class Listening:
    """A room whose events are collected; `seen` waits for one."""

    room: JanusRoom
    events: list[Event] = field(default_factory=list)
    error: BaseException | None = None
    _noted: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Collect until the room is over."""
        try:
            async for batch in self.room.events():
                for event in batch:
                    self.note(event)
        except Exception as error:
            self.error = error
            self._noted.set()

    def note(self, event: Event) -> None:
        """Take in an event from elsewhere."""
        self.events.append(event)
        self._noted.set()

    async def inside(self, within: float = 15.0) -> None:
        """Wait until the room was entered for the first time.

        What was written before is not told, and who of those who sit there sat down first is not known.
        """
        try:
            async with asyncio.timeout(within):
                while self.error is None and not self._entered():  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"the room was not entered within {within} s")
        if self.error is not None:
            raise self.error

    def _entered(self) -> bool:
        return self.room.visit is not None and self.room.visit.entered

    async def seen(self, kind: type[T], what: Callable[[T], bool], within: float = 15.0) -> T:
        """Return the first event of a kind for which `what` holds, waiting for it for at most so many seconds."""

        def found() -> T | None:
            return next((one for one in self.events if isinstance(one, kind) and what(one)), None)

        try:
            async with asyncio.timeout(within):
                while found() is None and self.error is None:
                    self._noted.clear()
                    await self._noted.wait()
        except TimeoutError:
            pytest.fail(f"not seen within {within} s: {kind.__name__}; there was {self.events[-20:]}")
        if (event := found()) is None:
            assert self.error is not None
            raise self.error
        return event

    async def failed(self, within: float = 15.0) -> BaseException:
        """Wait until the room has failed, and return how."""
        async with asyncio.timeout(within):
            while self.error is None:
                self._noted.clear()
                await self._noted.wait()
        return self.error

    async def count(self, kind: type[T], what: Callable[[T], bool], times: int, within: float = 15.0) -> list[T]:
        """Return the events of a kind for which `what` holds, as soon as there are so many of them."""
        found: list[T] = []

        def enough(event: T) -> bool:
            found[:] = [one for one in self.events if isinstance(one, kind) and what(one)]
            return len(found) >= times

        await self.seen(kind, enough, within)
        return found

    def states(self) -> list[str]:
        """How the room opened, was lost, came back and closed, in order."""
        return [event.state for event in self.events if isinstance(event, RoomState)]

    def lines(self, who: str) -> list[Line]:
        """What somebody has said so far, in the order of the seconds at which they began."""
        said = [e for e in self.events if isinstance(e, Line) and e.kind == "speech" and e.person.name == who]
        return sorted(said, key=lambda line: line.at)

    def seats(self) -> list[tuple[int, str, str]]:
        """All changes of seats: seat, who, what."""
        return [(e.seat, e.person.name, e.change) for e in self.events if isinstance(e, SeatChange)]


@asynccontextmanager
async def listening(hearing: Any, options: JanusOptions | None = None, room: int = ROOM) -> AsyncIterator[Listening]:
    """Listen to a room."""
    listener = Listening(JanusRoom(f"{URL}#{room}", hearing, options))
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def janus(
    folder: Path, *rooms: ServedRoom, guard: Guard | None = None
) -> AsyncIterator[tuple[JanusServer, PeopleProcess]]:
    """Run Janus and a process of people."""
    served = rooms or (ServedRoom(ROOM, "Four seats, one evening"),)
    async with JanusServer(folder, served, guard) as server, PeopleProcess() as people:
        yield server, people
