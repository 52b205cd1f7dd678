"""Look over all data and hold it to its rules: `python -m detectors.training.data_check` (`make data-check`).

Prints counts by language, kind, act, style, subject, source and hard kind; lengths; duplicates within the training
lines and leaks into validation and test shows (the same text, eight words in a row, and neighbours by vectors of the
base encoder where the `train` extra is installed); how far two readers agree. Exit code 1 if a rule is broken.

Lines that a recogniser heard (`spoken` says what was written) repeat written ones: they count for languages, styles and
leaks, and for nothing else.
"""

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from detectors.training import neighbours
from detectors.training.from_text import ACT_CODES
from detectors.training.kinds import Kind, read_kinds
from detectors.training.passages import DATA, LabelledLine, read_lines, training_files

SHOWS = Path(__file__).parents[2] / "tests" / "bench" / "shows"
#: Rules: fewest training lines and subjects, most duplicates among them (share), least agreement of readers (kappa).
LEAST_LINES = 10_000
LEAST_SUBJECTS = 60
LEAST_SPEAKERS = 300
MOST_DUPLICATES = 0.01
LEAST_KAPPA = 0.7
#: Of all lines the least share in recogniser style and in French (about half and about 40 % are aimed at; a bilingual
#: passage counts for neither language), and the largest of one subject.
LEAST_HEARD_STYLE = 0.4
LEAST_FRENCH = 0.3
MOST_OF_A_SUBJECT = 0.02
SHINGLE = 8
#: Lines of a part that may share that many words in a row with training (share): idioms do by chance.
MOST_LEAKED = 0.001
#: Rows of a table that is longer than anybody reads.
ROWS = 12
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


def repeated_runs(passages: Iterable[tuple[str, str]]) -> int:
    """Return how many of the texts, each with its passage's name, share eight words in a row with another passage."""
    texts = list(passages)
    first: dict[tuple[str, ...], str] = {}
    shared: set[tuple[str, ...]] = set()
    for name, text in texts:
        shared.update(run for run in shingles(text) if first.setdefault(run, name) != name)
    return sum(not shared.isdisjoint(shingles(text)) for _, text in texts)


def check(look_at_neighbours: bool = False) -> Findings:
    """Look over everything; neighbours take minutes the first time."""
    found = Findings()
    lines = read_lines(training_files())
    written = [line for line in lines if not line.spoken]
    _counts(found, lines, written)
    _kinds(found, written, read_kinds())
    texts = [line.text for line in written]
    repeated, runs = duplicates(texts), repeated_runs((line.passage, line.text) for line in written)
    counts = [
        ("lines that stood there before", repeated),
        ("share", _percent(repeated, written)),
        (f"lines that share {SHINGLE} words in a row with another passage", runs),
        ("share ", _percent(runs, written)),
    ]
    found.tables.append(("duplicates in training", counts))
    found.require(repeated <= MOST_DUPLICATES * len(texts), f"{repeated} duplicates among {len(texts)} training lines")
    found.require(runs <= MOST_DUPLICATES * len(texts), f"{runs} of {len(texts)} training lines share words in a row")
    _second_reader(found, written)
    shows = {part: read_shows(part) for part in ("validation", "test")}
    for part, rows in shows.items():
        _part(found, part, rows, [line.text for line in lines])
    _neighbours(found, lines, shows, look_at_neighbours)
    return found


def _percent(part: int, whole: Sequence[Any]) -> str:
    return f"{100 * part / len(whole):.1f} %"


