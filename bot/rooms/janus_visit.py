"""One stay in a Janus room: from coming in to the loss of the connection. Tells the room what happens there.

The order of coming in is the promise that people get: the chat is joined and told who listens before any seat is
listened to.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bot.rooms.janus_chat import Chat, ChatRoom, joined
from bot.rooms.janus_notice import Notices
from bot.rooms.janus_seat import LOOK_SECONDS, Feed, SeatListener
from bot.rooms.janus_session import (
    Handle,
    JanusLostError,
    JanusRefusedError,
    JanusSession,
    Reply,
    Secrets,
    connected,
)
from bot.rooms.janus_stage import Sitting, Stage
from bot.speech.ear import EarSettings, LanguageMemory, Said
from bot.speech.hearing import Hearing
from bot.speech.live import LiveSource
from bot.speech.media import Away, Back

log = logging.getLogger(__name__)
#: After a loss, seats are kept for so long for those who had them: everybody has to come back, in seconds.
KEEP_SECONDS: Final = 20.0
#: How often the list of who is there is compared with what events told, in seconds; and the least time between two
#: entries made in order to see everything anew.
COMPARE_SECONDS: Final = 60.0
ANEW_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Where:
    """Which room on which server, and what is said on coming in. `lang`: the one language spoken there, if known."""

    url: str
    room: int | str
    chat: int | str
    display: str
    announcement: str
    pin: str | None = field(default=None, repr=False)
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    lang: str | None = None


class Told(Protocol):
    """The room: it is told what happens. Times are of the loop's clock, in seconds."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that may outlast the visit: the last words of a seat are still to be heard."""

    def entered(self, title: str) -> None:
        """We are in: the seats that are told of next are those that are taken now."""

    def settled(self) -> None:
        """All who may have come back to their seats after a loss have had the time to."""

    def sat(self, sitting: Sitting) -> None:
        """Somebody took a seat."""

    def rose(self, sitting: Sitting) -> None:
        """Somebody left a seat."""

    def renamed(self, sitting: Sitting) -> None:
        """Somebody on a seat gave another name."""

    def next_source(self) -> int:
        """Return a new number for a seat's sound: one that was used before would pass for what was said before."""

    def said(self, sitting: Sitting, source: str, began: float, said: Said) -> None:
        """Somebody said something; the times in `said` count from `began`."""

    def unheard(self, sitting: Sitting, since: float, until: float, why: str) -> None:
        """Somebody could not be listened to."""

    def wrote(self, username: str, display: str, text: str) -> None:
        """Somebody wrote in the chat."""

    def skip(self, count: int) -> None:
        """Something was dropped; this may come after the visit."""


class SentOutError(Exception):
    """Somebody sent the bot out of the room: it is not wanted there."""


