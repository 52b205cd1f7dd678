"""The parser of show scripts."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.rooms.script import (
    MAX_AT,
    MAX_LINE_BYTES,
    MAX_NAME,
    MAX_TITLE,
    BadLineError,
    MediaEvent,
    NotAScriptError,
    ScriptParser,
    is_media_beside,
    parse_header,
    platform_of,
)
from detectors.records import MAX_TEXT, Account, AccountFact, Event, Line, Person, RoomKey, SeatChange, ShowInfo

HEADER = {
    "type": "show",
    "id": "en-01",
    "title": "Reels",
    "platform": "blab",
    "host": "@KingOfReels",
    "lang": "en",
    "started": "2026-10-03T19:00:00Z",
}
KING = Person(Account("blab", "script", "@kingofreels"), "@KingOfReels")
SHOW = ShowInfo("en-01", RoomKey("replay", "a.jsonl"), "Reels", KING, "en", datetime(2026, 10, 3, 19, tzinfo=UTC))
CHAT: dict[str, Any] = {"type": "chat", "at": 8.0, "who": "@ana", "text": "hello"}
SPEECH: dict[str, Any] = {"type": "speech", "at": 3.2, "until": 9.8, "seat": 1, "who": "@ana", "text": "hello"}
SEAT: dict[str, Any] = {"type": "seat", "at": 0.0, "seat": 1, "who": "@ana", "event": "joined"}
FACT: dict[str, Any] = {
    "type": "account",
    "at": 0.0,
    "who": "@ana",
    "followers": 312,
    "source": "profile",
    "as_of": "2026-10-01",
}
MEDIA: dict[str, Any] = {"type": "media", "at": 0.0, "seat": 1, "file": "seat1.opus"}
ANA = Person(Account("blab", "script", "@ana"), "@ana")


def raw(row: object, **changes: object) -> bytes:
    merged = {**row, **changes} if isinstance(row, dict) else row
    return json.dumps(merged).encode()


def without(row: dict[str, Any], name: str) -> bytes:
    return raw({key: value for key, value in row.items() if key != name})


def parser(at: float = 0.0) -> ScriptParser:
    made = ScriptParser(SHOW, "blab")
    if at:
        made.parse(2, raw(CHAT, at=at))
    return made


def why(line: bytes, at: float = 0.0) -> str:
    with pytest.raises(BadLineError) as caught:
        parser(at).parse(3, line)
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "event"),
    [
        (CHAT, Line("en-01#3", 8.0, 8.0, ANA, "hello", "chat", None, "en")),
        (CHAT | {"at": 8}, Line("en-01#3", 8.0, 8.0, ANA, "hello", "chat", None, "en")),
        (CHAT | {"who": " @Ana "}, Line("en-01#3", 8.0, 8.0, replace(ANA, name="@Ana"), "hello", "chat", None, "en")),
        (CHAT | {"extra": [1]}, Line("en-01#3", 8.0, 8.0, ANA, "hello", "chat", None, "en")),
        (SPEECH, Line("en-01#3", 3.2, 9.8, ANA, "hello", "speech", 1, "en")),
        (SPEECH | {"until": 3.2, "seat": 4}, Line("en-01#3", 3.2, 3.2, ANA, "hello", "speech", 4, "en")),
        (SEAT, SeatChange("en-01#3", 0.0, 1, ANA, "joined")),
        (SEAT | {"event": "left", "at": MAX_AT}, SeatChange("en-01#3", MAX_AT, 1, ANA, "left")),
        (FACT, AccountFact("en-01#3", 0.0, ANA, 312, "profile", "2026-10-01")),
        (
            {"type": "account", "at": 0, "who": "@ana", "followers": 0},
            AccountFact("en-01#3", 0.0, ANA, 0, "", ""),
        ),
        (MEDIA, MediaEvent(0.0, 1, "seat1.opus")),
    ],
)
def test_a_good_line_becomes_an_event(row: dict[str, Any], event: Event | MediaEvent) -> None:
    assert parser().parse(3, raw(row)) == event


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (raw(CHAT, type="poll"), "unknown type 'poll'"),
        (raw(CHAT, type="show"), "unknown type 'show'"),
        (raw(CHAT, type=None), "unknown type None"),
        (raw(CHAT, type=["chat"]), "unknown type ['chat']"),
        (without(CHAT, "type"), "unknown type None"),
        (raw(CHAT, at=4.5), "time runs back from 5 to 4.5"),
        (raw(SPEECH, at=7.0, until=6.0), "speech from 7 to 6: must end later, within 600 s"),
        (raw(SPEECH, at=6.0, seat=0), "seat must be 1 to 4, not 0"),
        (raw(SPEECH, at=6.0, seat=5), "seat must be 1 to 4, not 5"),
        (raw(SEAT, at=6.0, seat=-1), "seat must be 1 to 4, not -1"),
        (raw(SEAT, at=6.0, seat=True), "seat must be 1 to 4, not True"),
        (raw(SEAT, at=6.0, seat=1.0), "seat must be 1 to 4, not 1.0"),
        (raw(MEDIA, at=6.0, seat="1"), "seat must be 1 to 4, not '1'"),
        (without(SPEECH | {"at": 6.0}, "seat"), "seat must be 1 to 4, not None"),
        (raw(SEAT, at=6.0, seat=10**60), f"seat must be 1 to 4, not 1{'0' * 39}"),
        (raw(SEAT, at=6.0, event="sat"), "a seat is joined or left, not 'sat'"),
        (raw(CHAT, at="8"), "at must be seconds from 0 to 2.592e+06, not '8'"),
        (raw(CHAT, at=True), "at must be seconds from 0 to 2.592e+06, not True"),
        (raw(CHAT, at=None), "at must be seconds from 0 to 2.592e+06, not None"),
        (raw(CHAT, at=-0.5), "at must be seconds from 0 to 2.592e+06, not -0.5"),
        (raw(CHAT, at=math.nan), "at must be seconds from 0 to 2.592e+06, not nan"),
        (raw(CHAT, at=math.inf), "at must be seconds from 0 to 2.592e+06, not inf"),
        (raw(CHAT, at=-math.inf), "at must be seconds from 0 to 2.592e+06, not -inf"),
        (raw(CHAT, at=MAX_AT + 1), "at must be seconds from 0 to 2.592e+06, not 2592001.0"),
        (raw(CHAT, at=10**400), f"at must be seconds from 0 to 2.592e+06, not 1{'0' * 39}"),
        (raw(SPEECH, at=6.0, until=math.nan), "until must be seconds from 0 to 2.592e+06, not nan"),
        (raw(SPEECH, at=6.0, until=10**400), f"until must be seconds from 0 to 2.592e+06, not 1{'0' * 39}"),
        (without(SPEECH | {"at": 6.0}, "until"), "until must be seconds from 0 to 2.592e+06, not None"),
        (raw(CHAT, text=""), "text must be text that is not empty"),
        (raw(CHAT, text=" \n"), "text must be text that is not empty"),
        (raw(CHAT, text="\x1b\x00"), "text must be text that is not empty"),
        (raw(CHAT, who="\x00"), "who must be text that is not empty"),
        (raw(CHAT, text=5), "text must be text that is not empty"),
        (raw(CHAT, who=None), "who must be text that is not empty"),
        (without(CHAT, "who"), "who must be text that is not empty"),
        (raw(MEDIA, at=6.0, file=""), "file must be text that is not empty"),
        (raw(FACT, at=6.0, followers=-1), "followers must be a whole number of 0 or more"),
        (raw(FACT, at=6.0, followers=True), "followers must be a whole number of 0 or more"),
        (raw(FACT, at=6.0, followers=1.5), "followers must be a whole number of 0 or more"),
        (raw(FACT, at=6.0, followers=math.nan), "followers must be a whole number of 0 or more"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"chat"', "not a JSON object"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (bytes(range(128, 256)), "not UTF-8 text"),
        (b"x" * (MAX_LINE_BYTES + 1), "longer than 64 KiB"),
        (raw(CHAT, text="x" * MAX_LINE_BYTES), "longer than 64 KiB"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(line: bytes, reason: str) -> None:
    assert why(line, at=5.0) == reason


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"",
        b"\x00\x01\x02",
        b"chat: hello",
        raw(CHAT)[:-1],
        raw(CHAT) + raw(CHAT),
        b"[" * 20_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"at":' + b"9" * 5_000 + b"}",
    ],
    ids=["brace", "empty", "binary", "text", "cut", "two", "deep list", "deep object", "long number"],
)
def test_broken_json_is_a_bad_line(line: bytes) -> None:
    assert why(line).startswith("broken JSON (")


def test_nesting_that_json_can_still_read_is_no_trouble() -> None:
    for depth in range(10, 1_000, 10):
        nested = b"[" * depth + b"]" * depth
        for line in (b'{"type":"chat","at":%s}' % nested, b'{"type":%s,"at":0}' % nested):
            assert why(line).startswith(("at must be", "unknown type", "broken JSON"))


def test_a_bad_line_does_not_move_the_time() -> None:
    script = parser()
    with pytest.raises(BadLineError):
        script.parse(3, raw(SPEECH, at=900.0, until=901.0, seat=9))
    assert script.parse(4, raw(CHAT, at=1.0)).at == 1.0


def test_speech_of_two_seats_may_overlap_and_lines_may_share_a_time() -> None:
    script = parser()
    times = [(3.0, 9.0, 1), (3.0, 4.0, 2), (5.0, 12.0, 2)]
    events = [script.parse(3 + i, raw(SPEECH, at=a, until=u, seat=s)) for i, (a, u, s) in enumerate(times)]
    assert [(e.at, e.until, e.seat) for e in events if isinstance(e, Line)] == times


def test_long_texts_and_names_are_cut() -> None:
    line = parser().parse(3, raw(CHAT, who="@" + "N" * 500, text="y" * 50_000))
    person = Person(Account("blab", "script", "@" + "n" * (MAX_NAME - 1)), "@" + "N" * (MAX_NAME - 1))
    assert line == Line("en-01#3", 8.0, 8.0, person, "y" * MAX_TEXT, "chat", None, "en")


def test_half_a_character_is_replaced_so_that_it_can_be_stored_and_read() -> None:
    line = b'{"type":"chat","at":1,"who":"@ana\\ud83d","text":"great \\ud83d show \\ud83d\\ude00"}'
    who = Person(Account("blab", "script", "@ana?"), "@ana?")
    assert parser().parse(3, line) == Line("en-01#3", 1.0, 1.0, who, "great ? show 😀", "chat", None, "en")


def test_what_would_steer_a_terminal_is_taken_out() -> None:
    line = raw(CHAT, who="@ana\x1b[2J", text="one\x1b]0;owned\x07 two\n\tthree\x9b31m\x7f")
    who = Person(Account("blab", "script", "@ana [2j"), "@ana [2J")
    assert parser().parse(3, line) == Line(
        "en-01#3", 8.0, 8.0, who, "one ]0;owned  two\n\tthree 31m", "chat", None, "en"
    )
    assert parse_header(raw(HEADER, title="T\x1b[2J"), "a.jsonl").title == "T [2J"


def test_a_header_becomes_a_show() -> None:
    assert parse_header(raw(HEADER), "a.jsonl") == SHOW
    assert platform_of(raw(HEADER)) == "blab"


@pytest.mark.parametrize(
    ("changes", "show"),
    [
        ({"host": None}, replace(SHOW, host=None)),
        ({"host": ""}, replace(SHOW, host=None)),
        ({"host": 5}, replace(SHOW, host=None)),
        ({"host": " \x00 "}, replace(SHOW, host=None)),
        ({"lang": None}, replace(SHOW, lang=None)),
        ({"lang": "de"}, replace(SHOW, lang=None)),
        ({"lang": ["en"]}, replace(SHOW, lang=None)),
        ({"lang": "fr"}, replace(SHOW, lang="fr")),
        ({"started": None}, replace(SHOW, started=None)),
        ({"title": "t" * 1_000}, replace(SHOW, title="t" * MAX_TITLE)),
        ({"title": "half \ud83d"}, replace(SHOW, title="half ?")),
        ({"id": " en-02 "}, replace(SHOW, id="en-02")),
    ],
)
def test_a_header_may_leave_things_open(changes: dict[str, Any], show: ShowInfo) -> None:
    assert parse_header(raw(HEADER, **changes), "a.jsonl") == show


def test_a_header_needs_no_more_than_its_type_and_id() -> None:
    assert parse_header(b'{"type":"show","id":"x"}', "a.jsonl") == ShowInfo("x", RoomKey("replay", "a.jsonl"))
    assert platform_of(b'{"type":"show","id":"x"}') == "replay"


@pytest.mark.parametrize(
    ("started", "aware"),
    [
        ("2026-10-03T21:00:00+02:00", datetime(2026, 10, 3, 19, tzinfo=UTC)),
        ("2026-10-03T19:00:00", datetime(2026, 10, 3, 19, tzinfo=UTC)),
        ("2026-10-03", datetime(2026, 10, 3, tzinfo=UTC)),
    ],
)
def test_the_start_is_kept_in_utc(started: str, aware: datetime) -> None:
    parsed = parse_header(raw(HEADER, started=started), "a.jsonl").started
    assert parsed is not None
    assert parsed.isoformat() == aware.isoformat()


def test_a_platform_with_a_colon_still_makes_accounts_that_can_be_read_back() -> None:
    header = raw(HEADER, platform="blab:eu")
    show = parse_header(header, "a.jsonl")
    line = ScriptParser(show, platform_of(header)).parse(2, raw(CHAT))
    assert show.host is not None
    assert isinstance(line, Line)
    assert [Account.parse(str(p.account)) for p in (show.host, line.person)] == [show.host.account, line.person.account]
    assert show.host.account.platform == line.person.account.platform


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "broken JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"hello", "broken JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"\x89PNG\r\n", "not UTF-8 text"),
        (b"[]", "not a JSON object"),
        (raw(CHAT), 'the first line has no "type":"show"'),
        (without(HEADER, "id"), "id must be text that is not empty"),
        (raw(HEADER, id=7), "id must be text that is not empty"),
        (raw(HEADER, started="yesterday"), "Invalid isoformat string: 'yesterday'"),
        (raw(HEADER, title="x" * MAX_LINE_BYTES), "longer than 64 KiB"),
    ],
)
def test_what_is_no_header_is_said_in_one_line(header: bytes, reason: str) -> None:
    with pytest.raises(NotAScriptError) as caught:
        parse_header(header, "a.jsonl")
    assert str(caught.value) == f"a.jsonl: is no show script: {reason}"


def test_a_start_that_no_calendar_holds_in_utc_is_no_header() -> None:
    for started in (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), "9999-12-31T23:59:59-05:00"):
        with pytest.raises(NotAScriptError):
            parse_header(raw(HEADER, started=str(started)), "a.jsonl")


#: A busy machine is no bug.
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 4)
    | st.sampled_from([10**30, 10**400, -(10**400)])
    | st.floats()
    | _TEXT
    | st.sampled_from(["joined", "left", "chat", "speech", "en", "@ana"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_ROWS = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([CHAT, SPEECH, SEAT, FACT, MEDIA, HEADER, {}]),
    st.dictionaries(
        st.sampled_from(
            ["type", "at", "until", "seat", "who", "event", "text", "file", "followers", "source", "as_of"]
        ),
        _VALUES,
        max_size=4,
    ),
)
_HEADERS = st.builds(
    lambda changes: {**HEADER, **changes},
    st.dictionaries(
        st.sampled_from(["type", "id", "title", "platform", "host", "lang", "started"]), _VALUES, max_size=4
    ),
)


def _is_sound(event: Event | MediaEvent) -> bool:
    """Whether everything behind the parser can hold this event."""
    assert 0.0 <= event.at <= MAX_AT
    if isinstance(event, SeatChange | MediaEvent):
        assert event.seat in range(1, 5)
    if isinstance(event, Line | SeatChange | AccountFact):
        assert Account.parse(str(event.person.account)) == event.person.account
        event.person.name.encode()
    if isinstance(event, Line):
        assert event.at <= event.until <= MAX_AT
        assert 0 < len(event.text) <= MAX_TEXT
        event.text.encode()
    if isinstance(event, AccountFact):
        (event.source + event.as_of).encode()
    return True


@SETTINGS
@given(st.lists(st.binary(max_size=200) | _ROWS.map(raw), max_size=8))
def test_whatever_a_line_is_it_is_an_event_or_a_bad_line(lines: list[bytes]) -> None:
    script = ScriptParser(SHOW, "blab")
    at = 0.0
    for number, line in enumerate(lines, start=2):
        try:
            event = script.parse(number, line)
        except BadLineError as error:
            str(error).encode()
            continue
        assert _is_sound(event)
        assert event.at >= at
        at = event.at


@SETTINGS
@given(st.binary(max_size=300) | _HEADERS.map(raw))
def test_whatever_a_first_line_is_it_is_a_show_or_no_script(header: bytes) -> None:
    try:
        show = parse_header(header, "a.jsonl")
    except NotAScriptError as error:
        str(error).encode()
        return
    people = [show.host] if show.host else []
    people.append(Person(Account(platform_of(header), "script", "@x"), "@x"))
    for someone in people:
        assert Account.parse(str(someone.account)) == someone.account
        str(someone).encode()
    (show.id + show.title).encode()
    assert show.started is None or show.started.utcoffset() == timedelta(0)


def test_sound_lies_beside_the_script_and_nowhere_else(tmp_path: Path) -> None:
    script = tmp_path / "shows" / "a.jsonl"
    inside = ["seat1.opus", "sub/seat1.opus", "sub/../seat1.opus"]
    outside = ["../seat1.opus", "/etc/passwd", "sub/../../x.opus"]
    assert [is_media_beside(script, name) for name in inside] == [True] * 3
    assert [is_media_beside(script, name) for name in outside] == [False] * 3
