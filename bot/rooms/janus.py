"""Room `janus`: a live show with seats on Janus, from its VideoRoom (seats, sound) and its TextRoom (chat).

A show begins when somebody sits down or writes, and ends after half an hour in which nobody spoke or wrote, sooner
when nobody has a seat any more. The bot comes in as somebody of the audience, says in the chat that it listens, and
never publishes anything.
"""

import asyncio
import hashlib
import logging
import random
import re
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from bot.rooms import Resume, RoomError, RoomLostError
from bot.rooms.gather import gather
from bot.rooms.janus_notice import Notices
from bot.rooms.janus_queue import Outgoing
from bot.rooms.janus_rtc import has_known_buffer
from bot.rooms.janus_session import JanusLostError, JanusRefusedError, Secrets
from bot.rooms.janus_stage import Sitting, Stage
from bot.rooms.janus_visit import SentOutError, Visit, Where
from bot.rooms.script import MAX_TITLE, line_of, whole
from bot.speech import SpeechError
from bot.speech.ear import LanguageMemory, Said
from bot.speech.hearing import Hearing
from detectors.records import MAX_TEXT, Event, Line, Person, RoomKey, RoomState, SeatChange, ShowInfo, Unheard

log = logging.getLogger(__name__)

#: A show is over when nobody spoke or wrote for so long, in seconds; and when all seats were empty for so long.
QUIET_ENDS: Final = 1_800.0
EMPTY_ENDS: Final = 600.0
#: A server that was lost in mid-show is tried again after these waits, in seconds (the last one repeats), and given
#: up after so many seconds.
WAITS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
GIVE_UP_SECONDS: Final = 120.0
#: A server that lets us in and soon drops us is tried later and later as well, up to this wait, until it was heard
#: without a break for so long; in seconds.
FALLS_MOST: Final = 120.0
STEADY_SECONDS: Final = 60.0
#: Longest wait for the last words when it is given up, in seconds.
LAST_WORDS_SECONDS: Final = 20.0
#: What Janus answers when the room is not there (yet), in VideoRoom and TextRoom; and of a session or a handle that is
#: over. All else that it refuses is for people to put right.
_NOT_THERE: Final = (426, 417, 458, 459)


@dataclass(frozen=True)
class JanusOptions:
    """What is known of a room beside its address. `chat`: the TextRoom, where it is not numbered as the VideoRoom."""

    display: str = "Pitchwatch"
    announcement: str = "Pitchwatch listens."
    seats: int = 4
    pin: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    api_secret: str | None = field(default=None, repr=False)
    chat: int | str | None = None
    host: str | None = None
    lang: str | None = None


def parse_janus(address: str) -> tuple[str, int | str]:
    """Return the server's URL and the room of an address like `wss://host:8989/janus#1234`.

    Raises:
        RoomError: it is no such address.
    """
    url, _, room = address.partition("#")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("ws", "wss") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not room or parts.username is not None:
        raise RoomError(f"{address}: is no Janus room: write ws:// or wss://, the server, # and the room's number")
    return url, room_number(room)


def room_number(text: str) -> int | str:
    """Return a room as Janus knows it: a number, or a word where the server has words (`string_ids`)."""
    return int(text) if text.isascii() and text.isdecimal() else text


def check_janus(address: str) -> None:
    """Raise RoomError when an address cannot be a Janus room, or when the installed aiortc is not the tested one."""
    parse_janus(address)
    if not has_known_buffer():
        raise RoomError(f"{address}: this version of aiortc is not known: install the one that pyproject.toml names")


