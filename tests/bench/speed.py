"""Measure how fast lines are read: `python -m tests.bench.speed [--chat FILE] [--json]`.

All in one run, on the processor's cores as they are, so that ratios hold on a busy machine as well:

- chat lines a second through gate and transformer, with 2 % of lines that the gate must let through (pitches, spam);
- lines a second of exactly 32 tokens through the transformer alone, one line at a time on two threads, beside the plain
  `transformers` pipeline (needs the train extra) with the same weights, batches of 1 and of 16;
- whole validation shows as the bot reads them, second looks and all: how many seconds of show are read
  in a second, one show after the other, and how many requests a line takes;
- from line to reading at 50, 100 and 200 chat lines a second, arriving at random, for everything between: p50 and p99;
- seconds from nothing to the first reading in a new process, and its resident memory.

Chat comes from the validation shows; `--chat FILE` takes any JSON Lines with `text` and `label` (`pitch`, `spam`, or
other).
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from bot.reading import LineReader, ModelStage
from detectors.classifier import SHIPPED_MODEL, Classifier, Request
from detectors.encoding import encode
from detectors.records import Account, Event, Line, Person, Reading, RoomKey, ShowInfo
from detectors.show import Show
from detectors.training.passages import DATA, read_lines
from tests.bench.shows import read_show

PITCHES = 0.02
TOKENS = 32
#: Lines read per measurement; enough for half a minute of work or so.
CHAT_LINES = 3000
PLAIN_LINES = 300
SHOWS = sorted((Path(__file__).parent / "shows" / "validation").glob("*.jsonl"))[::7]
#: Lines read together at most, and how long a queue that has grown is still worked off, in seconds.
BATCH = 64
PATIENCE = 5.0
_START = """
import resource, time
began = time.perf_counter()
from detectors.classifier import Classifier, Request
Classifier().read([Request("the link is in my bio", "speech")])
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Chat:
    """Texts of a chat: those that must be read, and the rest."""

    wanted: list[str]
    plain: list[str]

    def draw(self, count: int, dice: random.Random) -> list[str]:
        """Return `count` texts, 2 % of them wanted, in random order."""
        wanted = round(count * PITCHES)
        texts = dice.choices(self.wanted, k=wanted) + dice.choices(self.plain, k=count - wanted)
        dice.shuffle(texts)
        return texts


def shipped_chat() -> Chat:
    """Return the chat of the validation shows."""
    lines = read_lines(sorted((DATA / "validation").glob("*.jsonl")))
    chat = [line for line in lines if line.kind == "chat"]
    wanted = ("pitch", "spam")
    return Chat([x.text for x in chat if x.act in wanted], [x.text for x in chat if x.act not in wanted])


def chat_from(path: Path) -> Chat:
    """Read the chat of a file. Raises ValueError or KeyError when a row has no text or label."""
    rows = [json.loads(raw) for raw in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row.get("kind", "chat") == "chat"]
    wanted = ("pitch", "spam")
    return Chat(
        [row["text"] for row in rows if row["label"] in wanted],
        [row["text"] for row in rows if row["label"] not in wanted],
    )


def per_second(count: int, work: Callable[[], object]) -> float:
    """Return `count` by the seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def chat_speed(classifier: Classifier, chat: Chat) -> dict[str, Any]:
    """Return lines a second through gate and transformer, and the share that the gate passes by."""
    texts = chat.draw(CHAT_LINES, random.Random(2))
    requests = [Request(text, "chat", tuple(texts[max(0, i - 2) : i]), "en", True) for i, text in enumerate(texts)]
    passed = 0

    def read() -> None:
        nonlocal passed
        for start in range(0, len(requests), BATCH):
            passed += sum(reading.by == "gate" for reading in classifier.read(requests[start : start + BATCH]))

    speed = per_second(len(requests), read)
    return {"chat_lines_per_second": round(speed), "passed_by_gate": round(passed / len(requests), 3)}


class Counted:
    """Reads with the classifier and counts what it was asked."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self.count = 0

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        """Return one reading per request, in order."""
        self.count += len(requests)
        return self._reader.read(requests)


def whole_shows(reader: LineReader, paths: Sequence[Path]) -> dict[str, Any]:
    """Return seconds of show read in a second, one show after the other, and requests per line."""
    counted = Counted(reader)
    began = time.perf_counter()
    shows = [read_show(path, counted) for path in paths]
    took = time.perf_counter() - began
    lines = sum(isinstance(event, Line) for show in shows for event in show.events)
    lasted = sum(show.events[-1].at - show.events[0].at for show in shows)
    return {"show_seconds_per_second": round(lasted / took), "requests_per_line": round(counted.count / lines, 2)}


