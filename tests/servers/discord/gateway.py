"""The gateway: identify, resume with replay, heartbeats, and everything that happens, in order."""

import asyncio
import json
import logging
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from tests.servers.discord.places import GUILD_MEMBERS
from tests.servers.discord.refusals import Json
from tests.servers.discord.times import PATIENCE
from tests.servers.discord.world import MESSAGE_CONTENT, Event, World

log = logging.getLogger(__name__)

PRESENCES: Final = 1 << 8
#: A privileged intent, and the flags of an application of which one must be on.
PRIVILEGED: Final = {
    PRESENCES: 1 << 12 | 1 << 13,
    GUILD_MEMBERS: 1 << 14 | 1 << 15,
    MESSAGE_CONTENT: 1 << 18 | 1 << 19,
}
#: The application's flag for message content in fewer than a hundred servers.
CONTENT_FLAG: Final = 1 << 19
CLOSE_REASONS: Final = {
    4000: "Unknown error.",
    4001: "Unknown opcode.",
    4002: "Error while decoding payload.",
    4003: "Not authenticated.",
    4004: "Authentication failed.",
    4005: "Already authenticated.",
    4007: "Invalid seq.",
    4008: "Rate limited.",
    4009: "Session timed out.",
    4013: "Invalid intent(s).",
    4014: "Disallowed intent(s).",
}


@dataclass(eq=False)
class Session:
    """What one identify began: its events by number, and the connection it is on now."""

    id: str
    intents: int
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=5000))
    sequence: int = 0
    connection: "Connection | None" = None


class Connection:
    """One websocket. Frames go out one after another, from a queue."""

    def __init__(self, socket: web.WebSocketResponse, compress: bool) -> None:
        self.socket = socket
        self.session: Session | None = None
        self.frames: asyncio.Queue[Json] = asyncio.Queue()
        self._deflate = zlib.compressobj() if compress else None
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: Json) -> None:
        """Put a frame in line."""
        if not self._writer.done():
            self.frames.put_nowait({"s": None, "t": None, **frame})

    async def _write(self) -> None:
        while True:
            frame = await self.frames.get()
            try:
                await self._put(json.dumps(frame))
            except (ConnectionError, RuntimeError):
                log.debug("a frame went to a connection that is gone: %s", frame["t"])
            finally:
                self.frames.task_done()

    async def _put(self, text: str) -> None:
        if self._deflate is None:
            await self.socket.send_str(text)
        else:
            data = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            await self.socket.send_bytes(data)

    async def close(self, code: int, reason: str = "") -> None:
        """Send what is in line, then close with a code."""
        await self.frames.join()
        await self.socket.close(code=code, message=(reason or CLOSE_REASONS.get(code, "")).encode())

    def stop(self) -> None:
        """End the writer; nobody waits any more for what was in line."""
        self._writer.cancel()
        while not self.frames.empty():
            self.frames.get_nowait()
            self.frames.task_done()


