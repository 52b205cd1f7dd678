"""The bot itself stops in mid-show and comes back; is sent out of the chat; and people change their names. Told by a
real Janus; each test runs in a private network of its own."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.commands.janus_people import PeopleProcess
from bot.commands.janus_server import URL
from bot.rooms import RoomError
from bot.rooms.janus import JanusOptions
from bot.rooms.janus_chat import Chat, ChatRoom, joined
from bot.rooms.janus_session import Secrets, connected
from detectors.records import Line, RoomState, SeatChange
from tests.bot.janus.inside_faults import Hearers
from tests.bot.janus.watching import watched
from tests.servers.janus import EVENING, ROOM, janus, listening


async def sit(people: PeopleProcess, who: str) -> None:
    assert await people.do("sit", who, sound=str(EVENING / "seat1.opus"), at=20.0, room=ROOM) is None


async def test_after_a_restart_of_the_bot_people_keep_their_seats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.rooms.janus_visit.KEEP_SECONDS", 2.0)
    hearers: Any = Hearers()
    (tmp_path / "janus").mkdir()
    async with janus(tmp_path / "janus") as (_, people), PeopleProcess() as others:
        async with watched(hearers, tmp_path / "bot.db") as watch:
            await watch.inside()
            for who in ("Ana", "Bob", "Cleo"):
                await sit(people, who)
            await sit(others, "ana")
            await watch.told.seen(SeatChange, lambda e: e.seat == 4)
            assert watch.watcher.show is not None
            before = dict(watch.watcher.show.seats)
            assert [who.account.id for who in before.values()] == ["ana", "bob", "cleo", "ana (2)"]
        assert await people.do("rise", "Bob") is None
        await asyncio.sleep(2.0)
        async with watched(hearers, tmp_path / "bot.db") as watch:
            lost, back = [await watch.told.seen(RoomState, lambda e, s=s: e.state == s) for s in ("lost", "back")]
            show = watch.watcher.show
            assert back.at - lost.at > 2.0 and show is not None
            left = await watch.told.seen(SeatChange, lambda e: e.change == "left")
            assert (left.seat, left.person) == (2, before[2])
            accounts = {seat: person.account for seat, person in show.seats.items()}
            assert {**accounts, 2: before[2].account} == {seat: person.account for seat, person in before.items()}
            assert watch.told.seats() == [(2, "Bob", "left")] and show.lost_seconds > 2.0
            assert watch.told.room.visit is not None and len(watch.told.room.visit.listeners) == 3
            shows = await watch.rows("shows")
        assert len(shows) == 1


async def test_a_name_that_is_changed_on_a_seat_is_still_the_same_person(tmp_path: Path) -> None:
    async with janus(tmp_path) as (_, people), listening(None) as told:
        await sit(people, "Ana")
        first = await told.seen(SeatChange, lambda e: e.change == "joined")
        assert await people.do("rename", "Ana", name="Kay") is None
        seat = await told.seen(SeatChange, lambda e: e.person.name == "Kay")
        assert (seat.seat, seat.person.account, seat.change) == (1, first.person.account, "joined")
        assert await people.do("write", "Kay", text="hello", room=ROOM) is None
        line = await told.seen(Line, lambda e: e.text == "hello")
        assert line.person == seat.person
        assert await people.do("rise", "Ana") is None
        await told.seen(SeatChange, lambda e: e.change == "left" and e.person == seat.person)


def kick(admin: Chat, username: str) -> None:
    """Send somebody out of the chat. Janus answers with a `textbridge`, which is for nobody."""
    order = {"textroom": "kick", "transaction": "kick", "room": ROOM, "username": username}
    admin.channel.send(json.dumps(order))


async def test_sent_out_of_the_chat_while_it_says_that_it_listens_the_bot_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = Chat.say
    read: list[str] = []
    hearers: Any = Hearers()
    async with (
        janus(tmp_path),
        connected(URL, Secrets()) as session,
        joined(session, ChatRoom(ROOM, "admin"), lambda _, display, text: read.append(text)) as admin,
    ):

        async def kicked(self: Chat, text: str) -> None:
            kick(admin, self.username)
            await self.gone.wait()
            await say(self, text)

        monkeypatch.setattr(Chat, "say", kicked)
        async with listening(hearers, JanusOptions(announcement="We listen.")) as told:
            error = await told.failed()
            assert isinstance(error, RoomError) and "sent out" in str(error)
            assert "We listen." not in read and told.room.visit is not None and told.room.visit.listeners == {}


async def test_sent_out_of_the_chat_later_the_bot_stays_away(tmp_path: Path) -> None:
    hearers: Any = Hearers()
    async with (
        janus(tmp_path) as (_, people),
        connected(URL, Secrets()) as session,
        joined(session, ChatRoom(ROOM, "admin"), lambda *_: None) as admin,
        listening(hearers) as told,
    ):
        await sit(people, "Ana")
        await told.seen(SeatChange, lambda e: e.change == "joined")
        bot = next(username for username, display in admin.users.items() if display == "Pitchwatch")
        kick(admin, bot)
        error = await told.failed()
        assert isinstance(error, RoomError) and "sent out" in str(error)
        assert told.states() == ["open", "closed"]
