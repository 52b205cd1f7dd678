"""Says on the terminal what happens in the demo."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.messages import TIMELINE, Layout, Menu, Picture, Row, Words
from samples.discord.draw import Reader, Style, runs
from samples.discord.received import read_layout
from tests.servers.discord import Channel, InteractionRecord, Message, Request, User

if TYPE_CHECKING:
    from samples.discord.stage import Stage


class Teller:
    """Says on the terminal what happens."""

    def __init__(self, console: Console, stage: "Stage") -> None:
        self._console = console
        self._stage = stage
        self._steps = 0

    @property
    def called(self) -> Mapping[str, str]:
        """What people, roles and channels are called, by their number."""
        world = self._stage.server.world
        named = (*world.users.values(), *world.channels.values(), *self._stage.guild.roles)
        return {str(one.id): one.name for one in named}

    def step(self, text: str) -> None:
        """Say what begins now."""
        self._steps += 1
        self._console.print()
        self._line(f"{self._steps}  ", text, "bold")

    def fact(self, text: str) -> None:
        """Say how things stand."""
        self._line("  · ", text, "dim")

    def good(self, text: str) -> None:
        """Say that something is as it should be."""
        self._line("  ✓ ", text, "green")

    def click(self, who: User, label: str) -> None:
        """Say that somebody clicks."""
        self._line("  ☞ ", f"{who.name} clicks {label}", "bold magenta")

    def does(self, who: User, what: str, channel: Channel) -> None:
        """Say what somebody writes, or which command they use."""
        self._line("  ☞ ", f"#{channel.name} · {who.name} {self._plain(what)}", "bold magenta")

    def _line(self, sign: str, text: str, style: str) -> None:
        grid = Table.grid()
        grid.add_row(Text(sign, style), Text(text, style))
        self._console.print(grid)

    def request(self, request: Request) -> None:
        """Say what the server was asked, and what it answered."""
        grid = Table.grid(padding=(0, 1))
        for width in (7, 29, 3):
            grid.add_column(width=width, no_wrap=True, overflow="ellipsis")
        grid.add_column()
        status = Text(str(request.status), "green" if request.status < 400 else "red")
        what = Text(self._what(request), "dim" if request.method == "GET" else "")
        grid.add_row(Text(f"  {request.method}", "cyan"), self._path(request), status, what)
        self._console.print(grid)

    def _path(self, request: Request) -> str:
        names: dict[str, str] = {}
        for channel in self._stage.server.world.channels.values():
            names[str(channel.id)] = f"#{channel.name}"
            names |= {str(message): str(number) for number, message in enumerate(sorted(channel.messages), 1)}
        named = re.sub(r"\d{15,}", lambda found: names.get(found[0], "…"), request.path)
        return named.replace("interaction-…", "…")

    def _what(self, request: Request) -> str:
        kind = f"{request.method} {request.path}"
        for pattern, what in _MEANINGS:
            if re.search(pattern, kind):
                return what if isinstance(what, str) else what(self, request)
        return ""

    def sent(self, request: Request) -> str:
        """Say what a message is about: of whom it warns, how sure, and how it stands; or its title."""
        layout = read_layout(request.body["components"])
        text = self._plain(_texts(layout))
        if "pw:why:" not in str(request.body["components"]):
            return text.partition("\n")[0]
        who = re.search(r"^Who · (\S+)", text, re.MULTILINE)
        sure = re.search(r"\d+%", text)
        state = re.search(r"^(Confirmed|Dismissed) by", text, re.MULTILINE)
        lines = re.findall(r"^> (?:(\d+) more quote)?", text, re.MULTILINE)
        quotes = sum(int(left or 1) for left in lines)
        told = [f"{who[1]} {sure[0]}" if who and sure else "a message"]
        told += [f"{quotes} quote{'s' if quotes > 1 else ''}"]
        told += [state[1].lower()] if state else ["picture"] if TIMELINE in request.files else []
        return ", ".join(told)

    def commands(self, request: Request) -> str:
        """Say how many commands Discord is told of."""
        return f"its commands: {len(request.body)}"

    def answer(self, who: User, answered: InteractionRecord) -> None:
        """Show what somebody was answered."""
        text = self._plain(answered.text)
        lines = text.splitlines()
        shown = lines if len(lines) <= 8 else [*lines[:5], f"… {len(lines) - 5} more lines: see the picture"]
        title = f"only {who.name} sees this"
        panel = Panel("\n".join(shown), title=title, title_align="left", border_style="magenta", box=box.ROUNDED)
        self._console.print(Padding(panel, (0, 0, 0, 4)))

    def message(self, message: Message) -> None:
        """Show a message as it stands."""
        number = sorted(message.channel.messages).index(message.id) + 1
        title = f"#{message.channel.name}, message {number}"
        panel = Panel(self.words(message), title=title, title_align="left", box=box.ROUNDED)
        self._console.print(Padding(panel, (0, 0, 0, 4)))

    def words(self, message: Message) -> str:
        """Return a message as people read it."""
        return self._plain(_texts(read_layout(message.components)))

    def _plain(self, text: str) -> str:
        reader = Reader(datetime.now(UTC), "en", self.called)
        lines = (re.sub(r"^(### |-# )", "", line) for line in text.splitlines())
        return "\n".join("".join(piece for piece, _ in runs(line, Style(), reader)) for line in lines)


def _texts(layout: Layout) -> str:
    """Return the words of a layout, and its controls in brackets."""
    told: list[str] = []
    for part in layout.parts:
        if isinstance(part, Words):
            told.append(part.text)
        elif isinstance(part, Picture):
            told.append(f"\\[{part.alt}\\]")
        elif isinstance(part, Row):
            labels = (item.placeholder if isinstance(item, Menu) else item.label for item in part.items)
            told.append("  ".join(f"\\[ {label} \\]" for label in labels))
    return "\n".join(told)


#: What requests are for, by method and path; the first that fits.
_MEANINGS: Final[Sequence[tuple[str, str | Callable[[Teller, Request], str]]]] = (
    (r"^GET /users/@me$", "who am I?"),
    (r"^GET /oauth2/applications/@me$", "may I read messages?"),
    (r"^GET /gateway", "where is the gateway?"),
    (r"^PUT /applications/\d+/commands$", Teller.commands),
    (r"^POST /channels/\d+/messages$", Teller.sent),
    (r"^PATCH /channels/\d+/messages/\d+$", Teller.sent),
    (r"^GET /channels/\d+/messages$", "did I send it?"),
    (r"^POST /interactions/", "click taken"),
    (r"^(POST|PATCH) /webhooks/", "answer to the click"),
)
