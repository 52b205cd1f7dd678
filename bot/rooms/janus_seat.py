"""One seat of a Janus room: its sound, through a peer connection of its own, as a live source.

A peer connection that breaks is replaced; one over which nothing comes for long is replaced as well, later and later,
since a seat that froze, one that is muted and a broken way look the same from here. Meanwhile time goes on as silence.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from bot.rooms.janus_rtc import JitterBuffer, local_description, offer_of, peer, use_own_buffer
from bot.rooms.janus_session import Handle, JanusLostError, JanusRefusedError, JanusSession
from bot.speech import RATE
from bot.speech.live import LiveSource, Placer
from bot.speech.media import Resampler, Sound

log = logging.getLogger(__name__)

#: Sound is handed on in pieces of at least so many seconds.
PIECE_SECONDS: Final = 0.25
#: How often a seat is looked after, in seconds.
LOOK_SECONDS: Final = 0.5
#: A seat from which nothing comes for so long is subscribed to anew; each time the wait doubles, up to the most.
SILENT_SECONDS: Final = 15.0
SILENT_MOST: Final = 300.0
SILENT: Final = "nothing comes from there (muted, or frozen)"
NO_WAY: Final = "no connection for its sound came about"
#: Waits before a broken connection is replaced, in seconds; the last one repeats.
WAITS: Final = (0.2, 1.0, 2.0, 5.0, 10.0)
#: A seat that could not be listened to for longer than this is told of, in seconds; while it lasts, in slices.
DEAF_SECONDS: Final = 2.0
DEAF_SLICE: Final = 10.0

#: Tells from when to when (seconds since listening began) a seat could not be listened to, and why.
Deaf = Callable[[float, float, str], None]


@dataclass(frozen=True, slots=True)
class Feed:
    """What is subscribed to: a publisher's sound in a room (`mid` names the stream), and what the room asks for."""

    room: int | str
    number: int | str
    mid: str
    pin: str | None = field(default=None, repr=False)

    def request(self, private_id: int | None = None) -> dict[str, Any]:
        """Return the request that subscribes; `private_id` is what Janus gave us on joining."""
        wanted = {"private_id": private_id, "pin": self.pin}
        more = {name: value for name, value in wanted.items() if value is not None}
        streams = [{"feed": self.number, "mid": self.mid}]
        return {"request": "join", "ptype": "subscriber", "room": self.room, "streams": streams, **more}


