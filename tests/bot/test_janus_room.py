"""Rooms on Janus. What needs a real one runs in a private network (janus/inside_room.py); the rest is here."""

import ast
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.rooms import RoomError
from bot.rooms.janus import JanusRoom, check_janus, parse_janus
from bot.rooms.janus_chat import Chat, ChatRoom
from bot.rooms.janus_rtc import JitterBuffer, has_known_buffer
from bot.rooms.janus_seat import Feed
from bot.rooms.janus_session import JanusLostError, JanusRefusedError, Secrets, connected
from bot.rooms.janus_stage import Stage
from bot.rooms.registry import Sources, check_address, open_room
from config.settings import RoomSettings
from detectors.records import Account, Person
from tests.servers.janus import ROOT, Inside, need_janus

INSIDE = Path(__file__).parent / "janus" / "inside_room.py"
#: The test that takes as long as the show that it plays runs beside the others.
LONG = "test_a_whole_show_is_warned_about_and_the_right_person_is_named"
TESTS = [
    node.name
    for node in ast.parse(INSIDE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
]


@pytest.fixture(scope="module", autouse=True)
def long_one(request: pytest.FixtureRequest) -> Iterator[Inside | None]:
    """The long test, begun at once if it was asked for."""
    wanted = any(getattr(item, "callspec", None) and LONG in item.name for item in request.session.items)
    try:
        need_janus()
    except (pytest.skip.Exception, pytest.fail.Exception):
        wanted = False  # told where it is asked for
    running = Inside(INSIDE, LONG) if wanted else None
    yield running
    if running is not None:
        running.end()


@pytest.mark.parametrize("test", [test for test in TESTS if test != LONG])
def test_with_a_real_janus(test: str) -> None:
    need_janus()
    Inside(INSIDE, test).result(90.0)


def test_the_short_demo_ends_with_the_warning(tmp_path: Path) -> None:
    need_janus()
    done = subprocess.run(
        [sys.executable, "-m", "bot.commands.janus_demo", "--short", "--json", "--db", str(tmp_path / "demo.db")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alerts = [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "alert"]
    assert "@kingofreels" in {alert["host"] for alert in alerts}


@pytest.mark.parametrize("test", [LONG])
def test_with_a_real_janus_and_a_whole_show(test: str, long_one: Inside | None) -> None:
    need_janus()
    assert long_one is not None
    long_one.result(240.0)


# What needs no server.


@pytest.mark.parametrize(
    ("address", "url", "room"),
    [
        ("wss://seats.example/janus#1234", "wss://seats.example/janus", 1234),
        ("ws://10.0.0.1:8188/janus#tuesday", "ws://10.0.0.1:8188/janus", "tuesday"),
        ("ws://[::1]:8188#7", "ws://[::1]:8188", 7),
    ],
)
def test_an_address_names_server_and_room(address: str, url: str, room: int | str) -> None:
    assert parse_janus(address) == (url, room)
    assert Account.parse(str(JanusRoom(address, None).stage.named("Ana", 1).account)).id == "ana"


@pytest.mark.parametrize(
    "address", ["https://a/janus#1", "ws://a/janus", "ws://a/janus#", "ws://#1", "ws://u:p@a/#1", "ws://a:x/#1", "1234"]
)
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(RoomError, match="is no Janus room"):
        check_janus(address)


def settings(**more: Any) -> RoomSettings:
    return RoomSettings.model_validate({"kind": "janus", "address": "wss://seats.example/janus#1234", **more})


def test_the_registry_opens_it_and_no_voice_is_heard_without_consent() -> None:
    told: Any = object()
    check_address(settings())
    for watches, hears in (
        ([{}], False),
        ([{"consent": True}, {"community": "b"}], False),
        ([{"consent": True}], True),
    ):
        room = open_room(settings(watches=watches), Sources(told))
        assert isinstance(room, JanusRoom) and room.hears is hears
    room = open_room(settings(janus={"pin": "1", "seats": 6, "chat": "99"}, lang="fr"), Sources(told))
    assert isinstance(room, JanusRoom) and room.stage.seats == 6
    assert "1" not in repr(settings(janus={"pin": "1"}).janus.pin)


def test_the_installed_aiortc_is_the_one_that_is_known() -> None:
    assert has_known_buffer()


def test_a_subscription_asks_for_the_sound_alone() -> None:
    feed = Feed(1234, 7, "0", 5, "pin")
    assert feed.request()["streams"] == [{"feed": 7, "mid": "0"}] and feed.request()["private_id"] == 5


class Packet:
    def __init__(self, number: int) -> None:
        self.sequence_number = number & 0xFFFF
        self.timestamp = number * 960
        self._data = b"x"


def through(numbers: list[int], depth: int = 6) -> tuple[list[int], int]:
    """Return which packets come out, and how many were taken for lost."""
    buffer = JitterBuffer(depth)
    given = [buffer.add(Packet(number))[1] for number in numbers]  # type: ignore[arg-type]
    return [frame.timestamp // 960 for frame in given if frame is not None], buffer.lost


def test_the_jitter_buffer_loses_what_was_lost_and_nothing_else() -> None:
    whole = list(range(65_500, 65_700))  # over the wrap
    assert through(whole) == (whole, 0)
    holes = [n for n in whole if n not in (65_510, 65_530, 65_535, 65_536)]
    given, lost = through([*holes, *range(65_700, 65_710)])
    assert given[: len(holes)] == holes and lost == 4
    swapped = [*range(100, 110), 111, 110, *range(112, 140)]
    assert through(swapped)[0][:30] == list(range(100, 130)) and through(swapped)[1] == 0
    late = [*range(100, 110), *range(111, 130), 110, *range(130, 140)]
    assert 110 not in through(late)[0] and through(late)[1] == 1
    assert through([*range(10), *range(30_000, 30_010)])[0] == [*range(10), *range(30_000, 30_010)]


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


async def test_the_chat_takes_whatever_comes() -> None:
    wrote: list[tuple[str, str, str]] = []
    room: Any = ChatRoom(1234, "Pitchwatch")
    channel: Any = None
    chat = Chat(room, channel, lambda *line: wrote.append(line), "me")
    rows: list[Any] = [
        {"textroom": "join", "username": "t1", "display": "Tom"},
        {"textroom": "message", "from": "t1", "text": "hello"},
        {"textroom": "message", "from": "t2", "text": "no name"},
        {"textroom": "message", "from": "me", "text": "our own"},
        {"textroom": "message", "from": "t1", "text": "psst", "whisper": True},
        {"textroom": "message", "from": 7, "text": "x"},
        {"textroom": "message", "from": "t1", "text": None},
        {"textroom": "success", "transaction": "never asked"},
        *(["a list"], {"other": 1}, 7, None),
    ]
    for row in rows:
        chat.take(json.dumps(row))
    chat.take(b"\xff\xfe")
    chat.take("[" * 100_000)
    chat.take("x" * 10_000_000)
    assert wrote == [("t1", "Tom", "hello"), ("t2", "t2", "no name")] and not chat.gone.is_set()
    chat.take(json.dumps({"textroom": "kicked", "username": "me"}))
    assert chat.gone.is_set()
    with pytest.raises(JanusLostError, match="sent out"):
        await chat.say("anybody?")


async def test_a_server_that_is_none_is_told_apart_from_one_that_says_no() -> None:
    with pytest.raises(JanusLostError, match="cannot be reached"):
        async with asyncio.timeout(20), connected("ws://127.0.0.1:9/janus", Secrets()):
            pass
    assert str(JanusRefusedError(433, "Unauthorized")) == "Unauthorized (433)"


def test_where_it_must_run_a_missing_janus_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.janus.missing", lambda: "janus is not installed")
    monkeypatch.setitem(os.environ, "CI", "true")
    with pytest.raises(pytest.fail.Exception, match="janus is not installed"):
        need_janus()
    monkeypatch.delitem(os.environ, "CI")
    with pytest.raises(pytest.skip.Exception, match="janus is not installed"):
        need_janus()
