"""The Discord client: logs in, keeps the connection alive, and brings the cogs to life."""

import asyncio
import json
import logging
import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

import aiohttp
import discord
import yarl
from discord.ext import commands
from sqlite_utils import Database

from bot.cogs.translating import Translator
from bot.communities import read_community
from bot.digests import Digests
from bot.moderators import language_for
from bot.reviews import Reviews
from bot.room_tasks import RoomHealth
from bot.rooms.discord_hub import Hub
from bot.sinks.discord_sending import NotConnectedError
from bot.store import Store, StoreError
from config.settings import DiscordSettings, Settings
from config.wording import say
from detectors.records import Message, RoomKey

log = logging.getLogger(__name__)

#: The cogs, by module.
COGS: Final[Sequence[str]] = (
    "bot.cogs.alerts",
    "bot.cogs.check",
    "bot.cogs.digest",
    "bot.cogs.set_up",
    "bot.cogs.settings",
    "bot.cogs.watch",
)
#: Errors that stand for another one.
_WRAPPED: Final = (
    commands.CommandInvokeError,
    commands.ConversionError,
    commands.HybridCommandError,
    discord.app_commands.CommandInvokeError,
)
#: A connection that has lasted this long is taken to be well again, in seconds.
WELL_AFTER: Final = 60.0


class DiscordError(Exception):
    """Discord cannot be used as things are set. One line says what to change."""


class RoomControl(Protocol):
    """Whoever runs the rooms."""

    def changing(self, key: RoomKey) -> AbstractAsyncContextManager[None]:
        """Hold a room while its watches change, up to and with `reload`."""
        ...

    async def reload(self, key: RoomKey) -> None:
        """Bring a room in line with its watches: open, close, or open it anew. Raises RefusedWatchError."""
        ...

    def running(self, community: str | None = None) -> Mapping[RoomKey, RoomHealth]:
        """Return how the rooms that run now are doing, as far as it is a community's to know."""
        ...

    def refusal(self, key: RoomKey) -> Message | None:
        """Return why a room does not run, if it could not be opened."""
        ...

    def refused_threads(self, community: str) -> tuple[int, int]:
        """Return how many threads of a server were not listened to for want of room, and how many it may have."""
        ...


@dataclass
class Parts:
    """What the client and its cogs work with."""

    settings: Settings
    store: Store
    reviews: Reviews
    hub: Hub
    #: Opens and closes rooms while the bot runs; None where nothing runs.
    rooms: "RoomControl | None" = None
    #: Sends digests while the bot runs; None where nothing runs.
    digests: Digests | None = None
    #: What Discord does not let the bot do, in words for whoever looks after it.
    missing: list[str] = field(default_factory=list)


def use_server(settings: DiscordSettings) -> None:
    """Have discord.py speak to the server that the settings name: it knows only these places to change."""
    discord.http.Route.BASE = settings.api_base.rstrip("/")
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.gateway)
    discord.asset.Asset.BASE = settings.cdn.rstrip("/")
    # It would warn at each start that it cannot speak in voice channels, which it is never asked to.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


