"""What every sender to Discord needs: a message that is sent once, found again after a crash, and told if it cannot be.

A message has a key: it is its nonce, and it ends the id of at least one of its buttons.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import aiohttp
import discord

from bot.channels import reads_past
from bot.communities import Community
from bot.layout_view import as_files, as_view, mentions
from bot.messages import Layout
from bot.outbox import BlockedError, DeletedError, OutcomeUnknownError, Reconciled
from config.wording import say

log = logging.getLogger(__name__)

#: Discord remembers the nonce of a message for a few minutes; this long it is trusted to.
NONCE_TRUSTED: Final = timedelta(seconds=120)
#: Messages looked through for one of which it is not known whether it was sent.
MOST_SEARCHED: Final = 500
#: Discord's clock and ours may differ by so much.
CLOCKS_DIFFER: Final = timedelta(seconds=60)
_UNKNOWN_CHANNEL: Final = 10003
_UNKNOWN_MESSAGE: Final = 10008


class NotConnectedError(Exception):
    """There is no connection to Discord now; the message waits."""


class Line(Protocol):
    """What holds the client: it changes when the connection is made anew."""

    def logged_in(self) -> discord.Client:
        """Return the client. Raises NotConnectedError."""
        ...


async def send(
    client: discord.Client, channel: int, key: str, layout: Layout, files: Mapping[str, bytes], seconds: float
) -> str:
    """Send a message; return its number. Raises BlockedError, OutcomeUnknownError, and others when it was not sent."""
    try:
        async with asyncio.timeout(seconds):
            with explained():
                message = await client.get_partial_messageable(channel).send(
                    view=as_view(layout),
                    files=as_files(files),
                    allowed_mentions=mentions(layout),
                    nonce=key,
                )
    except (TimeoutError, OSError, aiohttp.ClientError) as error:
        log.warning("%s: no answer: %r", key, error)
        raise OutcomeUnknownError(say("en", "blocked.no_answer")) from error
    except discord.HTTPException as error:
        if error.status >= 500:
            raise OutcomeUnknownError(str(error)) from error
        raise
    return str(message.id)


async def find_sent(client: discord.Client, channel: int, key: str, attempted: str, seconds: float) -> Reconciled:
    """Find out whether an attempt at `attempted` (ISO time) did send a message.

    A fresh attempt may simply be made again: Discord gives back the first message for the same nonce. Later, the
    bot's own messages since then are searched for the key in their buttons.
    """
    began = datetime.fromisoformat(attempted)
    if datetime.now(UTC) - began < NONCE_TRUSTED:
        return Reconciled("not_sent", certain=False)
    try:
        async with asyncio.timeout(seconds):
            await client.wait_until_ready()
            if not reads_past(client, channel):
                log.error("%s: channel %d cannot be searched: Read Message History is missing", key, channel)
                return Reconciled("unknown")
            return await _search(client, channel, key, began - CLOCKS_DIFFER)
    except (discord.Forbidden, discord.NotFound) as error:
        log.error("%s: channel %d cannot be searched: %s", key, channel, error)
        return Reconciled("unknown")


async def _search(client: discord.Client, channel: int, key: str, after: datetime) -> Reconciled:
    seen = 0
    own = client.user.id if client.user else 0
    history = client.get_partial_messageable(channel).history(after=after, limit=MOST_SEARCHED, oldest_first=True)
    async for message in history:
        seen += 1
        if message.author.id == own and any(custom_id.endswith(f":{key}") for custom_id in _custom_ids(message)):
            return Reconciled("sent", str(message.id))
    return Reconciled("not_sent" if seen < MOST_SEARCHED else "unknown")


async def tell_owner(client: discord.Client, text: str, seconds: float) -> None:
    """Write to whoever runs the bot."""
    async with asyncio.timeout(seconds):
        info = await client.application_info()
        owner = info.team.owner_id if info.team and info.team.owner_id else info.owner.id
        user = await client.fetch_user(owner)
        await user.send(text, allowed_mentions=discord.AllowedMentions.none())


def language_of(client: discord.Client, community: Community) -> str:
    """Return the language that a community is spoken to: its own, else its server's."""
    if community.language is not None:
        return community.language
    guild = client.get_guild(int(community.community)) if community.community.isdecimal() else None
    return "fr" if guild is not None and str(guild.preferred_locale).startswith("fr") else "en"


def number_of(channel: str) -> int:
    """Return the number of a channel that is named `discord:number`."""
    return int(channel.split(":", 1)[1])


@contextmanager
def explained(editing: bool = False) -> Iterator[None]:
    """Tell a message that was deleted, and a channel that is closed to the bot, from other failures."""
    try:
        yield
    except discord.NotFound as error:
        if error.code == _UNKNOWN_MESSAGE and editing:
            raise DeletedError(str(error)) from error
        if error.code == _UNKNOWN_CHANNEL:
            raise BlockedError(say("en", "blocked.gone")) from error
        raise
    except discord.Forbidden as error:
        raise BlockedError(say("en", "blocked.rights")) from error


def _custom_ids(message: discord.Message) -> Iterator[str]:
    """Yield the ids of all buttons and menus of a message, however deep they stand."""
    waiting: list[Any] = [component.to_dict() for component in message.components]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("custom_id"), str):
                yield one["custom_id"]
            waiting += one.get("components") or []
            if one.get("accessory"):
                waiting.append(one["accessory"])
