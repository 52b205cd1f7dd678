"""Who sits where in a Janus room, who was told that the bot listens, and what is kept of secrets: no server needed."""

import asyncio
import logging
from typing import Any

import pytest
from rich.console import Console

from bot.commands.janus_server import Guard
from bot.live import LiveView
from bot.rooms.janus import JanusOptions, JanusRoom
from bot.rooms.janus_chat import ChatRoom
from bot.rooms.janus_notice import TELL_AGAIN_SECONDS, Notices
from bot.rooms.janus_seat import Feed
from bot.rooms.janus_session import Secrets
from bot.rooms.janus_stage import Stage
from bot.rooms.janus_visit import Visit, Where
from bot.speech.ear import LanguageMemory
from bot.speech.live import LiveSource
from detectors.records import Account, Line, Person, RoomKey, RoomState, SeatChange, ShowInfo
from detectors.show import Show


def stage(seats: int = 4) -> Stage:
    return Stage("seats.example/1", seats)


def test_seats_are_taken_from_the_lowest_and_given_back() -> None:
    one = stage(2)
    assert [(s and s.seat) for s in (one.sit(1, "Ana"), one.sit(2, "Bob"), one.sit(3, "Cleo"))] == [1, 2, None]
    assert [person.name for person in one.audience] == ["Cleo"]
    risen = one.rise(1)
    assert risen is not None and risen.seat == 1 and one.rise(1) is None and one.rise(99) is None
    sat = one.sit(3, "Cleo")
    assert sat is not None and sat.seat == 1 and [person.name for person in one.audience] == ["Ana"]
    assert one.leave(2) is not None and one.leave(2) is None


def test_a_name_is_an_account_of_this_room_only() -> None:
    one = stage()
    assert one.named("  Ana\u202e\n ", 7) == Person(Account("janus", "seats.example/1", "ana"), "Ana")
    assert one.named(None, 7).name == "#7" and one.named({"a": 1}, "x").name == "#x"
    first, second, third = (one.arrive(number, "Ana") for number in (1, 2, 3))
    assert [p.account.id for p in (first, second, third)] == ["ana", "ana (2)", "ana (3)"]
    assert one.arrive(1, "somebody else") == first
    one.leave(2)
    assert one.arrive(4, "ANA").account.id == "ana (2)"
    assert len(one.named("x" * 10_000, 1).name) == 100


def test_after_a_loss_seats_are_kept_for_a_while() -> None:
    one = stage()
    for number, who in enumerate(("Ana", "Bob", "Cleo", "Dan"), 1):
        one.sit(number, who)
    bob = one.seated[2]
    one.lose()
    assert one.sits(bob) and one.seated == {} and one.audience == ()
    back = one.sit(71, "Bob")
    assert back is not None and (back.seat, back.returned) == (2, True) and one.sits(bob)
    new = one.sit(72, "Eve")  # all seats are kept, but who is here goes first
    assert new is not None and (new.seat, new.returned) == (1, False)
    assert [(person.name, seat) for person, seat in one.release()] == [("Cleo", 3), ("Dan", 4)]
    assert one.release() == []


def test_a_seat_goes_before_the_audience() -> None:
    one = stage()
    looks_on = one.arrive(1, "Ana")
    assert looks_on.account.id == "ana"
    sat = one.sit(2, "ANA")
    assert sat is not None and sat.person == Person(Account("janus", "seats.example/1", "ana"), "ANA")
    assert [person.account.id for person in one.audience] == ["ana (2)"]
    again = one.sit(1, "Ana")
    assert again is not None and again.person.account.id == "ana (2)"
    one.rise(2)  # who rises stays who they are
    assert one.arrive(3, "ana").account.id == "ana (3)" and one.people[2].account.id == "ana"


def test_after_a_loss_who_had_a_seat_goes_first() -> None:
    one = stage()
    for number in (1, 2):
        one.sit(number, "Ana")
    one.sit(3, "Bob")
    people = {number: sitting.person for number, sitting in one.seated.items()}
    one.lose()
    assert one.arrive(50, "Ana").account.id == "ana (3)"  # the other two are kept for those on the seats
    publishers = [{"id": own, "display": name} for own, name in ((60, "Eve"), (61, "Ana"), (2, "Ana"), (70, "bob"))]
    assert [publisher["id"] for publisher in one.in_order(publishers)] == [2, 61, 70, 60]
    back = [one.sit(publisher["id"], publisher["display"]) for publisher in one.in_order(publishers)]
    assert [(s and (s.person, s.seat, s.returned)) for s in back[:3]] == [
        (people[2], 2, True),
        (people[1], 1, True),
        (people[3], 3, True),
    ]
    assert back[3] is not None and (back[3].seat, back[3].returned) == (4, False)
    assert one.release() == []


def test_after_a_restart_of_the_bot_seats_are_kept_by_name() -> None:
    before = stage()
    for number, who in enumerate(("Ana", "Ana", "Eve (2)", "Bob"), 1):
        before.sit(number, who)
    people = {sitting.seat: sitting.person for sitting in before.seated.values()}
    one = stage()
    one.keep({**people, 5: before.named("Fay", 0)})  # there is no fifth seat any more
    assert one.in_use and one.seated == {}
    publishers = [{"id": own, "display": name} for own, name in ((9, "Eve"), (8, "Eve (2)"), (7, "ANA"), (6, "Ana"))]
    back = [one.sit(publisher["id"], publisher["display"]) for publisher in one.in_order(publishers)]
    assert [(s and (s.seat, s.person, s.returned)) for s in back[:3]] == [
        (3, people[3], True),
        (1, people[1], True),
        (2, people[2], True),
    ]
    assert back[3] is not None and (back[3].person.account.id, back[3].returned) == ("eve", False)
    assert one.release() == []  # the last seat went to who is here
    other = stage()
    other.keep({2: people[2]})
    alone = other.sit(1, "Ana")  # the namesake is gone; who had the seat has it still
    assert alone is not None and (alone.seat, alone.person) == (2, people[2])


