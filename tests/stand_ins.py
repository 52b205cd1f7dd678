"""Stand-ins for tests: a reader without a model, and short ways to make records."""

from collections.abc import Sequence
from datetime import UTC, datetime

from detectors.classifier import Request
from detectors.records import Account, Line, Person, Reading, RoomKey, ShowInfo
from detectors.taxonomy import ACTS, CUES, OFFERS

ROOM = RoomKey("replay", "show.jsonl")


def reading(pitch: float = 0.0, act: str = "other", offers: Sequence[str] = (), cues: Sequence[str] = ()) -> Reading:
    """A reading with `pitch` as its pitch probability and the rest on `act` (if that is pitch, on other)."""
    rest = "other" if act == "pitch" else act
    acts = dict.fromkeys(ACTS, 0.0)
    acts["pitch"] = pitch
    acts[rest] += 1.0 - pitch
    return Reading(
        acts,
        {name: 0.9 if name in offers else 0.0 for name in OFFERS},
        {name: 0.9 if name in cues else 0.0 for name in CUES},
        "en",
    )


class MarkReader:
    """Reads marks in the text, not its meaning: `$` a pitch for coaching, `*` a sponsor, `?!` spam, `=` teaching."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        self.requests += requests
        return [_by_mark(request.text) for request in requests]


def _by_mark(text: str) -> Reading:
    if "$" in text:
        return reading(0.97, offers=["coaching"], cues=["scarcity"])
    for mark, act in (("*", "sponsor"), ("?!", "spam"), ("=", "teach")):
        if mark in text:
            return reading(0.01, act)
    return reading(0.02)


def person(name: str) -> Person:
    """A person of the scripts."""
    return Person(Account("replay", "script", name.lower()), name)


def show_info(host: str | None = "@host") -> ShowInfo:
    """A show in the replay room."""
    started = datetime(2026, 10, 3, 19, tzinfo=UTC)
    return ShowInfo("show-1", ROOM, "A show", person(host) if host else None, "en", started)


def speech(number: int, at: float, who: str, text: str, seconds: float = 6.0, seat: int = 1) -> Line:
    """A speech segment of `seconds`."""
    return Line(f"show-1/{number}", at, at + seconds, person(who), text, "speech", seat, "en")


def chat(number: int, at: float, who: str, text: str) -> Line:
    """A chat line."""
    return Line(f"show-1/{number}", at, at, person(who), text, "chat", None, "en")
