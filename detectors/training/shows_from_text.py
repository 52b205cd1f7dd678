"""Turn whole shows as writers write them into show scripts.

`python -m detectors.training.shows_from_text IN.txt… --out DIR`

Beside each script `NAME.jsonl` stands `NAME.truth.json`: whether a warning is expected, and who pitches what when.
Times come from the words: about 155 a minute, with the small differences between people that live talk has.
"""

import argparse
import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detectors.training.from_text import Passage, read_passages

WORDS_PER_SECOND = 2.6
#: Pitch lines of one person that stand closer than this, in seconds, are one pitch of the truth.
SAME_PITCH = 120.0


@dataclass
class ScriptWriter:
    """Lays a passage out in time. `events` and `pitches` are the result."""

    dice: random.Random
    events: list[dict[str, Any]] = field(default_factory=list)
    pitches: list[dict[str, Any]] = field(default_factory=list)
    _at: float = 2.0
    _seats: dict[int, str] = field(default_factory=dict)
    _pace: dict[str, float] = field(default_factory=dict)
    _last_chat: float = 0.0

    def add(self, seat: int, who: str, act: str, offers: list[str], cues: list[str], text: str, pause: int) -> None:
        """Append one line after what was said before it."""
        self._at += pause
        if seat:
            self._sit(seat, who)
            pace = self._pace.setdefault(who, WORDS_PER_SECOND * self.dice.uniform(0.9, 1.12))
            at, until = self._at, self._at + max(0.8, len(text.split()) / pace)
            self.events.append(_event("speech", at, who, text, seat=seat, until=round(until, 1)))
            self._at = until + self.dice.choice((0.2, 0.3, 0.5, 0.5, 0.9, 1.6))
        else:
            at = until = max(self._last_chat, self._at - self.dice.uniform(0.0, 3.0))
            self._last_chat = at
            self.events.append(_event("chat", at, who, text))
        if act == "pitch":
            self._pitch(who, at, until, offers, cues)

    def _sit(self, seat: int, who: str) -> None:
        before = self._seats.get(seat)
        if before == who:
            return
        for other, name in list(self._seats.items()):
            if name == who:
                self.events.append(_event("seat", self._at, who, seat=other, event="left"))
                del self._seats[other]
        if before is not None:
            self.events.append(_event("seat", self._at, before, seat=seat, event="left"))
        self.events.append(_event("seat", self._at, who, seat=seat, event="joined"))
        self._seats[seat] = who

    def _pitch(self, who: str, at: float, until: float, offers: list[str], cues: list[str]) -> None:
        for pitch in self.pitches:
            if pitch["by"] == who and at - pitch["to"] <= SAME_PITCH:
                pitch["to"] = round(until, 1)
                pitch["offers"] = sorted({*pitch["offers"], *offers})
                pitch["cues"] = sorted({*pitch["cues"], *cues})
                return
        times = {"by": who, "from": round(at, 1), "to": round(until, 1)}
        self.pitches.append({**times, "offers": sorted(offers), "cues": sorted(cues)})


def _event(sort: str, at: float, who: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    event: dict[str, Any] = {"type": sort, "at": round(at, 1), **more, "who": who}
    return event if text is None else {**event, "text": text}


def build_show(passage: Passage, name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the script's lines (header first) and its truth."""
    about = passage.fields
    writer = ScriptWriter(random.Random(name))
    for row in passage.rows:
        writer.add(*row)
    header: dict[str, Any] = {"type": "show", "id": name, "title": about.get("title", about["subject"])}
    header |= {"platform": "replay", "host": about["host"], "started": "2026-10-03T19:00:00Z"}
    if about["lang"] in ("en", "fr"):
        header["lang"] = about["lang"]
    events = sorted(writer.events, key=lambda event: event["at"])
    truth = {
        "expect_alert": bool(writer.pitches),
        "subject": about["subject"],
        "lang": about["lang"],
        "pitches": writer.pitches,
    }
    return [header, *events], truth


def main() -> int:
    """Convert the named files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        for path in given.files:
            (passage,) = read_passages(path.read_text(encoding="utf-8").splitlines(), path.name)
            script, truth = build_show(passage, path.stem)
            lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in script)
            (given.out / f"{path.stem}.jsonl").write_text(lines, encoding="utf-8")
            written = json.dumps(truth, ensure_ascii=False, indent=1) + "\n"
            (given.out / f"{path.stem}.truth.json").write_text(written, encoding="utf-8")
    except (ValueError, KeyError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
