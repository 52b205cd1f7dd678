"""Rooms with sound: scripts whose seats are heard, and single streams. What is heard is told beforehand."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.rooms import RoomError, RoomLostError
from bot.rooms import gather as gather_module
from bot.rooms.gather import gather
from bot.rooms.media import QUIET_ENDS, MediaOptions, MediaRoom
from bot.rooms.registry import Sources, check_address, open_room
from bot.rooms.replay import NOT_HEARD, ReplayRoom
from bot.rooms.replay_sound import MAX_SOUNDS
from bot.speech import SpeechError
from bot.speech.media import Away, Back
from config.settings import RoomSettings
from detectors.records import Event, Line, RoomState, SeatChange, Tick, Unheard
from tests.bot.hearing_stand_in import ToldHearing, said

HEADER = {"type": "show", "id": "s", "title": "T", "host": "@host"}


def seat(at: float, number: int, who: str, event: str = "joined") -> dict[str, Any]:
    return {"type": "seat", "at": at, "seat": number, "who": who, "event": event}


def chat(at: float, text: str = "hi") -> dict[str, Any]:
    return {"type": "chat", "at": at, "who": "@ana", "text": text}


def media(at: float, number: int, file: str) -> dict[str, Any]:
    return {"type": "media", "at": at, "seat": number, "file": file}


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Two seats with sound; seat 1 changes hands at 30 s; chat between."""
    rows = [
        HEADER,
        media(0.0, 1, "one.opus"),
        media(0.0, 2, "two.opus"),
        seat(0.0, 1, "@host"),
        seat(1.0, 2, "@guest"),
        chat(6.0, "first"),
        chat(20.0, "second"),
        seat(30.0, 1, "@host", "left"),
        seat(30.0, 1, "@nell"),
        chat(50.0, "third"),
    ]
    path = tmp_path / "show.jsonl"
    write(path, *rows)
    for name in ("one.opus", "two.opus"):
        (tmp_path / name).write_bytes(b"sound")
    return path


def hearing() -> ToldHearing:
    return ToldHearing(
        {
            "one.opus": [said(1, 2.0, 7.0, "hello"), said(2, 10.0, 20.5, None), said(3, 31.0, 40.0, "I am Nell")],
            "two.opus": [said(1, 5.0, 9.0, "bonsoir", "fr"), said(2, 22.0, 25.0, "thanks for watching", weight=0.0)],
        }
    )


async def events(room: Any) -> list[Event]:
    async with asyncio.timeout(20):
        return [event for batch in [batch async for batch in room.events()] for event in batch]


def brief(found: Sequence[Event]) -> list[tuple[str, float, str]]:
    """Kind, time and words of each event."""
    told = []
    for event in found:
        words = event.text if isinstance(event, Line) else event.reason if isinstance(event, Unheard) else ""
        told.append((type(event).__name__, event.at, words))
    return told


async def test_as_fast_as_it_can_everything_comes_in_the_order_in_which_it_is_known(script: Path) -> None:
    room = ReplayRoom(script, hearing=hearing())
    found = await events(room)
    assert [one for one in brief(found) if one[0] in ("Line", "Unheard")] == [
        ("Line", 6.0, "first"),
        ("Line", 2.0, "hello"),
        ("Line", 5.0, "bonsoir"),
        ("Line", 20.0, "second"),
        ("Unheard", 10.0, "too much was said at once"),
        ("Line", 22.0, "thanks for watching"),
        ("Line", 31.0, "I am Nell"),
        ("Line", 50.0, "third"),
    ]
    assert isinstance(found[0], RoomState) and found[-1] == RoomState("s#end", 50.0, "closed")
    assert await events(ReplayRoom(script, hearing=hearing())) == found
    assert room.skipped == 0


async def test_whoever_sits_there_is_speaking(script: Path) -> None:
    told = hearing()
    lines = [e for e in await events(ReplayRoom(script, hearing=told)) if isinstance(e, Line) and e.kind == "speech"]
    assert [(line.person.name, line.seat, line.lang, line.weight) for line in lines] == [
        ("@host", 1, "en", 1.0),
        ("@guest", 2, "fr", 1.0),
        ("@guest", 2, "en", 0.0),
        ("@nell", 1, "en", 1.0),
    ]
    assert len({line.id for line in lines}) == len(lines)
    # Known before the script is there: the language of a seat's speaker.
    assert [told.speakers["one.opus"](at) for at in (1.0, 35.0)] == ["replay:script:@host", "replay:script:@nell"]


