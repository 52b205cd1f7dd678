"""Sink `discord`: one live message per warning, edited in place, sent once also across crashes."""

import asyncio

import discord

from bot.charts import timeline_picture
from bot.communities import read_community
from bot.layout_view import as_files, as_view
from bot.messages import TIMELINE, Layout, alert_layout
from bot.outbox import Reconciled
from bot.parcels import Parcel
from bot.reasons import not_shown
from bot.sinks.discord_sending import Line, explained, find_sent, language_of, number_of, send, tell_owner
from bot.store import Store
from config.wording import say


class DiscordSink:
    """Sends and edits warnings."""

    name = "discord"

    def __init__(self, line: Line, store: Store, send_seconds: float, language: str) -> None:
        """`language` is that of messages to the bot's owner; communities have their own."""
        self._line = line
        self._store = store
        self._seconds = send_seconds
        self._language = language

    async def deliver(self, parcel: Parcel) -> str | None:
        """Send the warning, or bring its message up to date; return the message's number."""
        client = self._line.logged_in()
        community = await read_community(self._store, parcel.community)
        language = language_of(client, community)
        layout = alert_layout(parcel, language, ping_role=community.ping_role, ping_from=community.ping_from)
        pictures = {TIMELINE: await asyncio.to_thread(timeline_picture, parcel, language)}
        if parcel.reference is None:
            return await send(client, number_of(parcel.channel), parcel.alert, layout, pictures, self._seconds)
        await self._edit(client, parcel, layout, pictures)
        return parcel.reference

    async def _edit(self, client: discord.Client, parcel: Parcel, layout: Layout, pictures: dict[str, bytes]) -> None:
        channel = client.get_partial_messageable(number_of(parcel.channel))
        message = channel.get_partial_message(int(parcel.reference or 0))
        async with asyncio.timeout(self._seconds):
            with explained(editing=True):
                nobody = discord.AllowedMentions.none()
                await message.edit(view=as_view(layout), attachments=as_files(pictures), allowed_mentions=nobody)

    async def reconcile(self, parcel: Parcel) -> Reconciled:
        """Find out whether a cut-off attempt did send the message. An edit may simply be made again."""
        if parcel.reference is not None or parcel.attempted is None:
            return Reconciled("not_sent")
        client, channel = self._line.logged_in(), number_of(parcel.channel)
        return await find_sent(client, channel, parcel.alert, parcel.attempted, self._seconds)

    async def blocked(self, parcel: Parcel, reason: str) -> None:
        """Write to the bot's owner that a channel cannot be written to."""
        text = say(
            self._language,
            "discord.owner_blocked",
            channel=number_of(parcel.channel),
            why=not_shown(reason, self._language),
        )
        await tell_owner(self._line.logged_in(), text, self._seconds)
