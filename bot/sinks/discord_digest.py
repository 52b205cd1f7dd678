"""Sink for digests: one message for each that is due, with its pictures and its table, sent once across crashes."""

import asyncio

from bot.communities import read_community
from bot.digest_charts import digest_pictures
from bot.digest_message import digest_layout
from bot.digest_report import Digest
from bot.digest_table import table_file
from bot.digests import Run
from bot.outbox import Reconciled
from bot.reasons import not_shown
from bot.sinks.discord_sending import Line, NotConnectedError, find_sent, language_of, number_of, send, tell_owner
from bot.store import Store
from config.wording import say


class DiscordDigests:
    """Sends digests."""

    def __init__(self, line: Line, store: Store, send_seconds: float, language: str) -> None:
        """`language` is that of messages to the bot's owner; communities have their own."""
        self._line = line
        self._store = store
        self._seconds = send_seconds
        self._language = language

    def ready(self) -> bool:
        """Whether the bot is connected, and knows its servers and so their languages."""
        try:
            return self._line.logged_in().is_ready()
        except NotConnectedError:
            return False

    async def deliver(self, run: Run, digest: Digest) -> str:
        """Send the digest; return the message's number."""
        client = self._line.logged_in()
        language = language_of(client, await read_community(self._store, run.community))
        layout = digest_layout(digest, language, run.key)
        files = await asyncio.to_thread(digest_pictures, digest, language)
        files |= table_file(digest)
        return await send(client, number_of(run.channel), run.key, layout, files, self._seconds)

    async def reconcile(self, run: Run) -> Reconciled:
        """Find out whether a cut-off attempt did send the message."""
        if run.attempted is None:
            return Reconciled("not_sent")
        client, channel = self._line.logged_in(), number_of(run.channel)
        return await find_sent(client, channel, run.key, run.attempted, self._seconds)

    async def blocked(self, run: Run, reason: str) -> None:
        """Write to the bot's owner that a channel cannot be written to."""
        text = say(
            self._language,
            "digest.owner_blocked",
            channel=number_of(run.channel),
            why=not_shown(reason, self._language),
        )
        await tell_owner(self._line.logged_in(), text, self._seconds)
