"""What goes wrong around a Janus room, told by a real one. Each test runs in a private network of its own."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.commands.janus_people import PeopleProcess
from bot.commands.janus_server import URL, Guard, ServedRoom
from bot.rooms import RoomError, RoomLostError
from bot.rooms import janus as janus_module
from bot.rooms.janus import JanusOptions
from bot.rooms.janus_chat import ChatRoom, joined
from bot.rooms.janus_seat import Feed
from bot.rooms.janus_session import Handle, JanusSession, Secrets, connected
from bot.speech.live import LiveSource
from detectors.records import Line, RoomState, SeatChange, Unheard
from tests.servers.janus import EVENING, ROOM, janus, listening

pytestmark = pytest.mark.usefixtures("quick_looks")


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is there is looked for more often."""
    monkeypatch.setattr("bot.rooms.janus_visit.COMPARE_SECONDS", 1.0)
    monkeypatch.setattr("bot.rooms.janus_visit.ANEW_SECONDS", 0.5)


class Taken:
    """Stands in for an ear: takes the sound, and hears nothing."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source

    async def listen(self) -> AsyncGenerator[Any, None]:
        """Take what comes until it is over."""
        try:
            await asyncio.to_thread(lambda: sum(1 for _ in self._source))
        finally:
            self._source.stop()
        return
        yield


class Hearers:
    """Stands in for the recogniser, where what is said does not matter."""

    async def start(self) -> None:
        """Nothing to load."""

    async def ear(self, source: LiveSource, *_: Any) -> Taken:
        """Return somebody who takes the sound."""
        return Taken(source)


async def sit(people: PeopleProcess, who: str, room: int = ROOM) -> str | None:
    return await people.do("sit", who, sound=str(EVENING / "seat1.opus"), at=20.0, room=room)


async def write(people: PeopleProcess, who: str, text: str) -> None:
    assert await people.do("write", who, text=text, room=ROOM) is None


async def until(what: Callable[[], bool], within: float = 15.0) -> None:
    async with asyncio.timeout(within):
        while not what():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.1)


@asynccontextmanager
async def looking_on(who: str) -> AsyncIterator[None]:
    """Somebody is in the audience."""
    async with connected(URL, Secrets()) as session:
        handle = await session.attach("videoroom")
        await handle.request({"request": "join", "ptype": "publisher", "room": ROOM, "display": who})
        yield


async def test_who_looks_on_does_not_take_the_account_of_who_sits(tmp_path: Path) -> None:
    async with janus(tmp_path) as (server, people):
        async with looking_on("Ana"), listening(None) as told:
            assert await sit(people, "ANA") is None
            first = await told.seen(SeatChange, lambda e: e.change == "joined")
            assert first.person.account.id == "ana"
            assert [one.account.id for one in told.room.stage.audience] == ["ana (2)"]
            await server.stop()
            await told.seen(RoomState, lambda e: e.state == "lost")
            await server.start()
            # The namesake in the audience is back first; the seat is kept for who had it.
            async with looking_on("Ana"):
                await told.seen(RoomState, lambda e: e.state == "back")
                await until(lambda: len(told.room.stage.audience) == 1)
                async with PeopleProcess() as others:
                    assert await sit(others, "ANA") is None
                    await until(lambda: bool(told.room.stage.seated))
                    (sitting,) = told.room.stage.seated.values()
                    assert (sitting.person, sitting.returned) == (first.person, True)
                    assert told.seats() == [(1, "ANA", "joined")]
        # Both are there before the bot is.
        async with looking_on("Eve"), PeopleProcess() as others:
            assert await sit(others, "eve") is None
            async with listening(None) as told:
                seat = await told.seen(SeatChange, lambda e: e.person.name == "eve")
                assert seat.person.account.id == "eve"


async def test_a_server_that_drops_us_again_and_again_is_not_told_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[JanusSession] = []
    attach = JanusSession.attach

    async def noted(self: JanusSession, plugin: str) -> Handle:
        if self not in sessions:
            sessions.append(self)
        return await attach(self, plugin)

    read: list[str] = []
    hearers: Any = Hearers()
    async with (
        janus(tmp_path) as (_, people),
        connected(URL, Secrets()) as session,
        joined(session, ChatRoom(ROOM, "reader"), lambda _, display, text: read.append(text)),
    ):
        monkeypatch.setattr(JanusSession, "attach", noted)
        async with listening(hearers, JanusOptions(announcement="We listen.")) as told:
            await until(lambda: "We listen." in read)
            assert await sit(people, "Ana") is None
            await told.seen(SeatChange, lambda e: e.change == "joined")
            for times in range(1, 5):
                await until(lambda: bool(told.room.visit and told.room.visit.listeners))
                await sessions[-1]._socket.close()
                backs = await told.count(RoomState, lambda e: e.state == "back", times)
            assert read == ["We listen."]
            losses = await told.count(RoomState, lambda e: e.state == "lost", times)
            waits = [back.at - lost.at for lost, back in zip(losses, backs, strict=True)]
            assert waits[3] > 5.0 > 2.5 > waits[0], waits  # later and later, though it was entered each time
            assert told.seats() == [(1, "Ana", "joined")]
            # Who was not told yet is told before they are listened to.
            assert await sit(people, "Bob") is None
            await until(lambda: len(read) == 2)


async def create_rooms() -> None:
    """Make the room and its chat, as some services do when somebody comes."""
    async with connected(URL, Secrets()) as session:
        for plugin in ("videoroom", "textroom"):
            handle = await session.attach(plugin)
            await handle.request({"request": "create", "room": ROOM, "publishers": 4, "notify_joining": True})


async def test_a_show_outlives_a_restart_after_which_its_room_is_made_later(tmp_path: Path) -> None:
    async with janus(tmp_path) as (server, people), listening(None) as told:
        await told.inside()
        await write(people, "@tom", "hello")
        await told.seen(Line, lambda e: e.text == "hello")
        await server.stop()
        await told.seen(RoomState, lambda e: e.state == "lost")
        server.serve()
        await server.start()
        await asyncio.sleep(3.0)
        assert told.error is None and told.states() == ["open", "lost"]
        await create_rooms()
        await told.seen(RoomState, lambda e: e.state == "back")
        async with PeopleProcess() as others:
            await write(others, "@tom", "again")
            await told.seen(Line, lambda e: e.text == "again")
        assert told.states() == ["open", "lost", "back"]


async def test_a_room_that_does_not_come_back_ends_the_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janus_module, "GIVE_UP_SECONDS", 1.0)
    async with janus(tmp_path) as (server, people), listening(None) as told:
        await told.inside()
        await write(people, "@tom", "hello")
        await told.seen(Line, lambda e: e.text == "hello")
        await server.stop()
        server.serve()
        await server.start()
        error = await told.failed(20.0)
        assert isinstance(error, RoomLostError) and "426" in str(error)
        assert told.states() == ["open", "lost", "closed"]


@pytest.mark.parametrize("counted", [True, False])
async def test_what_was_not_told_is_seen_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    put, dropped = Handle.put, ("unpublished", "leaving", "joining", "publishers")

    def drop(self: Handle, told: Any) -> None:
        if told is not None and dropped_now and any(name in told.data for name in dropped):
            self.dropped += counted
            return
        put(self, told)

    dropped_now = False
    monkeypatch.setattr(Handle, "put", drop)
    hearers: Any = Hearers()
    async with janus(tmp_path) as (_, people), listening(hearers) as told:
        await told.inside()
        for who in ("Ana", "Bob"):
            assert await sit(people, who) is None
        await told.seen(SeatChange, lambda e: e.seat == 2)
        dropped_now = True
        assert await people.do("rise", "Ana") is None
        await told.seen(SeatChange, lambda e: e.change == "left")
        assert await sit(people, "Cleo") is None
        async with looking_on("Tom"):
            await told.seen(SeatChange, lambda e: e.person.name == "Cleo")
            await until(lambda: [one.name for one in told.room.stage.audience] == ["Tom"])
        await until(lambda: told.room.stage.audience == ())
        assert told.seats()[2:] == [(1, "Ana", "left"), (1, "Cleo", "joined")]
        visit = told.room.visit
        assert visit is not None and len(visit.listeners) == 2
        frames = {number: listener.frames for number, listener in visit.listeners.items()}
        await until(lambda: all(one.frames > frames[number] + 20 for number, one in visit.listeners.items()))
        assert told.states() == ["open"]


async def test_who_found_no_seat_gets_the_next_that_is_free(tmp_path: Path) -> None:
    async with janus(tmp_path) as (_, people), listening(None, JanusOptions(seats=2)) as told:
        await told.inside()
        for who in ("Ana", "Bob", "Cleo"):
            assert await sit(people, who) is None
        await until(lambda: told.room.skipped == 1)
        assert await people.do("rise", "Ana") is None
        await told.seen(SeatChange, lambda e: e.person.name == "Cleo")
        assert told.seats()[2:] == [(1, "Ana", "left"), (1, "Cleo", "joined")] and told.room.skipped == 1


async def test_a_seat_that_cannot_be_heard_is_told_of_while_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.rooms.janus_seat.DEAF_SLICE", 1.0)
    request = Feed.request
    monkeypatch.setattr(Feed, "request", lambda self, *_: {**request(self), "streams": [{"feed": 1, "mid": "0"}]})
    hearers: Any = Hearers()
    async with janus(tmp_path) as (_, people), listening(hearers) as told:
        assert await sit(people, "Ana") is None
        told_of = await told.count(Unheard, lambda e: True, 3)
        assert all("428" in e.reason and e.person.name == "Ana" for e in told_of)
        assert all(abs(a.until - b.at) < 0.05 for a, b in itertools.pairwise(told_of)), told_of
        monkeypatch.setattr(Feed, "request", request)
        visit = told.room.visit
        assert visit is not None
        (listener,) = visit.listeners.values()
        await people.do("mute", "Ana")  # whoever is muted is not unheard
        # It is over once the way is open, which takes longer than a slice where much else is done.
        await until(lambda: listener.connections > 0 and not listener.unheard, 20.0)
        over = len(await told.count(Unheard, lambda e: True, 3))
        await asyncio.sleep(2.5)  # two and a half slices, in which another one would come
        assert len(await told.count(Unheard, lambda e: True, 3)) == over


@pytest.mark.parametrize("kind", ["token", "api_secret"])
async def test_a_server_that_lets_in_who_knows_a_secret(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    guard = Guard(tokens=True) if kind == "token" else Guard(api_secret="kettle-and-loaf")
    async with janus(tmp_path, ServedRoom(ROOM, "shut"), guard=guard) as (server, _):
        if kind == "token":
            await server.admit("kettle-and-loaf")
        for wrong in ({}, {kind: "thumb-and-oven"}):
            async with listening(None, JanusOptions(**wrong)) as told:
                error = await told.failed()
            assert isinstance(error, RoomError) and "403" in str(error) and "docs/janus.md" in str(error)
            assert len(str(error).splitlines()) == 1 and "thumb" not in str(error) + repr(error)
        async with (
            connected(URL, Secrets(**{kind: "kettle-and-loaf"})) as session,
            listening(None, JanusOptions(**{kind: "kettle-and-loaf"})) as told,
            joined(session, ChatRoom(ROOM, "Tom"), lambda *_: None) as chat,
        ):
            await told.inside()
            await chat.say("let in")
            await told.seen(Line, lambda e: e.text == "let in")
    assert "kettle-and-loaf" not in caplog.text and "thumb-and-oven" not in caplog.text
