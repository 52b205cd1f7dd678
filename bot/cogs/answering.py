"""How cogs answer: only to whoever asked, in the server's language, after asking who they are. Always."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import discord

from bot.client import WRITES, Parts, answer_failure
from bot.communities import discord_account, read_community
from bot.jump import without_keys
from bot.markdown import length, plain
from bot.messages import message_words
from bot.moderators import is_moderator, language_for, may_manage
from bot.watches import RefusedWatchError, list_watches
from config.wording import say
from detectors.records import Message

#: Longest answer that Discord shows as one text.
MOST: Final = 2_000


class Asked:
    """Who asked, where, and in which language they are answered."""

    def __init__(self, interaction: discord.Interaction[Any], parts: Parts, language: str) -> None:
        self.interaction = interaction
        self.parts = parts
        self.language = language

    @property
    def community(self) -> str:
        """The community's id."""
        return str(self.interaction.guild_id)

    @property
    def by(self) -> str:
        """The account of whoever asked."""
        return str(discord_account(self.interaction.user.id))

    def say(self, key: str, **params: object) -> str:
        """Return words in the language of the server."""
        return say(self.language, key, **params)

    def why(self, reason: Message) -> str:
        """Return a reason in words, with every address in it as it may be shown."""
        told = {k: without_keys(v) if isinstance(v, str) else v for k, v in reason.params.items()}
        return message_words(Message(reason.key, told), self.language, 200)

    def refused(self, error: RefusedWatchError, **more: str) -> str:
        """Return why a watch is refused, in words."""
        told: dict[str, object] = {}
        for name, value in error.params.items():
            if isinstance(value, int) or name == "channel":  # our own mention of it
                told[name] = value
            else:
                told[name] = self.why(value) if isinstance(value, Message) else plain(without_keys(value), 300)
        return self.say(error.key, **{**told, **more})

    async def answer(self, text: str, **more: Any) -> None:
        """Answer, for nobody else to see. What does not fit is cut off at a line, and counted."""
        await self.interaction.followup.send(
            fitting(text, self.language), ephemeral=True, allowed_mentions=discord.AllowedMentions.none(), **more
        )


def fitting(text: str, language: str) -> str:
    """Return a text that Discord takes: whole lines, and how many more there are."""
    if length(text) <= MOST:
        return text
    lines = text.split("\n")
    for kept in range(len(lines) - 1, 0, -1):
        shown = "\n".join([*lines[:kept], say(language, "answering.left", count=len(lines) - kept)])
        if length(shown) <= MOST:
            return shown
    return text[: MOST // 2 - 1] + "…"


async def asked(interaction: discord.Interaction[Any], parts: Parts, who: str) -> Asked | None:
    """Defer, and return who asked if they are `member`, `moderator` or `manager`; if not, say so and return None."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    one = Asked(interaction, parts, await language_for(interaction, parts.store))
    if interaction.guild_id is None:
        await one.answer(one.say("answering.server_only"))
        return None
    if who == "manager" and not may_manage(interaction):
        await one.answer(one.say("answering.managers_only"))
        return None
    if who == "moderator" and not is_moderator(interaction, await read_community(parts.store, one.community)):
        await one.answer(one.say("review.not_allowed"))
        return None
    return one


@asynccontextmanager
async def always(interaction: discord.Interaction[Any], parts: Parts) -> AsyncIterator[None]:
    """Answer also when something fails: buttons, menus and modals have nobody else who would."""
    try:
        yield
    except Exception as error:
        await answer_failure(interaction, parts.store, error)


def sent_back(interaction: discord.Interaction[Any]) -> tuple[str, str] | None:
    """Return the id of a modal that was sent back and its text, or None for anything else.

    discord.py keeps open modals by their id, for one process: what was sent back is read here, whoever opened it.
    """
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    data: Any = interaction.data or {}
    return str(data.get("custom_id", "")), next(_texts(data.get("components") or []), "")


def _texts(components: list[Any]) -> Any:
    """Yield the texts of a modal's fields, in rows (1) and in labels (18) alike."""
    for one in components:
        nested = [*(one.get("components") or []), *([one["component"]] if one.get("component") else [])]
        if nested:
            yield from _texts(nested)
        elif one.get("type") == 4:
            yield str(one.get("value") or "")


def about_channel(one: Asked, number: int) -> list[str]:
    """Return what the bot lacks in a channel where it is to write to moderators, and whether everybody reads there."""
    guild = one.interaction.guild
    channel = guild.get_channel_or_thread(number) if guild else None
    if guild is None or channel is None:
        return []
    allowed, where, lines = channel.permissions_for(guild.me), f"<#{number}>", []
    lacking = [name.replace("_", " ").title() for name in WRITES if not getattr(allowed, name)]
    if lacking:
        lines.append(one.say("setup.lacking", lacking=", ".join(lacking), channel=where))
    private = isinstance(channel, discord.Thread) and channel.is_private()
    if not private and channel.permissions_for(guild.default_role).view_channel:
        lines.append(one.say("setup.public", channel=where))
    return lines


async def staff_channel(parts: Parts, community: str) -> str | None:
    """Return where a community's moderators are told something: its channel, else that of one of its watches."""
    own = (await read_community(parts.store, community)).channel
    if own is not None:
        return own
    watches = await list_watches(parts.store, community)
    return next((row.watch.channel for row in watches if row.watch.channel.startswith("discord:")), None)
