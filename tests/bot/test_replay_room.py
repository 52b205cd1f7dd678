"""Room `replay`: a show script as a room."""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.rooms import RoomError
from bot.rooms.registry import Sources, open_room
from bot.rooms.replay import BATCH_EVENTS, BATCH_SECONDS, NOT_HEARD, ReplayRoom, check_header
from bot.rooms.script import MAX_LINE_BYTES
from bot.speech.hearing import Hearing
from config.settings import RoomSettings, SpeechSettings
from detectors.records import Account, Event, Line, Person, RoomKey, RoomState, SeatChange, ShowInfo

HEADER = {"type": "show", "id": "s", "title": "T", "host": "@host", "lang": "en", "started": "2026-10-03T19:00:00Z"}
HOST = Person(Account("replay", "script", "@host"), "@host")


def chat(at: float, text: str = "hello") -> dict[str, Any]:
    return {"type": "chat", "at": at, "who": "@host", "text": text}


def speech(at: float, until: float) -> dict[str, Any]:
    return {"type": "speech", "at": at, "until": until, "seat": 1, "who": "@host", "text": "well"}


def write(path: Path, rows: Sequence[dict[str, Any] | bytes]) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in (HEADER, *rows)]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def show(path: Path) -> ShowInfo:
    started = datetime(2026, 10, 3, 19, tzinfo=UTC)
    return ShowInfo("s", RoomKey("replay", str(path)), "T", HOST, "en", started)


def line(number: int, at: float, text: str = "hello") -> Line:
    return Line(f"s#{number}", at, at, HOST, text, "chat", None, "en")


async def batches(room: ReplayRoom) -> list[list[Event]]:
    return [batch async for batch in room.events()]


async def events(room: ReplayRoom) -> list[Event]:
    return [event for batch in await batches(room) for event in batch]


async def test_a_script_becomes_batches_between_opening_and_closing(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.jsonl",
        [
            {"type": "seat", "at": 0.0, "seat": 1, "who": "@host", "event": "joined"},
            chat(BATCH_SECONDS),
            chat(BATCH_SECONDS + 0.5),
            speech(10.0, 50.0),
            chat(61.0),
        ],
    )
    assert await batches(ReplayRoom(path)) == [
        [
            RoomState("s#1", 0.0, "open", show(path)),
            SeatChange("s#2", 0.0, 1, HOST, "joined"),
            line(3, BATCH_SECONDS),
        ],
        [line(4, BATCH_SECONDS + 0.5)],
        [Line("s#5", 10.0, 50.0, HOST, "well", "speech", 1, "en")],
        [line(6, 61.0), RoomState("s#end", 61.0, "closed")],
    ]


async def test_a_show_closes_when_its_last_words_are_over(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [speech(1.0, 20.0), chat(2.0)])
    assert (await events(ReplayRoom(path)))[-1] == RoomState("s#end", 20.0, "closed")


async def test_a_batch_holds_a_bounded_number_of_events(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [chat(1.0, str(i)) for i in range(3 * BATCH_EVENTS)])
    found = await batches(ReplayRoom(path))
    assert [len(batch) for batch in found] == [BATCH_EVENTS, BATCH_EVENTS, BATCH_EVENTS, 2]
    texts = [event.text for batch in found for event in batch if isinstance(event, Line)]
    assert texts == [str(i) for i in range(3 * BATCH_EVENTS)]


async def test_an_empty_show_opens_and_closes(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [])
    expected: list[list[Event]] = [
        [RoomState("s#1", 0.0, "open", show(path)), RoomState("s#end", 0.0, "closed")],
    ]
    assert await batches(ReplayRoom(path)) == expected


async def test_the_batches_are_the_same_at_any_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "s.jsonl", [chat(7.0 * i, str(i)) for i in range(40)])
    waits: list[float] = []

    async def at_once(seconds: float) -> None:
        waits.append(seconds)

    unhurried = await batches(ReplayRoom(path))
    monkeypatch.setattr(asyncio, "sleep", at_once)
    in_life = await batches(ReplayRoom(path, speed=1.0))
    waits_in_life = list(waits)
    waits.clear()
    faster = await batches(ReplayRoom(path, speed=10.0))
    assert in_life == unhurried
    assert faster == unhurried
    # Nothing waited in between, so each wait reaches from the beginning to the end of its batch.
    assert waits_in_life == pytest.approx([batch[-1].at for batch in unhurried], abs=5.0)
    assert waits == pytest.approx([batch[-1].at / 10 for batch in unhurried], abs=5.0)