def _percentiles(values: Iterable[int]) -> list[tuple[str, Any]]:
    ordered = sorted(values)
    return [(f"{percent} % have at most", ordered[len(ordered) * percent // 100]) for percent in (10, 50, 90)]


def _most_common(counts: Counter[str], total: Sequence[Any]) -> list[tuple[str, Any]]:
    rows = [(name, f"{count}  ({_percent(count, total)})") for name, count in counts.most_common(ROWS)]
    rest = counts.most_common()[ROWS:]
    return [*rows, (f"{len(rest)} more", sum(count for _, count in rest))] if rest else rows


def _counts(found: Findings, lines: Sequence[LabelledLine], written: Sequence[LabelledLine]) -> None:
    for name in ("lang", "style", "source"):
        counts = Counter(str(getattr(line, name)) for line in lines)
        found.tables.append((f"all training lines by {name}", _most_common(counts, lines)))
    for name in ("kind", "act"):
        counts = Counter(str(getattr(line, name)) for line in written)
        found.tables.append((f"written lines by {name}", _most_common(counts, written)))
    subjects, speakers = Counter(line.subject.lower() for line in written), {line.who for line in written}
    found.tables.append((f"written lines by subject, of {len(subjects)}", _most_common(subjects, written)))
    passages = Counter(line.passage for line in written)
    rows = [
        ("lines", len(lines)),
        ("written", len(written)),
        ("heard: read aloud and transcribed", len(lines) - len(written)),
        ("passages written", len(passages)),
        ("subjects", len(subjects)),
        ("speakers", len(speakers)),
    ]
    found.tables.append(("training", rows))
    found.tables.append(("words of a written line", _percentiles(len(line.text.split()) for line in written)))
    found.tables.append(("lines of a written passage", _percentiles(passages.values())))
    heard = sum(line.style == "asr" for line in lines) / len(lines)
    french = sum(line.lang == "fr" for line in lines) / len(lines)
    found.require(len(written) >= LEAST_LINES, f"{len(written)} training lines, of {LEAST_LINES}")
    found.require(len(subjects) >= LEAST_SUBJECTS, f"{len(subjects)} subjects, of {LEAST_SUBJECTS}")
    found.require(len(speakers) >= LEAST_SPEAKERS, f"{len(speakers)} speakers, of {LEAST_SPEAKERS}")
    found.require(heard >= LEAST_HEARD_STYLE, f"{heard:.1%} of the lines in recogniser style")
    found.require(french >= LEAST_FRENCH, f"{french:.1%} of the lines in French")
    ((subject, most),) = subjects.most_common(1)
    found.require(most <= MOST_OF_A_SUBJECT * len(written), f"{most} lines about {subject}")


def _kinds(found: Findings, lines: Sequence[LabelledLine], kinds: Sequence[Kind]) -> None:
    rows, known = [], {tag for line in lines for tag in line.kinds}
    for kind in kinds:
        counted = [line for line in lines if kind.counts(line)]
        passages = {line.passage for line in counted}
        french = sum(line.lang == "fr" for line in counted)
        rows.append((kind.what, f"{len(counted)} of {kind.least}  ({french} French; {len(passages)} passages)"))
        found.require(len(counted) >= kind.least, f"{kind.name}: {len(counted)} lines, of {kind.least}")
        found.require(kind.tags <= known, f"{kind.name}: no passage has {', '.join(sorted(kind.tags - known))}")
    found.tables.append(("written lines by hard kind (kinds.toml says which count, and how many are needed)", rows))


def read_shows(part: str) -> dict[str, list[dict[str, Any]]]:
    """Return the lines with text of each show of a part."""
    return {path.stem: read_show(path) for path in sorted((SHOWS / part).glob("*.jsonl"))}


def _places(show: str, rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(f"{show}, line {number}", row["text"]) for number, row in enumerate(rows, 1)]


def _neighbours(
    found: Findings, lines: Sequence[LabelledLine], shows: dict[str, dict[str, list[dict[str, Any]]]], wanted: bool
) -> None:
    title = f"neighbours by the base encoder's vectors (cosine ≥ {neighbours.ALIKE})"
    if not wanted or not neighbours.is_available():
        why = "left out" if neighbours.is_available() else "needs the train extra"
        found.tables.append((title, [("not looked at", why)]))
        return
    parts = {
        part: [
            (f"{name}, line {number}", row["text"]) for name, rows in held.items() for number, row in enumerate(rows, 1)
        ]
        for part, held in shows.items()
    }
    rows, broken = neighbours.look_at(lines, parts)
    found.tables.append((title, rows))
    found.broken += broken


def _second_reader(found: Findings, lines: Sequence[LabelledLine]) -> None:
    """Hold the labels of the writers against those of a second reader, on the passages that one has read."""
    passages: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        passages[line.passage].append(line.act)
    pairs: list[tuple[str, str]] = []
    for row in map(json.loads, (DATA / "second_reader.jsonl").read_text(encoding="utf-8").splitlines()):
        acts, read = passages[row["passage"]], row["acts"]
        found.require(len(acts) == len(read), f"{row['passage']}: the second reader's labels do not fit its lines")
        pairs += [(act, ACT_CODES[letter]) for act, letter in zip(acts, read, strict=False)]
    acts_agree, pitch_agrees = kappa(pairs), kappa([(a == "pitch", b == "pitch") for a, b in pairs])
    rows = [
        ("lines", len(pairs)),
        ("kappa, acts", round(acts_agree, 3)),
        ("kappa, pitch or not", round(pitch_agrees, 3)),
    ]
    found.tables.append(("training labels, writer and second reader", rows))
    found.require(min(acts_agree, pitch_agrees) >= LEAST_KAPPA, "training: writers and second reader agree too little")


def _part(found: Findings, part: str, shows: dict[str, list[dict[str, Any]]], train: Sequence[str]) -> None:
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="do not look at neighbours")
    given = parser.parse_args()
    console = Console(highlight=False, markup=False)
    found = check(look_at_neighbours=not given.quick)
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
