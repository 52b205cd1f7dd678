"""People for a Janus room: they sit down and speak from a file, fall silent, leave, and write in the chat.

Runs as a process of its own, so that what people cost is not counted as the bot's, and so that it can be stopped or
killed as people's machines are. It reads one JSON object a line and answers each with one:

    {"do": "sit", "who": "Ana", "sound": "seat1.opus", "at": 12.5, "room": 1234}   speak, from 12.5 s into the sound on
    {"do": "mute" | "unmute" | "rise", "who": "Ana"}
    {"do": "rename", "who": "Ana", "name": "Eve"}               is called otherwise from now on, on the seat
    {"do": "skip", "who": "Ana", "by": 60.0}                    go on with what comes so many seconds later in the sound
    {"do": "write", "who": "Tom", "text": "hi", "room": 1234}
    {"do": "wait", "who": "Tom", "text": "Pitchwatch", "room": 1234, "seconds": 30}   for somebody to write that word
"""

import asyncio
import fractions
import json
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from bot.commands.janus_server import URL
from bot.rooms.janus_chat import Chat, ChatRoom, joined
from bot.rooms.janus_rtc import local_description, peer
from bot.rooms.janus_session import Handle, JanusLostError, JanusRefusedError, JanusSession, Secrets, connected

_RATE: Final = 48_000
_TIME_BASE: Final = fractions.Fraction(1, _RATE)
#: Longest wait for somebody's peer connection, in seconds.
CONNECT_SECONDS: Final = 10.0


