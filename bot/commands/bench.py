"""`pitchwatch bench`: how fast this machine reads lines, as ratios within one run."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Console
from rich.progress import track

from bot.commands.figures import Figure, percentile, print_figures
from detectors.classifier import Classifier, Request

#: Lines per run, and runs of which the median counts.
LINES: Final = 128
RUNS: Final = 5
_SPEECH: Final = (
    "so what I usually tell people is film the hands first because nobody scrolls past a pair of hands doing something",
    "et du coup la pâte elle va lever toute la nuit au frigo, vous la sortez le matin et vous n'y touchez pas",
    "if that sounds like something you want there is a page for it and some of you have written to me about it already",
    "on a regardé les chiffres de mars avec Julie et franchement la moitié des gens partent avant la troisième seconde",
)
_CHAT: Final = (
    "lol same",
    "what mic is that?",
    "trop bien merci 😂",
    "which lens do you use for the close ups",
    "bonsoir de Namur",
)


def bench(classifier: Classifier, as_json: bool) -> int:
    """Measure and print."""
    print_figures(measure(classifier, quiet=as_json), as_json)
    return 0


def measure(classifier: Classifier, quiet: bool = True) -> list[Figure]:
    """Return the speeds of reading speech one by one and in batches, of gated chat, and the memory held."""
    speech = [Request(_SPEECH[i % len(_SPEECH)], "speech", (_SPEECH[(i + 1) % len(_SPEECH)],)) for i in range(LINES)]
    alone = [Request(request.text, "speech") for request in speech]
    chat = [Request(f"{_CHAT[i % len(_CHAT)]} {i}", "chat", gated=True) for i in range(LINES)]
    ungated = [Request(request.text, "chat") for request in chat]
    cases: dict[str, Callable[[], object]] = {
        "batch": lambda: classifier.read(speech),
        "single": lambda: [classifier.read([request]) for request in speech],
        "alone": lambda: classifier.read(alone),
        "chat": lambda: classifier.read(chat),
        "ungated": lambda: classifier.read(ungated),
    }
    # All cases take turns within one run: the machine's moods then fall on each of them alike.
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _ in track(range(RUNS), description="measuring", console=Console(stderr=True), transient=True, disable=quiet):
        for name, work in cases.items():
            began = time.perf_counter()
            work()
            spent[name].append(time.perf_counter() - began)
    speed = {name: LINES / statistics.median(times) for name, times in spent.items()}
    singles = _singles(classifier, speech)
    return [
        Figure(
            "speech lines several at once, with context", speed["batch"], "lines/s", ("one by one", speed["single"])
        ),
        Figure(
            "speech lines several at once, without context",
            speed["alone"],
            "lines/s",
            ("with context", speed["batch"]),
        ),
        Figure(
            "chat lines of the audience, through the gate",
            speed["chat"],
            "lines/s",
            ("without the gate", speed["ungated"]),
        ),
        Figure("one line, from asking to reading, p50", 1000 * percentile(singles, 50), "ms"),
        Figure(
            "one line, from asking to reading, p99",
            1000 * percentile(singles, 99),
            "ms",
            ("p50", 1000 * percentile(singles, 50)),
        ),
        Figure("memory held at most", _memory(), "MiB"),
    ]


def _memory() -> float:
    """Return the most memory that this process held, in MiB. The system tells KiB, macOS bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def _singles(classifier: Classifier, requests: Sequence[Request]) -> list[float]:
    times = []
    for request in requests:
        began = time.perf_counter()
        classifier.read([request])
        times.append(time.perf_counter() - began)
    return times
