"""Room `replay`: plays a show script, as fast as it can or a number of times faster than life."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from bot.rooms import RoomError
from bot.rooms.script import (
    MAX_LINE_BYTES,
    BadLineError,
    MediaEvent,
    NotAScriptError,
    ScriptParser,
    parse_header,
    platform_of,
)
from detectors.records import Event, Line, RoomKey, RoomState

log = logging.getLogger(__name__)

#: A batch holds what happens within this many seconds of the show, and at most this many events. The same script
#: gives the same batches at any speed, so that its output does not depend on the speed of the machine.
BATCH_SECONDS: Final = 4.0
BATCH_EVENTS: Final = 16


class ReplayRoom:
    """A show script as a room."""

    def __init__(self, path: Path, speed: float | None = None) -> None:
        self.key = RoomKey("replay", str(path))
        self.skipped = 0
        self._path = path
        self._speed = speed

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield the script's events. Raises RoomError when the file is no show script."""
        self.skipped = 0
        batches = _Batches(self._path, self._report)
        began = asyncio.get_running_loop().time()
        try:
            while batch := await asyncio.to_thread(batches.next):
                if self._speed is not None:
                    await asyncio.sleep(began + batch[-1].at / self._speed - asyncio.get_running_loop().time())
                yield batch
        finally:
            batches.close()

    def _report(self, number: int, why: str) -> None:
        self.skipped += 1
        log.warning("%s:%d: passed over: %s", self._path, number, why)


def check_header(path: Path) -> None:
    """Raise RoomError when `path` cannot be read or is no show script."""
    try:
        with path.open("rb") as file:
            parse_header(file.readline(MAX_LINE_BYTES + 1), str(path))
    except OSError as error:
        raise RoomError(f"{path}: cannot be read: {error.strerror}") from error
    except NotAScriptError as error:
        raise RoomError(str(error)) from error


class _Batches:
    """Reads a script piece by piece; what is held in memory does not grow with the file."""

    def __init__(self, path: Path, report: Callable[[int, str], None]) -> None:
        self._path = path
        self._report = report
        self._file: BinaryIO | None = None
        self._events: Iterator[Event] | None = None
        self._next: Event | None = None

    def next(self) -> list[Event]:
        """Return the next batch, empty at the end."""
        if self._events is None:
            self._events = self._read()
            self._next = next(self._events, None)
        batch: list[Event] = []
        while self._next is not None:
            too_late = batch and self._next.at > batch[0].at + BATCH_SECONDS
            if too_late or len(batch) >= BATCH_EVENTS:
                break
            batch.append(self._next)
            self._next = next(self._events, None)
        return batch

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _read(self) -> Iterator[Event]:
        check_header(self._path)
        self._file = self._path.open("rb")
        header = self._file.readline(MAX_LINE_BYTES + 1)
        show = parse_header(header, str(self._path))
        yield RoomState(f"{show.id}#1", 0.0, "open", show)
        parser = ScriptParser(show, platform_of(header))
        at = 0.0
        for number, raw in _numbered_lines(self._file):
            try:
                event = parser.parse(number, raw)
            except BadLineError as error:
                self._report(number, str(error))
                continue
            if isinstance(event, MediaEvent):
                self._report(number, "sound is not heard by this version")
                continue
            at = max(at, event.until if isinstance(event, Line) else event.at)
            yield event
        yield RoomState(f"{show.id}#end", at, "closed")


def _numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their numbers from 2; of a line that is too long, only its beginning."""
    number = 1
    longest = MAX_LINE_BYTES + len(b"\r\n") + 1
    while raw := file.readline(longest):
        number += 1
        cut = len(raw) == longest and not raw.endswith(b"\n")
        while cut:
            more = file.readline(MAX_LINE_BYTES)
            if not more or more.endswith(b"\n"):
                break
        if raw.strip():
            yield number, raw if cut else raw.rstrip(b"\r\n")