async def test_at_a_speed_the_chat_does_not_wait_for_what_is_said(script: Path) -> None:
    slow = ToldHearing({"one.opus": [2.0, said(1, 2.0, 7.0, "hello")], "two.opus": []})
    room = ReplayRoom(script, speed=50.0, hearing=slow)
    found = [one for one in brief(await events(room)) if one[0] == "Line"]
    assert found == [("Line", 6.0, "first"), ("Line", 20.0, "second"), ("Line", 50.0, "third"), ("Line", 2.0, "hello")]
    assert all(ear.settings.speed == 50.0 for ear in slow.ears)


async def test_without_leave_to_hear_the_sound_is_passed_over(script: Path, caplog: pytest.LogCaptureFixture) -> None:
    room = ReplayRoom(script)
    found = await events(room)
    assert not [e for e in found if isinstance(e, Line) and e.kind == "speech"]
    assert room.skipped == 2 and NOT_HEARD in caplog.text


@pytest.mark.parametrize(
    ("file", "why"), [("../one.opus", "must lie beside the script"), ("none.opus", "there is no such file")]
)
async def test_sound_that_is_not_beside_the_script_is_passed_over(
    script: Path, file: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(script, HEADER, media(0.0, 1, file), chat(1.0))
    write(script.parent.parent / "one.opus")
    room = ReplayRoom(script, hearing=hearing())
    assert len([e for e in await events(room) if isinstance(e, Line)]) == 1
    assert room.skipped == 1 and why in caplog.text


@pytest.mark.parametrize("speed", [None, 50.0])
async def test_sound_that_cannot_be_heard_ends_the_room_with_one_line(script: Path, speed: float | None) -> None:
    deaf = ToldHearing({"one.opus": [SpeechError("one.opus: cannot be heard")], "two.opus": []})
    with pytest.raises(RoomError, match="cannot be heard"):
        await events(ReplayRoom(script, speed, deaf))


async def test_a_break_in_the_sound_is_told(script: Path) -> None:
    broken = ToldHearing({"one.opus": [Away(3.0, "hung"), Back(8.0), said(1, 9.0, 10.0, "again")], "two.opus": []})
    states = [e for e in await events(ReplayRoom(script, hearing=broken)) if isinstance(e, RoomState)]
    assert [(state.state, state.at) for state in states] == [
        ("open", 0.0),
        ("lost", 3.0),
        ("back", 8.0),
        ("closed", 50.0),
    ]
    assert len({state.id for state in states}) == 4


async def test_a_file_is_one_show_with_one_seat() -> None:
    told = ToldHearing(
        {"talk.mp3": [said(1, 2.0, 7.0, "hello"), said(2, 8.0, 9.0, None), said(3, 5_000.0, 5_001.0, "")]}
    )
    found = await events(MediaRoom("/somewhere/talk.mp3", told, MediaOptions(host="@devon")))
    opened = found[0]
    assert isinstance(opened, RoomState) and opened.show is not None
    assert (opened.show.id, opened.show.host and opened.show.host.name) == ("talk", "@devon")
    assert [type(event) for event in found] == [RoomState, SeatChange, Line, Unheard, RoomState]
    assert found[-1].at == 5_002.0


async def test_a_live_stream_is_cut_into_shows_by_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    later = 100.0 + QUIET_ENDS + 1.0
    told = ToldHearing({"live": [Away(5.0, "hung"), said(1, 90.0, 100.0, "one"), said(2, later, later + 5.0, "two")]})
    found = await events(MediaRoom("https://radio.example/live", told))
    states = [(e.state, e.at) for e in found if isinstance(e, RoomState)]
    assert states == [("open", 0.0), ("closed", 10.0), ("open", 0.0), ("closed", 5.0)]
    assert [(e.at, e.text) for e in found if isinstance(e, Line)] == [(0.0, "one"), (0.0, "two")]


async def test_a_quiet_live_stream_ends_its_show_also_when_nobody_speaks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather_module, "TICK_SECONDS", 0.05)
    monkeypatch.setattr("bot.rooms.media.QUIET_ENDS", 0.3)
    told = ToldHearing({"live": [said(1, 0.0, 0.1, "one"), 1.0]})
    found = await events(MediaRoom("https://radio.example/live", told))
    assert [type(event) for event in found[:3]] == [RoomState, SeatChange, Line]
    closed = next(place for place, e in enumerate(found) if isinstance(e, RoomState) and e.state == "closed")
    assert [e for e in found[3:closed] if not isinstance(e, Tick)] == [] and found[closed + 1 :] == []


