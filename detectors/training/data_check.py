"""Look over all data and hold it to its rules: `python -m detectors.training.data_check` (`make data-check`).

Prints counts by language, kind, act, style and subject; duplicates within the training lines and leaks into validation
and test shows (the same text, or eight words in a row); how far two readers of the shows agree; lengths. Exit code 1
when a rule is broken.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from detectors.training.passages import LabelledLine, read_lines, training_files

SHOWS = Path(__file__).parents[2] / "tests" / "bench" / "shows"
#: Rules: fewest training lines and subjects, most duplicates among them (share), least agreement of readers (kappa).
LEAST_LINES = 10_000
LEAST_SUBJECTS = 60
LEAST_SPEAKERS = 300
MOST_DUPLICATES = 0.01
LEAST_KAPPA = 0.7
SHINGLE = 8
#: Lines of a part that may share that many words in a row with training (share): idioms do by chance.
MOST_LEAKED = 0.001
#: Texts of fewer words than this are alike by chance ("is there a payment plan").
TELLING_WORDS = 6
_WORD = re.compile(r"[\w']+")


@dataclass
class Findings:
    """What was found: tables to print, and rules that are broken."""

    tables: list[tuple[str, list[tuple[str, Any]]]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def require(self, holds: bool, rule: str) -> None:
        """Note a rule that does not hold."""
        if not holds:
            self.broken.append(rule)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared."""
    return tuple(_WORD.findall(text.lower()))


def shingles(text: str) -> set[tuple[str, ...]]:
    """Return every run of `SHINGLE` words."""
    found = words(text)
    return {found[i : i + SHINGLE] for i in range(len(found) - SHINGLE + 1)}


def duplicates(texts: Sequence[str]) -> int:
    """Return how many texts stood there before, word for word; short ones do not count."""
    counts = Counter(found for text in texts if len(found := words(text)) >= TELLING_WORDS)
    return sum(count - 1 for count in counts.values())


def leaks(train: Iterable[str], other: Iterable[str]) -> list[str]:
    """Return texts of `other` that share eight words in a row, or all of their words, with training texts."""
    known: set[tuple[str, ...]] = set()
    whole: set[tuple[str, ...]] = set()
    for text in train:
        known |= shingles(text)
        whole.add(words(text))
    return [
        text
        for text in other
        if not known.isdisjoint(shingles(text)) or (len(words(text)) >= TELLING_WORDS and words(text) in whole)
    ]


def kappa(pairs: Sequence[tuple[Any, Any]]) -> float:
    """Return the agreement of two readers beyond chance (Cohen, 1960)."""
    same = sum(a == b for a, b in pairs) / len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[label] * second[label] for label in first) / len(pairs) ** 2
    return 1.0 if chance == 1.0 else (same - chance) / (1.0 - chance)


def read_show(path: Path) -> list[dict[str, Any]]:
    """Return the lines with text of a show script."""
    rows = [json.loads(raw) for raw in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if "text" in row]


def read_labels(reader: str) -> dict[str, str]:
    """Return a reader's letters per show: one per line with text."""
    rows = (SHOWS / "labels" / f"reader_{reader}.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["show"]: row["acts"] for row in map(json.loads, rows)}


def check() -> Findings:
    """Look over everything."""
    found = Findings()
    lines = read_lines(training_files())
    _counts(found, lines)
    texts = [line.text for line in lines]
    repeated = duplicates(texts)
    found.tables.append(("duplicates in training", [("lines", repeated), ("share", round(repeated / len(lines), 4))]))
    found.require(repeated <= MOST_DUPLICATES * len(lines), f"{repeated} duplicates among {len(lines)} training lines")
    for part in ("validation", "test"):
        _part(found, part, texts)
    return found


def _counts(found: Findings, lines: Sequence[LabelledLine]) -> None:
    for name in ("lang", "kind", "act", "style"):
        counts = Counter(str(getattr(line, name)) for line in lines)
        found.tables.append((f"training lines by {name}", counts.most_common()))
    subjects, speakers = {line.subject.lower() for line in lines}, {line.who for line in lines}
    lengths = sorted(len(line.text.split()) for line in lines)
    middle = {f"{percent} % have at most": lengths[len(lengths) * percent // 100] for percent in (10, 50, 90)}
    found.tables.append(
        ("training", [("lines", len(lines)), ("subjects", len(subjects)), ("speakers", len(speakers)), *middle.items()])
    )
    found.require(len(lines) >= LEAST_LINES, f"{len(lines)} training lines, of {LEAST_LINES}")
    found.require(len(subjects) >= LEAST_SUBJECTS, f"{len(subjects)} subjects, of {LEAST_SUBJECTS}")
    found.require(len(speakers) >= LEAST_SPEAKERS, f"{len(speakers)} speakers, of {LEAST_SPEAKERS}")


def _part(found: Findings, part: str, train: Sequence[str]) -> None:
    shows = {path.stem: read_show(path) for path in sorted((SHOWS / part).glob("*.jsonl"))}
    leaked = leaks(train, (row["text"] for rows in shows.values() for row in rows))
    one, two = read_labels("one"), read_labels("two")
    for name, rows in shows.items():
        found.require(len(one[name]) == len(two[name]) == len(rows), f"{name}: labels do not fit its lines")
    pairs = [pair for name in shows for pair in zip(one[name], two[name], strict=True)]
    acts, pitch = kappa(pairs), kappa([(a == "P", b == "P") for a, b in pairs])
    counts = [
        ("shows", len(shows)),
        ("lines", len(pairs)),
        (f"lines that share {SHINGLE} words in a row with training", len(leaked)),
    ]
    agreement = [("kappa of two readers, acts", round(acts, 3)), ("kappa, pitch or not", round(pitch, 3))]
    found.tables.append((part, [*counts, *agreement]))
    share = len(leaked) / len(pairs)
    found.require(share <= MOST_LEAKED, f"{part}: {len(leaked)} lines share words with training, such as {leaked[:3]}")
    found.require(min(acts, pitch) >= LEAST_KAPPA, f"{part}: readers agree too little")


def main() -> int:
    """Print what was found."""
    console = Console(highlight=False, markup=False)
    found = check()
    for title, rows in found.tables:
        console.print(f"\n{title}", style="bold")
        table = Table(box=None, show_header=False)
        for name, value in rows:
            table.add_row(name, str(value))
        console.print(table)
    for rule in found.broken:
        console.print(f"broken: {rule}", style="red")
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