class PitchwatchClient(commands.Bot):
    """One connection to Discord. After a failure a new one is made."""

    def __init__(self, parts: Parts, message_content: bool) -> None:
        super().__init__(
            command_prefix="!",
            intents=_intents(message_content),
            help_command=None,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            guild_ready_timeout=parts.settings.discord.ready_seconds,
        )
        self.parts = parts
        self._noticed: commands.CooldownMapping[Any] = commands.CooldownMapping.from_cooldown(
            1, 10.0, commands.BucketType.channel
        )
        self.tree.error(self._command_failed)
        for name, listener in parts.hub.listeners(self).items():
            self.add_listener(listener, name)

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord of the commands, if they changed since it was told last."""
        await self.tree.set_translator(Translator())
        for module in COGS:
            await self.load_extension(module)
        await self._sync()

    async def _command_failed(
        self, interaction: discord.Interaction[Any], error: discord.app_commands.AppCommandError
    ) -> None:
        """Tell whoever used a command that it failed: never leave them waiting."""
        await answer_failure(interaction, self.parts.store, error)

    async def on_command_error(self, context: commands.Context[Any], error: commands.CommandError, /) -> None:
        """Tell whoever used a command with a prefix, or both ways, what went wrong. Other bots have commands too."""
        if isinstance(error, commands.CommandNotFound):
            return
        if context.interaction is not None:
            await answer_failure(context.interaction, self.parts.store, error)
            return
        # A channel is not to be filled with answers to those who ask too often.
        if isinstance(error, commands.CommandOnCooldown) and self._noticed.update_rate_limit(context.message):
            return
        key, params = _failure(error)
        language = "en"
        with suppress(StoreError):
            language = await language_in(context, self.parts.store)
        with suppress(discord.HTTPException):
            await context.send(say(language, key, **params), allowed_mentions=discord.AllowedMentions.none())

    async def _sync(self) -> None:
        commands_known, translator = self.tree.get_commands(), Translator()
        payload = [await command.get_translated_payload(self.tree, translator) for command in commands_known]
        digest = sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
        store, own = self.parts.store, str(self.application_id)
        if await store.run(lambda database: read_value(database, f"commands:{own}")) == digest:
            return
        try:
            await self.tree.sync()
        except Exception as error:
            # Also an answer that discord.py cannot read: warnings and buttons work without commands.
            log.warning("Discord was not told of the commands: %r; tried again at the next start", error)
            return
        await store.run(lambda database: write_value(database, f"commands:{own}", digest))


async def language_in(context: commands.Context[Any], store: Store) -> str:
    """Return the language in which a channel is spoken to: the community's own, else the server's."""
    if context.guild is None:
        return "en"
    community = await read_community(store, str(context.guild.id))
    return community.language or ("fr" if str(context.guild.preferred_locale).startswith("fr") else "en")


async def answer_failure(interaction: discord.Interaction[Any], store: Store, error: BaseException) -> None:
    """Tell somebody that what they asked for failed, in their language, whatever else does not work."""
    key, params = _failure(error)
    try:
        language = await language_for(interaction, store)
    except Exception:
        language = "fr" if str(interaction.guild_locale or interaction.locale).startswith("fr") else "en"
    text, nobody = say(language, key, **params), discord.AllowedMentions.none()
    try:
        if interaction.response.is_done():
            await interaction.followup.send(text, ephemeral=True, allowed_mentions=nobody)
        else:
            await interaction.response.send_message(text, ephemeral=True, allowed_mentions=nobody)
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as trouble:
        log.warning("somebody could not be told of a failure: %r", trouble)


def _failure(error: BaseException) -> tuple[str, dict[str, object]]:
    """Return the words for a failure. Nothing of the error itself: it may name files and addresses."""
    while isinstance(error, _WRAPPED):
        error = error.original
    if isinstance(error, commands.CommandOnCooldown | discord.app_commands.CommandOnCooldown):
        return "answering.cooldown", {"seconds": max(1, round(error.retry_after))}
    if isinstance(error, commands.MissingRequiredArgument):
        return "check.whom", {}
    if isinstance(error, commands.NoPrivateMessage | discord.app_commands.NoPrivateMessage):
        return "answering.server_only", {}
    log.error("something that was asked for failed: %s", error, exc_info=error)
    return ("review.failed" if isinstance(error, StoreError) else "answering.failed"), {}


def _intents(message_content: bool) -> discord.Intents:
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = True
    intents.message_content = message_content
    return intents


class DiscordConnection:
    """Holds the client that is alive now, and makes a new one when it died."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._client: PitchwatchClient | None = None

    @property
    def hub(self) -> Hub:
        """What rooms of Discord listen to."""
        return self.parts.hub

    def logged_in(self) -> PitchwatchClient:
        """Return the client. Raises NotConnectedError while there is none."""
        if self._client is None or self._client.is_closed() or self._client.user is None:
            raise NotConnectedError("there is no connection to Discord")
        return self._client

    async def run(self) -> None:
        """Stay connected until cancelled.

        Raises:
            DiscordError: the token is wrong, which waiting does not mend.
        """
        limits = self.parts.settings.limits
        wait = limits.restart_seconds
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._connect()
                why: object = "the gateway closed"
            except (discord.LoginFailure, DiscordError) as error:
                raise DiscordError(f"discord.token: {error}") from error
            except commands.ExtensionError:
                raise  # a part of ours is broken: trying again would hide it
            except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
                why = error
            except Exception as error:
                # An exception inside the gateway's own parser ends its task silently while REST goes on.
                log.exception("the connection to Discord died")
                why = error
            wait = limits.restart_seconds if clock() - began > WELL_AFTER else wait
            log.warning("connection to Discord lost: %s; made anew in %.0f s", why, wait)
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))
            wait = min(2 * wait, limits.restart_most_seconds)

    async def _connect(self) -> None:
        token = self.parts.settings.discord.token
        assert token is not None
        allowed = await may_read_messages(token.get_secret_value())
        self.parts.missing[:] = [] if allowed else ["discord.no_message_content"]
        if not allowed:
            log.warning("Message Content Intent is off: switch it on in the developer portal, under Bot")
        client = PitchwatchClient(self.parts, allowed)
        self._client = client
        try:
            async with client:
                await client.start(token.get_secret_value())
        finally:
            self._client = None
            self.parts.hub.lost()


