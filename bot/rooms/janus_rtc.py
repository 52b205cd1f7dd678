"""Peer connections to Janus: answers to its offers, and a jitter buffer that loses no more than the network did.

aiortc's own buffer for sound throws about four good packets away with each one that was lost. The one here gives
everything that arrived; what is missing stays a hole in time.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

#: Where aiortc keeps its buffer. Private, so aiortc is pinned to one version, and a missing attribute is an error.
_BUFFER: Final = "_RTCRtpReceiver__jitter_buffer"
#: Packets that may be waited with for one that is late: at 20 ms each, 120 ms.
DEPTH: Final = 6
#: A jump of sequence numbers beyond this is a new stream.
RESTART: Final = 1_000


class JitterBuffer:
    """Packets in, frames out, in order. Takes the place of aiortc's own."""

    def __init__(self, depth: int = DEPTH) -> None:
        self._depth = depth
        self._waiting: dict[int, RtpPacket] = {}
        self._next: int | None = None
        #: Packets that never came, or came too late.
        self.lost = 0

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take in a packet; return False (no picture must be asked for anew) and the next frame, if it is due."""
        number = packet.sequence_number
        if self._next is None:
            self._next = number
        ahead = (number - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if 0x10000 - ahead < RESTART:
                return False, None  # too late
            ahead = RESTART + 1
        if ahead > RESTART:
            self._waiting.clear()
            self._next = number
        self._waiting[number] = packet
        while self._next not in self._waiting and len(self._waiting) > self._depth:
            self._next = (self._next + 1) & 0xFFFF
            self.lost += 1
        due = self._waiting.pop(self._next, None)
        if due is None:
            return False, None
        self._next = (self._next + 1) & 0xFFFF
        return False, JitterFrame(data=due._data, timestamp=due.timestamp)  # type: ignore[attr-defined]

    async def drain(self, receiver: RTCRtpReceiver) -> None:
        """Wait for nothing any more that has not come: have the receiver take in again what is kept back for it."""
        numbers = sorted(self._waiting, key=lambda number: (number - (self._next or 0)) & 0xFFFF)
        kept = [self._waiting.pop(number) for number in numbers]
        depth, self._depth = self._depth, 0
        try:
            for packet in kept:
                await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
        finally:
            self._depth = depth


def has_known_buffer() -> bool:
    """Whether aiortc keeps its jitter buffer where it is looked for; if not, this is another aiortc than was tested."""
    return _BUFFER in RTCRtpReceiver.__init__.__code__.co_names


def use_own_buffer(receiver: RTCRtpReceiver) -> JitterBuffer:
    """Put our buffer in the place of aiortc's. Raises RuntimeError when it is not where it is looked for."""
    if not hasattr(receiver, _BUFFER):
        raise RuntimeError("aiortc keeps its jitter buffer elsewhere: install the version that Pitchwatch names")
    buffer = JitterBuffer()
    setattr(receiver, _BUFFER, buffer)
    return buffer


def peer() -> RTCPeerConnection:
    """Return a new peer connection. Janus is reached directly, so no other server is asked where we are."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def offer_of(jsep: Mapping[str, str]) -> RTCSessionDescription:
    """Return what Janus offers."""
    return RTCSessionDescription(jsep["sdp"], jsep["type"])


async def local_description(connection: RTCPeerConnection, description: RTCSessionDescription) -> dict[str, Any]:
    """Settle our side, and return it as Janus takes it."""
    await connection.setLocalDescription(description)
    settled = connection.localDescription
    return {"type": settled.type, "sdp": _one_fingerprint(settled.sdp)}


def _one_fingerprint(sdp: str) -> str:
    """Keep the fingerprint that Janus knows: of several it takes the last, and only SHA-1 and SHA-256 at that."""
    lines = sdp.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("a=fingerprint:") or ":sha-256" in line)
