"""Where the demo is played: the server, its people and channels, the bot's process, and what people do there."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any, Final

from rich.console import Console

from bot.messages import Attached, Menu, Picture, Row
from samples.discord.bot_process import PATIENCE, TOKEN, BotProcess, UnmetError, expect
from samples.discord.draw import THEMES, draw
from samples.discord.received import read_layout
from samples.discord.teller import Teller
from tests.servers.discord import (
    Channel,
    DiscordServer,
    Guild,
    InteractionRecord,
    Message,
    NotOfferedError,
    User,
    ValueRefusedError,
    permissions,
)

#: How long the bot is away, in seconds: longer than Discord remembers that a message was sent.
AWAY: Final = 3_600
_ALERT: Final = re.compile(r"pw:why:([0-9a-f]{16})")


class Stage:
    """The place, and what can be done there."""

    def __init__(self, folder: Path, console: Console, server: DiscordServer, show: Path) -> None:
        self.folder = folder
        self.server = server
        self.show = show
        self.began = monotonic()
        world = server.world
        # The first life of the bot is played an hour ago: what is sent in it carries that time.
        server.clock.advance(-AWAY)
        server.gateway_state.token = TOKEN
        self.guild: Guild = world.guild("Reel makers")
        self.alerts, self.talk, self.market, self.weekly = (
            self.guild.channel(name) for name in ("alerts", "talk", "market", "weekly")
        )
        self.moderators = self.guild.role("Moderators", permissions.MANAGE_MESSAGES)
        managers = self.guild.role("Managers", permissions.MANAGE_GUILD | permissions.MANAGE_MESSAGES)
        self.ana, self.bo = (self.guild.member(name, [self.moderators]) for name in ("ana", "bo"))
        self.max: User = self.guild.member("max", [managers])
        # Trainees may read the warnings, and decide nothing.
        trainees = self.guild.role("Trainees")
        self.mia: User = self.guild.member("mia", [trainees])
        self.vic: User = self.guild.member("vic")
        for channel in (self.alerts, self.weekly):
            channel.overwrite(self.guild.everyone, deny=permissions.VIEW_CHANNEL)
            for one in (self.moderators, managers, trainees, world.bot):
                channel.overwrite(one, allow=permissions.VIEW_CHANNEL)
        self.database = folder / "pitchwatch.db"
        for old in (*folder.glob("pitchwatch.db*"), *folder.glob("*.png")):
            old.unlink()
        settings = folder / "pitchwatch.toml"
        settings.write_text(self._settings(), encoding="utf-8")
        self.bot = BotProcess(settings, folder / "bot.log", server)
        self.told = Teller(console, self)
        server.onlookers.append(self.told.request)

    def _settings(self) -> str:
        server = self.server
        return f"""# Written by `make demo-discord`. The token is given in the environment.
[store]
path = {json.dumps(str(self.database))}

[discord]
api_base = "{server.api_base}"
gateway = "{server.gateway}"
cdn = "{server.cdn}"
ready_seconds = 0.1

[[discord.communities]]
guild = {self.guild.id}
moderator_role = {self.moderators.id}

[[rooms]]
kind = "replay"
address = {json.dumps(str(self.show))}