class SeatListener:
    """Listens to one publisher and pushes into a source until it is cancelled. Times: seconds since `began`."""

    def __init__(
        self,
        session: JanusSession,
        feed: Feed,
        source: LiveSource,
        deaf: Deaf,
        private_id: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._session = session
        self._private_id = private_id
        self._feed = feed
        self._source = source
        self._deaf = deaf
        self._deaf_since: float | None = None
        self._deaf_why = ""
        self._deaf_told = False
        self._clock = asyncio.get_running_loop().time
        #: When listening began, by the loop's clock.
        self.began = self._clock()
        self.placer = Placer()
        self._resampler = Resampler()
        self._pending: list[NDArray[np.float32]] = []
        self._pending_at = 0.0
        self._pending_samples = 0
        self._last_frame = self.began
        self._silent_after = SILENT_SECONDS
        self._receiver: RTCRtpReceiver | None = None
        self._buffer: JitterBuffer | None = None
        #: Peer connections made so far, and frames of sound that came.
        self.connections = 0
        self.frames = 0
        self._lost_before = 0

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return self._lost_before + (self._buffer.lost if self._buffer else 0)

    @property
    def unheard(self) -> bool:
        """Whether the seat cannot be listened to now."""
        return self._deaf_since is not None

    async def run(self) -> None:
        """Listen until cancelled. Raises JanusLostError when the session dies."""
        filling = asyncio.create_task(self._fill())
        tries = 0
        try:
            while True:
                frames, since = self.frames, self._clock()
                why = await self._once()
                if self._session.dead.is_set():
                    raise JanusLostError(self._session.why)
                tries = 0 if self.frames > frames else tries + 1
                log.info("%s: %s; subscribed to anew", self._source.name, why)
                if why != SILENT and self._deaf_since is None:
                    self._deaf_since = self._clock() if self.frames > frames else since
                    self._deaf_why = why
                await asyncio.sleep(WAITS[min(tries, len(WAITS) - 1)])
        finally:
            filling.cancel()
            self._hear_again(self._clock())
            self._hand_on()
            self._source.finish()

    async def _once(self) -> str:
        """Listen over one subscription; return why it ended. Raises JanusLostError."""
        try:
            async with self._subscribed() as (track, connection, handle):
                return await self._pump(track, connection, handle)
        except JanusLostError:
            raise
        except JanusRefusedError as error:
            return str(error)  # has just left, perhaps; then we are cancelled soon
        except Exception as error:  # whoever publishes has a say in what is offered
            log.warning("%s: cannot be subscribed to", self._source.name, exc_info=error)
            return f"what is offered there cannot be taken ({type(error).__name__})"

    @asynccontextmanager
    async def _subscribed(self) -> AsyncGenerator[tuple[MediaStreamTrack, RTCPeerConnection, Handle], None]:
        handle = await self._session.attach("videoroom")
        connection = peer()
        try:
            offered = await handle.request(self._feed.request(self._private_id()))
            if offered.jsep is None:
                raise JanusRefusedError(0, "Janus made no offer")
            await connection.setRemoteDescription(offer_of(offered.jsep))
            receivers = [
                one for one in connection.getReceivers() if one.track is not None and one.track.kind == "audio"
            ]
            if not receivers:
                raise JanusRefusedError(0, "the seat has no sound")
            self._lost_before = self.lost
            self._receiver, self._buffer = receivers[0], use_own_buffer(receivers[0])
            answer = await local_description(connection, await connection.createAnswer())
            await handle.request({"request": "start"}, answer)
            self.connections += 1
            yield receivers[0].track, connection, handle
        finally:
            try:
                await connection.close()  # first: it needs nobody's answer
            finally:
                await handle.detach()

    async def _pump(self, track: MediaStreamTrack, connection: RTCPeerConnection, handle: Handle) -> str:
        """Take sound until the connection is no good any more; return why."""
        taking = asyncio.create_task(self._take(track))
        since = self._clock()
        try:
            while not taking.done():
                await asyncio.wait((taking,), timeout=LOOK_SECONDS)
                if handle.gone.is_set() or connection.connectionState in ("failed", "closed"):
                    return "the connection broke"
                if connection.connectionState == "connected":
                    self._hear_again(self._clock())  # though nothing may be said
                if self._clock() - self._last_frame > LOOK_SECONDS:
                    await self._drain()
                if self._clock() - max(since, self._last_frame) > self._silent_after:
                    self._silent_after = min(2 * self._silent_after, SILENT_MOST)
                    return SILENT if connection.connectionState == "connected" else NO_WAY
            taking.result()  # raises what went wrong
            return "the sound ended"
        finally:
            taking.cancel()
            await asyncio.wait((taking,))  # not `await taking`: its end could not be told from our own being cancelled
            if not taking.cancelled():
                taking.exception()  # of one that broke as well nobody needs to know more

    async def _drain(self) -> None:
        """Hear what was kept back for a packet that was late: whoever is muted now sends nothing that would free it."""
        if self._receiver is not None and self._buffer is not None:
            await self._buffer.drain(self._receiver)

    async def _take(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                now = self._clock()
                self._last_frame, self._silent_after = now, SILENT_SECONDS
                self.frames += 1
                self._hear_again(now)
                stamp = float(frame.pts * frame.time_base)
                self._add(self.placer.place(self._resampler.resample(frame), stamp, now - self.began))

    def _hear_again(self, now: float) -> None:
        if self.unheard:
            self._tell_deaf(now, 0.0 if self._deaf_told else DEAF_SECONDS)
            self._deaf_since, self._deaf_told = None, False

    def _tell_deaf(self, now: float, least: float) -> None:
        """Tell of what could not be listened to up to now, if it was longer than the least."""
        since = self._deaf_since
        if since is not None and now - since > least:
            self._deaf(since - self.began, now - self.began, self._deaf_why)
            self._deaf_since, self._deaf_told = now, True

    async def _fill(self) -> None:
        """Let time go on where nothing comes."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._clock()
            self._tell_deaf(now, DEAF_SLICE)
            self._add(self.placer.quiet(now - self.began))
            if now - self._last_frame > LOOK_SECONDS:
                self._hand_on()

    def _add(self, pieces: list[NDArray[np.float32]]) -> None:
        if not pieces:
            return
        samples = sum(len(piece) for piece in pieces)
        if not self._pending:
            self._pending_at = self.placer.end - samples / RATE
        self._pending += pieces
        self._pending_samples += samples
        if self._pending_samples >= PIECE_SECONDS * RATE:
            self._hand_on()

    def _hand_on(self) -> None:
        if self._pending:
            self._source.push(Sound(self._pending_at, np.concatenate(self._pending)))
            self._pending, self._pending_samples = [], 0
