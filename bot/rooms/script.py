"""Show scripts: one show as JSON Lines. Parsing is pure; a bad line is reported and passed over.

The format is described in docs/formats.md, section 1.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from detectors.records import (
    MAX_SEATS,
    MAX_TEXT,
    Account,
    AccountFact,
    Event,
    Line,
    Person,
    RoomKey,
    SeatChange,
    ShowInfo,
)

#: Longest line of a script, in bytes.
MAX_LINE_BYTES: Final = 64 * 1024
#: Server part of accounts that come from scripts: their names prove nothing elsewhere.
SERVER: Final = "script"
#: Longest name and title that are kept, in characters.
MAX_NAME: Final = 100
MAX_TITLE: Final = 300
#: A show may not claim to last longer than this, in seconds.
MAX_AT: Final = 30 * 86_400.0
#: Longest speech segment, in seconds. Recognisers give segments of seconds.
MAX_SEGMENT: Final = 600.0

#: Control characters but tab and new line, each to be replaced by a blank.
_STEERING: Final = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


class NotAScriptError(Exception):
    """The file is no show script. The text says why in one line."""


class BadLineError(Exception):
    """One line of a script cannot be used. The text says why."""


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """A seat's sound beside the script: whoever sits there is speaking."""

    at: float
    seat: int
    file: str


def parse_header(raw: bytes, address: str) -> ShowInfo:
    """Read the first line of a script that lies at `address`. Raises NotAScriptError."""
    try:
        row = _object(raw)
        if row.get("type") != "show":
            raise BadLineError('the first line has no "type":"show"')
        show_id = _text(row, "id", MAX_NAME)
        host = row.get("host")
        started = row.get("started")
        platform = _platform(row)
        return ShowInfo(
            id=show_id,
            room=RoomKey("replay", address),
            title=line_of(str(row.get("title", "")))[:MAX_TITLE],
            host=_person(host, platform) if isinstance(host, str) and line_of(host) else None,
            lang=row["lang"] if row.get("lang") in ("en", "fr") else None,
            started=_utc(started) if isinstance(started, str) else None,
        )
    except (BadLineError, ValueError, OverflowError) as error:
        raise NotAScriptError(f"{address}: is no show script: {error}") from error


@dataclass
class ScriptParser:
    """Turns the lines after the header into events and watches that time does not run back."""

    show: ShowInfo
    platform: str = "replay"
    _at: float = 0.0

    def parse(self, number: int, raw: bytes) -> Event | MediaEvent:
        """Read line `number` (the header is 1). Raises BadLineError when it cannot be used."""
        row = _object(raw)
        at = _seconds(row, "at")
        if at < self._at:
            raise BadLineError(f"time runs back from {self._at:g} to {at:g}")
        event = self._event(row, f"{self.show.id}#{number}", at)
        self._at = at
        return event

    def _event(self, row: dict[str, Any], event_id: str, at: float) -> Event | MediaEvent:
        sort = row.get("type")
        if sort == "media":
            return MediaEvent(at, _seat(row), _text(row, "file", 1024))
        if sort not in ("speech", "chat", "seat", "account"):
            raise BadLineError(f"unknown type {sort!r:.40}")
        person = _person(_text(row, "who", MAX_NAME), self.platform)
        if sort == "speech":
            until = _seconds(row, "until")
            if not at <= until <= at + MAX_SEGMENT:
                raise BadLineError(f"speech from {at:g} to {until:g}: must end later, within {MAX_SEGMENT:g} s")
            return Line(event_id, at, until, person, _text(row, "text", MAX_TEXT), "speech", _seat(row), self.show.lang)
        if sort == "chat":
            return Line(event_id, at, at, person, _text(row, "text", MAX_TEXT), "chat", None, self.show.lang)
        if sort == "seat":
            change = row.get("event")
            if change not in ("joined", "left"):
                raise BadLineError(f"a seat is joined or left, not {change!r:.40}")
            return SeatChange(event_id, at, _seat(row), person, change)
        return _fact(row, event_id, at, person)


def _fact(row: dict[str, Any], event_id: str, at: float, person: Person) -> AccountFact:
    followers = row.get("followers")
    if not isinstance(followers, int) or isinstance(followers, bool) or followers < 0:
        raise BadLineError("followers must be a whole number of 0 or more")
    source, as_of = (whole(str(row.get(name, ""))) for name in ("source", "as_of"))
    return AccountFact(event_id, at, person, followers, source[:MAX_NAME], as_of[:10])


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_LINE_BYTES:
        raise BadLineError(f"longer than {MAX_LINE_BYTES // 1024} KiB")
    try:
        row = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadLineError("not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise BadLineError(f"broken JSON ({error})") from error
    if not isinstance(row, dict):
        raise BadLineError("not a JSON object")
    return row


def _seconds(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_AT:
        raise BadLineError(f"{name} must be seconds from 0 to {MAX_AT:g}, not {value!r:.40}")
    return float(value)


def _seat(row: dict[str, Any]) -> int:
    seat = row.get("seat")
    if not isinstance(seat, int) or isinstance(seat, bool) or not 1 <= seat <= MAX_SEATS:
        raise BadLineError(f"seat must be 1 to {MAX_SEATS}, not {seat!r:.40}")
    return seat


def _text(row: dict[str, Any], name: str, longest: int) -> str:
    value = row.get(name)
    text = whole(value).strip() if isinstance(value, str) else ""
    if not text:
        raise BadLineError(f"{name} must be text that is not empty")
    return text[:longest]


def whole(text: str) -> str:
    """Replace what JSON can name but nobody can take: halves of characters, and what would steer a terminal."""
    return text.encode("utf-8", "replace").decode("utf-8").translate(_STEERING)


def _utc(started: str) -> datetime:
    """Read an ISO time; one without a zone is taken for UTC."""
    read = datetime.fromisoformat(started)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def line_of(text: str) -> str:
    """Return a name or title as one line: what breaks lines, is not seen, or turns the order of letters is a blank."""
    return " ".join("".join(char if char.isprintable() else " " for char in whole(text)).split())


def _person(name: str, platform: str) -> Person:
    shown = line_of(name)[:MAX_NAME] or "?"
    return Person(Account(platform, SERVER, shown.lower()), shown)


def _platform(row: dict[str, Any]) -> str:
    # A colon would part the account's name in the wrong place when it is read back.
    return whole(str(row.get("platform", "replay"))).replace(":", "_")[:MAX_NAME] or "replay"


def platform_of(header: bytes) -> str:
    """Return the platform that a valid header names."""
    return _platform(json.loads(header.decode("utf-8-sig")))


def is_media_beside(script: Path, file: str) -> bool:
    """Whether `file` names something in the script's own folder or below it, and nothing outside."""
    folder = script.resolve().parent
    return (folder / file).resolve().is_relative_to(folder)
