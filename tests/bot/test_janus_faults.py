"""What goes wrong around a Janus room, as far as that can be told without one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiortc.exceptions import InvalidStateError

from bot.rooms import Left
from bot.rooms.janus import EMPTY_ENDS, QUIET_ENDS, JanusRoom
from bot.rooms.janus_chat import Chat, ChatRoom
from bot.rooms.janus_notice import Notices
from bot.rooms.janus_queue import QUEUE, Outgoing
from bot.rooms.janus_rtc import JitterBuffer
from bot.rooms.janus_seat import Feed, SeatListener
from bot.rooms.janus_session import JanusLostError, JanusSession, Secrets, _reply
from bot.rooms.janus_stage import Sitting
from bot.rooms.janus_visit import Visit, Where, _until_lost
from bot.speech.ear import LanguageMemory
from bot.speech.live import LiveSource
from detectors.records import Event, Line, Person, RoomKey, RoomState, SeatChange, ShowInfo, Unheard
from detectors.show import Show

KEY = RoomKey("janus", "ws://a/janus#1")
PEOPLE = [JanusRoom("ws://a/janus#1", None).stage.named(name, 0) for name in ("Ana", "Bob", "Cleo")]
ANA, BOB, CLEO = PEOPLE


def left_off(ago: float, seats: dict[int, Person]) -> Left:
    """A show that was left `ago` seconds ago, after 100 s."""
    now = datetime.now(UTC)
    info = ShowInfo("show-1", KEY, "An evening", started=now - timedelta(seconds=100 + ago))
    return Left(info, 100.0, now - timedelta(seconds=ago), seats)


async def going_on(left: Left) -> tuple[JanusRoom, list[Event]]:
    """A room that goes on with a show, and what it tells before it is in."""

    async def resume(key: RoomKey) -> Left:
        return left

    room = JanusRoom(KEY.address, None, resume=resume)
    await room._go_on()
    return room, await waiting(room)


async def waiting(room: JanusRoom) -> list[Event]:
    return [event for _ in range(len(room._queue)) if (event := await room._queue.get()) is not None]


def brief(events: list[Event]) -> list[tuple[Any, ...]]:
    """States, and changes of seats."""
    return [
        (e.state,) if isinstance(e, RoomState) else (e.seat, e.person.name, e.change)
        for e in events
        if isinstance(e, RoomState | SeatChange)
    ]


async def test_while_the_bot_was_away_nobody_listened() -> None:
    room, events = await going_on(left_off(50.0, {1: ANA, 3: CLEO, 5: BOB}))
    assert brief(events) == [("open",), ("lost",), (5, "Bob", "left")]  # a fifth seat is there no more
    room.entered("")
    back = room.stage.sit(7, "Cleo")
    assert back is not None and (back.seat, back.person, back.returned) == (3, CLEO, True)
    room.sat(back)
    room.settled()
    events += await waiting(room)
    assert brief(events)[3:] == [("back",), (1, "Ana", "left")]
    show = Show(room._show or ShowInfo("", KEY))
    show._lost_since = 90.0  # it was lost before the bot was stopped
    for event in events[1:]:  # the opening is known from before
        show.apply(event)
    assert show.lost_seconds == pytest.approx(60.0, abs=1.0) and show._lost_since is None


@pytest.mark.parametrize(
    ("seats", "ago", "over"),
    [
        ({1: ANA}, QUIET_ENDS - 50.0, False),
        ({1: ANA}, QUIET_ENDS + 50.0, True),
        ({}, EMPTY_ENDS - 50.0, False),
        ({}, EMPTY_ENDS + 50.0, True),
    ],
)
async def test_a_show_that_ended_while_the_bot_was_away_is_not_lost(
    seats: dict[int, Person], ago: float, over: bool
) -> None:
    room, events = await going_on(left_off(ago, seats))
    assert brief(events) == ([("open",)] if over else [("open",), ("lost",)])
    assert room._is_over() is over


async def test_a_seat_that_cannot_be_heard_keeps_the_show_up() -> None:
    room, now = JanusRoom(KEY.address, None), asyncio.get_running_loop().time()
    gone = Sitting(9, 1, CLEO)
    room.unheard(gone, now - 20.0, now - 10.0, "x")
    assert room._show is None and await waiting(room) == []
    sitting = room.stage.sit(1, "Ana")
    assert sitting is not None
    room.unheard(sitting, now - 20.0, now - 10.0, "x")
    events = await waiting(room)
    assert brief(events) == [("open",), (1, "Ana", "joined")]
    assert isinstance(events[2], Unheard) and (events[2].at, events[2].until) == (0.0, 10.0)
    room._last = now - QUIET_ENDS - 1.0
    assert room._is_over()
    room.unheard(sitting, now - 10.0, now, "x")
    assert not room._is_over() and room._last == now


async def test_a_busy_room_and_a_slow_watcher_do_not_fill_the_memory() -> None:
    line = Line("show/x#1", 0.0, 0.0, ANA, "words", "chat")
    queue = Outgoing()
    dropped = sum(queue.put(line) for _ in range(QUEUE + 5))
    assert (dropped, len(queue)) == (5, QUEUE)
    show, number = Show(ShowInfo("show", KEY)), 0
    for seat in (1, 2):  # they had them
        show.apply(SeatChange("x", 0.0, seat, PEOPLE[seat - 1], "joined"))

    def change(seat: int, person: Person, what: Any) -> int:
        nonlocal number
        number += 1
        return queue.put(SeatChange(f"show/part#{number}", 1.0, seat, person, what))

    for _ in range(1_000):
        for person in (ANA, CLEO):
            dropped += change(1, person, "left") + change(1, replace(person, name="other"), "joined")
            dropped += change(2, BOB, "left")
    dropped += change(1, CLEO, "left")
    assert len(queue) <= QUEUE + 4
    queue.put(None)
    told = [event for _ in range(len(queue)) if (event := await queue.get()) is not None]
    assert 5 + number + QUEUE == dropped + len(told)
    changes = [event for event in told if isinstance(event, SeatChange)]
    assert changes == sorted(changes, key=lambda one: int(one.id.rpartition("#")[2]))
    for event in changes:
        show.apply(event)
    assert show.seats == {}


async def test_seats_for_which_there_was_no_room_are_told_as_soon_as_there_is() -> None:
    queue = Outgoing()
    for _ in range(QUEUE):
        queue.put(Line("show/x#1", 0.0, 0.0, ANA, "words", "chat"))
    assert queue.put(SeatChange("show/part#1", 1.0, 1, ANA, "joined")) == 0
    await queue.get()
    assert queue.put(SeatChange("show/part#2", 1.0, 1, ANA, "left")) == 0  # there is room for no other yet
    told = [await queue.get() for _ in range(len(queue))]
    assert [one.id for one in told if isinstance(one, SeatChange)] == ["show/part#1", "show/part#2"]


class Socket:
    """Says what it is given, and then nothing."""

    def __init__(self, *said: Any) -> None:
        self._said = said

    async def __aiter__(self) -> AsyncIterator[Any]:
        for one in self._said:
            text = one if isinstance(one, str) else json.dumps(one)
            yield aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, text, None)  # type: ignore[call-arg, unused-ignore]
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "message",
    [
        {"janus": "event", "transaction": [1]},
        {"janus": "event", "sender": {}},
        {"janus": "event", "sender": 5, "plugindata": None},
        {"janus": "event", "sender": 5, "plugindata": {"data": {"error_code": "x"}}},
        {"janus": "event", "sender": 5, "plugindata": {"data": 7}},
    ],
)
async def test_what_cannot_be_read_ends_the_session(message: Any) -> None:
    socket: Any = Socket("no message", [1], 7, message)
    session = JanusSession(socket, Secrets())
    session._handles[5] = handle = type("Handle", (), {"gone": asyncio.Event(), "put": lambda *_: None})()  # type: ignore[assignment]
    async with asyncio.timeout(5.0):
        await session.read()
    assert session.dead.is_set() and handle.gone.is_set() and "cannot be read" in session.why
    with pytest.raises(JanusLostError, match="cannot be read"):
        await session.ask("attach")


async def test_a_session_whose_reader_ends_is_dead() -> None:
    socket: Any = Socket()
    session = JanusSession(socket, Secrets())
    reading = asyncio.create_task(session.read())
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert session.dead.is_set()


def test_an_answer_that_cannot_be_read_is_a_loss() -> None:
    with pytest.raises(JanusLostError):
        _reply({"plugindata": None})


async def test_a_chat_whose_channel_is_closing_is_lost() -> None:
    def closing(text: str) -> None:
        raise InvalidStateError

    channel: Any = type("Channel", (), {"send": staticmethod(closing)})()
    chat = Chat(ChatRoom(1, "Pitchwatch"), channel, lambda *_: None)
    with pytest.raises(JanusLostError, match="closed"):
        await chat.say("hello")


class Stubborn:
    """A track whose reader takes a while to be cancelled."""

    def __init__(self) -> None:
        self.ending = asyncio.Event()

    async def recv(self) -> Any:
        """Wait, and be slow about the end."""
        try:
            await asyncio.Event().wait()
        finally:
            self.ending.set()
            await asyncio.sleep(0.2)


def listener_of(source: LiveSource) -> SeatListener:
    session: Any = None
    return SeatListener(session, Feed(1, 1, "0"), source, lambda *_: None)


async def test_a_listener_that_is_cancelled_while_its_way_breaks_ends() -> None:
    handle: Any = type("Handle", (), {"gone": asyncio.Event()})()
    connection: Any = type("Connection", (), {"connectionState": "failed"})()
    track: Any = Stubborn()
    pumping = asyncio.create_task(listener_of(LiveSource("seat"))._pump(track, connection, handle))
    await track.ending.wait()
    pumping.cancel()
    await asyncio.wait((pumping,), timeout=5.0)
    assert pumping.cancelled()


async def test_what_breaks_the_sound_is_told() -> None:
    class Broken:
        async def recv(self) -> Any:
            raise ValueError("no sound")

    handle: Any = type("Handle", (), {"gone": asyncio.Event()})()
    connection: Any = type("Connection", (), {"connectionState": "connected"})()
    track: Any = Broken()
    with pytest.raises(ValueError, match="no sound"):
        await listener_of(LiveSource("seat"))._pump(track, connection, handle)


async def test_a_seat_that_cannot_be_listened_to_ends_the_session() -> None:
    async def run() -> None:
        raise RuntimeError("out of order")

    session: Any = JanusSession(None, Secrets())  # type: ignore[arg-type]
    listener: Any = type("Listener", (), {"run": staticmethod(run)})()
    await _until_lost(session, listener)
    assert session.dead.is_set() and session.why == "a seat cannot be listened to"


async def test_an_ear_does_not_wait_for_a_seat_that_was_left_at_once() -> None:
    class Hearing:
        async def ear(self, source: LiveSource, *_: Any) -> Any:
            self.source = source
            return self

        async def listen(self) -> AsyncIterator[Any]:
            await asyncio.to_thread(list, self.source)
            return
            yield

    room, hearing = JanusRoom(KEY.address, None), Hearing()
    anything: Any = hearing
    session: Any = JanusSession(None, Secrets())  # type: ignore[arg-type]
    visit = Visit(Where("ws://a", 1, 1, "Pitchwatch", "…"), room.stage, room, anything, LanguageMemory(), Notices())
    sitting = room.stage.sit(1, "Ana")
    assert sitting is not None
    visit._listen(session, sitting, "0")
    await visit._left(1, room.stage.leave(1))
    async with asyncio.timeout(5.0):
        await asyncio.gather(*room._tasks)


async def test_what_the_jitter_buffer_keeps_back_is_given_when_nothing_follows() -> None:
    buffer, given = JitterBuffer(), []

    class Receiver:
        async def _handle_rtp_packet(self, packet: Any, arrival_time_ms: int) -> None:
            frame = buffer.add(packet)[1]
            if frame is not None:
                given.append(frame.timestamp)

    def packet(number: int) -> Any:
        return type("Packet", (), {"sequence_number": number & 0xFFFF, "timestamp": number, "_data": b"x"})()

    receiver: Any = Receiver()
    await buffer.drain(receiver)
    for number in (65_533, 65_535, 65_537, 65_538):
        await receiver._handle_rtp_packet(packet(number), 0)
    assert given == [65_533]
    await buffer.drain(receiver)
    assert given == [65_533, 65_535, 65_537, 65_538] and buffer.lost == 2
    await receiver._handle_rtp_packet(packet(65_536), 0)  # too late
    await receiver._handle_rtp_packet(packet(65_539), 0)
    assert given[4:] == [65_539]
