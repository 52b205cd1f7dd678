"""Room `media`: one stream or file of sound, with one seat, becomes lines."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from bot.rooms import RoomError, RoomLostError
from bot.rooms.gather import gather
from bot.speech import SpeechError
from bot.speech.ear import Ear, EarSettings, Said
from bot.speech.hearing import Hearing
from bot.speech.media import Away, is_remote
from detectors.records import Account, Event, Line, Message, Person, RoomKey, RoomState, SeatChange, ShowInfo, Unheard

#: A live stream's show is over after so many quiet seconds; what comes then is the next one.
QUIET_ENDS: Final = 1_800.0
#: Who speaks where nobody is named.
NOBODY_NAMED: Final = "@speaker"
_SEAT: Final = 1


@dataclass(frozen=True)
class MediaOptions:
    """What is known of a source: who speaks, in which language (None: heard), how fast a file is played."""

    host: str | None = None
    lang: str | None = None
    speed: float | None = None


def check_media(address: str) -> None:
    """Raise RoomError when a local file is not there."""
    if not is_remote(address) and not Path(address.removeprefix("file:")).is_file():
        raise RoomError(f"{address}: there is no such file")


class MediaRoom:
    """A source of sound as a room. A file is one show; a live stream is cut into shows by long silences."""

    #: Voices are listened to.
    hears: Final = True

    def __init__(self, address: str, hearing: Hearing, options: MediaOptions | None = None) -> None:
        self.key = RoomKey("media", address)
        self.skipped = 0
        self._address = address
        self._hearing = hearing
        self._options = options or MediaOptions()
        name = self._options.host or NOBODY_NAMED
        self._host = Person(Account("media", "stream", name.lower()), name)
        self._show: ShowInfo | None = None
        self._began = 0.0  # the source's time at which the show began
        self._last = 0.0  # the end of what was said last, in the source's time
        self._ear: Ear | None = None

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield the show's events.

        Raises:
            RoomError: there is nothing to hear with, or the file cannot be heard.
            RoomLostError: the stream is not there, or stayed away.
        """
        self._show, self._ear = None, None
        self._began = self._last = 0.0
        try:
            async with aclosing(gather([self._listen()], self._show_time)) as batches:
                async for batch in batches:
                    yield batch
                    if self._is_quiet():
                        yield self._close(self._last)
        except SpeechError as error:
            if self._ear is None or not is_remote(self._address):
                raise RoomError(str(error)) from error
            raise RoomLostError(str(error)) from error

    @property
    def now(self) -> float | None:
        """How far a live show is, in seconds; None of a file, which keeps no time."""
        return None if self._finite else self._show_time()

    def _show_time(self) -> float | None:
        """How far the show is, where it has its own time: what was decoded, in a live stream or at a speed."""
        if self._show is None or self._ear is None or (self._finite and self._options.speed is None):
            return None
        return self._at(self._ear.at)

    @property
    def _finite(self) -> bool:
        return self._ear is not None and bool(self._ear.reader.finite)

    def _is_quiet(self) -> bool:
        """Whether a live stream has been quiet for so long that its show is over."""
        if self._show is None or self._ear is None or self._finite:
            return False
        return self._ear.at - self._last > QUIET_ENDS

    async def _listen(self) -> AsyncGenerator[Event, None]:
        speed = None if is_remote(self._address) else self._options.speed  # a stream has its own
        ear = self._ear = await self._hearing.ear(self._address, EarSettings(speed=speed, lang=self._options.lang))
        lost = 0
        try:
            async with aclosing(ear.listen()) as listening:
                async for coming in listening:
                    if isinstance(coming, Said):
                        for event in self._said(coming):
                            yield event
                    elif self._show is not None:
                        lost += 1
                        state: Literal["lost", "back"] = "lost" if isinstance(coming, Away) else "back"
                        yield RoomState(f"{self._show.id}/away#{lost}", self._at(coming.at), state)
        finally:
            self.skipped += ear.reader.broken
        if self._finite and self._show is None:
            for event in self._open(0.0):  # nobody spoke, which is worth a line too
                yield event
        for event in self._close(ear.at if self._finite else self._last):
            yield event
        if ear.reader.given_up:
            raise RoomLostError(f"{self._address}: the stream went away and did not come back", Message("reason.gone"))

    def _said(self, said: Said) -> list[Event]:
        events: list[Event] = []
        if self._show is not None and not self._finite and said.at - self._last > QUIET_ENDS:
            events += self._close(self._last)
        if self._show is None:
            events += self._open(0.0 if self._finite else said.at)
        assert self._show is not None
        self._last = max(self._last, said.until)
        own_id, at, until = f"{self._show.id}/{_SEAT}#{said.number}", self._at(said.at), self._at(said.until)
        if said.heard is None:
            events.append(Unheard(own_id, at, until, self._host, said.why))
        elif said.heard.text:
            heard = said.heard
            line = Line(own_id, at, until, self._host, heard.text, "speech", _SEAT, heard.lang, heard.weight)
            events.append(line)
        return events

    def _open(self, at: float) -> list[Event]:
        self._began = at
        started = datetime.now(UTC).replace(microsecond=0)
        name = re.sub(r"\W+", "-", Path(self._address.split("?")[0]).stem).strip("-") or "stream"
        show_id = name if self._finite else f"{name}-{started:%Y%m%dT%H%M%S}"
        self._show = ShowInfo(show_id, self.key, self._address, self._host, self._options.lang, started)
        opened = RoomState(f"{show_id}/open", 0.0, "open", self._show)
        return [opened, SeatChange(f"{show_id}/seat", 0.0, _SEAT, self._host, "joined")]

    def _close(self, at: float) -> list[Event]:
        if self._show is None:
            return []
        closed = RoomState(f"{self._show.id}/end", self._at(max(at, self._last)), "closed")
        self._show = None
        return [closed]

    def _at(self, at: float) -> float:
        return round(max(0.0, at - self._began), 2)
