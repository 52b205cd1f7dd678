"""`pitchwatch classify`: JSON Lines in, one reading per line out, in the same order."""

import json
import sys
from collections.abc import Iterator
from queue import Empty, Queue
from threading import Thread
from typing import Any, BinaryIO, Final, TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.text import Text

from bot.cards import ACT_STYLES
from bot.reading import LineReader
from bot.rooms.script import line_of
from bot.sinks.console import write_line
from detectors.classifier import Request
from detectors.normalise import MAX_CHARS
from detectors.records import Reading

#: Lines read together, the longest line taken in bytes, and the context lines taken.
BATCH: Final = 64
MAX_LINE_BYTES: Final = 64 * 1024
MAX_CONTEXT: Final = 16


class BadInputError(Exception):
    """A line of the input cannot be used. The text says why."""


class InputLostError(Exception):
    """The input broke off before its end."""


def classify(reader: LineReader, source: BinaryIO, out: TextIO, as_json: bool) -> int:
    """Read every line of `source` and write its reading; bad lines are named on standard error.

    Return the exit code: 1 when `source` could not be read to its end.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed} lines"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    try:
        with shown as progress:
            task = progress.add_task("")
            for batch in _batches(source):
                readings = reader.read([request for _, request in batch])
                for (line_id, request), reading in zip(batch, readings, strict=True):
                    if as_json:
                        write_line(out, reading_line(line_id, reading))
                    else:
                        _print(console, line_id, request, reading)
                progress.advance(task, len(batch))
    except InputLostError as error:
        print(f"pitchwatch: standard input: cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


def _batches(source: BinaryIO) -> Iterator[list[tuple[Any, Request]]]:
    """Yield what is there to read together: full batches from a file or fast pipe, single lines from a slow one."""
    lines: Queue[tuple[int, bytes] | OSError | None] = Queue(maxsize=4 * BATCH)
    Thread(target=_pump, args=(source, lines), daemon=True).start()
    waiting = True
    while waiting:
        batch: list[tuple[Any, Request]] = []
        line = lines.get()
        while line is not None:
            if isinstance(line, OSError):
                raise InputLostError(line.strerror or str(line)) from line
            number, raw = line
            try:
                batch.append(parse_request(raw))
            except BadInputError as error:
                print(f"pitchwatch: line {number}: passed over: {error}", file=sys.stderr)
            if len(batch) >= BATCH:
                break
            try:
                line = lines.get_nowait()
            except Empty:
                break
        waiting = line is not None
        if batch:
            yield batch


def _pump(source: BinaryIO, lines: "Queue[tuple[int, bytes] | OSError | None]") -> None:
    """Read numbered lines ahead of the model, of a line that is too long only its beginning; None at the end, or the
    error that came before it."""
    number = 0
    try:
        while raw := source.readline(MAX_LINE_BYTES + 1):
            number += 1
            rest = raw
            while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = source.readline(MAX_LINE_BYTES + 1)
            if raw.strip():
                lines.put((number, raw))
        lines.put(None)
    except OSError as error:
        lines.put(error)


def parse_request(raw: bytes) -> tuple[Any, Request]:
    """Read one input line as its id and what to classify. Raises BadInputError."""
    if len(raw) > MAX_LINE_BYTES:
        raise BadInputError(f"longer than {MAX_LINE_BYTES // 1024} KiB")
    try:
        row = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"broken JSON ({error})") from error
    if not isinstance(row, dict):
        raise BadInputError("not a JSON object")
    text, kind, lang, context = row.get("text"), row.get("kind", "speech"), row.get("lang"), row.get("context", [])
    if not isinstance(text, str) or not text.strip():
        raise BadInputError("text must not be empty")
    if kind not in ("speech", "chat"):
        raise BadInputError(f'kind must be "speech" or "chat", not {kind!r:.40}')
    if not isinstance(context, list) or not all(isinstance(line, str) for line in context):
        raise BadInputError("context must be a list of texts")
    hint = lang if lang in ("en", "fr") else None
    earlier = tuple(line[-MAX_CHARS:] for line in context[-MAX_CONTEXT:])
    return row.get("id"), Request(text, kind, earlier, hint)


def reading_line(line_id: Any, reading: Reading) -> dict[str, Any]:
    """Return a reading in its stable format, probabilities to six places."""
    return {
        "id": line_id,
        "act": reading.act,
        "acts": {name: round(value, 6) for name, value in reading.acts.items()},
        "pitch": round(reading.pitch, 6),
        "offers": {name: round(value, 6) for name, value in reading.offers.items()},
        "cues": {name: round(value, 6) for name, value in reading.cues.items()},
        "lang": reading.lang,
        "unsure": reading.unsure,
    }


def _print(console: Console, line_id: Any, request: Request, reading: Reading) -> None:
    label = Text(f"{reading.act:8}", ACT_STYLES[reading.act])
    doubt = "?" if reading.unsure else " "
    console.print(
        Text.assemble(f"{line_of(str(line_id)):>8} ", label, f" {reading.pitch:4.0%}{doubt} ", line_of(request.text))
    )