def settings(**more: Any) -> RoomSettings:
    return RoomSettings.model_validate({"kind": "media", "address": "https://radio.example/live", **more})


async def test_a_stream_that_is_not_there_or_goes_away_may_be_back_later() -> None:
    refused = ToldHearing({"live": [SpeechError("refused")]})
    with pytest.raises(RoomLostError, match="refused"):
        await events(MediaRoom("https://radio.example/live", refused))
    away = ToldHearing({"live": [said(1, 0.0, 4.0, "one"), Away(4.0, "hung")]})
    away.given_up = True
    room = MediaRoom("https://radio.example/live", away)
    found: list[Event] = []
    with pytest.raises(RoomLostError, match="did not come back"):
        async for batch in room.events():
            found += batch
    assert [(e.state, e.at) for e in found if isinstance(e, RoomState)] == [
        ("open", 0.0),
        ("lost", 4.0),
        ("closed", 4.0),
    ]
    with pytest.raises(RoomError, match="refused"):
        await events(MediaRoom("talk.mp3", ToldHearing({"talk.mp3": [SpeechError("refused")]})))


async def test_a_room_that_is_opened_again_begins_anew() -> None:
    told: dict[str, Any] = {"live": [said(1, 50_000.0, 50_010.0, "one")]}
    room = MediaRoom("https://radio.example/live", ToldHearing(told))
    await events(room)
    told["live"] = [said(1, 0.0, 4.0, "two")]
    again = await events(room)
    assert [e.at for e in again if isinstance(e, Line)] == [0.0] and again[-1].at == 4.0


async def test_more_sounds_than_can_be_heard_are_named(script: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(script, HEADER, *(media(0.0, 1, "one.opus") for _ in range(MAX_SOUNDS + 3)), chat(1.0))
    for speed in (None, 1000.0):
        told = hearing()
        room = ReplayRoom(script, speed, told)
        await events(room)
        assert (len(told.ears), room.skipped) == (MAX_SOUNDS, 3) and f"no more than {MAX_SOUNDS}" in caplog.text


def test_no_voice_is_heard_without_consent(script: Path) -> None:
    told: Any = hearing()
    with pytest.raises(RoomError, match="consent = true"):
        check_address(settings())
    with pytest.raises(RoomError, match="consent = true"):
        check_address(settings(watches=[{"consent": True}, {"community": "b"}]))
    check_address(settings(watches=[{"consent": True}]))
    silent = open_room(RoomSettings.model_validate({"kind": "replay", "address": str(script)}), Sources(told))
    assert isinstance(silent, ReplayRoom) and silent.hears is False
    agreed = RoomSettings.model_validate({"kind": "replay", "address": str(script), "watches": [{"consent": True}]})
    heard = open_room(agreed, Sources(told))
    assert isinstance(heard, ReplayRoom) and heard.hears is True


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match="there is no such file"):
        check_address(settings(address=str(tmp_path / "none.wav"), watches=[{"consent": True}]))


async def test_gathering_does_not_wait_and_hands_on_errors() -> None:
    async def quick() -> Any:
        for n in range(3):
            yield Tick(float(n))

    async def slow() -> Any:
        await asyncio.sleep(0.2)
        yield Tick(99.0)
        raise OSError("gone")

    found: list[Event] = []
    with pytest.raises(OSError, match="gone"):
        async for batch in gather([slow(), quick()], lambda: None):
            found += batch
    assert found == [Tick(0.0), Tick(1.0), Tick(2.0), Tick(99.0)]
