"""Faces of the command line: what a person, or a program in a pipe, sees of shows and warnings."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.text import Text

from bot.live import LiveView, summary_lines
from bot.outbox import Sink
from bot.sinks.console import ConsoleSink, JsonSink, write_line
from bot.store import DRY_RUN
from bot.watch import Observer, ShowSummary
from config.wording import say


class Face(Protocol):
    """Where an app shows itself. Used as a context manager around everything that is shown."""

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """Where warnings go, by name."""
        ...

    @property
    def observers(self) -> Sequence[Observer]:
        """Who looks on."""
        ...

    def __enter__(self) -> "Face": ...

    def __exit__(self, *_: Any) -> None: ...

    def show_ended(self, summary: ShowSummary) -> None:
        """Say what became of a show; its warnings are out already."""
        ...

    def finished(self, summaries: Sequence[ShowSummary], database: str | None, alerted: Sequence[str]) -> None:
        """Say what to do next, at the end of everything."""
        ...


class JsonFace:
    """JSON Lines on standard output."""

    observers: Sequence[Observer] = ()

    def __init__(self, out: TextIO, language: str) -> None:
        self._out = out
        self.sinks = {name: JsonSink(out, language, name) for name in ("console", DRY_RUN)}

    def __enter__(self) -> "JsonFace":
        return self

    def __exit__(self, *_: Any) -> None:
        self._out.flush()

    def show_ended(self, summary: ShowSummary) -> None:
        """Write the timeline and the summary."""
        for span in summary.phases:
            line = {"type": "phase", "show": summary.info.id, "at": span.at, "until": span.until, "phase": span.phase}
            write_line(self._out, line)
        write_line(
            self._out,
            {
                "type": "summary",
                "show": summary.info.id,
                "events": summary.events,
                "skipped": summary.skipped,
                "unread": summary.unread,
                "alerts": summary.alerts,
                "seconds_of_show": summary.seconds,
            },
        )

    def finished(self, summaries: Sequence[ShowSummary], database: str | None, alerted: Sequence[str]) -> None:
        """A program needs no advice."""


class PeopleFace:
    """Cards and, on a terminal, the live view."""

    def __init__(self, console: Console, language: str, live: bool) -> None:
        self._console = console
        self._language = language
        self._view = LiveView(console, language) if live else None
        self.sinks = {name: ConsoleSink(console, language, name) for name in ("console", DRY_RUN)}

    @property
    def observers(self) -> Sequence[Observer]:
        """The live view, where there is one."""
        return (self._view,) if self._view else ()

    def __enter__(self) -> "PeopleFace":
        if self._view:
            self._view.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        if self._view:
            self._view.__exit__(*details)

    def show_ended(self, summary: ShowSummary) -> None:
        """Print the timeline and the counts."""
        for line in summary_lines(summary, self._language):
            self._console.print(line)

    def finished(self, summaries: Sequence[ShowSummary], database: str | None, alerted: Sequence[str]) -> None:
        """Print the next step."""
        command = _command()
        if database and alerted:
            text = say(self._language, "summary.next_step", command=command, name=quote(alerted[0]), db=quote(database))
        else:
            text = say(self._language, "summary.next_step_none", command=command)
        self._console.print(Text(text, style="bold"))


def _command() -> str:
    """Return the command as the person can type it again from here."""
    path = Path(sys.argv[0])
    if path.name != "pitchwatch":
        return "python -m bot"
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