[[rooms.watches]]
community = "{self.guild.id}"
channel = "discord:{self.alerts.id}"
"""

    # ---- what people do

    async def click(self, who: User, message: Message, custom_id: str) -> InteractionRecord:
        """Click a button that is there; return the answer, which nobody else must see."""
        layout = read_layout(message.components)
        items = [item for part in layout.parts if isinstance(part, Row) for item in part.items]
        labels = [item.label for item in items if not isinstance(item, Menu) and item.custom_id == custom_id]
        expect(labels, f"there is no button {custom_id} on the message")
        self.told.click(who, labels[0])
        answered = await self.server.click(who, message, custom_id)
        return await self._answer(who, answered, f"{who.name}'s click on {labels[0]}")

    async def review(self, who: User, message: Message, action: str) -> InteractionRecord:
        """Click a button of a warning."""
        return await self.click(who, message, f"pw:{action}:{self.alert_of(message)}")

    async def use(self, who: User, channel: Channel, command: str, /, **options: Any) -> InteractionRecord:
        """Use a slash command; return the answer, which nobody else must see."""
        answered = await self.slash(who, channel, command, **options)
        return await self._answer(who, answered, f"/{command}")

    async def slash(self, who: User, channel: Channel, command: str, /, **options: Any) -> InteractionRecord:
        """Use a slash command, and wait for nothing."""
        shown = " ".join(f"{name}: {getattr(one, 'name', one)}" for name, one in options.items())
        self.told.does(who, f"uses /{command} {shown}".rstrip(), channel)
        try:
            return await self.server.slash(who, channel, command, **options)
        except (NotOfferedError, ValueRefusedError) as error:
            raise UnmetError(f"Discord does not offer {who.name} /{command}: {error}") from None

    async def submit(self, who: User, opened: InteractionRecord, text: str) -> InteractionRecord:
        """Fill in the modal that somebody was shown; return the answer."""
        self.told.does(who, f"writes: {text}", opened.channel)
        answered = await self.server.submit_modal(who, opened, {"text": text})
        return await self._answer(who, answered, f"what {who.name} wrote")

    async def _answer(self, who: User, answered: InteractionRecord, what: str) -> InteractionRecord:
        await self.until(lambda: answered.response is not None and not answered.loading, f"{what} is answered")
        expect(answered.ephemeral, f"the answer to {what} should be seen by {who.name} alone")
        self.told.answer(who, answered)
        return answered

    # ---- what is seen

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until something holds, asked after each request. Raises UnmetError, also when the bot ends before."""
        assert self.bot.process is not None
        holds = asyncio.create_task(self.server.wait_for(condition, PATIENCE))
        ended = asyncio.create_task(self.bot.process.wait())
        try:
            await asyncio.wait({holds, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not holds.done():
                code = self.bot.process.returncode
                raise UnmetError(f"the bot ended with exit code {code} before {what}; see {self.bot.log}")
            await holds
        except TimeoutError:
            raise UnmetError(f"waited {PATIENCE:.0f} s in vain until {what}; see {self.bot.log}") from None
        finally:
            for task in (holds, ended):
                task.cancel()

    async def posted(self, channel: Channel, part: str, what: str) -> Message:
        """Wait for a message of the bot's own in which a word stands; return it."""

        def found() -> list[Message]:
            own = (one for one in in_order(channel) if one.author is self.server.world.bot)
            return [one for one in own if part in str(one.components)]

        await self.until(found, what)
        (message, *more) = found()
        expect(not more, f"{1 + len(more)} messages in #{channel.name}, where one should be: {what}")
        return message

    @property
    def warnings(self) -> list[Message]:
        """The warnings in the channel, the oldest first."""
        return [message for message in in_order(self.alerts) if _ALERT.search(str(message.components))]

    def about(self, alert: str) -> Message:
        """Return the one message of a warning."""
        found = [message for message in self.warnings if self.alert_of(message) == alert]
        expect(len(found) == 1, f"there should be one message for warning {alert}, not {len(found)}")
        return found[0]

    def alert_of(self, message: Message) -> str:
        """Return which warning a message is about."""
        found = _ALERT.search(str(message.components))
        expect(found, f"message {message.id} has no button Why")
        assert found is not None
        return found[1]

    def rows(self, query: str, *values: str) -> list[Any]:
        """Ask the bot's database."""
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(query, values).fetchall()

    def draw(self, name: str, shown: Message | InteractionRecord) -> None:
        """Write pictures of a message, or of an answer, from what the server was sent."""
        message = shown if isinstance(shown, Message) else shown.messages[-1]
        layout, files = read_layout(message.components), message.files
        wanted = {part.name for part in layout.parts if isinstance(part, Picture | Attached)}
        expect(wanted <= files.keys(), f"files that were not attached: {wanted - files.keys()}")
        for theme in THEMES:
            picture = draw(layout, files, theme, called=self.told.called)
            (self.folder / f"{name}-{theme}.png").write_bytes(picture)
        self.told.fact(f"drawn: {', '.join(f'{name}-{theme}.png' for theme in THEMES)}")


def in_order(channel: Channel) -> list[Message]:
    """Return a channel's messages, the oldest first."""
    return [channel.messages[number] for number in sorted(channel.messages)]