class JanusRoom:
    """One show after the other in a Janus room. Without `hearing` no voice is listened to; seats and chat are seen."""

    def __init__(
        self, address: str, hearing: Hearing | None, options: JanusOptions | None = None, resume: Resume | None = None
    ) -> None:
        check_janus(address)
        self.key = RoomKey("janus", address)
        self._options = o = options or JanusOptions()
        url, room = parse_janus(address)
        parts = urlsplit(url)
        #: Part of every account: names mean something only here. Without colons, which part an account's name.
        server = f"{parts.netloc}/{room}".replace(":", "_")
        chat = room if o.chat is None else o.chat
        secrets = Secrets(o.api_secret, o.token)
        self._where = Where(url, room, chat, o.display, o.announcement, o.pin, secrets, o.lang)
        self._hearing = hearing
        self._resume = resume
        self._memory = LanguageMemory()
        self._notices = Notices()
        self.stage = Stage(server, o.seats)
        self.visit: Visit | None = None
        self._skipped = 0
        self._queue = Outgoing()
        self._tasks: set[asyncio.Task[None]] = set()
        self._show: ShowInfo | None = None
        self._title = ""
        self._began = 0.0  # of the show, by the loop's clock
        self._last = 0.0  # when somebody spoke, wrote or had a seat last, by the loop's clock
        self._sources = 0
        self._part = ""  # tells the events of this stay from those of an earlier one in the same show
        self._count = 0  # of this room's own events, over all its shows
        self._lost = False
        self._in_since: float | None = None  # when the room was entered, by the loop's clock; None when we are not in

    @property
    def skipped(self) -> int:
        """Lines and changes of seats dropped, sounds dropped, and publishers beyond the seats."""
        return self._skipped

    @property
    def hears(self) -> bool:
        """Whether voices are listened to."""
        return self._hearing is not None

    @property
    def now(self) -> float:
        """How far the show is, in seconds; 0 when none is on."""
        return 0.0 if self._show is None else self._at(_now())

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield what happens, for as long as the room is there.

        Raises:
            RoomError: the room does not let us in, sent us out, or there is nothing to hear with.
            RoomLostError: the server is not there, or stayed away.
        """
        self._show, self._lost, self._in_since = None, False, None
        self._queue = Outgoing()
        self.stage = Stage(self.stage.server, self.stage.seats)
        self._part = format(round(1_000 * datetime.now(UTC).timestamp()), "x")  # it may be opened anew at once
        await self._go_on()
        async with aclosing(gather([self._listen()], self._show_time)) as batches:
            async for batch in batches:
                yield batch
                if self._is_over():
                    yield self._close()

    async def _go_on(self) -> None:
        """Go on with the show that was under way at the last stop, which is a loss like any other: nobody listened."""
        left = await self._resume(self.key) if self._resume is not None else None
        if left is None or left.show is None or left.show.started is None:
            return
        self._show = left.show
        self._title = left.show.title
        self._began = _now() - (datetime.now(UTC) - left.show.started).total_seconds()
        self._last = self._began + left.seconds
        self._put(RoomState(f"{self._show.id}/open", 0.0, "open", self._show))
        if _now() - self._last > (QUIET_ENDS if left.seats else EMPTY_ENDS):
            return  # it ended meanwhile
        self.stage.keep(left.seats)
        self._put(RoomState(self._next_id(), left.seconds, "lost"))
        self._lost = True
        for seat, person in left.seats.items():
            if seat > self.stage.seats:
                self._change(seat, person, "left")

    def _show_time(self) -> float | None:
        return None if self._show is None or self._lost else self._at(_now())

    def _is_over(self) -> bool:
        if self._show is None or self._lost:
            return False
        return _now() - self._last > (QUIET_ENDS if self.stage.in_use else EMPTY_ENDS)

    async def _listen(self) -> AsyncGenerator[Event, None]:
        staying = asyncio.create_task(self._stay())
        try:
            while (event := await self._queue.get()) is not None:
                yield event
            await staying
        finally:
            staying.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(staying, *self._tasks, return_exceptions=True)

    async def _stay(self) -> None:
        """Visit the room again and again; None in the queue says that it is over, for the reason that is raised."""
        try:
            await self._visits()
        except (SpeechError, JanusRefusedError, SentOutError, JanusLostError) as error:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=LAST_WORDS_SECONDS)
            for event in self._close():
                self._put(event)
            raise self._as_room_error(error) from error
        finally:
            self._put(None)

    async def _visits(self) -> None:
        lost_at = _now()  # if a show goes on that was lost
        tries = falls = 0  # in vain since we were in last; and stays in a row that did not last
        while True:
            self.visit = Visit(self._where, self.stage, self, self._hearing, self._memory, self._notices)
            try:
                await self.visit.run()
            except (JanusLostError, JanusRefusedError) as error:
                if self._show is None or not (self._lost or _may_pass(error)):
                    raise
                if not self._lost:
                    lost_at, tries = _now(), 0
                    falls = falls + 1 if self._fell(lost_at) else 0
                    log.warning("%s: %s", self.key, error)
                    self._lose()
                elif _now() - lost_at > GIVE_UP_SECONDS:
                    raise
            wait = max(WAITS[min(tries, len(WAITS) - 1)], min(WAITS[0] * 2.0**falls, FALLS_MOST))
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))
            tries += 1

    def _fell(self, now: float) -> bool:
        """Whether the room was let go of now, soon after it was entered."""
        return self._in_since is not None and now - self._in_since < STEADY_SECONDS

    def _lose(self) -> None:
        self.stage.lose()
        self._lost, self._in_since = True, None
        self._state("lost")

    def _as_room_error(self, error: Exception) -> Exception:
        if isinstance(error, SpeechError):
            return RoomError(str(error))
        if isinstance(error, SentOutError):
            return RoomError(f"{self.key}: the bot was sent out of the room; it comes back when it is started anew")
        if isinstance(error, JanusRefusedError) and not _may_pass(error):
            return RoomError(f"{self.key}: Janus says no: {error} (see docs/janus.md)")
        return RoomLostError(f"{self.key}: {error}")

    # What the visit tells.

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that may outlast a visit."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def entered(self, title: str) -> None:
        """We are in: what goes on after a loss is heard again."""
        self._title = line_of(title)[:MAX_TITLE]
        self._in_since = _now()
        if self._lost:
            self._lost = False
            self._state("back")

    def settled(self) -> None:
        """Whoever had a seat before a loss and has not come back to it has left it."""
        for person, seat in self.stage.release():
            self._change(seat, person, "left")

    def sat(self, sitting: Sitting) -> None:
        """Somebody took a seat."""
        if self._show is None:
            self._open(_now())  # tells of everybody who sits
        elif not sitting.returned:
            self._last = _now()
            self._change(sitting.seat, sitting.person, "joined")

    def rose(self, sitting: Sitting) -> None:
        """Somebody left a seat."""
        self._last = _now()
        self._change(sitting.seat, sitting.person, "left")

    def next_source(self) -> int:
        """Return a new number for a seat's sound, over all visits of this stay."""
        self._sources += 1
        return self._sources

    def said(self, sitting: Sitting, source: str, began: float, said: Said) -> None:
        """Somebody said something."""
        show = self._show or self._open(began + said.at)
        self._last = max(self._last, began + said.until)
        own_id = f"{show.id}/{self._part}/{source}#{said.number}"
        at, until = self._at(began + said.at), self._at(began + said.until)
        heard, person = said.heard, self.stage.as_now(sitting).person
        if heard is None:
            self._put(Unheard(own_id, at, until, person, said.why))
        elif heard.text:
            # Last words are heard when the seat may be another's already.
            seat = sitting.seat if self.stage.sits(sitting) else None
            self._put(Line(own_id, at, until, person, heard.text, "speech", seat, heard.lang, heard.weight))

    def renamed(self, sitting: Sitting) -> None:
        """Somebody on a seat is called otherwise now."""
        self._change(sitting.seat, sitting.person, "joined")

    def unheard(self, sitting: Sitting, since: float, until: float, why: str) -> None:
        """Somebody could not be listened to. That is no quiet: nobody knows what was said."""
        if self._show is None:
            if not self.stage.sits(sitting):
                return
            self._open(since)
        self._last = max(self._last, until)
        person = self.stage.as_now(sitting).person
        self._put(Unheard(self._next_id(), self._at(since), self._at(until), person, why))

    def wrote(self, username: str, display: str, text: str) -> None:
        """Somebody wrote in the chat."""
        text = whole(text).strip()[:MAX_TEXT]
        if not text:
            return
        self._last = _now()
        if self._show is None:
            self._open(self._last)
        at = self._at(self._last)
        self._put(Line(self._next_id(), at, at, self.stage.writer(display, username), text, "chat"))

    def skip(self, count: int) -> None:
        """Something was dropped."""
        self._skipped += count

    # What becomes of it.

    def _open(self, at: float) -> ShowInfo:
        """Begin a show at a time of the loop's clock."""
        self._began = self._last = at
        started = datetime.now(UTC).replace(microsecond=0)
        name = re.sub(r"\W+", "-", str(self._where.room)).strip("-") or "room"
        host = self.stage.named(self._options.host, "") if self._options.host else None
        title = self._title or self.key.address
        # Rooms of two servers may have the same number, and begin in the same second.
        place = hashlib.sha256(str(self.key).encode()).hexdigest()[:8]
        show_id = f"janus-{name}-{place}-{started:%Y%m%dT%H%M%S}"
        self._show = ShowInfo(show_id, self.key, title, host, self._options.lang, started)
        self._put(RoomState(f"{show_id}/open", 0.0, "open", self._show))
        for sitting in sorted(self.stage.seated.values(), key=lambda sitting: sitting.seat):
            self._change(sitting.seat, sitting.person, "joined")
        return self._show

    def _close(self) -> list[Event]:
        if self._show is None:
            return []
        closed = RoomState(f"{self._show.id}/end", self._at(self._last), "closed")
        self._show = None
        self._notices.forget()
        return [closed]

    def _change(self, seat: int, person: Person, change: Literal["joined", "left"]) -> None:
        if self._show is not None:
            self._put(SeatChange(self._next_id(), self._at(_now()), seat, person, change))

    def _state(self, state: Literal["lost", "back"]) -> None:
        if self._show is not None:
            self._put(RoomState(self._next_id(), self._at(_now()), state))

    def _next_id(self) -> str:
        assert self._show is not None
        self._count += 1
        return f"{self._show.id}/{self._part}#{self._count}"

    def _put(self, event: Event | None) -> None:
        self._skipped += self._queue.put(event)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: a seat is not heard any more", self.key, exc_info=error)

    def _at(self, moment: float) -> float:
        return round(max(0.0, moment - self._began), 2)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _may_pass(error: JanusLostError | JanusRefusedError) -> bool:
    """Whether trying again may help."""
    return isinstance(error, JanusLostError) or error.code in _NOT_THERE
