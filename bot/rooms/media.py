"""Room `media`: one stream or file of sound, with one seat, becomes lines."""

import re
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from bot.rooms import RoomError
from bot.rooms.gather import gather
from bot.speech import SpeechError
from bot.speech.ear import EarSettings, Said
from bot.speech.hearing import Hearing
from bot.speech.media import Away, is_remote
from detectors.records import Account, Event, Line, Person, RoomKey, RoomState, SeatChange, ShowInfo, Unheard

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
    if not is_remote(address) and not Path(address).is_file():
        raise RoomError(f"{address}: there is no such file")


class MediaRoom:
    """A source of sound as a room. A file is one show; a live stream is cut into shows by long silences."""

    def __init__(self, address: str, hearing: Hearing, options: MediaOptions | None = None) -> None:
        self.key = RoomKey("media", address)
        self.skipped = 0
        self._address = address
        self._hearing = hearing
        self._options = options or MediaOptions()
        self._live = is_remote(address)
        name = self._options.host or NOBODY_NAMED
        self._host = Person(Account("media", "stream", name.lower()), name)
        self._show: ShowInfo | None = None
        self._began = 0.0  # the source's time at which the show began
        self._last = 0.0  # the end of what was said last, in the source's time
        self._clock = 0.0

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield the show's events. Raises RoomError when there is nothing to hear with or nothing to hear."""
        self._clock = time.monotonic()
        self._show = None
        try:
            async for batch in gather([self._listen()], self._show_time):
                yield batch
                if (
                    self._live
                    and self._show is not None
                    and (self._show_time() or 0.0) - self._quiet_since() > QUIET_ENDS
                ):
                    yield self._close(self._last)
        except SpeechError as error:
            raise RoomError(str(error)) from error

    def _show_time(self) -> float | None:
        if self._show is None or (self._options.speed is None and not self._live):
            return None
        return (time.monotonic() - self._clock) * (self._options.speed or 1.0) - self._began

    def _quiet_since(self) -> float:
        return self._at(self._last)

    async def _listen(self) -> AsyncGenerator[Event, None]:
        settings = EarSettings(live=self._live, speed=self._options.speed, lang=self._options.lang)
        ear = await self._hearing.ear(self._address, settings)
        self._clock = time.monotonic()
        if not self._live:
            for event in self._open(0.0):
                yield event
        lost = 0
        async for coming in ear.listen():
            if isinstance(coming, Said):
                for event in self._said(coming):
                    yield event
            elif self._show is not None:
                lost += 1
                state: Literal["lost", "back"] = "lost" if isinstance(coming, Away) else "back"
                yield RoomState(f"{self._show.id}/away#{lost}", self._at(coming.at), state)
        self.skipped += ear.reader.broken
        for event in self._close(ear.at if not self._live else self._last):
            yield event

    def _said(self, said: Said) -> list[Event]:
        events: list[Event] = []
        if self._show is not None and self._live and said.at - self._last > QUIET_ENDS:
            events += self._close(self._last)
        if self._show is None:
            events += self._open(said.at)
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
        show_id = f"{name}-{started:%Y%m%dT%H%M%S}" if self._live else name
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