async def may_read_messages(token: str) -> bool:
    """Ask Discord whether the application may read what messages say. Raises discord.LoginFailure."""
    async with discord.Client(intents=_intents(False)) as asking:
        await asking.login(token)
        flags = (await asking.application_info()).flags
        return flags.gateway_message_content or flags.gateway_message_content_limited


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at in Discord: whether it is in order, and the words for it."""

    ok: bool
    message: Message


async def examine(settings: Settings) -> list[Finding]:
    """Look at what Discord lets the bot do: the token, the intent, and every channel that is written to or read."""
    token = settings.discord.token
    assert token is not None
    use_server(settings.discord)
    try:
        async with asyncio.timeout(settings.discord.send_seconds), discord.Client(intents=_intents(False)) as asking:
            await asking.login(token.get_secret_value())
            flags = (await asking.application_info()).flags
            found = [Finding(True, Message("doctor.discord_ok", {"name": str(asking.user)}))]
            if not (flags.gateway_message_content or flags.gateway_message_content_limited):
                found.append(Finding(False, Message("discord.no_message_content")))
            for channel, needed in _channels(settings).items():
                found.append(await _examine_channel(asking, channel, needed))
            return found
    except discord.LoginFailure:
        return [Finding(False, Message("doctor.discord_token"))]
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        return [Finding(False, Message("doctor.discord_away", {"why": str(error) or type(error).__name__}))]


#: What the bot needs where it writes, and where it reads, by the names of Discord's permissions.
WRITES: Final = ("view_channel", "send_messages", "attach_files", "read_message_history")
READS: Final = ("view_channel", "read_message_history")


def _channels(settings: Settings) -> dict[int, tuple[str, ...]]:
    channels: dict[int, tuple[str, ...]] = {}
    for room in settings.rooms:
        if room.kind == "discord":
            channels.setdefault(int(room.address.partition("/")[2]), READS)
        for watch in room.watches:
            if watch.channel.startswith("discord:"):
                channels[int(watch.channel.partition(":")[2])] = WRITES
    return channels


async def _examine_channel(asking: discord.Client, number: int, needed: Sequence[str]) -> Finding:
    try:
        channel = await asking.fetch_channel(number)
    except (discord.NotFound, discord.Forbidden):
        return Finding(False, Message("doctor.discord_channel_gone", {"channel": number}))
    if not isinstance(channel, discord.abc.GuildChannel) or asking.user is None:
        return Finding(True, Message("doctor.discord_channel_ok", {"channel": number}))
    guild = await asking.fetch_guild(channel.guild.id)
    allowed = (await guild.fetch_channel(number)).permissions_for(await guild.fetch_member(asking.user.id))
    lacking = [name.replace("_", " ").title() for name in needed if not getattr(allowed, name)]
    if lacking:
        return Finding(
            False, Message("doctor.discord_channel_closed", {"channel": number, "lacking": ", ".join(lacking)})
        )
    return Finding(True, Message("doctor.discord_channel_ok", {"channel": number}))


def read_value(database: Database, name: str) -> str | None:
    """Return something that the bot noted for itself."""
    row = database.execute("SELECT value FROM own_notes WHERE name = ?", [name]).fetchone()
    return str(row[0]) if row else None


def write_value(database: Database, name: str, value: Any) -> None:
    """Note something for the next start."""
    with database.atomic():
        database.execute(
            "INSERT INTO own_notes (name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
            [name, str(value)],
        )
