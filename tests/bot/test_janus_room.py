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
from bot.rooms.registry import Sources, check_address, open_room
from config.settings import RoomSettings
from detectors.records import Account
from tests.servers.janus import ROOT, Inside, need_janus

FOLDER = Path(__file__).parent / "janus"
#: The test that takes as long as the show that it plays runs beside the others.
LONG = "test_a_whole_show_is_warned_about_and_the_right_person_is_named"
TESTS = [
    (file, node.name)
    for file in sorted(FOLDER.glob("inside_*.py"))
    for node in ast.parse(file.read_text(encoding="utf-8")).body
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
    running = Inside(FOLDER / "inside_room.py", LONG) if wanted else None
    yield running
    if running is not None:
        running.end()


@pytest.mark.parametrize(
    ("file", "test"), [one for one in TESTS if one[1] != LONG], ids=lambda one: getattr(one, "stem", one)
)
def test_with_a_real_janus(file: Path, test: str) -> None:
    need_janus()
    Inside(file, test).result(150.0)


def test_the_short_demo_ends_with_the_warning(tmp_path: Path) -> None:
    need_janus()
    done = subprocess.run(
        [sys.executable, "-m", "bot.commands.janus_demo", "--short", "--json", "--db", str(tmp_path / "demo.db")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alerts = [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "alert"]
    alert = next(alert for alert in alerts if alert["host"] == "@kingofreels")
    assert any("teaching for 1 min" in why for why in alert["why"])


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
    asked = Feed(1234, 7, "0", "pin").request(5)
    assert asked["streams"] == [{"feed": 7, "mid": "0"}] and (asked["private_id"], asked["pin"]) == (5, "pin")


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


def test_what_runs_on_every_submission_says_that_servers_must_be_there() -> None:
    assert "\nexport CI=true\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
