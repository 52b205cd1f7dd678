"""Cog `check`: what is known about somebody, how to check them before paying, and what they have to say."""

import asyncio
import logging
import re
from datetime import UTC, date, datetime
from typing import Any, Final, Self

import aiohttp
import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.check_chart import over_time
from bot.check_message import OVER_TIME, check_layout, statement_layout, tips_text, unknown_layout
from bot.client import PitchwatchClient, language_in
from bot.cogs.answering import Asked, always, asked, sent_back, staff_channel
from bot.cogs.translating import words
from bot.communities import discord_account, read_community
from bot.dossier import Dossier, add_record, link_accounts, read_dossier, save_member, take_record_back
from bot.layout_view import as_files, as_view
from bot.markdown import plain
from bot.messages import BLUE, Layout, Words
from bot.moderators import is_moderator, language_for
from bot.reports import AmbiguousHandleError, find_account, listening_since
from bot.statements import (
    MAX_STATEMENT,
    NotNamedError,
    TooSoonError,
    check_may_state,
    decide_statement,
    make_statement,
    note_message,
)
from config.wording import say

#: Modals, each with the number of the interaction that opened it.
_CONTESTED: Final = re.compile(r"pw:contest(:\d{1,20})?")
_MENTION: Final = re.compile(r"<@!?(\d{1,20})>|(\d{15,20})")


log = logging.getLogger(__name__)

#: Accounts of one name that are looked at.
MAX_CANDIDATES: Final = 10
_REFUSALS: Final[dict[type[Exception], str]] = {
    NotNamedError: "contest.not_named",
    TooSoonError: "contest.too_soon",
}


