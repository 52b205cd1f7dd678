"""The live view for a terminal: four seats with the running text, the meter of the evidence, the chat, other shows."""

import math
from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from bot.cards import ACT_STYLES, clock, meter, timeline
from bot.watch import ShowSummary
from config.wording import say
from detectors.records import Account, EpisodeState, Event, Line, Reading, Unavailable, Unheard
from detectors.show import Show

#: Lines of chat and of each seat's text that are kept for the view.
CHAT_LINES: Final = 7
SEAT_CHARS: Final = 300
HEIGHT: Final = 24
#: Seats that are shown: four, and more where there are more, as far as they find place.
MOST_SEATS: Final = 8
#: Shows in the view; people of each whose words and evidence are kept.
MAX_SHOWS: Final = 6
MAX_PEOPLE: Final = 100
#: Styles of words that were not heard, and of those that a recogniser probably made up.
NOT_HEARD: Final = "red"
INVENTED: Final = "dim strike"
#: Evidence on the meters halves in this time, in seconds of the show.
FADE_SECONDS: Final = 150.0
#: Whoever was heard in the last so many seconds is marked as speaking: longer than a segment takes to be read.
SPEAKS_SECONDS: Final = 6.0


@dataclass
class _ShowView:
    """What the view remembers of one show."""

    show: Show
    said: dict[Account, deque[tuple[str, str]]] = field(default_factory=dict)
    chat: deque[tuple[str, str, str]] = field(default_factory=lambda: deque(maxlen=CHAT_LINES))
    evidence: dict[Account, tuple[float, float]] = field(default_factory=dict)
    heard: dict[Account, float] = field(default_factory=dict)
    acts: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=4_000))
    summary: ShowSummary | None = None

    def say(self, account: Account, text: str, style: str) -> None:
        """Add to what somebody said lately."""
        if len(self.said) > MAX_PEOPLE:
            self.said.clear()
        self.said.setdefault(account, deque(maxlen=6)).append((text, style))

    def speaks(self, account: Account) -> bool:
        """Whether somebody was heard a moment ago."""
        return self.summary is None and self.show.at - self.heard.get(account, -math.inf) < SPEAKS_SECONDS

    def surest(self) -> float:
        """Return the most evidence there is about anybody in the show."""
        return max((self.share(account) for account in self.evidence), default=0.0)

    def share(self, account: Account) -> float:
        """Return the evidence about an account as it stands now: it fades, as it does in the detector."""
        share, at = self.evidence.get(account, (0.0, 0.0))
        return share * math.exp2((at - self.show.at) / FADE_SECONDS)