def opus_packets(path: Path, milliseconds: int | None = None) -> list[tuple[int, bytes]]:
    """Return a file's Opus packets with their time in samples of 48 kHz.

    As they are in the file; with `milliseconds` encoded anew in packets of that length, as browsers send them (20).
    """
    with av.open(str(path)) as container:
        if milliseconds is None:
            return [
                (packet.pts, bytes(packet))
                for packet in container.demux(audio=0)
                if packet.size and packet.pts is not None
            ]
        encoder: Any = av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = _RATE, "mono", "s16", 32_000
        encoder.options = {"application": "voip", "frame_duration": str(milliseconds)}
        resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE, frame_size=_RATE * milliseconds // 1000)
        frames = [small for frame in container.decode(audio=0) for small in resampler.resample(frame)]
    packets = [packet for frame in frames for packet in encoder.encode(frame)]
    return [(number * _RATE * milliseconds // 1000, bytes(packet)) for number, packet in enumerate(packets)]


class SpokenTrack(MediaStreamTrack):
    """Somebody's microphone: a file's packets at their time, over and over."""

    kind = "audio"

    def __init__(self, packets: list[tuple[int, bytes]], at: float) -> None:
        """`at`: seconds into the sound at which it begins now."""
        super().__init__()
        self._packets = packets
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock() - at
        step = packets[1][0] - packets[0][0]
        self._length = packets[-1][0] + step
        self._next = round(at * _RATE / step)
        self._step = step
        self._skipped = 0
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def recv(self) -> Any:
        """Return the next packet at its time. Nothing is sent while muted; time goes on."""
        if self.readyState != "live":
            raise MediaStreamError
        if not self.speaks.is_set():
            await self.speaks.wait()
            self._next = round((self._clock() - self._began) * _RATE / self._step)
        stamp = self._next * self._step
        await asyncio.sleep(self._began + stamp / _RATE - self._clock())
        _, data = self._packets[(stamp + self._skipped) % self._length // self._step % len(self._packets)]
        packet: Any = av.Packet(data)
        packet.pts, packet.time_base = stamp, _TIME_BASE
        self._next += 1
        return packet

    def skip(self, seconds: float) -> None:
        """Leave out what comes next of the sound; nobody who listens can tell."""
        self._skipped += round(seconds * _RATE / self._step) * self._step

    def change(self, what: str, by: float) -> None:
        """Mute, unmute or skip."""
        if what == "unmute":
            self.speaks.set()
        elif what == "skip":
            self.skip(by)
        else:
            self.speaks.clear()


def lose_packets(sender: RTCRtpSender, share: float, seed: int) -> None:
    """Lose this share of what somebody sends, on the way."""
    dice, transport = random.Random(seed), sender.transport
    send: Any = transport._send_rtp

    async def sometimes(data: bytes) -> None:
        if dice.random() >= share:
            await send(data)

    transport._send_rtp = sometimes  # type: ignore[method-assign]


@dataclass
class Somebody:
    """A person with a connection to Janus of their own."""

    name: str
    session: JanusSession
    stack: AsyncExitStack
    track: SpokenTrack | None = None
    seat: Handle | None = None
    chats: dict[int, Chat] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    reading: asyncio.Event = field(default_factory=asyncio.Event)

    async def sit(self, room: int, sound: list[tuple[int, bytes]], at: float, loss: float, pin: str | None) -> None:
        """Take a seat and begin to speak. Raises JanusRefusedError when there is none."""
        handle = await self.session.attach("videoroom")
        connection: RTCPeerConnection = peer()
        self.stack.push_async_callback(connection.close)
        more = {} if pin is None else {"pin": pin}
        await handle.request({"request": "join", "ptype": "publisher", "room": room, "display": self.name, **more})
        track = SpokenTrack(sound, at)
        sender = connection.addTrack(track)
        up = asyncio.Event()
        connection.on("connectionstatechange", lambda: up.set() if connection.connectionState == "connected" else None)
        offer = await local_description(connection, await connection.createOffer())
        published = await handle.request({"request": "publish", "audiocodec": "opus"}, offer)
        assert published.jsep is not None
        if loss:
            lose_packets(sender, loss, seed=len(self.name))
        await connection.setRemoteDescription(RTCSessionDescription(published.jsep["sdp"], published.jsep["type"]))
        async with asyncio.timeout(CONNECT_SECONDS):
            await up.wait()
        self.track, self.seat = track, handle

    async def chat(self, room: int, pin: str | None) -> Chat:
        """Return this person's place in the chat."""
        if room not in self.chats:
            coming = joined(self.session, ChatRoom(room, self.name, pin), self._wrote)
            self.chats[room] = await self.stack.enter_async_context(coming)
        return self.chats[room]

    async def wait(self, word: str, seconds: float) -> None:
        """Wait until somebody writes a word in the chat. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not any(word in text for text in self.read):
                self.reading.clear()
                await self.reading.wait()

    def _wrote(self, username: str, display: str, text: str) -> None:
        self.read = [*self.read[-99:], text]
        self.reading.set()


class People:
    """Everybody of one process."""

    def __init__(self, url: str, milliseconds: int | None) -> None:
        self._url = url
        self._milliseconds = milliseconds
        self._everybody: dict[str, Somebody] = {}
        self._sounds: dict[str, list[tuple[int, bytes]]] = {}

    async def do(self, order: dict[str, Any]) -> None:
        """Carry out one order. Raises JanusRefusedError, JanusLostError, KeyError."""
        what, name = order["do"], order["who"]
        if what == "rise":
            await self._everybody.pop(name).stack.aclose()
            return
        somebody = self._everybody.get(name) or await self._come(name)
        if what == "sit":
            sound = await self._sound(order["sound"])
            try:
                await somebody.sit(order["room"], sound, order.get("at", 0.0), order.get("loss", 0.0), order.get("pin"))
            except JanusRefusedError:
                if order.get("leave_if_refused", True):
                    await self._everybody.pop(name).stack.aclose()
                raise
        elif what == "write":
            chat = await somebody.chat(order["room"], order.get("pin"))
            await chat.say(order["text"])
        elif what == "wait":
            await somebody.chat(order["room"], order.get("pin"))
            await somebody.wait(order["text"], order["seconds"])
        elif somebody.track is not None and somebody.seat is not None:
            if what == "rename":
                await somebody.seat.request({"request": "configure", "display": order["name"]})
            else:
                somebody.track.change(what, order.get("by", 0.0))

    async def leave(self) -> None:
        """Everybody goes."""
        for somebody in self._everybody.values():
            await somebody.stack.aclose()
        self._everybody.clear()

    async def _come(self, name: str) -> Somebody:
        stack = AsyncExitStack()
        session = await stack.enter_async_context(connected(self._url, Secrets()))
        self._everybody[name] = Somebody(name, session, stack)
        return self._everybody[name]

    async def _sound(self, path: str) -> list[tuple[int, bytes]]:
        if path not in self._sounds:
            self._sounds[path] = await asyncio.to_thread(opus_packets, Path(path), self._milliseconds)
        return self._sounds[path]


async def serve(url: str, milliseconds: int | None) -> None:
    """Carry out the orders that come on standard input, until it ends."""
    people = People(url, milliseconds)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    answering = asyncio.Lock()

    async def answer(order: dict[str, Any]) -> None:
        problem = None
        try:
            await people.do(order)
        except (JanusRefusedError, JanusLostError, KeyError, TimeoutError) as error:
            problem = f"{type(error).__name__}: {error}"
        async with answering:
            print(json.dumps({"done": order.get("id"), "problem": problem}), flush=True)

    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(answer(json.loads(line)))
    await people.leave()


class PeopleProcess:
    """Starts such a process and gives it orders. Use as an asynchronous context manager."""

    def __init__(self, url: str = URL, milliseconds: int | None = None) -> None:
        self._arguments = [url, *([str(milliseconds)] if milliseconds else [])]
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._orders = 0

    async def __aenter__(self) -> "PeopleProcess":
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.commands.janus_people", *self._arguments, stdin=pipe, stdout=pipe
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self._reading.cancel()
        self.process.stdin.close()
        try:
            async with asyncio.timeout(5.0):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def do(self, what: str, who: str, **more: Any) -> str | None:
        """Give an order and wait until it is carried out; return what went wrong, if anything did."""
        assert self.process.stdin is not None
        self._orders += 1
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting[self._orders] = future
        order = {"id": self._orders, "do": what, "who": who, **more}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return await future

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            self._waiting.pop(answer["done"]).set_result(answer["problem"])
        for future in self._waiting.values():
            future.set_result("the people are gone")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a show script."""
    return [json.loads(raw) for raw in path.read_text(encoding="utf-8").splitlines()]


def seated_at(rows: Sequence[dict[str, Any]], at: float) -> dict[int, str]:
    """Return who has which seat at a time of a show."""
    seats: dict[int, str] = {}
    for row in rows:
        if row["type"] == "seat" and row["at"] <= at:
            if row["event"] == "joined":
                seats[row["seat"]] = row["who"]
            elif seats.get(row["seat"]) == row["who"]:
                del seats[row["seat"]]
    return seats


class _Play:
    """A sample show on its way through a room."""

    def __init__(self, people: PeopleProcess, folder: Path, room: int) -> None:
        self._people = people
        self._folder = folder
        self._room = room
        self._rows = read_rows(folder / "show.jsonl")
        self._clock = asyncio.get_running_loop().time
        self._zero = self._clock()  # when the show would have begun
        self._seats: dict[int, str] = {}

    async def part(self, begin: float, end: float) -> None:
        """Play from `begin` to `end`; who sat before and sits then goes on as if nothing had been left out."""
        left_out = begin - (self._clock() - self._zero)
        self._zero -= left_out
        wanted = seated_at(self._rows, begin)
        for seat, who in list(self._seats.items()):
            if wanted.get(seat) == who:
                await self._people.do("skip", who, by=left_out)
            else:
                await self._rise(seat)
        for seat, who in sorted(wanted.items()):
            if seat not in self._seats:
                await self._sit(seat, who)
        async with asyncio.TaskGroup() as group:
            for row in self._rows:
                if not begin < row.get("at", 0.0) <= end:
                    continue
                await asyncio.sleep(self._zero + row["at"] - self._clock())
                if row["type"] == "chat":
                    group.create_task(self._people.do("write", row["who"], text=row["text"], room=self._room))
                elif row["type"] == "seat":
                    await (self._rise(row["seat"]) if row["event"] == "left" else self._sit(row["seat"], row["who"]))
            await asyncio.sleep(self._zero + end - self._clock())

    async def _sit(self, seat: int, who: str) -> None:
        sound, at = str(self._folder / f"seat{seat}.opus"), self._clock() - self._zero
        problem = await self._people.do("sit", who, sound=sound, at=at, room=self._room)
        if problem is not None:
            raise RuntimeError(f"{who} cannot sit down: {problem}")
        self._seats[seat] = who

    async def _rise(self, seat: int) -> None:
        await self._people.do("rise", self._seats.pop(seat))


async def play_show(people: PeopleProcess, folder: Path, room: int, *parts: tuple[float, float]) -> None:
    """Play a sample show's seats, sound and chat in a room: parts of it, from and to in seconds of the show."""
    play = _Play(people, folder, room)
    for begin, end in parts:
        await play.part(begin, end)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