class Gateway:
    """All sessions. What happens reaches those that are connected and is kept for those that will resume."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.token = "token"
        #: The application's flags: which privileged intents its owner has switched on.
        self.application_flags = CONTENT_FLAG
        self.heartbeat_ms = 41_250
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.open: set[Connection] = set()
        #: Counted: identifies and resumes that were answered, heartbeats, resumes that were refused.
        self.identified = self.resumed = self.heartbeats = self.refused_resumes = 0
        #: Set to a close code to refuse identifies with it.
        self.refuse_identify: int | None = None
        #: While set, connecting itself fails with 503.
        self.down = False
        #: While clear, whoever connects is kept waiting.
        self.door = asyncio.Event()
        self.door.set()
        #: While set, heartbeats are not answered.
        self.mute_heartbeats = False
        world.listeners.append(self.dispatch)

    # ---- a connection

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        if self.down:
            return web.Response(status=503)
        await self.door.wait()
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        connection = Connection(socket, request.query.get("compress") == "zlib-stream")
        self.open.add(connection)
        connection.send({"op": 10, "d": {"heartbeat_interval": self.heartbeat_ms}})
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    await self._receive(connection, frame.data)
        finally:
            self.open.discard(connection)
            connection.stop()
            if connection.session is not None and connection.session.connection is connection:
                connection.session.connection = None
            self.world.changes.notify()
        return socket

    async def _receive(self, connection: Connection, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            return await connection.close(4002)
        op, data = frame.get("op"), frame.get("d")
        if op == 1:
            self._beat(connection)
        elif op == 2:
            await self._identify(connection, data)
        elif op == 6:
            await self._resume(connection, data)
        elif op not in (3, 4, 8, 31):
            await connection.close(4001)
        elif connection.session is None:
            await connection.close(4003)
        elif op == 8:
            self._members(connection.session, data)
        return None

    def _beat(self, connection: Connection) -> None:
        self.heartbeats += 1
        if not self.mute_heartbeats:
            connection.send({"op": 11, "d": None})
        self.world.changes.notify()

    def _refusal(self, connection: Connection, data: Json) -> int | None:
        if self.refuse_identify is not None:
            return self.refuse_identify
        if connection.session is not None:
            return 4005
        if data["token"].removeprefix("Bot ") != self.token:
            return 4004
        asked = data["intents"]
        if asked & ~((1 << 26) - 1):
            return 4013
        flags = self.application_flags
        disallowed = any(asked & intent and not flags & needed for intent, needed in PRIVILEGED.items())
        return 4014 if disallowed else None

    async def _identify(self, connection: Connection, data: Json) -> None:
        code = self._refusal(connection, data)
        if code is not None:
            return await connection.close(code)
        session = Session(f"session-{self.world.ids.next()}", data["intents"])
        self.sessions[session.id] = session
        session.connection, connection.session = connection, session
        guilds = list(self.world.guilds.values())
        ready = {
            "v": 10,
            "user": self.world.bot.as_json() | {"verified": True, "mfa_enabled": True, "email": None},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": data.get("shard", [0, 1]),
            "application": {"id": str(self.world.bot.id), "flags": self.application_flags},
        }
        self._put(session, "READY", ready)
        for guild in guilds:
            if session.intents & 1 and not guild.unavailable:
                self._put(session, "GUILD_CREATE", guild.as_json(all_members=bool(session.intents & GUILD_MEMBERS)))
        self.identified += 1
        self.world.changes.notify()
        return None

    async def _resume(self, connection: Connection, data: Json) -> None:
        session = self.sessions.get(data["session_id"])
        if data["token"].removeprefix("Bot ") != self.token:
            return await connection.close(4004)
        oldest = session.log[0]["s"] if session is not None and session.log else 1
        if session is None or data["seq"] < oldest - 1:
            self.refused_resumes += 1
            connection.send({"op": 9, "d": False})
            return None
        if data["seq"] > session.sequence:
            return await connection.close(4007)
        session.connection, connection.session = connection, session
        for frame in session.log:
            if frame["s"] > data["seq"]:
                connection.send(frame)
        self._put(session, "RESUMED", {})
        self.resumed += 1
        self.world.changes.notify()
        return None

    def _members(self, session: Session, data: Json) -> None:
        guild = self.world.guilds[int(data["guild_id"])]
        ids, query = data.get("user_ids"), data.get("query") or ""
        wanted = {str(one) for one in (ids if isinstance(ids, list) else [ids])} if ids else None
        found = [
            one.as_json()
            for one in guild.members.values()
            if (str(one.user.id) in wanted if wanted is not None else one.user.name.startswith(query))
        ]
        missing = sorted((wanted or set()) - {one["user"]["id"] for one in found})
        body: Json = {"guild_id": str(guild.id), "members": found, "chunk_index": 0, "chunk_count": 1}
        body |= {"not_found": missing, "nonce": data.get("nonce"), "presences": []}
        self._put(session, "GUILD_MEMBERS_CHUNK", body)

    # ---- events

    def dispatch(self, event: Event) -> None:
        """Send an event to every session that may know of it."""
        place = event.channel
        if place is not None and not place.permissions_for(self.world.bot):
            return
        for session in self.sessions.values():
            if not event.intents or session.intents & event.intents:
                self._put(session, event.name, event.build(bool(session.intents & MESSAGE_CONTENT)))

    def _put(self, session: Session, name: str, data: Any) -> None:
        session.sequence += 1
        frame = {"op": 0, "d": data, "s": session.sequence, "t": name}
        session.log.append(frame)
        if session.connection is not None:
            session.connection.send(frame)

    def send_raw(self, name: str, data: Any) -> None:
        """Send an event as it is to every session, also one that no client expects."""
        for session in self.sessions.values():
            self._put(session, name, data)

    async def flush(self) -> None:
        """Wait until everything in line was sent."""
        for connection in list(self.open):
            await connection.frames.join()

    # ---- what goes wrong

    async def drop(self, code: int = 4000, resumable: bool = True) -> None:
        """Close every connection with a code; without `resumable` their sessions are forgotten."""
        if not resumable:
            self.sessions.clear()
        for connection in list(self.open):
            await connection.close(code)

    def ask_reconnect(self) -> None:
        """Ask every client to connect again (op 7)."""
        for connection in self.open:
            connection.send({"op": 7, "d": None})

    def invalidate(self, resumable: bool) -> None:
        """Tell every client that its session is invalid (op 9)."""
        if not resumable:
            self.sessions.clear()
        for connection in self.open:
            connection.send({"op": 9, "d": resumable})

    async def connections(self, count: int, seconds: float = PATIENCE) -> None:
        """Wait until so many identifies and resumes were answered since the start."""
        await self.world.changes.until(lambda: self.identified + self.resumed >= count, seconds)

    async def connected(self, seconds: float = PATIENCE) -> None:
        """Wait until somebody is connected and has identified or resumed."""
        await self.world.changes.until(lambda: any(one.session is not None for one in self.open), seconds)

    async def stop(self) -> None:
        """Close everything, for good."""
        self.down = True
        self.door.set()
        for connection in list(self.open):
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1):
                    await connection.socket.close(code=WSCloseCode.GOING_AWAY)
