"""Turn whole shows into labelled lines: `python -m detectors.training.show_lines tests/bench/shows/test --out F.jsonl`.

The label of a line is what both readers made of it; lines on which they differ are left out and counted. `evaluate`
takes the file.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectors.context import choose_context
from detectors.training.data_check import read_labels, read_show
from detectors.training.from_text import ACT_CODES


@dataclass(frozen=True, slots=True)
class Said:
    """A line as `choose_context` wants it."""

    who: str
    kind: str
    text: str


def labelled(show: str, lang: str, rows: list[dict[str, Any]], one: str, two: str) -> Iterator[dict[str, Any]]:
    """Yield the rows that both readers gave the same letter, each with the context that the bot would give it."""
    said = [Said(row["who"], row["type"], row["text"]) for row in rows]
    for number, (line, first, second) in enumerate(zip(said, one, two, strict=True)):
        if first == second:
            context = choose_context(said[:number], line.kind, line.who)
            about = {"id": f"{show}-{number + 1:03d}", "video": show, "lang": lang, "kind": line.kind}
            yield about | {"text": line.text, "context": context, "label": ACT_CODES[first]}


def main() -> int:
    """Write the lines of the folder on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    one, two = read_labels("one"), read_labels("two")
    lines: list[dict[str, Any]] = []
    total = 0
    for path in sorted(given.folder.glob("*.jsonl")):
        lang = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))["lang"]
        rows = read_show(path)
        total += len(rows)
        lines += labelled(path.stem, lang, rows, one[path.stem], two[path.stem])
    given.out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(lines)} of {total} lines → {given.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