class Visit:
    """Use `run`, once."""

    def __init__(
        self,
        where: Where,
        stage: Stage,
        told: Told,
        hearing: Hearing | None,
        memory: LanguageMemory,
        notices: Notices,
    ) -> None:
        """Without `hearing` no voice is listened to, and nothing is announced."""
        self._where = where
        self._stage = stage
        self._told = told
        self._hearing = hearing
        self._memory = memory
        self._notices = notices
        self._video: Handle | None = None
        self._own: int | str | None = None
        self._private: int | None = None
        self._listening: dict[int | str, tuple[str, asyncio.Task[None]]] = {}
        #: Who publishes and has no seat, since there are too few.
        self._beyond: set[int | str] = set()
        self._compared_at = _now()
        self._missed: set[int | str] = set()
        self._dropped = 0
        #: Whether we are, or were, in.
        self.entered = False
        #: What each seat's connection did, for tests and figures.
        self.listeners: dict[int | str, SeatListener] = {}

    async def run(self) -> None:
        """Stay until the connection dies.

        Raises:
            JanusLostError: it died, or could not be made.
            JanusRefusedError: the server, the room or the chat does not let us in.
            SentOutError: somebody sent us out.
            SpeechError: there is nothing to hear with.
        """
        if self._hearing is not None:
            await self._hearing.start()  # nobody is told that we listen before we can
        async with (
            connected(self._where.url, self._where.secrets) as session,
            self._in_room(session) as entered,
            joined(session, self._chat_room(), self._told.wrote) as chat,
        ):
            self.entered = True
            try:
                await self._inside(session, entered, chat)
            except (JanusLostError, JanusRefusedError):
                if chat.kicked:  # whatever we were about to say or ask
                    raise SentOutError(chat.why) from None
                raise

    async def _inside(self, session: JanusSession, entered: Mapping[str, Any], chat: Chat) -> None:
        self._told.entered(str(entered.get("description") or ""))
        self._notices.enter()
        self._arrive(entered)
        if self._hearing is not None and self._notices.is_old(_now()):
            await self._announce(chat)
        ending = asyncio.create_task(chat.gone.wait())
        try:
            await self._publishers(session, chat, entered.get("publishers", []))
            settling = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._told.settled)
            try:
                await self._follow(session, chat, ending)
            finally:
                settling.cancel()
        finally:
            ending.cancel()
            for _, task in self._listening.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in self._listening.values()), return_exceptions=True)

    def _chat_room(self) -> ChatRoom:
        where = self._where
        return ChatRoom(where.chat, where.display, where.pin, where.secrets.token)

    @asynccontextmanager
    async def _in_room(self, session: JanusSession) -> AsyncGenerator[Mapping[str, Any], None]:
        """Join as somebody who could publish, which is how one is told what happens, and never do."""
        try:
            yield await self._enter(session)
        finally:
            if self._video is not None:
                await self._video.detach()

    async def _enter(self, session: JanusSession) -> Mapping[str, Any]:
        where = self._where
        wanted = {"pin": where.pin, "token": where.secrets.token}
        more = {name: value for name, value in wanted.items() if value is not None}
        me = {"request": "join", "ptype": "publisher", "room": where.room, "display": where.display}
        self._video = await session.attach("videoroom")
        entered = await self._video.request({**me, **more})
        self._own, self._private = entered.data.get("id"), entered.data.get("private_id")
        self._compared_at, self._dropped = _now(), 0
        return entered.data

    def _arrive(self, entered: Mapping[str, Any]) -> None:
        """Take note of who is there, those on seats first: a name is theirs before it is somebody's who looks on."""
        publishers = self._stage.in_order(entered.get("publishers", []))
        for one in (*publishers, *entered.get("attendees", [])):
            self._stage.arrive(one["id"], one.get("display"))

    async def _announce(self, chat: Chat) -> None:
        await chat.say(self._where.announcement)
        self._notices.told(self._stage.people, _now())

    async def _follow(self, session: JanusSession, chat: Chat, ending: "asyncio.Task[Any]") -> None:
        """Take note of what happens until the connection dies."""
        while True:
            await self._look_around(session, chat)
            assert self._video is not None
            coming = asyncio.create_task(self._video.next())
            try:
                await asyncio.wait((coming, ending), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    await self._happened(session, chat, coming.result())
                elif ending.done():
                    raise JanusLostError(chat.why)
            finally:
                coming.cancel()

    async def _look_around(self, session: JanusSession, chat: Chat) -> None:
        """Compare what events told with who is there, now and then and after events were dropped."""
        video = self._video
        if video is None or video.waiting:
            return  # what was told is taken in first
        since = _now() - self._compared_at
        if video.dropped > self._dropped and since > ANEW_SECONDS:
            self._dropped = video.dropped
            await self._see_anew(session, chat)
        elif since > COMPARE_SECONDS:
            self._compared_at = _now()
            try:
                told = await video.request({"request": "listparticipants", "room": self._where.room})
            except JanusRefusedError as error:
                log.warning("%s: who is there cannot be asked: %s", self._where.url, error)
                return
            await self._compare(session, chat, told.data.get("participants", []))

    async def _compare(self, session: JanusSession, chat: Chat, there: Sequence[Mapping[str, Any]]) -> None:
        publishing = {one["id"] for one in there if one.get("publisher")} - {self._own}
        await self._only({one["id"] for one in there}, publishing)
        for one in there:
            if one["id"] != self._own:
                self._stage.arrive(one["id"], one.get("display"))
                self._rename(one["id"], one.get("display"))
        # Who publishes and could have a seat. This list does not say what they publish; perhaps we are told yet.
        full = len(self._stage.seated) >= self._stage.seats
        missed = set() if full else publishing - self._stage.seated.keys()
        if missed & self._missed:
            log.warning("%s: not everything was told; the room is entered anew", self._where.url)
            await self._see_anew(session, chat)
        self._missed = missed

    async def _only(self, there: set[Any], publishing: set[Any]) -> None:
        """Whoever is not there any more has left."""
        for number in [*self._stage.people, *self._stage.seated]:
            if number not in there:
                await self._left(number, self._stage.leave(number))
        for number in list(self._stage.seated):
            if number not in publishing:
                await self._left(number, self._stage.rise(number))

    async def _see_anew(self, session: JanusSession, chat: Chat) -> None:
        """Leave the room and come in again, which is how one is told everything. Seats are listened to meanwhile."""
        if self._video is not None:
            await self._video.detach()
        entered = await self._enter(session)
        publishers = entered.get("publishers", [])
        publishing = {one["id"] for one in publishers}
        await self._only(publishing | {one["id"] for one in entered.get("attendees", [])}, publishing)
        self._arrive(entered)
        await self._publishers(session, chat, publishers)

    async def _happened(self, session: JanusSession, chat: Chat, told: Reply) -> None:
        data = told.data
        if data.get("videoroom") == "destroyed":
            raise JanusLostError("the room was closed")
        if data.get("leaving") == "ok" and data.get("reason") == "kicked":
            raise SentOutError
        if "publishers" in data:
            await self._publishers(session, chat, data["publishers"])
        elif "joining" in data:
            self._stage.arrive(data["joining"]["id"], data["joining"].get("display"))
        elif "id" in data and "display" in data:
            self._rename(data["id"], data["display"])
        for name, left in (
            ("unpublished", self._stage.rise),
            ("leaving", self._stage.leave),
            ("kicked", self._stage.leave),
        ):
            if name in data and data[name] != "ok":
                await self._left(data[name], left(data[name]))

    def _rename(self, number: int | str, display: Any) -> None:
        sitting = self._stage.rename(number, display)
        if sitting is not None:
            self._told.renamed(sitting)

    async def _publishers(self, session: JanusSession, chat: Chat, publishers: list[Mapping[str, Any]]) -> None:
        for publisher in self._stage.in_order(publishers):
            number = publisher["id"]
            mid = _sound_of(publisher)
            sitting = self._stage.seated.get(number)
            if sitting is None:
                sitting = self._stage.sit(number, publisher.get("display"))
                if sitting is None:
                    if number not in self._beyond:
                        self._beyond.add(number)
                        self._told.skip(1)
                    log.warning("%s: more people publish than there are seats: set janus.seats", self._where.url)
                    continue
                self._told.sat(sitting)
            if self._hearing is None:
                continue
            if self._notices.is_due(number, sitting.person, _now()):
                await self._announce(chat)
            known = self._listening.get(number)
            if known is not None and known[0] != mid:
                known[1].cancel()  # began to send sound, or another stream of it
                del self._listening[number]  # the same one may come back
            if mid is not None and number not in self._listening:
                self._listen(session, sitting, mid)

    async def _left(self, number: int | str, sitting: Sitting | None) -> None:
        _, task = self._listening.pop(number, (None, None))
        self.listeners.pop(number, None)
        self._beyond.discard(number)
        if task is not None:
            task.cancel()
        if sitting is not None:
            self._told.rose(sitting)

    def _listen(self, session: JanusSession, sitting: Sitting, mid: str) -> None:
        assert self._hearing is not None
        source = LiveSource(f"{self._where.url} seat {sitting.seat}")
        feed = Feed(self._where.room, sitting.number, mid, self._where.pin)

        def deaf(since: float, until: float, why: str) -> None:
            begin = listener.began
            self._told.unheard(sitting, begin + since, begin + until, why)

        listener = SeatListener(session, feed, source, deaf, lambda: self._private)
        self.listeners[sitting.number] = listener
        task = asyncio.create_task(_until_lost(session, listener))
        task.add_done_callback(lambda _: source.finish())  # also if it is cancelled before it begins
        self._listening[sitting.number] = (mid, task)
        name = f"{sitting.seat}.{self._told.next_source()}"
        self._told.spawn(self._hear(session, sitting, source, listener, name))

    async def _hear(
        self, session: JanusSession, sitting: Sitting, source: LiveSource, listener: SeatListener, name: str
    ) -> None:
        """Hand on what is said on a seat, to the last words."""
        assert self._hearing is not None
        settings = EarSettings(lang=self._where.lang)
        try:
            ear = await self._hearing.ear(source, settings, lambda at: str(sitting.person.account), self._memory)
            async with aclosing(ear.listen()) as listening:
                async for coming in listening:
                    if isinstance(coming, Said):
                        self._told.said(sitting, name, listener.began, coming)
                    elif isinstance(coming, Away):
                        away = coming
                    elif isinstance(coming, Back):
                        begin = listener.began
                        self._told.unheard(sitting, begin + away.at, begin + coming.at, away.why)
        except Exception:
            session.die("a seat is not heard any more")  # it must not look quiet: the visit begins anew
            raise
        finally:
            self._told.skip(source.broken)


async def _until_lost(session: JanusSession, listener: SeatListener) -> None:
    try:
        await listener.run()
    except JanusLostError as error:
        session.die(str(error))  # a seat that is not heard any more must not look quiet: the visit begins anew
    except Exception:
        log.exception("a seat cannot be listened to")
        session.die("a seat cannot be listened to")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _sound_of(publisher: Mapping[str, Any]) -> str | None:
    """Return which of a publisher's streams is the sound; None when there is none."""
    for stream in publisher.get("streams", []):
        if stream.get("type") == "audio" and not stream.get("disabled"):
            return str(stream["mid"])
    return None
