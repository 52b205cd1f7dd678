"""Make the sound of the sample shows and of the test clips with Kokoro voices.

    python synthesise.py show  FOLDER… --voices VOICES    lines.txt -> spoken.jsonl, show.jsonl, truth, seat1..4.opus
    python synthesise.py clips FOLDER  --voices VOICES    clips.jsonl -> the Opus files it names

VOICES is the folder with Kokoro's voices (`voices/` of the npm package kokoro-js). The model's parts are found among
the installed packages, `espeak-ng` on the PATH. The same input gives the same output. See README.md beside this file.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from voice import RATE, ROOM_DB, Kokoro, Voice, amplitude, in_room, write_opus

#: Seats of a show.
SEATS = (1, 2, 3, 4)
#: Seats whose microphone is shut when nobody speaks, as in many rooms. It is open from this many seconds before a line
#: to as many after it, and takes so long to open or shut.
GATED, GATE_OPEN, GATE_FADE = frozenset({3, 4}), 1.2, 0.25
#: Seconds of room before the first line and after the last, and around a clip.
LEAD, TAIL, CLIP_EDGE = 0.8, 2.0, 0.35
#: Pauses in seconds that a line takes in turn where its source names none: the same speaker goes on, another answers.
GOING_ON, ANSWERING = (0.4, 0.7, 0.3, 0.5), (0.6, 1.0, 0.45, 0.8, 0.65)
#: Seconds from the end of a line to the first chat line below it, and between two chat lines.
CHAT_AFTER, CHAT_BETWEEN = 0.9, 0.7

OFFERS = frozenset(
    [
        "ebook",
        "white_paper",
        "course",
        "coaching",
        "membership",
        "group",
        "growth_service",
        "tool",
        "merch",
        "donation",
        "other",
    ]
)
CUES = frozenset(
    [
        "scarcity",
        "urgency",
        "discount",
        "guarantee",
        "free_bait",
        "income_claim",
        "off_platform",
        "link",
        "testimonial",
        "credential_claim",
        "follower_claim",
    ]
)


@dataclass
class Track:
    """What one seat's microphone hears."""

    seconds: float
    seed: int
    gated: bool = False
    _voice: np.ndarray = field(init=False)
    _open: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Start with nobody speaking."""
        self._voice = np.zeros(round(self.seconds * RATE))
        self._open = np.full(len(self._voice), 0.0 if self.gated else 1.0)

    def add(self, at: float, sound: np.ndarray) -> None:
        """Mix `sound` in at `at` seconds."""
        start, edge, fade = round(at * RATE), round(GATE_OPEN * RATE), round(GATE_FADE * RATE)
        self._voice[start : start + len(sound)] += sound
        opened = np.pad(np.ones(len(sound) + 2 * edge), fade, mode="linear_ramp")
        place = np.arange(len(opened)) + start - edge - fade
        inside = (place >= 0) & (place < len(self._open))
        self._open[place[inside]] = np.maximum(self._open[place[inside]], opened[inside])

    def write(self, path: Path, bit_rate: int) -> None:
        """Write what is heard as mono Ogg Opus."""
        write_opus(path, in_room(self._voice, self.seed, amplitude(ROOM_DB) * self._open), bit_rate)


@dataclass
class Entry:
    """A line of lines.txt: speech, a chat line, or somebody who sits down (`joined`) or leaves (`left`)."""

    kind: str
    who: str
    text: str = ""
    lang: str = "en"
    seat: int = 0
    pause: float | None = None
    marks: tuple[str, ...] = ()
    at: float = 0.0
    until: float = 0.0


@dataclass
class Source:
    """A show as lines.txt has it: what its first lines say about it, and its entries."""

    about: dict[str, str]
    entries: list[Entry]


_SPEECH = re.compile(r"(?P<chat>chat )?(?P<who>@\w+)(?: \[(?P<marks>[^]]*)\])?: (?P<text>.+)")
_SEAT = re.compile(r"(?P<sign>[+-]) (?P<seat>[1-4]) (?P<who>@\w+)")
_ABOUT = re.compile(r"(?P<name>id|title|host|started|subject): (?P<value>.+)")


def read_source(path: Path) -> Source:
    """Read lines.txt; its format stands in README.md."""
    source = Source({}, [])
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if about := _ABOUT.fullmatch(line):
            source.about[about["name"]] = about["value"]
        elif seat := _SEAT.fullmatch(line):
            event = "joined" if seat["sign"] == "+" else "left"
            source.entries.append(Entry(event, seat["who"], seat=int(seat["seat"])))
        elif said := _SPEECH.fullmatch(line):
            source.entries.append(_entry(said, path, number))
        else:
            raise SystemExit(f"{path}, line {number}: not understood")
    return source


def _entry(said: re.Match[str], path: Path, number: int) -> Entry:
    entry = Entry("chat" if said["chat"] else "speech", said["who"], said["text"].strip())
    marks = []
    for mark in (said["marks"] or "").split():
        if mark in ("en", "fr"):
            entry.lang = mark
        elif mark in OFFERS | CUES:
            marks.append(mark)
        elif re.fullmatch(r"-?\d+(\.\d+)?", mark):
            entry.pause = float(mark)
        else:
            raise SystemExit(f"{path}, line {number}: what is {mark!r}?")
    entry.marks = tuple(marks)
    return entry


@dataclass
class Cast:
    """The people's voices and levels, from voices.toml."""

    people: dict[str, dict[str, Any]]

    def voice(self, who: str, lang: str) -> Voice:
        """Return the voice of `who` in `lang`."""
        return Voice(**self.people[who][lang])

    def gain(self, who: str) -> float:
        """Return what a sound of `who` at level 0 is multiplied by."""
        return amplitude(self.people[who].get("level", 0.0))


