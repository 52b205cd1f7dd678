"""A session on a Janus server over its WebSocket API: requests and their answers, events by handle, keepalive, death.

A request is answered by `success`, or, when the plugin takes its time, by `ack` and later an `event` with the same
transaction. What the server sends of its own goes to the handle it concerns. When the connection dies, in whatever
way, every wait ends with `JanusLostError`.
"""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bot.rooms import RoomLostError

log = logging.getLogger(__name__)

#: Longest wait for the connection, and for the answer to a request, in seconds.
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 10.0
#: Seconds between keepalives. A session ends after 60 s without one where the server is not told otherwise; a server
#: that hangs is noticed by the answer that does not come.
KEEPALIVE_SECONDS: Final = 10.0
#: Longest message that is taken, in bytes, and events of one handle that may wait.
MAX_MESSAGE: Final = 1 << 20
MAX_EVENTS: Final = 256


class JanusLostError(RoomLostError):
    """The server cannot be reached, or the connection died."""


class JanusRefusedError(Exception):
    """The server or a plugin said no. `code` is Janus's own number, `reason` its words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a server may ask of everybody: its API secret, and a token. None: not asked for."""

    api_secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a plugin says, in answer or of its own: its data, and a session description where there is one."""

    data: Mapping[str, Any]
    jsep: Mapping[str, str] | None = None


#: Events of the server's core about a handle: its peer connection is gone, or the handle itself.
GONE: Final = ("hangup", "detached")


class Handle:
    """One attachment to a plugin."""

    def __init__(self, session: "JanusSession", number: int) -> None:
        self._session = session
        self.number = number
        self._events: asyncio.Queue[Reply | None] = asyncio.Queue(MAX_EVENTS)
        #: Set when the server gave up the handle's peer connection.
        self.gone = asyncio.Event()
        #: Events that were dropped since too many waited.
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many events wait to be taken."""
        return self._events.qsize()

    async def request(self, body: Mapping[str, Any], jsep: Mapping[str, str] | None = None) -> Reply:
        """Ask the plugin. Raises JanusRefusedError when it says no, JanusLostError when the connection dies."""
        more = {} if jsep is None else {"jsep": jsep}
        return _reply(await self._session.ask("message", self.number, body=body, **more))

    async def next(self) -> Reply:
        """Return the next thing that the plugin says of its own. Raises JanusLostError when the connection dies."""
        told = await self._events.get()
        if told is None:
            self._events.put_nowait(None)
            raise JanusLostError(self._session.why)
        return told

    async def detach(self) -> None:
        """Leave the plugin; a server that is gone needs no goodbye."""
        self._session.forget(self)
        with suppress(JanusRefusedError, JanusLostError):
            await self._session.ask("detach", self.number)

    def put(self, told: Reply | None) -> None:
        """Hand on what the server said; None when nothing more will come. Of too much the oldest is dropped."""
        if self._events.full():
            self._events.get_nowait()
            self.dropped += 1
        self._events.put_nowait(told)


