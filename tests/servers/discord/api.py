"""What the REST routes stand on: a request, a table of routes, and the bot's access to things."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tests.servers.discord import permissions
from tests.servers.discord.people import Message, User
from tests.servers.discord.places import Channel, Guild
from tests.servers.discord.refusals import Json, invalid, refused
from tests.servers.discord.writing import Draft, File

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer
    from tests.servers.discord.world import World


@dataclass(eq=False)
class Request:
    """One request as it came in, and what it was answered."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    uploads: dict[int, File]
    #: For the audit log.
    reason: str | None
    at: datetime
    authorization: str = ""
    status: int = 0
    answer: Any = None
    #: Whether an injected fault decided the answer.
    failed: bool = False

    @property
    def files(self) -> dict[str, bytes]:
        """The uploaded bytes by file name."""
        return {one.filename: one.data for one in self.uploads.values()}

    def fits(self, method: str, pattern: str) -> bool:
        """Whether it is of a method (`*` for any) and its path holds a pattern."""
        return method in ("*", self.method) and re.search(pattern, self.path) is not None

    def __str__(self) -> str:
        return f"{self.method} {self.path} → {self.status} {str(self.body)[:160]}"


@dataclass
class Answer:
    """An answer with a status of its own. Without this class: 200, or 204 for nothing."""

    status: int
    body: Any = None


@dataclass
class Call:
    """One request on its way through a route."""

    server: "DiscordServer"
    request: Request
    ids: dict[str, str]

    @property
    def world(self) -> "World":
        """Everything there is."""
        return self.server.world

    @property
    def bot(self) -> User:
        """Who asks."""
        return self.server.world.bot

    @property
    def body(self) -> Json:
        """The body, which must be an object."""
        if not isinstance(self.request.body, dict):
            raise refused(50109)
        return self.request.body

    def draft(self, body: Json | None = None) -> Draft:
        """Return the message that the request carries."""
        return Draft(self.body if body is None else body, self.request.uploads, self.server.most_bytes)

    def guild(self) -> Guild:
        """Return the guild that the path names."""
        guild = self.world.guilds.get(int(self.ids["guild"]))
        if guild is None:
            raise refused(10004)
        return guild

    def channel(self, needs: int = 0, name: str = "channel") -> Channel:
        """Return the channel that the path names, if the bot sees it and may do what it `needs` to."""
        channel = self.world.channels.get(int(self.ids[name]))
        if channel is None or channel.deleted:
            raise refused(10003)
        if channel.guild is not None and channel.guild.id not in self.world.guilds:
            raise refused(50001)
        allowed = channel.permissions_for(self.bot)
        if not allowed & permissions.VIEW_CHANNEL:
            raise refused(50001)
        if needs & ~allowed:
            raise refused(50013)
        return channel

    def message(self, channel: Channel) -> Message:
        """Return the message that the path names."""
        message = channel.messages.get(int(self.ids["message"]))
        if message is None:
            raise refused(10008)
        return message

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a number of the query."""
        value = int(self.request.query.get(name, default))
        if value > most:
            raise invalid(name, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")
        if value < least:
            raise invalid(name, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {least}.")
        return value

    def hide(self, message: Message) -> bool:
        """Whether the bot may not read a message over REST: the application lacks the content intent."""
        return not self.server.gateway_state.application_flags & (3 << 18) and self.world.is_private(message)

    def shown(self, message: Message) -> Json:
        """Return a message as the bot may read it."""
        return message.as_json(self.hide)


Handler = Callable[[Call], Any]


@dataclass
class Routes:
    """The table of routes."""

    rows: list[tuple[str, "re.Pattern[str]", str, Handler]] = field(default_factory=list)

    def add(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """Decorate a handler; `{name}` stands for an id, `{name:x}` for any text without a slash."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>\\d{1,20})", template)
        pattern = re.sub(r"\{(\w+):x\}", r"(?P<\1>[^/]+)", pattern)

        def keep(handler: Handler) -> Handler:
            self.rows.append((method, re.compile(pattern + "/?"), template, handler))
            return handler

        return keep

    def find(self, method: str, path: str) -> tuple[Handler, str, dict[str, str]] | None:
        """Return the handler of a request, its template, and what the path names."""
        for own_method, pattern, template, handler in self.rows:
            match = pattern.fullmatch(path) if own_method == method else None
            if match is not None:
                return handler, template, match.groupdict()
        return None


ROUTES: Final = Routes()