class StatementButton(
    ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"pw:state:(?P<what>show|refuse):(?P<number>\d{1,12})"
):
    """A button under a statement."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(ui.Button(custom_id=f"pw:state:{what}:{number}"))
        self.what = what
        self.number = number

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button that was clicked from its id."""
        return cls(match["what"], int(match["number"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the cog."""
        cog = interaction.client.get_cog("Check")
        assert isinstance(cog, CheckCog)
        async with always(interaction, cog.parts):
            await cog.decided(interaction, self.number, self.what == "show")


class StatementModal(ui.Modal):
    """Asks for a statement. The cog takes what is sent back: each modal has an id of its own."""

    def __init__(self, language: str, asked: int) -> None:
        super().__init__(title=say(language, "contest.title"), timeout=900, custom_id=f"pw:contest:{asked}")
        text: ui.TextInput[Any] = ui.TextInput(
            style=discord.TextStyle.paragraph, max_length=MAX_STATEMENT, custom_id="text"
        )
        self.add_item(ui.Label(text=say(language, "contest.label"), component=text))


class CheckCog(commands.Cog, name="Check"):
    """Cards, advice, figures and statements."""

    def __init__(self, client: PitchwatchClient) -> None:
        self.client = client
        self.parts = client.parts
        self._in_channel: commands.CooldownMapping[Any] = commands.CooldownMapping.from_cooldown(
            1, 10.0, commands.BucketType.channel
        )
        self.menu = app_commands.ContextMenu(name=words("command.check_menu"), callback=self.check_member)
        client.tree.add_command(self.menu)

    async def cog_unload(self) -> None:
        """Take the context menu away with the cog."""
        self.client.tree.remove_command(self.menu.name, type=self.menu.type)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take statements that were sent back, also in modals from before a restart."""
        custom_id, text = sent_back(interaction) or ("", "")
        if _CONTESTED.fullmatch(custom_id):
            async with always(interaction, self.parts):
                await self.stated(interaction, text)

    @commands.hybrid_command(name="check", description=words("command.check"))  # type: ignore[arg-type]
    @commands.guild_only()
    @commands.cooldown(1, 5.0, commands.BucketType.user)
    @app_commands.describe(who=words("command.who"))
    async def check(self, context: commands.Context[PitchwatchClient], *, who: str) -> None:
        """Answer `!check`, for everybody to see, and `/check`, for whoever asked alone."""
        interaction = context.interaction
        if interaction is not None:
            one = await asked(interaction, self.parts, "member")
            if one is not None:
                await self._check(one, who)
            return
        assert context.guild is not None
        if bucket := self._in_channel.get_bucket(context.message):
            wait = bucket.update_rate_limit(context.message.created_at.timestamp())
            if wait:
                raise commands.CommandOnCooldown(bucket, wait, commands.BucketType.channel)
        # What everybody sees is what members see, whoever asks.
        community = str(context.guild.id)
        language = await language_in(context, self.parts.store)
        layout, pictures = await self._look_up(who[:100], community, language, moderator=False)
        nobody = discord.AllowedMentions.none()
        await context.send(view=as_view(layout), files=as_files(pictures), allowed_mentions=nobody)

    @app_commands.checks.cooldown(1, 5.0)
    async def check_member(self, interaction: discord.Interaction[Any], member: discord.Member) -> None:
        """Answer the context menu."""
        one = await asked(interaction, self.parts, "member")
        if one is not None:
            await self._check(one, f"<@{member.id}>")

    async def _check(self, one: Asked, who: str) -> None:
        moderator = is_moderator(one.interaction, await read_community(self.parts.store, one.community))
        layout, pictures = await self._look_up(who[:100], one.community, one.language, moderator)
        await one.interaction.followup.send(
            view=as_view(layout),
            files=as_files(pictures),
            ephemeral=True,
            allowed_mentions=discord.AllowedMentions.none(),
        )

    async def _look_up(
        self, who: str, community: str, language: str, moderator: bool
    ) -> tuple[Layout, dict[str, bytes]]:
        since = await self.parts.store.run(lambda database: listening_since(database, community))
        try:
            account = await self._account(who, community)
            found = [account] if account is not None else []
        except AmbiguousHandleError as error:
            found = list(error.candidates[:MAX_CANDIDATES])
        dossiers = [one for one in [await self._dossier(one, community) for one in found] if one]
        # Whom only warnings name that nobody confirmed, members cannot tell from somebody who was never met.
        known = [one for one in dossiers if one.known_to(moderator)]
        if not known:
            return unknown_layout(who, since, language), {}
        if len(known) > 1:
            listed = "\n".join(f"- `{plain(one.card.account, 80)}`" for one in known)
            return Layout(BLUE, (Words(say(language, "check.ambiguous", name=plain(who, 60), names=listed)),)), {}
        layout, shows = check_layout(known[0], language, moderator), known[0].pictured(moderator)
        if not shows:
            return layout, {}
        return layout, {OVER_TIME: await asyncio.to_thread(over_time, shows, language, moderator)}

    async def _dossier(self, account: str, community: str) -> Dossier | None:
        return await self.parts.store.run(lambda database: read_dossier(database, account, community))

    async def _account(self, who: str, community: str) -> str | None:
        """Return the account that somebody means. Raises AmbiguousHandleError."""
        found = _MENTION.fullmatch(who.strip())
        if found is not None:
            return str(discord_account(found[1] or found[2]))
        return await self.parts.store.run(lambda database: find_account(database, who.strip(), community))

    @app_commands.command(name="tips", description=words("command.tips"))
    @app_commands.guild_only()
    @app_commands.checks.cooldown(1, 60.0, key=lambda interaction: interaction.channel_id)
    async def tips(self, interaction: discord.Interaction[Any]) -> None:
        """Post the advice in the channel."""
        language = await language_for(interaction, self.parts.store)
        await interaction.response.send_message(tips_text(language), allowed_mentions=discord.AllowedMentions.none())

    @app_commands.command(name="record", description=words("command.record"))
    @app_commands.guild_only()
    @app_commands.describe(
        who=words("command.who"),
        what=words("command.record_what"),
        value=words("command.record_value"),
        source=words("command.record_source"),
        day=words("command.record_day"),
        take_back=words("command.record_take_back"),
    )
    async def record(
        self,
        interaction: discord.Interaction[Any],
        who: app_commands.Range[str, 1, 100],
        what: app_commands.Range[str, 1, 40],
        value: app_commands.Range[float, 0.0, 1e12],
        source: app_commands.Range[str, 1, 200],
        day: app_commands.Range[str, 10, 10] | None = None,
        take_back: bool = False,
    ) -> None:
        """Keep a figure, beside which claims can be read."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        account = await self._known(one, who)
        if account is None:
            return
        try:
            as_of = date.fromisoformat(day) if day else datetime.now(UTC).date()
        except ValueError:
            await one.answer(one.say("record.day"))
            return
        told = (one.community, account, one.by, what, value, source)
        if take_back:
            on = as_of.isoformat() if day else None
            gone = await self.parts.store.run(lambda database: take_record_back(database, *told, on))
            await one.answer(one.say("record.taken_back" if gone else "record.nothing"))
            return
        await self.parts.store.run(lambda database: add_record(database, *told, as_of.isoformat()))
        await one.answer(one.say("record.noted"))

    @app_commands.command(name="link", description=words("command.link"))
    @app_commands.guild_only()
    @app_commands.describe(
        one_account=words("command.link_one"), other=words("command.link_other"), take_back=words("command.take_back")
    )
    async def link(
        self,
        interaction: discord.Interaction[Any],
        one_account: app_commands.Range[str, 1, 100],
        other: app_commands.Range[str, 1, 100],
        take_back: bool = False,
    ) -> None:
        """Join two accounts on their cards."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        first = await self._known(one, one_account)
        second = await self._known(one, other) if first is not None else None
        if first is None or second is None:
            return
        news = first != second and await self.parts.store.run(
            lambda database: link_accounts(database, one.community, first, second, one.by, take_back)
        )
        await one.answer(one.say(("link.taken_back" if take_back else "link.done") if news else "link.nothing"))

    async def _known(self, one: Asked, who: str) -> str | None:
        """Return an account that the community has met, or say why there is none."""
        try:
            account = await self._account(who, one.community)
        except AmbiguousHandleError as error:
            listed = "\n".join(f"- `{plain(name, 80)}`" for name in error.candidates[:MAX_CANDIDATES])
            await one.answer(one.say("check.ambiguous", name=plain(who, 60), names=listed))
            return None
        if account is not None and (await self._met(one, account) or await self._is_member(one, account)):
            return account
        await one.answer(one.say("history.unknown", who=plain(who, 60)))
        return None

    async def _met(self, one: Asked, account: str) -> bool:
        found = await self.parts.store.run(lambda database: find_account(database, account, one.community))
        return found == account

    async def _is_member(self, one: Asked, account: str) -> bool:
        """Return whether a Discord account is a member of the server, and keep it: nobody need have heard them."""
        guild, number = one.interaction.guild, account.removeprefix(str(discord_account("")))
        if guild is None or number == account:
            return False
        try:
            member = await guild.fetch_member(int(number))
        except discord.NotFound:
            return False
        name = f"@{member.display_name}"
        await self.parts.store.run(lambda database: save_member(database, account, name))
        return True

    @app_commands.command(name="contest", description=words("command.contest"))
    @app_commands.guild_only()
    async def contest(self, interaction: discord.Interaction[Any]) -> None:
        """Ask for a statement, unless none can be made: nobody is to write one for nothing."""
        language = await language_for(interaction, self.parts.store)
        community, account = str(interaction.guild_id), str(discord_account(interaction.user.id))
        try:
            await self.parts.store.run(lambda database: check_may_state(database, community, account))
        except (NotNamedError, TooSoonError) as error:
            refusal = say(language, _REFUSALS[type(error)])
            nobody = discord.AllowedMentions.none()
            await interaction.response.send_message(refusal, ephemeral=True, allowed_mentions=nobody)
            return
        await interaction.response.send_modal(StatementModal(language, interaction.id))

    async def stated(self, interaction: discord.Interaction[Any], text: str) -> None:
        """Keep a statement and put it before the moderators."""
        one = await asked(interaction, self.parts, "member")
        if one is None:
            return
        name = f"@{interaction.user.display_name}"
        try:
            number = await self.parts.store.run(
                lambda database: make_statement(database, one.community, one.by, name, text)
            )
        except (NotNamedError, TooSoonError) as error:
            await one.answer(one.say(_REFUSALS[type(error)]))
            return
        await self._show_moderators(one, number, text)
        await one.answer(one.say("contest.kept"))

    async def _show_moderators(self, one: Asked, number: int, text: str) -> None:
        """Post a statement where warnings go. If that fails it waits: `/status` shows it."""
        goes_to = await staff_channel(self.parts, one.community)
        if goes_to is None:
            return
        channel = self.client.get_partial_messageable(int(goes_to.partition(":")[2]))
        layout = statement_layout(number, one.by, text, one.language)
        try:
            async with asyncio.timeout(self.parts.settings.discord.send_seconds):
                message = await channel.send(
                    view=as_view(layout), allowed_mentions=discord.AllowedMentions.none(), nonce=f"state-{number}"
                )
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("statement %d could not be shown to moderators: %r", number, error)
            return
        await self.parts.store.run(lambda database: note_message(database, number, str(message.id)))

    async def decided(self, interaction: discord.Interaction[Any], number: int, shown: bool) -> None:
        """Show a statement on the card, or not."""
        one = await asked(interaction, self.parts, "moderator")
        if one is None:
            return
        try:
            statement, news = await self.parts.store.run(
                lambda database: decide_statement(database, one.community, number, one.by, shown)
            )
        except LookupError:
            await one.answer(one.say("review.unknown"))
            return
        key = "contest.shown" if statement.status == "shown" else "contest.refused"
        await one.answer(one.say(key if news else "contest.already"))


async def setup(client: PitchwatchClient) -> None:
    """Add the cog and its buttons."""
    await client.add_cog(CheckCog(client))
    client.add_dynamic_items(StatementButton)