async def test_bad_lines_are_counted_and_named_and_the_show_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(
        tmp_path / "s.jsonl",
        [
            chat(1.0),
            b"not json {",
            b"",
            chat(0.5),
            {"type": "seat", "at": 2.0, "seat": 5, "who": "@host", "event": "joined"},
            {"type": "media", "at": 2.0, "seat": 1, "file": "seat1.opus"},
            b"\xff\xfe",
            chat(3.0),
        ],
    )
    room = ReplayRoom(path)
    with caplog.at_level(logging.WARNING):
        found = await events(room)
    assert found[1:-1] == [line(2, 1.0), line(9, 3.0)]
    assert room.skipped == 5
    assert [message.replace(str(path), "F") for message in caplog.messages] == [
        "F:3: passed over: broken JSON (Expecting value: line 1 column 1 (char 0))",
        "F:5: passed over: time runs back from 1 to 0.5",
        "F:6: passed over: seat must be 1 to 4, not 5",
        f"F:7: passed over: {NOT_HEARD}",
        "F:8: passed over: not UTF-8 text",
    ]


@pytest.mark.parametrize("length", [MAX_LINE_BYTES + 1, MAX_LINE_BYTES + 2, 2 * MAX_LINE_BYTES, 1_000_000])
async def test_an_over_long_line_is_passed_over_and_the_show_goes_on(
    tmp_path: Path, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    long = json.dumps(chat(2.0)).encode().ljust(length, b" ")
    path = write(tmp_path / "s.jsonl", [chat(1.0), long, chat(3.0)])
    room = ReplayRoom(path)
    assert (await events(room))[1:-1] == [line(2, 1.0), line(4, 3.0)]
    assert caplog.messages == [f"{path}:3: passed over: longer than 64 KiB"]
    assert room.skipped == 1


@pytest.mark.parametrize("ending", [b"", b"\r"])
async def test_a_line_may_be_as_long_as_the_limit(tmp_path: Path, ending: bytes) -> None:
    longest = json.dumps(chat(2.0)).encode().ljust(MAX_LINE_BYTES, b" ")
    room = ReplayRoom(write(tmp_path / "s.jsonl", [longest + ending, chat(3.0)]))
    assert (await events(room))[1:-1] == [line(2, 2.0), line(3, 3.0)]
    assert room.skipped == 0


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n\r\n"])
async def test_the_last_line_may_end_in_any_way(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(json.dumps(HEADER).encode() + b"\r\n" + json.dumps(chat(1.0)).encode() + tail)
    room = ReplayRoom(path)
    assert (await events(room))[1:-1] == [line(2, 1.0)]
    assert room.skipped == 0


async def test_an_over_long_last_line_without_an_end_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(json.dumps(HEADER).encode() + b"\n" + b"x" * 300_000)
    room = ReplayRoom(path)
    assert await events(room) == [
        RoomState("s#1", 0.0, "open", show(path)),
        RoomState("s#end", 0.0, "closed"),
    ]
    assert room.skipped == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no show script: broken JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"# Notes\n", "is no show script: broken JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"\x89PNG\r\n\x1a\n", "is no show script: not UTF-8 text"),
        (b'{"type":"chat","at":0}\n', 'is no show script: the first line has no "type":"show"'),
        (b"x" * 500_000, "is no show script: longer than 64 KiB"),
    ],
)
async def test_a_file_that_is_no_script_is_one_clear_error(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(RoomError) as by_events:
        await events(ReplayRoom(path))
    with pytest.raises(RoomError) as by_check:
        check_header(path)
    assert [str(by_events.value), str(by_check.value)] == [f"{path}: {reason}"] * 2


async def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    for path, reason in ((missing, "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(RoomError) as caught:
            await events(ReplayRoom(path))
        assert str(caught.value) == f"{path}: cannot be read: {reason}"


async def test_a_room_can_be_opened_again_and_counts_anew(tmp_path: Path) -> None:
    room = ReplayRoom(write(tmp_path / "s.jsonl", [chat(1.0), b"bad", chat(40.0)]))
    first = await batches(room)
    assert await batches(room) == first
    assert room.skipped == 1


async def test_the_file_is_closed_when_nobody_listens_any_more(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [chat(float(i)) for i in range(100)])

    def opened() -> int:
        return sum(link.exists() and link.samefile(path) for link in Path("/proc/self/fd").iterdir())

    async with aclosing(ReplayRoom(path).events()) as listening:
        await anext(listening)
        assert opened() == 1
    assert opened() == 0


async def test_the_registry_opens_it(tmp_path: Path) -> None:
    settings = SpeechSettings.model_validate({})
    path = write(tmp_path / "s.jsonl", [])
    room = open_room(RoomSettings.model_validate({"kind": "replay", "address": str(path)}), Sources(Hearing(settings)))
    assert room.key == RoomKey("replay", str(path))
    assert room.skipped == 0
