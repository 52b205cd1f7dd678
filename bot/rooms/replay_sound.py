"""A show script whose seats have sound: what is said is heard, not read; seats and chat come from the script.

Played as fast as it can, lines and chat are merged by the time at which each is known, so that the same files give
the same events. Played at a speed, both come as in life: the chat in its own time, speech when it is heard.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal

from bot.rooms.gather import gather
from bot.rooms.script import MediaEvent, is_media_beside
from bot.speech.ear import EarSettings, LanguageMemory, Said
from bot.speech.hearing import Hearing
from bot.speech.media import Away, Back
from detectors.records import Account, Event, Line, Person, RoomState, SeatChange, ShowInfo, Unheard

#: Seat changes of a script that are known beforehand, and sounds that are heard at all.
MAX_CHANGES = 100_000
MAX_SOUNDS = 64

ScriptEvent = Event | MediaEvent


@dataclass
class SeatTimeline:
    """Who sits where when, over a whole script."""

    _changes: dict[int, list[tuple[float, Person | None]]] = field(default_factory=dict)
    _count: int = 0

    def add(self, change: SeatChange) -> None:
        """Take in a change; they come in order."""
        if self._count < MAX_CHANGES:
            self._count += 1
            sitting = change.person if change.change == "joined" else None
            self._changes.setdefault(change.seat, []).append((change.at, sitting))

    def who(self, seat: int, at: float) -> Person:
        """Return who sits on a seat at a time; the seat itself where the script names nobody."""
        changes = self._changes.get(seat, [])
        place = bisect_right(changes, at, key=lambda change: change[0])
        for _, person in reversed(changes[:place]):
            if person is not None:
                return person  # also just after leaving: last words end a little later than the seat
        nobody = f"@seat{seat}"
        return Person(Account("replay", "script", nobody), nobody)


@dataclass
class SeatSound:
    """One seat's sound: turns what an ear hears into events."""

    show: ShowInfo
    seat: int
    offset: float  #: the show's time at which the sound begins, in seconds
    number: int  #: which sound of the script this is
    seats: SeatTimeline
    _breaks: int = 0

    def event(self, coming: Said | Away | Back) -> Event | None:
        """Return the event, or None when there is nothing to say."""
        source = f"{self.show.id}/{self.number}"
        if not isinstance(coming, Said):
            self._breaks += 1
            state: Literal["lost", "back"] = "lost" if isinstance(coming, Away) else "back"
            return RoomState(f"{source}/away#{self._breaks}", self._at(coming.at), state)
        at, until = self._at(coming.at), self._at(coming.until)
        person = self.seats.who(self.seat, (at + until) / 2)
        own_id = f"{source}#{coming.number}"
        if coming.heard is None:
            return Unheard(own_id, at, until, person, coming.why)
        heard = coming.heard
        if not heard.text:
            return None
        return Line(own_id, at, until, person, heard.text, "speech", self.seat, heard.lang, heard.weight)

    def _at(self, at: float) -> float:
        return round(at + self.offset, 2)


class SoundedScript:
    """Plays a script together with its sound."""

    def __init__(self, path: Path, show: ShowInfo, hearing: Hearing, scan: "Scan", speed: float | None = None) -> None:
        self._path = path
        self._show = show
        self._hearing = hearing
        self._scan = scan
        self._speed = speed
        self._memory = LanguageMemory()
        #: Packets of sound that could not be decoded.
        self.broken = 0

    async def merged(self, script: Iterator[ScriptEvent]) -> AsyncGenerator[Event, None]:
        """Yield everything in the order in which it is known, as fast as it can."""
        heads: list[_Head] = []
        sounds = 0
        try:
            while (event := await asyncio.to_thread(next, script, None)) is not None:
                if isinstance(event, MediaEvent):
                    sounds += 1
                    heads.append(await _Head.open(self._listen(event, sounds)))
                    continue
                while (said := await _first(heads, event.at)) is not None:
                    yield said
                yield event
            while (said := await _first(heads, inf)) is not None:
                yield said
        finally:
            for head in heads:
                await head.events.aclose()

    async def live(self, script: Iterator[ScriptEvent]) -> AsyncGenerator[list[Event], None]:
        """Yield batches as they come in life, `speed` times faster."""
        speed = self._speed or 1.0
        await self._hearing.start()  # the show does not begin before somebody can listen
        began = time.monotonic()

        async def due(at: float) -> None:
            await asyncio.sleep(began + at / speed - time.monotonic())

        async def play() -> AsyncGenerator[Event, None]:
            while (event := await asyncio.to_thread(next, script, None)) is not None:
                await due(event.at)
                if not isinstance(event, MediaEvent):
                    yield event

        async def hear(media: MediaEvent, number: int) -> AsyncGenerator[Event, None]:
            await due(media.at)
            async with aclosing(self._listen(media, number)) as heard:
                async for event in heard:
                    yield event

        sources = [play(), *(hear(media, i) for i, media in enumerate(self._scan.sounds, 1))]
        async with aclosing(gather(sources, lambda: (time.monotonic() - began) * speed)) as batches:
            async for batch in batches:
                yield batch

    async def _listen(self, media: MediaEvent, number: int) -> AsyncGenerator[Event, None]:
        seats = self._scan.seats
        sound = SeatSound(self._show, media.seat, media.at, number, seats)
        path = str((self._path.resolve().parent / media.file).resolve())

        def speaker(at: float) -> str:
            return str(seats.who(media.seat, at + media.at).account)

        ear = await self._hearing.ear(path, EarSettings(speed=self._speed), speaker, self._memory)
        try:
            async with aclosing(ear.listen()) as listening:
                async for coming in listening:
                    event = sound.event(coming)
                    if event is not None:
                        yield event
        finally:
            self.broken += ear.reader.broken


class _Head:
    """A source of events with its next one already taken; `next` is None when it is over."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self.events = events
        self.next: Event | None = None

    @classmethod
    async def open(cls, events: AsyncGenerator[Event, None]) -> "_Head":
        head = cls(events)
        await head.advance()
        return head

    async def advance(self) -> None:
        """Take the next event."""
        self.next = await anext(self.events, None)

    def known_at(self) -> float:
        """When the next event is known."""
        if self.next is None:
            return inf
        return self.next.until if isinstance(self.next, Line | Unheard) else self.next.at


async def _first(heads: list[_Head], before: float) -> Event | None:
    """Take the earliest event of all sources that is known by `before`."""
    head = min(heads, key=_Head.known_at, default=None)
    if head is None or head.next is None or head.known_at() > before:
        return None
    event = head.next
    await head.advance()
    return event


@dataclass
class Scan:
    """What must be known of a script before it is played with its sound."""

    seats: SeatTimeline = field(default_factory=SeatTimeline)
    sounds: list[MediaEvent] = field(default_factory=list)

    def add(self, event: ScriptEvent) -> None:
        """Take in the script's next event."""
        if isinstance(event, SeatChange):
            self.seats.add(event)
        elif isinstance(event, MediaEvent):
            self.sounds.append(event)


def media_problem(path: Path, media: MediaEvent) -> str | None:
    """Return why a script's sound cannot be heard, or None."""
    if not is_media_beside(path, media.file):
        return f"{media.file}: sound must lie beside the script"
    if not (path.resolve().parent / media.file).is_file():
        return f"{media.file}: there is no such file"
    return None
