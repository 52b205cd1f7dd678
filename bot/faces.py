"""Faces of the command line: what a person, or a program in a pipe, sees of shows and warnings."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.text import Text

from bot.cards import ACT_STYLES, clock
from bot.live import LiveView, summary_lines
from bot.outbox import Sink
from bot.sinks.console import ConsoleSink, JsonSink, write_line
from bot.store import DRY_RUN
from bot.watch import Observer, ShowSummary
from config.wording import say
from detectors.records import EpisodeState, Event, Line, Reading, Unavailable, Unheard
from detectors.show import Show


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

    def __init__(self, out: TextIO, language: str) -> None:
        self.observers: Sequence[Observer] = ()
        self.out = out
        self.sinks = {name: JsonSink(out, language, name) for name in ("console", DRY_RUN)}

    def __enter__(self) -> "JsonFace":
        return self

    def __exit__(self, *_: Any) -> None:
        self.out.flush()

    def show_ended(self, summary: ShowSummary) -> None:
        """Write the timeline and the summary."""
        for span in summary.phases:
            line = {"type": "phase", "show": summary.info.id, "at": span.at, "until": span.until, "phase": span.phase}
            write_line(self.out, line)
        write_line(
            self.out,
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
        self.console = console
        #: Further observers, beside the live view.
        self.more: Sequence[Observer] = ()
        self._language = language
        self._view = LiveView(console, language) if live else None
        self.sinks = {name: ConsoleSink(console, language, name) for name in ("console", DRY_RUN)}

    @property
    def observers(self) -> Sequence[Observer]:
        """The live view, where there is one, and whoever else looks on."""
        return ((self._view,) if self._view else ()) + tuple(self.more)

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
            self.console.print(line)

    def finished(self, summaries: Sequence[ShowSummary], database: str | None, alerted: Sequence[str]) -> None:
        """Print the next step."""
        command = _command()
        if database and alerted:
            text = say(self._language, "summary.next_step", command=command, name=quote(alerted[0]), db=quote(database))
        else:
            text = say(self._language, "summary.next_step_none", command=command)
        self.console.print(Text(text, style="bold"))


class Transcript:
    """An observer that writes every line as it is known: as JSON Lines, or with its time and what it does."""

    def __init__(self, out: TextIO | None, console: Console | None) -> None:
        self._out = out
        self._console = console

    def opened(self, show: Show) -> None:
        """Nothing to write yet."""

    def read(
        self, show: Show, event: Event, reading: Reading | Unavailable | None, episode: EpisodeState | None
    ) -> None:
        """Write a line, or that one was not heard."""
        if not isinstance(event, Line | Unheard):
            return
        if self._out is not None:
            write_line(self._out, transcript_line(show, event))
        if self._console is not None:
            self._console.print(transcript_text(event, reading))

    def ended(self, summary: ShowSummary) -> None:
        """The summary is somebody else's matter."""


def transcript_line(show: Show, event: Line | Unheard) -> dict[str, Any]:
    """Return a line of a transcript as it is written in JSON."""
    line: dict[str, Any] = {"type": "line", "show": show.info.id, "at": event.at, "until": event.until}
    line |= {"who": event.person.name}
    if isinstance(event, Unheard):
        return line | {"text": None, "why": event.reason}
    return line | {"text": event.text, "lang": event.lang, "weight": event.weight}


def transcript_text(event: Line | Unheard, reading: Reading | Unavailable | None) -> Text:
    """Return a line of a transcript as a person sees it; what was probably invented is dimmed."""
    head = Text(f"{clock(event.at)} {event.person.name}  ", style="bold")
    if isinstance(event, Unheard):
        return head.append(f"… ({event.reason})", style="red")
    act = reading.act if isinstance(reading, Reading) else "other"
    return head.append(event.text, style="dim strike" if event.weight == 0.0 else ACT_STYLES[act])


def transcript_face(face: Face) -> Face:
    """Let a face write the transcript as well."""
    if isinstance(face, JsonFace):
        face.observers = (Transcript(face.out, None),)
    elif isinstance(face, PeopleFace):
        face.more = (Transcript(None, face.console),)
    return face


def _command() -> str:
    """Return the command as the person can type it again from here."""
    path = Path(sys.argv[0])
    if path.name != "pitchwatch":
        return "python -m bot"
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