def test_a_new_name_on_a_seat_is_the_same_person() -> None:
    one = stage()
    sat = one.sit(1, "Ana")
    assert sat is not None
    one.arrive(2, "Bob")
    assert one.rename(1, "Ana") is None and one.rename(99, "x") is None and one.rename(1, None) is None
    renamed = one.rename(1, " Bob ")
    assert renamed is not None and renamed == one.seated[1] == one.as_now(sat) and one.sits(sat)
    assert renamed.person == Person(sat.person.account, "Bob (2)")
    assert one.writer("Bob", "x") == renamed.person and one.writer("Cleo", "x").account.id == "cleo"
    assert one.rename(2, "Dan") is None and [p.account.id for p in one.audience] == ["dan"]
    one.lose()
    back = one.sit(7, "bob")
    assert back is not None and (back.person, back.returned) == (renamed.person, True)


def test_who_is_told_and_when() -> None:
    ana, bob = (stage().named(name, 0) for name in ("Ana", "Bob"))
    notices = Notices()
    notices.enter()
    assert notices.is_old(5.0)
    notices.told({1: ana}, 5.0)
    assert not notices.is_due(1, ana, 5_000.0)  # was there
    assert not notices.is_due(2, bob, 6.0)  # the chat still says it
    assert notices.is_due(3, stage().named("Cleo", 0), 6.0 + TELL_AGAIN_SECONDS)
    notices.enter()  # after a loss, numbers mean nothing, and the chat may be another
    assert not notices.is_old(7.0)
    assert not notices.is_due(71, ana, 7.0) and not notices.is_due(72, bob, 7.0)
    assert notices.is_due(73, stage().named("Dan", 0), 7.0)
    notices.forget()  # the next show
    assert notices.is_due(71, ana, 8.0)


def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = Secrets("api-kettle", "token-kettle")
    where = Where("ws://a", 1, 1, "Pitchwatch", "…", "pin-kettle", secrets)
    options = JanusOptions(pin="pin-kettle", token="token-kettle", api_secret="api-kettle")
    feed, chat = Feed(1, 2, "0", "pin-kettle"), ChatRoom(1, "Pitchwatch", "pin-kettle", "token-kettle")
    room = JanusRoom("ws://a/janus#1", None, options)
    guard = Guard("api-kettle", admin_secret="admin-kettle")
    shown = repr([secrets, where, options, feed, chat, guard, room, room.key, vars(room)])
    assert "kettle" not in shown + caplog.text


async def test_two_servers_shows_never_share_an_id() -> None:
    ids = []
    for address in ("wss://a.example/janus#7", "wss://b.example/janus#7", "wss://a.example/janus#7"):
        room = JanusRoom(address, None)
        ids.append(room._open(asyncio.get_running_loop().time()).id.rpartition("-")[0])
    assert ids[0] == ids[2] != ids[1] and all(one.startswith("janus-7-") for one in ids)


class Broken:
    """A recogniser and an ear of it that fail."""

    async def ear(self, *_: Any) -> "Broken":
        """Return one."""
        return self

    async def listen(self) -> Any:
        """Fail."""
        raise RuntimeError("out of order")
        yield


async def test_what_was_dropped_is_counted_however_it_ends() -> None:
    anything: Any = type("Anything", (), {"died": "", "began": 0.0})()
    anything.die = lambda why: setattr(anything, "died", why)
    hearing: Any = Broken()
    room = JanusRoom("ws://a/janus#1", None)
    where = Where("ws://a", 1, 1, "Pitchwatch", "…")
    visit = Visit(where, room.stage, room, hearing, LanguageMemory(), Notices())
    sitting = room.stage.sit(1, "Ana")
    assert sitting is not None
    source = LiveSource("seat")
    source.broken = 3
    with pytest.raises(RuntimeError):
        await visit._hear(anything, sitting, source, anything, "1.1")
    assert room.skipped == 3 and anything.died == "a seat is not heard any more"


def test_the_live_view_shows_four_seats_and_who_speaks() -> None:
    people = [stage().named(name, 0) for name in ("Ana", "Bob", "Cleo", "Dan")]
    info = ShowInfo("janus-1", RoomKey("janus", "ws://a/janus#1"), "An evening")
    show = Show(info)
    console = Console(width=120, height=40, record=True, force_terminal=True)
    view = LiveView(console, "en")
    view.opened(show)
    events: list[Any] = [RoomState("o", 0.0, "open", info)]
    events += [SeatChange(f"s{seat}", 0.0, seat, who, "joined") for seat, who in enumerate(people, 1)]
    events += [Line(f"l{n}", 20.0 * n, 20.0 * n + 5.0, people[n], "some words", "speech", n + 1) for n in (1, 2)]
    for event in events:
        show.apply(event)
        view.read(show, event, None, None)
    console.print(view._draw())
    drawn = console.export_text()
    assert all(text in drawn for text in ("1 Ana", "2 Bob", "3 ● Cleo", "4 Dan")), drawn
