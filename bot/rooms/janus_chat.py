"""The chat of a Janus room: TextRoom, over a data channel. Reads what is written, and says what the bot has to say."""

import asyncio
import itertools
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from bot.rooms.janus_rtc import local_description, offer_of, peer
from bot.rooms.janus_session import ANSWER_SECONDS, JanusLostError, JanusRefusedError, JanusSession

log = logging.getLogger(__name__)

#: Longest wait for the data channel, in seconds.
OPEN_SECONDS: Final = 15.0
#: Usernames whose display names are remembered, and the longest message that is looked at.
MAX_USERS: Final = 5_000
MAX_MESSAGE: Final = 256 * 1024

#: Who wrote (username and display name) and what.
Wrote = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class ChatRoom:
    """Which chat, and what it asks of those who come in."""

    room: int | str
    display: str
    pin: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass
class Chat:
    """Use `joined`."""

    room: ChatRoom
    channel: RTCDataChannel
    wrote: Wrote
    username: str = field(default_factory=lambda: f"pitchwatch-{secrets.token_hex(4)}")
    #: Display names by username.
    users: dict[str, str] = field(default_factory=dict)
    #: Set when the chat is over for us; `why` says so.
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = "the chat's data channel closed"
    kicked: bool = False
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[str, "asyncio.Future[Mapping[str, Any]]"] = field(default_factory=dict)

    async def join(self) -> None:
        """Come in. Raises JanusRefusedError, JanusLostError."""
        wanted = {"pin": self.room.pin, "token": self.room.token}
        more = {name: value for name, value in wanted.items() if value is not None}
        me = {"username": self.username, "display": self.room.display, "history": False}
        answer = await self._ask("join", **me, **more)
        for user in answer.get("participants", [])[:MAX_USERS]:
            self._know(user)

    async def say(self, text: str) -> None:
        """Write a message; returns when the server has taken it. Raises JanusRefusedError, JanusLostError."""
        await self._ask("message", text=text, ack=True)

    def take(self, raw: str | bytes) -> None:
        """Take in what came over the channel."""
        try:
            told = json.loads(raw) if len(raw) <= MAX_MESSAGE else None
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or "textroom" not in told:
            log.warning("the chat said something that is no message of its API: %.80r", raw)
            return
        kind = told["textroom"]
        future = self._waiting.get(str(told.get("transaction", "")))
        if kind in ("success", "error"):
            if future is not None and not future.done():
                future.set_result(told)
        elif kind == "join":
            self._know(told)
        elif kind == "leave":
            self.users.pop(str(told.get("username")), None)
        elif kind == "message":
            self._message(told)
        elif kind == "destroyed" or (kind == "kicked" and told.get("username") == self.username):
            self.kicked = kind == "kicked"
            self.end("the chat was closed" if kind == "destroyed" else "the bot was sent out of the chat")

    def end(self, why: str) -> None:
        """The chat is over for us: end every wait."""
        if self.gone.is_set():
            return
        self.why = why
        self.gone.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(JanusLostError(why))

    def _message(self, told: Mapping[str, Any]) -> None:
        sender, text = told.get("from"), told.get("text")
        if told.get("whisper") or sender == self.username or not isinstance(sender, str) or not isinstance(text, str):
            return  # our own words, and what is only between two people
        display = told.get("display") or self.users.get(sender) or sender
        self.wrote(sender, str(display), text)

    def _know(self, user: Any) -> None:
        if isinstance(user, dict) and len(self.users) < MAX_USERS:
            username = str(user.get("username", ""))
            self.users[username] = str(user.get("display") or username)

    async def _ask(self, request: str, **more: Any) -> Mapping[str, Any]:
        if self.gone.is_set():
            raise JanusLostError(self.why)
        transaction = str(next(self._numbers))
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = future
        try:
            self.channel.send(
                json.dumps({"textroom": request, "transaction": transaction, "room": self.room.room, **more})
            )
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await future
        except InvalidStateError as error:  # the channel is closing
            raise JanusLostError(self.why) from error
        except TimeoutError as error:
            raise JanusLostError(f"the chat did not answer to {request} within {ANSWER_SECONDS:.0f} s") from error
        finally:
            self._waiting.pop(transaction, None)
        if answer["textroom"] == "error":
            raise JanusRefusedError(int(answer.get("error_code", 0)), str(answer.get("error", "")))
        return answer


@asynccontextmanager
async def joined(session: JanusSession, room: ChatRoom, wrote: Wrote) -> AsyncGenerator[Chat, None]:
    """Come into the chat; `wrote` is told of each line that others write.

    Raises:
        JanusRefusedError: the server has no TextRoom, no such room in it, or does not let us in.
        JanusLostError: the connection died, or no data channel came about.
    """
    handle = await session.attach("textroom")
    connection = peer()
    try:
        offered = await handle.request({"request": "setup"})
        if offered.jsep is None:
            raise JanusLostError("the chat made no offer")
        await connection.setRemoteDescription(offer_of(offered.jsep))
        channel = connection.createDataChannel("JanusDataChannel")  # Janus waits for ours
        chat = Chat(room, channel, wrote)
        opened = asyncio.Event()
        channel.on("open", opened.set)
        channel.on("message", chat.take)
        channel.on("close", lambda: chat.end(chat.why))
        answer = await local_description(connection, await connection.createAnswer())
        await handle.request({"request": "ack"}, answer)
        watching = asyncio.create_task(_watch(handle.gone, chat))
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await opened.wait()
            await chat.join()
            yield chat
        except TimeoutError as error:
            raise JanusLostError(f"no data channel to the chat came about within {OPEN_SECONDS:.0f} s") from error
        finally:
            watching.cancel()
            chat.end("the chat was left")
    finally:
        try:
            await connection.close()  # first: it needs nobody's answer, and nothing of the chat is read after that
        finally:
            await handle.detach()


async def _watch(gone: asyncio.Event, chat: Chat) -> None:
    await gone.wait()
    chat.end("Janus closed the connection to the chat")