def set_times(entries: list[Entry], sounds: dict[int, np.ndarray]) -> float:
    """Give every entry its time from the length of its sound and the pauses; return the length of the show."""
    end = chat_at = 0.0
    latest: Entry | None = None
    spoken = 0
    for index, entry in enumerate(entries):
        if entry.kind == "speech":
            entry.at = round(max(0.0, end + _pause(entry, latest, spoken)), 2)
            entry.until = round(entry.at + len(sounds[index]) / RATE, 2)
            end, latest, spoken, chat_at = max(end, entry.until), entry, spoken + 1, 0.0
        elif entry.kind == "chat":
            chat_at = entry.at = round(max(end + CHAT_AFTER, chat_at + CHAT_BETWEEN), 2)
        else:
            entry.at = round(end + 0.1, 2) if latest else 0.0
    length = round(end + TAIL, 2)
    for entry in entries:
        entry.at = min(entry.at, length)
    return length


def _pause(entry: Entry, latest: Entry | None, spoken: int) -> float:
    if entry.pause is not None:
        return entry.pause
    if latest is None:
        return LEAD
    pauses = GOING_ON if entry.who == latest.who else ANSWERING
    return pauses[spoken % len(pauses)]


def events_of(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return the entries as events of a show script, in time order."""
    seats: dict[str, int] = {}
    events = []
    for entry in entries:
        if entry.kind == "speech":
            times = {"at": entry.at, "until": entry.until, "seat": seats[entry.who]}
            events.append({"type": "speech", **times, "who": entry.who, "text": entry.text})
        elif entry.kind == "chat":
            events.append({"type": "chat", "at": entry.at, "who": entry.who, "text": entry.text})
        else:
            seats[entry.who] = entry.seat
            seat = {"type": "seat", "at": entry.at, "seat": entry.seat, "who": entry.who, "event": entry.kind}
            events.append(seat)
    return sorted(events, key=lambda event: event["at"])


def truth_of(source: Source) -> dict[str, Any]:
    """Return who pitches what and when: one pitch a person, from the first marked line to the end of the last."""
    pitches: dict[str, dict[str, Any]] = {}
    for entry in sorted(source.entries, key=lambda entry: entry.at):
        if not entry.marks:
            continue
        pitch = pitches.setdefault(entry.who, {"by": entry.who, "from": entry.at, "to": 0.0, "offers": [], "cues": []})
        pitch["to"] = max(pitch["to"], entry.until, entry.at)
        pitch["offers"] = sorted({*pitch["offers"], *OFFERS.intersection(entry.marks)})
        pitch["cues"] = sorted({*pitch["cues"], *CUES.intersection(entry.marks)})
    about = {"expect_alert": bool(pitches), "subject": source.about["subject"], "lang": "mix"}
    return {**about, "pitches": list(pitches.values())}


def make_show(folder: Path, kokoro: Kokoro, cast: Cast, bit_rate: int) -> None:
    """Make everything of one show from its lines.txt."""
    source = read_source(folder / "lines.txt")
    sounds = {
        index: kokoro.speak(entry.text, entry.lang, cast.voice(entry.who, entry.lang)) * cast.gain(entry.who)
        for index, entry in enumerate(source.entries)
        if entry.kind == "speech"
    }
    length = set_times(source.entries, sounds)
    tracks = {seat: Track(length, seat, seat in GATED) for seat in SEATS}
    sitting: dict[str, int] = {}
    for index, entry in enumerate(source.entries):
        if entry.kind == "joined":
            sitting[entry.who] = entry.seat
        elif entry.kind == "speech":
            tracks[sitting[entry.who]].add(entry.at, sounds[index])
    for seat, track in tracks.items():
        track.write(folder / f"seat{seat}.opus", bit_rate)
    write_script(folder, source, length)


def write_script(folder: Path, source: Source, length: float) -> None:
    """Write the show as text and as sound, and the truth beside both."""
    names = ("id", "title", "platform", "host", "started")
    about = {**source.about, "platform": "replay"}
    header = {"type": "show", **{name: about[name] for name in names}}
    events = events_of(source.entries)
    media = [{"type": "media", "at": 0.0, "seat": seat, "file": f"seat{seat}.opus"} for seat in SEATS]
    unspoken = [event for event in events if event["type"] != "speech"]
    _write_lines(folder / "spoken.jsonl", [header, *events])
    _write_lines(folder / "show.jsonl", [header, *sorted([*unspoken, *media], key=lambda event: event["at"])])
    truth = truth_of(source)
    for name in ("spoken", "show"):
        text = json.dumps(truth, ensure_ascii=False, indent=1) + "\n"
        (folder / f"{name}.truth.json").write_text(text, "utf-8")
    words = sum(len(event["text"].split()) for event in events if event["type"] == "speech")
    starts = ", ".join(f"{pitch['by']} {pitch['from']:g}-{pitch['to']:g} s" for pitch in truth["pitches"])
    print(f"{folder}: {length:g} s, {words} words spoken; pitches: {starts or 'none'}", file=sys.stderr)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def make_clips(folder: Path, kokoro: Kokoro, bit_rate: int) -> None:
    """Make the clips that clips.jsonl names, and write their times into it."""
    path = folder / "clips.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    parts = [[(line, _clip_sound(kokoro, row, line)) for line in row.get("lines", [row])] for row in rows]
    for part in parts:
        for line, sound in part:
            line["at"] = line.get("at", CLIP_EDGE)
            line["until"] = round(line["at"] + len(sound) / RATE, 2)
    ends = [max(line["until"] for line, _ in part) for part in parts]
    together = max((end for row, end in zip(rows, ends, strict=True) if "seat" in row), default=0.0)
    for number, (row, part, end) in enumerate(zip(rows, parts, ends, strict=True)):
        track = Track((together if "seat" in row else end) + CLIP_EDGE, number)
        for line, sound in part:
            track.add(line["at"], sound)
        track.write(folder / row["file"], bit_rate)
    _write_lines(path, rows)


def _clip_sound(kokoro: Kokoro, row: dict[str, Any], line: dict[str, Any]) -> np.ndarray:
    voice = Voice(row["voice"], row["accent"], row.get("speed", 1.0))
    return kokoro.speak(line["text"], row["lang"], voice)


def main() -> None:
    """Read the command line and make what it asks for."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("show", "clips"), help="the sound of shows, or test clips")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="holds lines.txt or clips.jsonl")
    parser.add_argument("--voices", required=True, type=Path, help="folder with Kokoro's voices (*.bin)")
    parser.add_argument(
        "--cast", type=Path, default=Path(__file__).with_name("voices.toml"), help="who has which voice"
    )
    parser.add_argument("--bit-rate", type=int, default=20_000, help="of the Opus files, bits a second")
    options = parser.parse_args()
    cast = tomllib.loads(options.cast.read_text("utf-8"))
    kokoro = Kokoro(options.voices, cast.get("say", {}))
    for folder in options.folders:
        if options.what == "show":
            make_show(folder, kokoro, Cast(cast["people"]), options.bit_rate)
        else:
            make_clips(folder, kokoro, options.bit_rate)


if __name__ == "__main__":
    main()