def lines_of_32_tokens() -> list[str]:
    """Return lines of the validation shows cut to exactly 32 tokens with all marks."""
    lines = [line.text for line in read_lines(sorted((DATA / "validation").glob("*.jsonl"))) if line.kind == "speech"]
    words = " ".join(lines).split()
    tokenizer = Tokenizer.from_file(str(SHIPPED_MODEL / "tokenizer.json"))
    cut = []
    while len(cut) < PLAIN_LINES:
        taken = 1
        while len(encode(tokenizer, " ".join(words[:taken]), "speech").ids) < TOKENS:
            taken += 1
        text, words = " ".join(words[:taken]), words[taken:]
        if len(encode(tokenizer, text, "speech").ids) == TOKENS:
            cut.append(text)
    return cut


def transformer_speed(classifier: Classifier) -> dict[str, Any]:
    """Return lines a second of the transformer, and how many times as many as the plain pipeline's that is."""
    texts = lines_of_32_tokens()
    requests = [Request(text, "speech") for text in texts]
    found: dict[str, Any] = {"transformer_lines_per_second": per_second(len(texts), lambda: classifier.read(requests))}
    try:
        from detectors.training.plain_pipeline import plain_pipeline
    except ImportError:
        return found | {"plain": "not measured: needs the train extra"}
    plain = plain_pipeline(SHIPPED_MODEL)
    for batch in (1, 16):
        speed = per_second(len(texts), lambda size=batch: plain(texts, size))  # type: ignore[misc]
        found[f"plain_pipeline_batch_{batch}"] = speed
        found[f"times_plain_batch_{batch}"] = found["transformer_lines_per_second"] / speed
    return {name: round(value, 2) for name, value in found.items()}


def delays(classifier: Classifier, chat: Chat, rate: float, seconds: float = 15.0) -> dict[str, Any]:
    """Return p50 and p99, in milliseconds, from a chat line's arrival to its reading at `rate` lines a second."""
    dice = random.Random(3)
    texts = chat.draw(round(rate * seconds), dice)
    waits, left = asyncio.run(_feed(classifier, texts, rate, dice))
    p50, p99 = np.percentile(waits, [50, 99])
    return {
        "rate": rate,
        "p50_ms": round(1000 * float(p50), 1),
        "p99_ms": round(1000 * float(p99), 1),
        "left_unread": left,
    }


async def _feed(
    classifier: Classifier, texts: Sequence[str], rate: float, dice: random.Random
) -> tuple[list[float], int]:
    """Let lines come at random times; whatever waits when the model is free is read together, as in a room.

    Returns the seconds that each line waited, and how many still waited `PATIENCE` seconds after the last had come.
    """
    stage, show = ModelStage(classifier), Show(ShowInfo("bench", RoomKey("bench", "chat")))
    waiting: asyncio.Queue[tuple[float, Event]] = asyncio.Queue()
    waits: list[float] = []

    async def arrive() -> None:
        due = time.perf_counter()
        for number, text in enumerate(texts):
            due += dice.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            who = Person(Account("bench", "chat", str(number % 97)), f"viewer {number % 97}")
            waiting.put_nowait((due, Line(f"c{number}", due, due, who, text, "chat")))

    feeding = asyncio.create_task(arrive())
    last = time.perf_counter() + len(texts) / rate
    while len(waits) < len(texts) and time.perf_counter() < last + PATIENCE:
        batch = [await waiting.get()]
        while not waiting.empty() and len(batch) < BATCH:
            batch.append(waiting.get_nowait())
        await stage.read(show, [event for _, event in batch])
        done = time.perf_counter()
        waits += [done - due for due, _ in batch]
        for _, event in batch:
            show.apply(event)
    await feeding
    stage.close()
    return waits, len(texts) - len(waits)


def cold_start() -> dict[str, Any]:
    """Return seconds to the first reading and resident MiB of a new process that only reads."""
    done = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return {"cold_start_seconds": round(seconds, 2), "resident_mib": round(memory)}


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chat", type=Path, help="chat to read (default: that of the validation shows)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        chat = chat_from(given.chat) if given.chat else shipped_chat()
        if not chat.wanted or not chat.plain:
            raise ValueError("needs lines that are pitch or spam, and others")
    except (OSError, ValueError, KeyError) as error:
        print(f"speed: {given.chat}: {error}", file=sys.stderr)
        return 2
    results = cold_start()
    classifier = Classifier()
    results |= chat_speed(classifier, chat) | transformer_speed(classifier) | whole_shows(classifier, SHOWS)
    results["line_to_reading"] = [delays(classifier, chat, rate) for rate in (50.0, 100.0, 200.0)]
    if given.json:
        print(json.dumps(results))
        return 0
    table = Table(box=None, show_header=False)
    for name, value in results.items():
        if name != "line_to_reading":
            table.add_row(name.replace("_", " "), str(value))
    for row in results["line_to_reading"]:
        table.add_row(
            f"line to reading at {row['rate']:.0f} lines/s", f"p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms"
        )
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
