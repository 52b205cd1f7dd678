"""Cog `settings`: how the bot is doing, whom it leaves alone, and what moderators look up."""

from dataclasses import replace
from io import BytesIO
from typing import Any, Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import log_line, needed_line
from bot.check_message import statement_layout
from bot.client import PitchwatchClient
from bot.cogs.answering import Asked, asked
from bot.cogs.translating import words
from bot.communities import discord_account, exempt_account
from bot.history import Past, export_community, read_history
from bot.jump import without_keys
from bot.layout_view import as_view
from bot.markdown import moment, plain
from bot.messages import controls, percent, room_words, why_text
from bot.reports import AmbiguousHandleError, find_account
from bot.reviews import UnknownAlertError, read_explained
from bot.room_tasks import RoomHealth
from bot.statements import count_waiting, waiting_statements
from bot.watches import list_watches
from detectors.records import Message

#: Largest file that Discord takes without a boost, less some room for the rest of the message.
MOST_BYTES: Final = 9 * 2**20
#: Rooms told of at once, and statements shown again.
MOST_ROOMS: Final = 20
MOST_STATEMENTS: Final = 5


class SettingsCog(commands.Cog, name="Settings"):
    """Status, exemptions, and what moderators look up."""

    def __init__(self, client: PitchwatchClient) -> None:
        self.client = client
        self.parts = client.parts

    @app_commands.command(name="status", description=words("command.status"))
    @app_commands.guild_only()
    async def status(self, interaction: discord.Interaction[Any]) -> None:
        """Say how the server's rooms are doing, and show statements that wait, with their buttons."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        rooms = self.parts.rooms
        running = rooms.running(one.community) if rooms is not None else {}
        rows = await list_watches(self.parts.store, one.community)
        snoozes, waiting, statements, shown = await self.parts.store.run(
            lambda database: (
                _count_snoozes(database, one.community),
                _count_waiting(database, one.community),
                count_waiting(database, one.community),
                waiting_statements(database, one.community, MOST_STATEMENTS),
            )
        )
        # How things stand comes first: should there be too many rooms, those are cut off.
        lines = [one.say("status.counts", snoozes=snoozes, waiting=waiting)]
        lines.append(one.say("status.statements", count=statements))
        lines += [one.say(key) for key in self.parts.missing]
        refused, share = rooms.refused_threads(one.community) if rooms is not None else (0, 0)
        if refused:
            lines.append(one.say("status.threads", count=refused, share=share))
        for row in rows[:MOST_ROOMS]:
            why = rooms.refusal(row.watch.room) if rooms is not None else None
            doing = _doing(one, row.paused, running.get(row.watch.room), why)
            lines.append(f"- {room_words(str(row.watch.room), 80)}: {doing}")
        if not rows:
            lines.append(one.say("watch.none"))
        if len(rows) > MOST_ROOMS:
            lines.append(one.say("answering.left", count=len(rows) - MOST_ROOMS))
        await one.answer("\n".join(lines))
        for statement in shown:
            layout = statement_layout(statement.number, statement.account, statement.text, one.language)
            await interaction.followup.send(
                view=as_view(layout), ephemeral=True, allowed_mentions=discord.AllowedMentions.none()
            )

    @app_commands.command(name="allow", description=words("command.allow"))
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    @app_commands.describe(member=words("command.allow_member"), take_back=words("command.take_back"))
    async def allow(
        self, interaction: discord.Interaction[Any], member: discord.Member, take_back: bool = False
    ) -> None:
        """Change the list of those of whom nothing is said."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        account = discord_account(member.id)
        news = await exempt_account(self.parts.store, one.community, account, one.by, not take_back)
        key = "allow.taken_back" if take_back else "allow.added"
        await one.answer(one.say(key if news else "allow.nothing", who=f"<@{member.id}>"))

    @app_commands.command(name="history", description=words("command.history"))
    @app_commands.guild_only()
    @app_commands.describe(who=words("command.who"))
    async def history(
        self, interaction: discord.Interaction[Any], who: app_commands.Range[str, 1, 100] | None = None
    ) -> None:
        """List warnings, those of dry runs and those that the cap held back too."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        try:
            account = await self._account(one, who) if who else None
        except LookupError:
            return
        past = await self.parts.store.run(lambda database: read_history(database, one.community, account))
        await one.answer("\n".join(_past(one, row) for row in past) or one.say("history.none"))

    @app_commands.command(name="why", description=words("command.why"))
    @app_commands.guild_only()
    @app_commands.describe(alert=words("command.why_alert"))
    async def why(self, interaction: discord.Interaction[Any], alert: app_commands.Range[str, 16, 16]) -> None:
        """Explain a warning, with its buttons: it may stand nowhere else, or be deleted there."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        policy = self.parts.settings.policy
        try:
            found = await self.parts.store.run(lambda db: read_explained(db, policy, alert, one.community))
        except UnknownAlertError:
            await one.answer(one.say("review.unknown"))
            return
        done = [log_line(row.actor, row.action, row.done, row.details) for row in found.log]
        layout = why_text(found.parcel, one.language, found.threshold, [needed_line(found.own, found.others), *done])
        layout = replace(layout, parts=(*layout.parts, *controls(found.parcel, one.language)))
        await interaction.followup.send(
            view=as_view(layout), ephemeral=True, allowed_mentions=discord.AllowedMentions.none()
        )

    @app_commands.command(name="export", description=words("command.export"))
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Hand over the community's own data."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        data = await self.parts.store.run(
            lambda database: export_community(database, one.community, one.by, MOST_BYTES)
        )
        file = discord.File(BytesIO(data), filename=f"pitchwatch-{one.community}.jsonl")
        await one.answer(one.say("export.here"), file=file)

    async def _account(self, one: Asked, who: str) -> str:
        """Return the account that somebody means. Raises LookupError after saying why there is none."""
        name = who.strip()
        mentioned = name.removeprefix("<@").removeprefix("!").removesuffix(">")
        if mentioned.isdecimal():
            return str(discord_account(mentioned))
        try:
            found = await self.parts.store.run(lambda database: find_account(database, name, one.community))
        except AmbiguousHandleError as error:
            names = ", ".join(plain(candidate, 60) for candidate in error.candidates[:10])
            await one.answer(one.say("history.ambiguous", who=plain(name, 60), names=names))
            raise LookupError(name) from error
        if found is None:
            await one.answer(one.say("history.unknown", who=plain(name, 60)))
            raise LookupError(name)
        return found


