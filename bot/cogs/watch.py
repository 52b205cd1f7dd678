"""Cog `watch`: which rooms are listened to, for whoever manages the server."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import PitchwatchClient
from bot.cogs.answering import Asked, about_channel, asked
from bot.cogs.translating import words
from bot.communities import read_community
from bot.jump import public_room
from bot.markdown import plain
from bot.messages import room_words
from bot.moderators import may_manage
from bot.policy import Watch
from bot.watches import (
    KINDS,
    RefusedWatchError,
    WatchRow,
    add_watch,
    list_watches,
    named_room,
    pause_watch,
    remove_watch,
    room_of,
)
from config.settings import Sensitivity
from detectors.records import RoomKey

_KINDS = [app_commands.Choice(name=name, value=name) for name in KINDS]
_SENSITIVITIES = [app_commands.Choice(name=words(f"choice.{name}"), value=name) for name in ("low", "normal", "high")]


@app_commands.default_permissions(manage_guild=True)
@app_commands.guild_only()
class WatchCog(commands.GroupCog, group_name="watch", group_description=words("command.watch")):
    """Adds, lists, pauses and removes rooms."""

    def __init__(self, client: PitchwatchClient) -> None:
        self.parts = client.parts
        super().__init__()

    @app_commands.command(name="add", description=words("command.watch_add"))
    @app_commands.choices(kind=_KINDS, sensitivity=_SENSITIVITIES)
    @app_commands.describe(
        kind=words("command.watch_kind"),
        place=words("command.watch_place"),
        sensitivity=words("command.watch_sensitivity"),
        dry_run=words("command.watch_dry_run"),
        consent=words("command.watch_consent"),
        host=words("command.watch_host"),
    )
    async def add(
        self,
        interaction: discord.Interaction[Any],
        kind: str,
        place: app_commands.Range[str, 1, 500],
        sensitivity: str | None = None,
        dry_run: bool = False,
        consent: bool = False,
        host: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Add a watch and open its room."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        try:
            community = await read_community(self.parts.store, one.community)
            channel = community.channel or f"discord:{interaction.channel_id}"
            room = room_of(kind, place, int(one.community), self.parts.settings.streams)
            if kind == "discord":
                _check_seen(interaction, room)
            chosen = _sensitivity(sensitivity or community.sensitivity)
            watch = Watch(one.community, room, channel, chosen, dry_run, consent)
            if kind != "discord" and not consent:
                raise RefusedWatchError("watch.consent")
        except RefusedWatchError as error:
            await one.answer(one.refused(error))
            return
        lines = [one.say("watch.added", room=_shown(room), channel=f"<#{channel[8:]}>")]
        if community.channel is None:
            lines.append(one.say("watch.here", channel=f"<#{channel[8:]}>"))
        lines += about_channel(one, int(channel[8:]))
        options, streams = {"host": host} if host else {}, self.parts.settings.streams

        async def change() -> bool:
            await add_watch(self.parts.store, watch, one.by, options, streams)
            return True

        await self._change(one, room, change, "\n".join(lines))

    @app_commands.command(name="remove", description=words("command.watch_remove"))
    @app_commands.describe(room=words("command.watch_room"))
    async def remove(self, interaction: discord.Interaction[Any], room: app_commands.Range[str, 1, 600]) -> None:
        """Take a watch away."""
        one = await asked(interaction, self.parts, "manager")
        if one is not None:
            key = named_room(room, int(one.community))
            done = one.say("watch.done_remove", room=_shown(key))
            change = partial(remove_watch, self.parts.store, one.community, key, one.by)
            await self._change(one, key, change, done, plain(room, 80))

    @app_commands.command(name="pause", description=words("command.watch_pause"))
    @app_commands.describe(room=words("command.watch_room"), go_on=words("command.watch_go_on"))
    async def pause(
        self, interaction: discord.Interaction[Any], room: app_commands.Range[str, 1, 600], go_on: bool = False
    ) -> None:
        """Pause a watch, or let it go on."""
        one = await asked(interaction, self.parts, "manager")
        if one is not None:
            key = named_room(room, int(one.community))
            done = one.say("watch.done_go_on" if go_on else "watch.done_pause", room=_shown(key))
            change = partial(pause_watch, self.parts.store, one.community, key, one.by, paused=not go_on)
            await self._change(one, key, change, done, plain(room, 80))

    @app_commands.command(name="list", description=words("command.watch_list"))
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """List the watches."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        rows = await list_watches(self.parts.store, one.community)
        lines = [_line(one, row) for row in rows[:20]]
        if len(rows) > len(lines):
            lines.append(one.say("message.left", count=len(rows) - len(lines)))
        await one.answer("\n".join(lines) or one.say("watch.none"))

    async def _change(
        self, one: Asked, key: RoomKey, change: Callable[[], Awaitable[bool]], done: str, named: str = ""
    ) -> None:
        """Change a watch and who is listened to for it, at one moment of the show; say what was done."""
        rooms = self.parts.rooms
        try:
            async with rooms.changing(key) if rooms is not None else nullcontext():
                known = await change()
                if known and rooms is not None:
                    await rooms.reload(key)
        except RefusedWatchError as error:
            await one.answer(one.refused(error, room=_shown(key)))
            return
        await one.answer(done if known else one.say("watch.unknown", room=named))

    @remove.autocomplete("room")
    @pause.autocomplete("room")
    async def _rooms(self, interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
        if not may_manage(interaction):
            return []
        rows = await list_watches(self.parts.store, str(interaction.guild_id))
        names = [str(row.watch.room) for row in rows if row.source == "community"]
        fitting = [name for name in names if current.lower() in name.lower() and len(name) <= 100]
        return [app_commands.Choice(name=public_room(name) or name, value=name) for name in fitting[:25]]


def _check_seen(interaction: discord.Interaction[Any], room: RoomKey) -> None:
    """Raise RefusedWatchError unless the channel is one of this server that whoever asks can see themselves."""
    number = int(room.address.partition("/")[2])
    channel = interaction.guild.get_channel_or_thread(number) if interaction.guild is not None else None
    if channel is None or not _sees(interaction.user, channel):
        raise RefusedWatchError("watch.not_seen", channel=f"<#{number}>")


def _sees(user: discord.User | discord.Member, channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    if not isinstance(user, discord.Member):
        return False
    private = isinstance(channel, discord.Thread) and channel.is_private() and channel.owner_id != user.id
    if isinstance(channel, discord.Thread) and channel.parent is None:
        return False
    allowed = channel.permissions_for(user)
    return allowed.view_channel and (allowed.manage_threads or not private)


def _line(one: Asked, row: WatchRow) -> str:
    watch = row.watch
    marks = [one.say(f"watch.sensitivity_{watch.sensitivity}")]
    marks += [one.say("watch.dry_run")] if watch.dry_run else []
    marks += [one.say("watch.paused")] if row.paused else []
    marks += [one.say("watch.from_file")] if row.source == "file" else []
    to = f"<#{watch.channel[8:]}>" if watch.channel.startswith("discord:") else watch.channel
    return f"- {_shown(watch.room)} → {to} · {', '.join(marks)}"


def _shown(room: RoomKey) -> str:
    return room_words(str(room), 120)


def _sensitivity(name: str) -> Sensitivity:
    if name == "low":
        return "low"
    return "high" if name == "high" else "normal"


async def setup(client: PitchwatchClient) -> None:
    """Add the cog."""
    await client.add_cog(WatchCog(client))
