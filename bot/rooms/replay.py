"""Room `replay`: plays a show script, and its sound if it has any, as fast as it can or some times faster than life."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, Final

from bot.rooms import RoomError
from bot.rooms.replay_sound import MAX_SOUNDS, Scan, ScriptEvent, SoundedScript, media_problem
from bot.rooms.script import (
    MAX_LINE_BYTES,
    BadLineError,
    MediaEvent,
    NotAScriptError,
    ScriptParser,
    parse_header,
    platform_of,
)
from bot.speech import SpeechError
from bot.speech.hearing import Hearing
from detectors.records import Event, Line, RoomKey, RoomState, Unheard

log = logging.getLogger(__name__)

#: A batch holds what happens within this many seconds of the show, and at most this many events. The same script
#: gives the same batches at any speed, so that its output does not depend on the speed of the machine.
BATCH_SECONDS: Final = 4.0
BATCH_EVENTS: Final = 16
#: Why a script's sound is passed over.
NOT_HEARD: Final = "sound is not heard: no watch says that people were told (consent = true)"


class ReplayRoom:
    """A show script as a room. Its sound is heard where there is `hearing`; without, it is passed over."""

    def __init__(self, path: Path, speed: float | None = None, hearing: Hearing | None = None) -> None:
        self.key = RoomKey("replay", str(path))
        self.skipped = 0
        self._path = path
        self._speed = speed
        self._hearing = hearing

    @property
    def hears(self) -> bool:
        """Whether the script's sound is listened to."""
        return self._hearing is not None

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield the script's events. Raises RoomError when the file is no show script, or its sound not to be heard."""
        self.skipped = 0
        scan = await asyncio.to_thread(self._scan) if self._hearing else Scan()
        batches = self._sounded(scan) if scan.sounds else self._read()
        try:
            async with aclosing(batches):
                async for batch in batches:
                    yield batch
        except SpeechError as error:
            raise RoomError(str(error)) from error

    async def _read(self) -> AsyncGenerator[list[Event], None]:
        """Yield batches of a script without sound."""
        script = ScriptReader(self._path, self._report, self.hears)
        batches = _Batches(script)
        began = asyncio.get_running_loop().time()
        try:
            while batch := await asyncio.to_thread(batches.next):
                if self._speed is not None:
                    await asyncio.sleep(began + batch[-1].at / self._speed - asyncio.get_running_loop().time())
                yield batch
        finally:
            script.close()

    async def _sounded(self, scan: Scan) -> AsyncGenerator[list[Event], None]:
        """Yield batches of a script with sound."""
        assert self._hearing is not None
        script = ScriptReader(self._path, self._report, hears=True)
        events = script.events()
        opened = await asyncio.to_thread(next, events)
        assert isinstance(opened, RoomState) and opened.show is not None
        yield [opened]
        sounded = SoundedScript(self._path, opened.show, self._hearing, scan, self._speed)
        end = 0.0
        try:
            batches = sounded.live(events) if self._speed is not None else _in_batches(sounded.merged(events))
            async with aclosing(batches):
                async for batch in batches:
                    end = max(end, *(_known_at(event) for event in batch))
                    yield batch
        finally:
            script.close()
            self.skipped += sounded.broken
        yield [RoomState(f"{opened.show.id}#end", end, "closed")]

    def _scan(self) -> Scan:
        scan = Scan()
        script = ScriptReader(self._path, lambda number, why: None, hears=True)
        for event in script.events():
            scan.add(event)
        script.close()
        return scan

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


class ScriptReader:
    """Reads a script piece by piece; what is held in memory does not grow with the file."""

    def __init__(self, path: Path, report: Callable[[int, str], None], hears: bool = False) -> None:
        """`report` is told the number of each line that is passed over, and why. `hears`: sound is an event as well."""
        self._path = path
        self._report = report
        self._hears = hears
        self._file: BinaryIO | None = None

    def events(self) -> Iterator[ScriptEvent]:
        """Yield the opening, then every event. Raises RoomError when the file is no show script."""
        check_header(self._path)
        self._file = self._path.open("rb")
        header = self._file.readline(MAX_LINE_BYTES + 1)
        show = parse_header(header, str(self._path))
        yield RoomState(f"{show.id}#1", 0.0, "open", show)
        parser = ScriptParser(show, platform_of(header))
        sounds = 0
        for number, raw in _numbered_lines(self._file):
            try:
                event = parser.parse(number, raw)
            except BadLineError as error:
                self._report(number, str(error))
                continue
            if isinstance(event, MediaEvent):
                sounds += 1
                problem = media_problem(self._path, event) if self._hears else NOT_HEARD
                if problem or sounds > MAX_SOUNDS:
                    self._report(number, problem or f"no more than {MAX_SOUNDS} sounds are heard in a script")
                    continue
            yield event

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class _Batches:
    """Cuts a script without sound into batches, the last of which ends with the closing of the show."""

    def __init__(self, script: ScriptReader) -> None:
        self._events = self._closed(script.events())
        self._next: Event | None = None
        self._begun = False

    def next(self) -> list[Event]:
        """Return the next batch, empty at the end."""
        if not self._begun:
            self._begun = True
            self._next = next(self._events, None)
        batch: list[Event] = []
        while self._next is not None and not _is_full(batch, self._next):
            batch.append(self._next)
            self._next = next(self._events, None)
        return batch

    def _closed(self, events: Iterator[ScriptEvent]) -> Iterator[Event]:
        show, end = "", 0.0
        for event in events:
            if isinstance(event, MediaEvent):
                continue
            if isinstance(event, RoomState) and event.show is not None:
                show = event.show.id
            end = max(end, _known_at(event))
            yield event
        yield RoomState(f"{show}#end", end, "closed")


async def _in_batches(events: AsyncGenerator[Event, None]) -> AsyncGenerator[list[Event], None]:
    batch: list[Event] = []
    async with aclosing(events):
        async for event in events:
            if _is_full(batch, event):
                yield batch
                batch = []
            batch.append(event)
    if batch:
        yield batch


def _is_full(batch: list[Event], event: Event) -> bool:
    """Whether `event` belongs to the next batch."""
    return bool(batch) and (_known_at(event) > _known_at(batch[0]) + BATCH_SECONDS or len(batch) >= BATCH_EVENTS)


def _known_at(event: Event) -> float:
    return event.until if isinstance(event, Line | Unheard) else event.at


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
