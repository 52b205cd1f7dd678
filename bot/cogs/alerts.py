"""Cog `alerts`: the buttons under a warning. They work after a restart, and for moderators only."""

import re
from typing import Any, Final, Self, cast

import discord
from discord import ui
from discord.ext import commands

from bot.answers import already_text, decided_text, log_line, needed_line, noted_text, snoozed_text, undone_text
from bot.client import PitchwatchClient
from bot.cogs.answering import always, sent_back
from bot.communities import discord_account, read_community
from bot.layout_view import as_view
from bot.messages import why_text
from bot.moderators import is_moderator, language_for
from bot.reviews import MAX_NOTE, Explained, Reviewed, SnoozeLength, UnknownAlertError, read_explained
from config.wording import say
from detectors.records import Message

_ALERT = r"(?P<alert>[0-9a-f]{16})"
#: Modals, each with the number of the interaction that opened it.
_NOTED: Final = re.compile(rf"pw:noted:{_ALERT}(:\d{{1,20}})?")


class ReviewButton(
    ui.DynamicItem[ui.Button[ui.LayoutView]], template=rf"pw:(?P<action>confirm|dismiss|undo|why|note):{_ALERT}"
):
    """Any button under a warning."""

    def __init__(self, action: str, alert: str) -> None:
        super().__init__(ui.Button(custom_id=f"pw:{action}:{alert}"))
        self.action = action
        self.alert = alert

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button that was clicked from its id."""
        return cls(match["action"], match["alert"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the click to the cog."""
        await _cog(interaction).clicked(interaction, self.action, self.alert)


class SnoozeMenu(ui.DynamicItem[ui.Select[ui.LayoutView]], template=rf"pw:snooze:{_ALERT}"):
    """The menu of snoozes under a warning."""

    def __init__(self, alert: str) -> None:
        super().__init__(ui.Select(custom_id=f"pw:snooze:{alert}"))
        self.alert = alert

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the menu that was used from its id."""
        return cls(match["alert"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand the choice to the cog."""
        chosen = self.item.values[0] if self.item.values else ""
        await _cog(interaction).clicked(interaction, f"snooze:{chosen}", self.alert)


class NoteModal(ui.Modal):
    """Asks for a note about a warning. The cog takes what is sent back: each modal has an id of its own."""

    def __init__(self, alert: str, language: str, asked: int) -> None:
        super().__init__(title=say(language, "review.note_title"), timeout=900, custom_id=f"pw:noted:{alert}:{asked}")
        text: ui.TextInput[Any] = ui.TextInput(
            style=discord.TextStyle.paragraph, max_length=MAX_NOTE, required=False, custom_id="text"
        )
        hint = say(language, "review.note_hint")
        self.add_item(ui.Label(text=say(language, "review.note_label"), description=hint, component=text))