def _doing(one: Asked, paused: bool, health: RoomHealth | None, refusal: Message | None) -> str:
    """Return how a room is doing, in words. What cannot be heard is never called quiet."""
    if paused:
        return one.say("watch.paused")
    if health is None:
        return one.say("status.refused", why=one.why(refusal)) if refusal else one.say("status.not_running")
    why = one.why(health.reason) if health.reason else plain(without_keys(health.error), 120)
    if health.down:
        return one.say("status.down", failures=health.failures, why=why)
    parts = [one.say("status.quiet") if health.show is None else one.say("status.heard", show=plain(health.show, 60))]
    if health.show is not None:
        parts.append(one.say("status.minutes", minutes=round(health.seconds / 60)))
    if health.lost_seconds >= 1 or health.unread or health.skipped:
        lost = round(health.lost_seconds)
        parts.append(one.say("status.lost", seconds=lost, unread=health.unread, skipped=health.skipped))
    if health.delay is not None:
        usual, most = (f"{seconds:.1f}" for seconds in health.delay)
        parts.append(one.say("status.delay", usual=usual, most=most))
    if health.failures:
        parts.append(one.say("status.failed", failures=health.failures, why=why))
    return ", ".join(parts)


def _past(one: Asked, row: Past) -> str:
    marks = [one.say(f"history.{row.status}")]
    marks += [one.say("history.held_back")] if row.held_back else []
    marks += [one.say("watch.dry_run")] if row.dry_run else []
    where = f" [→](<{row.link}>)" if row.link else ""
    when = moment(row.raised, "R")
    return f"- {when} **{plain(row.name, 40)}** {percent(row.score)} % · {', '.join(marks)} · `{row.alert}`{where}"


def _count_snoozes(database: Any, community: str) -> int:
    query = "SELECT COUNT(*) FROM snoozes WHERE community = ? AND until > strftime('%Y-%m-%dT%H:%M:%f', 'now')"
    return int(database.execute(query, [community]).fetchone()[0])


def _count_waiting(database: Any, community: str) -> int:
    query = "SELECT COUNT(*) FROM alerts WHERE community = ? AND status = 'open'"
    return int(database.execute(query, [community]).fetchone()[0])


async def setup(client: PitchwatchClient) -> None:
    """Add the cog."""
    await client.add_cog(SettingsCog(client))
