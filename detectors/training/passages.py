"""Labelled passages: reading, checking, and turning them into examples with context.

A data file is JSON Lines; one object is one line of a show, and lines with the same `passage` stand in order.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from detectors.context import choose_context
from detectors.taxonomy import ACTS, CUES, OFFERS

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """One line of a passage with what it does."""

    id: str
    passage: str
    subject: str
    style: str
    lang: str
    kind: str
    who: str
    text: str
    act: str
    offers: tuple[str, ...]
    cues: tuple[str, ...]
    source: str
    kinds: tuple[str, ...] = ()  #: the writer's free tags of the passage
    spoken: str = ""  #: as written, where `text` is what a recogniser heard


@dataclass(frozen=True, slots=True)
class Example:
    """A line as the classifier sees it: its text, what was said before, and the truth."""

    line: LabelledLine
    context: tuple[str, ...]


def parse_line(row: dict[str, Any]) -> LabelledLine:
    """Read one data row.

    Raises:
        ValueError: a label that is not in the taxonomy, a kind that is neither speech nor chat, or no text.
        KeyError: a field is missing.
    """
    line = LabelledLine(
        id=row["id"],
        passage=row["passage"],
        subject=row["subject"],
        style=row["style"],
        lang=row["lang"],
        kind=row["kind"],
        who=row["who"],
        text=row["text"],
        act=row["act"],
        offers=tuple(row["offers"]),
        cues=tuple(row["cues"]),
        source=row["source"],
        kinds=tuple(row.get("kinds", ())),
        spoken=row.get("spoken", ""),
    )
    unknown = {line.act} - set(ACTS) | set(line.offers) - set(OFFERS) | set(line.cues) - set(CUES)
    if unknown:
        raise ValueError(f"{line.id}: not in the taxonomy: {', '.join(sorted(unknown))}")
    if line.kind not in ("speech", "chat") or not line.text.strip():
        raise ValueError(f"{line.id}: needs a text and a kind of speech or chat")
    return line


def read_lines(paths: Iterable[Path]) -> list[LabelledLine]:
    """Read data files in order. Raises ValueError with file and line number on the first bad row."""
    lines = []
    for path in paths:
        for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                lines.append(parse_line(json.loads(raw)))
            except (ValueError, KeyError) as error:
                raise ValueError(f"{path}:{number}: {error}") from error
    return lines


def examples(lines: Iterable[LabelledLine]) -> Iterator[Example]:
    """Give each line the context that the running bot would give it."""
    for _, group in groupby(lines, key=lambda line: line.passage):
        passage = list(group)
        for position, line in enumerate(passage):
            yield Example(line, tuple(choose_context(passage[:position], line.kind, line.who)))


def training_files() -> list[Path]:
    """All data files that training may use, in a fixed order."""
    return sorted((DATA / "train").glob("*.jsonl"))
