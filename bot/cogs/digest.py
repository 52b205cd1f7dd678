"""Cog `digest`: who keeps doing it, now, in private, or at a set time; and what still waits for a review."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any, Final, Self, cast

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.client import PitchwatchClient
from bot.cogs.answering import Asked, about_channel, always, asked
from bot.cogs.translating import words
from bot.communities import read_community
from bot.digest_charts import digest_pictures
from bot.digest_message import digest_layout, set_text, waiting_text
from bot.digest_report import read_period, read_waiting
from bot.digest_settings import read_digest_settings, remove_digest_settings, save_digest_settings
from bot.digest_table import table_file
from bot.digests import USUAL, Run
from bot.jump import alert_link
from bot.layout_view import as_files, as_view
from bot.markdown import plain
from bot.reasons import not_shown
from bot.schedule import EVERY, Every, Schedule, fitting_zones, known_zones, period_to_now

_EVERY = [app_commands.Choice(name=words(f"choice.{name}"), value=name) for name in EVERY]
_WEEKDAYS = [app_commands.Choice(name=words(f"digest.weekday_{day}"), value=day) for day in range(7)]
#: The key of a digest that is shown to one person only and looked for by nobody.
_PREVIEW: Final = "0" * 16


class WaitingButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"pw:waiting:(?P<run>[0-9a-f]{16})"):
    """The button under a digest."""

    def __init__(self, run: str) -> None:
        super().__init__(ui.Button(custom_id=f"pw:waiting:{run}"))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button that was clicked from its id."""
        return cls(match["run"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the cog."""
        cog = interaction.client.get_cog("Digest")
        assert isinstance(cog, DigestCog)
        async with always(interaction, cog.parts):
            await cog.waiting(interaction)


@app_commands.guild_only()
class DigestCog(commands.GroupCog, name="Digest", group_name="digest", group_description=words("command.digest")):
    """Digests, at once or at their time."""

    def __init__(self, client: PitchwatchClient) -> None:
        self.parts = client.parts
        super().__init__()

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Send what became due while there was no connection."""
        if self.parts.digests is not None:
            await self.parts.digests.tick()

    @app_commands.command(name="preview", description=words("command.digest_preview"))
    async def preview(self, interaction: discord.Interaction[Any]) -> None:
        """Show what a digest would say."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        now, half_life = datetime.now(UTC), self.parts.settings.policy.prior_half_life_days

        def work(database: Any) -> Any:
            known = read_digest_settings(database, one.community)
            period = period_to_now(known.schedule if known else USUAL, now)
            return read_period(database, one.community, period, half_life)

        digest = await self.parts.store.run(work)
        files = await asyncio.to_thread(digest_pictures, digest, one.language) | table_file(digest)
        await interaction.followup.send(
            view=as_view(digest_layout(digest, one.language, _PREVIEW)),
            files=as_files(files),
            ephemeral=True,
            allowed_mentions=discord.AllowedMentions.none(),
        )

    @app_commands.command(name="now", description=words("command.digest_now"))
    async def now(self, interaction: discord.Interaction[Any]) -> None:
        """Send a digest out of turn."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        settings = await self.parts.store.run(lambda database: read_digest_settings(database, one.community))
        # Never simply here: what moderators are told is not for everybody.
        channel = settings.channel if settings else (await read_community(self.parts.store, one.community)).channel
        if channel is None or not channel.startswith("discord:"):
            await one.answer(one.say("digest.no_channel"))
        elif self.parts.digests is None:
            await one.answer(one.say("digest.not_running"))
        else:
            await one.answer(_sent(one, await self.parts.digests.send_now(one.community, channel)))

    @app_commands.command(name="set", description=words("command.digest_set"))
    @app_commands.choices(every=_EVERY)
    @app_commands.choices(weekday=_WEEKDAYS)
    @app_commands.describe(
        every=words("command.digest_every"),
        hour=words("command.digest_hour"),
        zone=words("command.digest_zone"),
        channel=words("command.digest_channel"),
        minimum=words("command.digest_minimum"),
        weekday=words("command.digest_weekday"),
    )
    async def change(
        self,
        interaction: discord.Interaction[Any],
        every: str,
        hour: app_commands.Range[int, 0, 23],
        zone: app_commands.Range[str, 1, 100],
        channel: discord.TextChannel | None = None,
        minimum: app_commands.Range[int, 0, 1000] = 1,
        weekday: app_commands.Range[int, 0, 6] = 0,
    ) -> None:
        """Keep when and where digests are sent, and say what stands."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        if zone not in known_zones():
            await one.answer(one.say("digest.set_zone", zone=plain(zone, 60)))
            return
        usual = (await read_community(self.parts.store, one.community)).channel
        goes_to = f"discord:{channel.id}" if channel else usual or f"discord:{interaction.channel_id}"
        schedule = Schedule(cast(Every, every), weekday, hour, zone)
        settings = await self.parts.store.run(
            lambda database: save_digest_settings(
                database, one.community, one.by, schedule, goes_to, minimum, datetime.now(UTC)
            )
        )
        lines, number = [set_text(settings, one.language)], int(goes_to.partition(":")[2])
        if channel is None and usual is None:
            lines.append(one.say("digest.here", channel=f"<#{number}>"))
        await one.answer("\n".join(lines + about_channel(one, number)))

    @change.autocomplete("zone")
    async def _zones(self, interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=name, value=name) for name in fitting_zones(current)]

    @app_commands.command(name="off", description=words("command.digest_off"))
    async def off(self, interaction: discord.Interaction[Any]) -> None:
        """Stop sending digests."""
        one = await asked(interaction, self.parts, "manager")
        if one is None:
            return
        known = await self.parts.store.run(lambda database: remove_digest_settings(database, one.community, one.by))
        await one.answer(one.say("digest.off_done" if known else "digest.off_already"))

    async def waiting(self, interaction: discord.Interaction[Any]) -> None:
        """List which warnings wait for a review."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        found = await self.parts.store.run(lambda database: read_waiting(database, one.community))
        await one.answer(waiting_text(found, one.language))


def _sent(one: Asked, run: Run) -> str:
    """Return what became of a digest out of turn."""
    if run.state == "sent":
        return one.say("digest.now_sent", link=alert_link(run.community, run.channel, run.reference) or "…")
    why = not_shown(run.error, one.language)
    if run.state == "blocked":
        return one.say("digest.now_blocked", channel=f"<#{run.channel.partition(':')[2]}>", why=why)
    return one.say("digest.now_waits", why=why)


async def setup(client: PitchwatchClient) -> None:
    """Add the cog and its button."""
    await client.add_cog(DigestCog(client))
    client.add_dynamic_items(WaitingButton)
