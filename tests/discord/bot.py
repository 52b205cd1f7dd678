"""The bot's Discord side as it runs, against the server of the tests: store, outbox, connection, and rooms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.client import DiscordConnection, Parts, PitchwatchClient, use_server
from bot.digests import Digests
from bot.effects import OpenAlert, UpdateAlert
from bot.outbox import Outbox
from bot.policy import Watch
from bot.reviews import Reviews
from bot.rooms.discord_hub import Hub
from bot.sinks.discord import DiscordSink
from bot.sinks.discord_digest import DiscordDigests
from bot.store import Store
from config.settings import Settings
from tests.bot.samples import body, progress, quote
from tests.servers.discord import Channel, DiscordServer, Guild, Message, Role, permissions
from tests.stand_ins import ROOM


def settings_for(server: DiscordServer, streams: dict[str, Any] | None = None, **more: Any) -> Settings:
    """Return settings that point to the server; first waits are short."""
    return Settings.model_validate(
        {
            "discord": {
                "token": server.gateway_state.token,
                "api_base": server.api_base,
                "gateway": server.gateway,
                "cdn": server.cdn,
                "ready_seconds": 0.05,
                **more,
            },
            "streams": streams or {},
            "limits": {"restart_seconds": 0.05, "restart_most_seconds": 0.2},
        }
    )


@dataclass
class Bot:
    """The parts under test."""

    store: Store
    outbox: Outbox
    reviews: Reviews
    connection: DiscordConnection
    parts: Parts
    running: "asyncio.Task[None]"

    async def raise_alert(self, channel: Channel, **changes: Any) -> str:
        """Store a warning for a channel; return its id."""
        guild = channel.guild
        assert guild is not None
        alert = body(channel=f"discord:{channel.id}", community=str(guild.id), **changes)
        watch = Watch(str(guild.id), ROOM, f"discord:{channel.id}")
        await self.store.register([watch])
        await self.store.apply([progress(), OpenAlert(alert, most_per_hour=12)])
        return alert.id

    async def grow(self, channel: Channel, at: float = 150.0, score: float = 0.97, **changes: Any) -> None:
        """Let the warning grow by a quote."""
        assert channel.guild is not None
        more = {"evidence": (quote(1, 100.0), quote(2, at - 6, "only two seats $")), **changes}
        grown = body(channel=f"discord:{channel.id}", community=str(channel.guild.id), at=at, score=score, **more)
        await self.store.apply([UpdateAlert(grown)])


@asynccontextmanager
async def bot_at(
    server: DiscordServer, path: Path | str, streams: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[Bot]:
    """Run the bot's Discord side on a database; leaving it is a kill, not a polite stop."""
    settings = settings_for(server, streams, **more)
    use_server(settings.discord)
    store = Store(path)
    await store.open()
    reviews = Reviews(store, settings.policy)
    parts = Parts(settings, store, reviews, Hub())
    connection = DiscordConnection(parts)
    sink = DiscordSink(connection, store, settings.discord.send_seconds, "en")
    parts.digests = Digests(store, DiscordDigests(connection, store, settings.discord.send_seconds, "en"), 90.0)
    gateway = server.gateway_state
    before = gateway.identified + gateway.resumed
    patch = pytest.MonkeyPatch()
    patch.setattr(PitchwatchClient, "before_identify_hook", _at_once)
    running = asyncio.create_task(connection.run())
    try:
        await gateway.connections(before + 1)
        await connection.logged_in().wait_until_ready()
        yield Bot(store, Outbox(store, {"discord": sink}), reviews, connection, parts, running)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running
        patch.undo()
        await store.close()


async def _at_once(client: PitchwatchClient, shard_id: int | None, *, initial: bool = False) -> None:
    """Identify again at once: discord.py waits five seconds here, since Discord lets nobody do it more often."""


def only(channel: Channel) -> Message:
    """Return the only message of a channel."""
    (message,) = channel.messages.values()
    return message


def moderators(guild: Guild) -> Role:
    """Add a role that may manage messages."""
    return guild.role("Moderators", permissions.MANAGE_MESSAGES)