class Alerts(commands.Cog):
    """Reviews of warnings."""

    def __init__(self, client: PitchwatchClient) -> None:
        self.client = client
        self._reviews = client.parts.reviews

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take notes that were sent back, also in modals from before a restart."""
        custom_id, text = sent_back(interaction) or ("", "")
        if found := _NOTED.fullmatch(custom_id):
            async with always(interaction, self.client.parts):
                await self.noted(interaction, found["alert"], text)

    async def clicked(self, interaction: discord.Interaction[Any], action: str, alert: str) -> None:
        """Do what a button says, if whoever clicked may."""
        async with always(interaction, self.client.parts):
            await self._clicked(interaction, action, alert)

    async def _clicked(self, interaction: discord.Interaction[Any], action: str, alert: str) -> None:
        if action == "note":
            # A modal must be the first answer, within three seconds: whether they may is asked before, and again
            # when it comes back.
            if await self._may(interaction):
                language = await language_for(interaction, self.client.parts.store)
                await interaction.response.send_modal(NoteModal(alert, language, interaction.id))
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        if await self._may(interaction):
            await self._answer(interaction, action, alert)

    async def noted(self, interaction: discord.Interaction[Any], alert: str, text: str) -> None:
        """Keep a note."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        if not await self._may(interaction):
            return
        language = await language_for(interaction, self.client.parts.store)
        community, by = _community(interaction), _reviewer(interaction)
        try:
            if text.strip():
                await self._reviews.note(alert, community, by, text)
                answer = noted_text(language)
            else:
                gone = await self._reviews.take_note_back(alert, community, by)
                answer = say(language, "answer.note_taken_back" if gone else "answer.no_note")
        except UnknownAlertError:
            answer = say(language, "review.unknown")
        await _tell(interaction, answer)

    async def _answer(self, interaction: discord.Interaction[Any], action: str, alert: str) -> None:
        language = await language_for(interaction, self.client.parts.store)
        try:
            if action == "why":
                await self._why(interaction, alert, language)
                return
            reviewed = await self._review(action, alert, _community(interaction), _reviewer(interaction))
        except UnknownAlertError:
            await _tell(interaction, say(language, "review.unknown"))
            return
        await _tell(interaction, _answer(reviewed, action, language))

    async def _review(self, action: str, alert: str, community: str, reviewer: str) -> Reviewed:
        if action == "confirm":
            return await self._reviews.decide(alert, community, reviewer, "confirmed")
        if action == "dismiss":
            return await self._reviews.decide(alert, community, reviewer, "dismissed")
        if action == "undo":
            return await self._reviews.undo(alert, community, reviewer)
        length = action.partition(":")[2]
        if length not in ("show", "day", "week"):
            raise UnknownAlertError(alert)
        return await self._reviews.snooze(alert, community, reviewer, cast(SnoozeLength, length))

    async def _why(self, interaction: discord.Interaction[Any], alert: str, language: str) -> None:
        community, settings = _community(interaction), self.client.parts.settings.policy
        explained = await self.client.parts.store.run(
            lambda database: read_explained(database, settings, alert, community)
        )
        await interaction.followup.send(
            view=as_view(why_text(explained.parcel, language, explained.threshold, _lines(explained))),
            ephemeral=True,
            allowed_mentions=discord.AllowedMentions.none(),
        )

    async def _may(self, interaction: discord.Interaction[Any]) -> bool:
        """Return whether the member may review; if not, say so."""
        store = self.client.parts.store
        if interaction.guild_id is not None:
            community = await read_community(store, _community(interaction))
            if is_moderator(interaction, community):
                return True
        language = await language_for(interaction, store)
        await _tell(interaction, say(language, "review.not_allowed"))
        return False


async def _tell(interaction: discord.Interaction[Any], text: str) -> None:
    if interaction.response.is_done():
        await interaction.followup.send(text, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())
    else:
        await interaction.response.send_message(text, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())


def _answer(reviewed: Reviewed, action: str, language: str) -> str:
    if action == "undo":
        return undone_text(reviewed.done, language)
    if action.startswith("snooze:") and reviewed.snoozed_until is not None:
        return snoozed_text(reviewed.snoozed_until, language)
    if reviewed.decision is None:
        return say(language, "review.unknown")
    return (decided_text if reviewed.done else already_text)(reviewed.decision, language)


def _lines(explained: Explained) -> list[Message]:
    """Return what earlier decisions changed for the account, and everything done about the warning."""
    done = [log_line(row.actor, row.action, row.done, row.details) for row in explained.log]
    return [needed_line(explained.own, explained.others), *done]


def _community(interaction: discord.Interaction[Any]) -> str:
    return str(interaction.guild_id)


def _reviewer(interaction: discord.Interaction[Any]) -> str:
    return str(discord_account(interaction.user.id))


def _cog(interaction: discord.Interaction[Any]) -> Alerts:
    cog = interaction.client.get_cog("Alerts")
    assert isinstance(cog, Alerts)
    return cog


async def setup(client: PitchwatchClient) -> None:
    """Add the cog and its buttons."""
    await client.add_cog(Alerts(client))
    client.add_dynamic_items(ReviewButton, SnoozeMenu)
