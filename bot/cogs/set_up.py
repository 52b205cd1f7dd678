"""Cog `set_up`: everything in one command, the first time and again. Only what is given changes."""

from datetime import UTC, datetime
from typing import Any, Final, cast

import discord
from discord import app_commands
from discord.ext import commands
from sqlite_utils import Database

from bot.client import PitchwatchClient
from bot.cogs.answering import Asked, about_channel, asked
from bot.cogs.translating import words
from bot.communities import Community, read_community, save_community
from bot.digest_message import set_text
from bot.digest_settings import DigestSettings, read_digest_settings, remove_digest_settings, save_digest_settings
from bot.messages import room_words
from bot.schedule import EVERY, Every, Schedule
from bot.watches import RefusedWatchError, WatchRow, list_watches

_SENSITIVITIES = [app_commands.Choice(name=words(f"choice.{name}"), value=name) for name in ("low", "normal", "high")]
_LANGUAGES = [app_commands.Choice(name="English", value="en"), app_commands.Choice(name="français", value="fr")]
_DIGESTS = [app_commands.Choice(name=words(f"choice.{name}"), value=name) for name in ("off", *EVERY)]
#: What may have changed, in words.
_NAMES: Final = {
    "channel": "setup.name_channel",
    "moderator_role": "setup.name_moderators",
    "sensitivity": "setup.name_sensitivity",
    "language": "setup.name_language",
    "ping_role": "setup.name_ping",
}


class SetUpCog(commands.Cog, name="SetUp"):
    """Set-up in one command."""

    def __init__(self, client: PitchwatchClient) -> None:
        self.parts = client.parts

    @app_commands.command(name="setup", description=words("command.setup"))
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.choices(sensitivity=_SENSITIVITIES, language=_LANGUAGES, digest=_DIGESTS)
    @app_commands.describe(
        channel=words("command.setup_channel"),
        moderators=words("command.setup_moderators"),
        sensitivity=words("command.setup_sensitivity"),
        language=words("command.setup_language"),
        ping=words("command.setup_ping"),
        digest=words("command.setup_digest"),
        clear_moderators=words("command.setup_clear_moderators"),
        clear_ping=words("command.setup_clear_ping"),
    )
    async def setup_command(
        self,
        interaction: discord.Interaction[Any],
        channel: discord.TextChannel | None = None,
        moderators: discord.Role | None = None,
        sensitivity: str | None = None,
        language: str | None = None,
        ping: discord.Role | None = None,
        digest: str | None = None,
        clear_moderators: bool = False,
        clear_ping: bool = False,
    ) -> None:
        """Keep what was chosen; say what changed, what stands, and what is missing."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        before = await read_community(self.parts.store, one.community)
        chosen: dict[str, Any] = {"sensitivity": sensitivity, "language": language}
        chosen["channel"] = f"discord:{channel.id}" if channel else None
        if channel is None and before.channel is None:
            chosen["channel"] = f"discord:{interaction.channel_id}"
        chosen |= {
            "moderator_role": str(moderators.id) if moderators else None,
            "ping_role": str(ping.id) if ping else None,
        }
        changes = {name: value for name, value in chosen.items() if value is not None and value != _of(before, name)}
        if clear_moderators and moderators is None and before.moderator_role is not None:
            changes["moderator_role"] = None
        if clear_ping and ping is None and before.ping_role is not None:
            changes["ping_role"] = None
        await self._change(one, before, changes, digest)

    async def _change(self, one: Asked, before: Community, changes: dict[str, Any], digest: str | None) -> None:
        store, former = self.parts.store, await list_watches(self.parts.store, one.community)
        community = await save_community(store, one.community, one.by, changes) if changes else before
        if community.moderator_role is not None:
            self.parts.hub.staff_roles[int(one.community)] = int(community.moderator_role)
        else:
            self.parts.hub.staff_roles.pop(int(one.community), None)
        one.language = community.language or one.language
        names = ", ".join(one.say(_NAMES[name]) for name in changes)
        lines = [one.say("setup.changed", what=names) if changes else one.say("setup.unchanged")]
        if before.channel is None:
            lines = [one.say("setup.done")]
        if "channel" in changes or "sensitivity" in changes:
            lines += await self._reload(one, former)
        lines += _stands(one, community)
        if digest is not None:
            lines.append(await self._set_digest(one, community, digest))
        lines += [one.say(key) for key in self.parts.missing]
        lines.append(one.say("setup.next"))
        await one.answer("\n".join(lines))

    async def _reload(self, one: Asked, former: list[WatchRow]) -> list[str]:
        """Open rooms of the community anew, so that warnings go where and as they do now; say what that meant."""
        lines, rows = [], await list_watches(self.parts.store, one.community)
        usual = {row.watch.room: row.watch.sensitivity for row in former}
        followed = sum(row.watch.sensitivity != usual.get(row.watch.room, row.watch.sensitivity) for row in rows)
        if followed:
            lines.append(one.say("setup.watches", count=followed))
        for row in rows:
            if self.parts.rooms is None or row.source != "community" or row.paused:
                continue
            try:
                await self.parts.rooms.reload(row.watch.room)
            except RefusedWatchError as error:
                lines.append(one.refused(error, room=room_words(str(row.watch.room), 80)))
        return lines

    async def _set_digest(self, one: Asked, community: Community, every: str) -> str:
        """Send digests so often, or no more. What a community chose of them before stays: hour, zone, channel."""
        if every == "off":
            known = await self.parts.store.run(lambda db: remove_digest_settings(db, one.community, one.by))
            return one.say("digest.off_done" if known else "digest.off_already")
        zone = "Europe/Paris" if one.language == "fr" else "UTC"
        usual = community.channel or f"discord:{one.interaction.channel_id}"

        def work(database: Database) -> DigestSettings:
            had = read_digest_settings(database, one.community)
            times = had.schedule if had else Schedule("week", 0, 9, zone)
            schedule = Schedule(cast(Every, every), times.weekday, times.hour, times.zone)
            channel, least = (had.channel, had.least) if had else (usual, 1)
            return save_digest_settings(database, one.community, one.by, schedule, channel, least, datetime.now(UTC))

        return set_text(await self.parts.store.run(work), one.language)


def _of(community: Community, name: str) -> Any:
    return getattr(community, name)


def _stands(one: Asked, community: Community) -> list[str]:
    """Return how things stand, what the bot lacks in the channel, and whether it should not be that channel."""
    number = int((community.channel or "discord:0").partition(":")[2])
    where = f"<#{number}>"
    role = f"<@&{community.moderator_role}>" if community.moderator_role else one.say("setup.anybody")
    ping = f"<@&{community.ping_role}>" if community.ping_role else one.say("setup.nobody")
    lines = [
        one.say("setup.channel", channel=where),
        one.say("setup.moderators", role=role),
        one.say("setup.sensitivity", sensitivity=one.say(f"watch.sensitivity_{community.sensitivity}")),
        one.say("setup.ping", role=ping),
    ]
    return lines + about_channel(one, number)


async def setup(client: PitchwatchClient) -> None:
    """Add the cog."""
    await client.add_cog(SetUpCog(client))
