"""`pitchwatch replay … --config NEW --against OLD`: which warnings two settings differ in, before anybody sees them."""

import io
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from bot.cards import clock
from bot.faces import Face, JsonFace
from bot.reading import LineReader
from bot.sinks.console import write_line
from bot.speech.hearing import Hearing
from config.settings import RoomSettings, Settings
from config.wording import say
from detectors.classifier import Request
from detectors.records import Reading

#: Readings that are remembered, so that the second run need not read anew.
MAX_REMEMBERED: Final = 200_000
_SIGNS: Final = {"only_new": "+", "only_old": "-", "moved": "~"}
_STYLES: Final = {"only_new": "green", "only_old": "red", "moved": "yellow"}


class Remembering:
    """A reader that reads the same line in the same context once."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._known: dict[Request, Reading] = {}

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        """Return one reading per request, in order."""
        unread = [request for request in dict.fromkeys(requests) if request not in self._known]
        fresh = dict(zip(unread, self._reader.read(unread), strict=True))
        if len(self._known) + len(fresh) <= MAX_REMEMBERED:
            self._known |= fresh
        return [fresh.get(request) or self._known[request] for request in requests]


@dataclass(frozen=True, slots=True)
class Difference:
    """One warning in which two settings differ: `only_new`, `only_old`, or `moved` (another time, in seconds)."""

    what: str
    show: str
    host: str
    new: float | None
    old: float | None


def differences(new: Sequence[dict[str, Any]], old: Sequence[dict[str, Any]]) -> list[Difference]:
    """Return what two runs' alert lines differ in, in the order of shows and times. Episodes are paired in order."""
    found: list[Difference] = []
    keys = dict.fromkeys((line["show"], line["host"]) for line in (*new, *old))
    for show, host in keys:
        news, olds = ([a["at"] for a in lines if (a["show"], a["host"]) == (show, host)] for lines in (new, old))
        for i in range(max(len(news), len(olds))):
            at, before = (times[i] if i < len(times) else None for times in (news, olds))
            if before is None:
                found.append(Difference("only_new", show, host, at, None))
            elif at is None:
                found.append(Difference("only_old", show, host, None, before))
            elif at != before:
                found.append(Difference("moved", show, host, at, before))
    order = {show: i for i, show in enumerate(dict.fromkeys(show for show, _ in keys))}
    return sorted(found, key=lambda one: (order[one.show], one.new if one.new is not None else one.old or 0.0))


#: Plays rooms with settings, readers and a face, as `bot.app.play` does; returns the exit code.
Play = Callable[[Settings, LineReader, Hearing, Face, Sequence[RoomSettings], Path | None], Awaitable[int]]


async def compare(
    play: Play,
    settings: tuple[Settings, Settings],
    readers: tuple[LineReader, LineReader],
    hearings: tuple[Hearing, Hearing],
    rooms: Sequence[RoomSettings],
    as_json: bool,
) -> int:
    """Play the rooms with new settings and with old ones, and print the differences; return the exit code."""
    runs: list[list[dict[str, Any]]] = []
    code = 0
    for chosen, reader, hearing in zip(settings, readers, hearings, strict=True):
        out = io.StringIO()
        code = max(code, await play(chosen, reader, hearing, JsonFace(out, chosen.language), rooms, None))
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        runs.append([line for line in lines if line["type"] == "alert"])
    found = differences(*runs)
    language = settings[0].language
    if as_json:
        for one in found:
            line = {"type": "difference", "what": one.what, "show": one.show, "host": one.host}
            write_line(sys.stdout, {**line, "new": one.new, "old": one.old})
        write_line(sys.stdout, {"type": "summary", "new": len(runs[0]), "old": len(runs[1]), "differ": len(found)})
        return code
    console = Console(highlight=False, emoji=False, markup=False)
    for one in found:
        times = " → ".join(clock(at) for at in (one.old, one.new) if at is not None)
        text = f"{_SIGNS[one.what]} {one.show} {times} {one.host}: {say(language, f'difference.{one.what}')}"
        console.print(Text(text, style=_STYLES[one.what]))
    console.print(say(language, "difference.summary", new=len(runs[0]), old=len(runs[1]), differ=len(found)))
    return code