class LiveView:
    """An observer that redraws a few times a second. Use as a context manager; cards print above it."""

    def __init__(self, console: Console, language: str) -> None:
        self._language = language
        self._shows: dict[str, _ShowView] = {}
        self._lock = Lock()  # drawn in a thread of its own while events come in
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=8, transient=True)

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def opened(self, show: Show) -> None:
        """Add a show to the view; of those that are over, the oldest make room."""
        with self._lock:
            self._shows[show.info.id] = _ShowView(show)
            over = [key for key, view in self._shows.items() if view.summary is not None]
            for key in over[: max(0, len(self._shows) - MAX_SHOWS)]:
                del self._shows[key]

    def read(
        self, show: Show, event: Event, reading: Reading | Unavailable | None, episode: EpisodeState | None
    ) -> None:
        """Take in one event."""
        with self._lock:
            self._take(self._shows[show.info.id], show, event, reading, episode)

    def _take(
        self,
        view: _ShowView,
        show: Show,
        event: Event,
        reading: Reading | Unavailable | None,
        episode: EpisodeState | None,
    ) -> None:
        if episode is not None:
            share = 0.0 if episode.ended else 1.0 / (1.0 + math.exp(-episode.logit))
            if len(view.evidence) > MAX_PEOPLE:
                view.evidence.clear()
            view.evidence[episode.person.account] = (share, show.at)
        if isinstance(event, Unheard):
            view.say(event.person.account, "…", NOT_HEARD)
        if not isinstance(event, Line):
            return
        act = reading.act if isinstance(reading, Reading) else "other"
        view.acts.append((event.at, act))
        if event.kind == "chat":
            view.chat.append((event.person.name, event.text, act))
            return
        if len(view.heard) > MAX_PEOPLE:
            view.heard.clear()
        view.heard[event.person.account] = event.until
        view.say(event.person.account, event.text, INVENTED if event.weight == 0.0 else ACT_STYLES[act])

    def ended(self, summary: ShowSummary) -> None:
        """Keep what became of the show."""
        with self._lock:
            self._shows[summary.info.id].summary = summary

    def _draw(self) -> RenderableType:
        with self._lock:
            return self._picture()

    def _picture(self) -> RenderableType:
        running = [view for view in self._shows.values() if view.summary is None]
        if not self._shows:
            return Text(say(self._language, "live.title"))
        focus = max(running, key=_ShowView.surest) if running else list(self._shows.values())[-1]
        layout = Layout()
        layout.split_column(
            Layout(self._head(focus), size=3), Layout(name="stage"), Layout(self._foot(), size=len(self._shows) + 2)
        )
        layout["stage"].split_row(Layout(self._seats(focus), ratio=5), Layout(self._chat(focus), ratio=2))
        return _Sized(layout, HEIGHT)

    def _head(self, view: _ShowView) -> RenderableType:
        title = Text.assemble(
            (f"{view.show.info.title or view.show.info.id} ", "bold"), (f" {clock(view.show.at)} ", "black on white")
        )
        strip = Text()
        for _, act in list(view.acts)[-100:]:
            phase = act if act in ("teach", "pitch") else "talk"
            strip.append("▂", {"teach": "green", "pitch": "yellow", "talk": "bright_black"}[phase])
        return Group(title, strip, Text())

    def _seats(self, view: _ShowView) -> RenderableType:
        grid = Layout()
        last = min(MOST_SEATS, max([4, *view.show.seats]))
        rows = [Layout() for _ in range(1, last + 1, 2)]
        grid.split_column(*rows)
        for number, row in enumerate(rows):
            row.split_row(*(Layout(self._seat(view, 2 * number + seat)) for seat in (1, 2)))
        return grid

    def _seat(self, view: _ShowView, seat: int) -> RenderableType:
        person = view.show.seats.get(seat)
        if person is None:
            return Panel(
                Text(say(self._language, "live.empty_seat"), style="dim"), title=str(seat), border_style="bright_black"
            )
        share = view.share(person.account)
        said = list(view.said.get(person.account, ()))
        text = Text()
        length = 0
        for words, style in reversed(said):
            length += len(words)
            if length > SEAT_CHARS and text:
                break
            text = Text.assemble((words + " ", style), text)
        border = "yellow" if share >= 0.5 else "white"
        return Panel(
            text,
            title=Text.assemble(
                f"{seat} ", ("● " if view.speaks(person.account) else "", "green"), (person.name, "bold")
            ),
            subtitle=Text.assemble(say(self._language, "live.evidence"), " ", meter(share)),
            border_style=border,
        )

    def _chat(self, view: _ShowView) -> RenderableType:
        lines = [
            Text.assemble((f"{name} ", "bold cyan"), (text, ACT_STYLES[act]), overflow="ellipsis")
            for name, text, act in view.chat
        ]
        return Panel(Group(*lines), title=say(self._language, "live.chat"), border_style="bright_black")

    def _foot(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for view in self._shows.values():
            over = view.summary is not None
            surest = view.surest()
            mood = meter(surest) if surest >= 0.05 else Text(say(self._language, "live.nothing_yet"), style="dim")
            state = say(self._language, "live.ended" if over else "live.running")
            table.add_row(
                Text("■" if over else "●", style="dim" if over else "green"),
                view.show.info.id,
                clock(view.show.at),
                state,
                mood,
            )
        return Panel(table, title=say(self._language, "live.shows"), border_style="bright_black")


class _Sized:
    """A renderable of a fixed height, so that the screen below the cards does not jump."""

    def __init__(self, inner: RenderableType, height: int) -> None:
        self._inner = inner
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = min(self._height, max(8, console.height - 2))
        for line in console.render_lines(self._inner, options.update(height=height)):
            yield from line
            yield Segment.line()


def summary_lines(summary: ShowSummary, language: str) -> list[RenderableType]:
    """Return what is printed when a show is over: its title, timeline and counts."""
    info = summary.info
    alerts = say(language, "summary.alerts", count=summary.alerts) if summary.alerts else say(language, "summary.clean")
    minutes = round(summary.seconds / 60)
    lines: list[RenderableType] = [
        Text(f"■ {info.title or info.id}", style="bold"),
        timeline(summary.phases, language),
        Text(
            say(language, "summary.line", minutes=minutes, events=summary.events, alerts=alerts),
            style="yellow" if summary.alerts or summary.unread else "green",
        ),
    ]
    for key, count in (("summary.unread", summary.unread), ("summary.skipped", summary.skipped)):
        if count:
            lines.append(Text(say(language, key, count=count), style="red"))
    lines.append(Text())
    return lines
