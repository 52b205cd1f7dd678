"""Turn passages as writers write them into data files.

`python -m detectors.training.from_text IN.txt… --out OUT.jsonl`

A passage is a header and its lines:

    === subject: sourdough | setting: stage | style: asr | lang: en | host: @brewdad | kinds: sponsor_read
    S1 @brewdad T - - :: so the gasket is eight and a half
    C @ana P ebook+course link :: the link is in his bio

Columns: seat (S1–S4) or C for chat, who, act, offers, cues, text. `+12` alone is a pause of 12 s.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detectors.taxonomy import CUES, OFFERS

ACT_CODES = {"T": "teach", "P": "pitch", "S": "sponsor", "C": "caution", "X": "spam", "O": "other"}
_LINE = re.compile(r"(S[1-4]|C) (@\S+) ([TPSCXO]) (\S+) (\S+) :: (.+)")
_PAUSE = re.compile(r"\+(\d+)")


@dataclass
class Passage:
    """A header with its fields, and rows as (seat or 0 for chat, who, act, offers, cues, text, pause before in s)."""

    fields: dict[str, str]
    rows: list[tuple[int, str, str, list[str], list[str], str, int]] = field(default_factory=list)


def read_passages(text: Iterable[str], name: str) -> Iterator[Passage]:
    """Parse a writer's file. Raises ValueError with the line number on the first line that is neither."""
    passage: Passage | None = None
    pause = 0
    for number, raw in enumerate(text, 1):
        line = raw.strip()
        if line.startswith("==="):
            if passage:
                yield passage
            pairs = (part.split(":", 1) for part in line.strip("= ").split("|") if ":" in part)
            passage, pause = Passage({key.strip(): value.strip() for key, value in pairs}), 0
        elif found := _PAUSE.fullmatch(line):
            pause += int(found[1])
        elif line:
            passage = _add(passage, line, pause, f"{name}:{number}")
            pause = 0
    if passage:
        yield passage


def _add(passage: Passage | None, line: str, pause: int, where: str) -> Passage:
    found = _LINE.fullmatch(line)
    if passage is None or found is None:
        raise ValueError(f"{where}: not a line of a passage: {line[:60]!r}")
    place, who, act, offers, cues, text = found.groups()
    seat = int(place[1]) if place != "C" else 0
    row = (seat, who, ACT_CODES[act], _names(offers, OFFERS, where), _names(cues, CUES, where), text, pause)
    passage.rows.append(row)
    return passage


def _names(column: str, known: Iterable[str], where: str) -> list[str]:
    names = [] if column == "-" else column.split("+")
    if unknown := set(names) - set(known):
        raise ValueError(f"{where}: not in the taxonomy: {', '.join(sorted(unknown))}")
    return names


def data_rows(passage: Passage, name: str, source: str) -> Iterator[dict[str, Any]]:
    """Yield the passage's lines as rows of a data file."""
    about = passage.fields
    for number, (seat, who, act, offers, cues, text, _) in enumerate(passage.rows, 1):
        yield {
            "id": f"{name}-{number:02d}",
            "passage": name,
            "subject": about["subject"],
            "setting": about.get("setting", ""),
            "style": about["style"],
            "lang": about["lang"],
            "kinds": [kind.strip() for kind in about.get("kinds", "").split(",") if kind.strip()],
            "kind": "speech" if seat else "chat",
            "seat": seat or None,
            "who": who,
            "text": text,
            "act": act,
            "offers": offers,
            "cues": cues,
            "source": source,
            "licence": "MIT",
        }


def main() -> int:
    """Convert the named files into one data file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--source", default="written for this project", help="where the lines come from")
    given = parser.parse_args()
    lines = []
    try:
        for path in given.files:
            text = path.read_text(encoding="utf-8").splitlines()
            for index, passage in enumerate(read_passages(text, path.name), 1):
                lines += data_rows(passage, f"{path.stem}-{index:02d}", given.source)
    except (ValueError, KeyError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    given.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in lines), encoding="utf-8")
    print(f"{len(lines)} lines → {given.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