class JanusSession:
    """Use `connected`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, secrets: Secrets) -> None:
        self._socket = socket
        self._secrets = secrets
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[bool, asyncio.Future[Mapping[str, Any]]]] = {}
        self._handles: dict[int, Handle] = {}
        self._id: int | None = None
        #: Why the connection is dead, once it is.
        self.why = "the connection to Janus was closed"
        self.dead = asyncio.Event()

    async def attach(self, plugin: str) -> Handle:
        """Attach to a plugin. Raises JanusRefusedError when the server does not have it, JanusLostError."""
        answer = await self.ask("attach", plugin=f"janus.plugin.{plugin}")
        handle = Handle(self, int(answer["data"]["id"]))
        self._handles[handle.number] = handle
        return handle

    def forget(self, handle: Handle) -> None:
        """Take no more events for a handle."""
        self._handles.pop(handle.number, None)

    async def ask(self, kind: str, handle: int | None = None, **more: Any) -> Mapping[str, Any]:
        """Send a request and return its answer. Raises JanusRefusedError, JanusLostError (also after a long wait)."""
        if self.dead.is_set():
            raise JanusLostError(self.why)
        transaction = str(next(self._numbers))
        message = {"janus": kind, "transaction": transaction, **more}
        named = {
            "session_id": self._id,
            "handle_id": handle,
            "apisecret": self._secrets.api_secret,
            "token": self._secrets.token,
        }
        message |= {name: value for name, value in named.items() if value is not None}
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = (kind == "keepalive", future)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._socket.send_str(json.dumps(message))
                answer = await future
        except TimeoutError as error:
            raise JanusLostError(f"Janus did not answer to {kind} within {ANSWER_SECONDS:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise JanusLostError(f"the connection to Janus broke: {error}") from error
        finally:
            self._waiting.pop(transaction, None)
        if answer.get("janus") == "error":
            said = answer.get("error", {})
            raise JanusRefusedError(int(said.get("code", 0)), str(said.get("reason", "")))
        return answer

    async def open(self) -> None:
        """Create the session. Raises JanusRefusedError, JanusLostError."""
        self._id = int((await self.ask("create"))["data"]["id"])

    async def keep_alive(self) -> None:
        """Tell the server now and then that somebody is there; ends when nobody answers any more."""
        while not self.dead.is_set():
            await asyncio.sleep(KEEPALIVE_SECONDS)
            try:
                await self.ask("keepalive")
            except (JanusLostError, JanusRefusedError) as error:
                self.die(str(error))

    async def read(self) -> None:
        """Hand on what the server says until the connection dies."""
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
        except (aiohttp.ClientError, OSError) as error:
            self.die(f"the connection to Janus broke: {error}")
        except Exception as error:
            self.die(f"Janus said something that cannot be read: {type(error).__name__}: {error}")
        finally:
            self.die(self.why)

    def die(self, why: str) -> None:
        """The connection is dead: end every wait."""
        if self.dead.is_set():
            return
        self.why = why
        self.dead.set()
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(JanusLostError(why))
        for handle in self._handles.values():
            handle.gone.set()
            handle.put(None)

    def _take(self, raw: str) -> None:
        try:
            message = json.loads(raw)
            kind = message["janus"]
        except (ValueError, TypeError, KeyError, RecursionError):
            log.warning("Janus said something that is no message of its API: %.80r", raw)
            return
        bare, future = self._waiting.get(message.get("transaction", ""), (False, None))
        if future is not None:
            # The answer to a keepalive is a bare `ack`; to all else an `ack` is only a promise.
            if (kind != "ack" or bare) and not future.done():
                future.set_result(message)
            return
        if kind == "timeout":
            self.die("Janus ended the session")
        handle = self._handles.get(message.get("sender", 0))
        if handle is None:
            return
        if kind in GONE:
            handle.gone.set()
        elif kind == "event":
            with suppress(JanusRefusedError):  # nobody asked: there is nobody to tell
                handle.put(_reply(message))


def _reply(message: Mapping[str, Any]) -> Reply:
    """Raises JanusRefusedError when it is a no, JanusLostError when it cannot be read."""
    try:
        data = message.get("plugindata", {}).get("data", {})
        code = int(data["error_code"]) if "error_code" in data else None
    except (AttributeError, TypeError, ValueError) as error:
        raise JanusLostError(f"Janus said something that cannot be read: {error}") from error
    if code is not None:
        raise JanusRefusedError(code, str(data.get("error", "")))
    return Reply(data, message.get("jsep"))


@asynccontextmanager
async def connected(url: str, secrets: Secrets) -> AsyncGenerator[JanusSession, None]:
    """Open a session on the server at `url` (`ws://` or `wss://`).

    Raises:
        JanusLostError: the server is not there.
        JanusRefusedError: it does not want us.
    """
    async with aiohttp.ClientSession() as http:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await http.ws_connect(url, protocols=("janus-protocol",), max_msg_size=MAX_MESSAGE)
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError
            raise JanusLostError(f"{url}: Janus cannot be reached: {str(error) or type(error).__name__}") from error
        session = JanusSession(socket, secrets)
        tasks = [asyncio.create_task(session.read())]
        try:
            await session.open()
            tasks.append(asyncio.create_task(session.keep_alive()))
            yield session
        finally:
            with suppress(JanusLostError, JanusRefusedError):
                await session.ask("destroy")
            session.die("the session is over")
            await _end(tasks)
            await socket.close()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
