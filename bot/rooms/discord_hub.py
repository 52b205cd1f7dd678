"""The hub: hands what happens in Discord's channels to the rooms that listen there. It outlives the connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import discord
from discord.utils import time_snowflake

log = logging.getLogger(__name__)

#: Discord's clock and ours may differ by so much.
CLOCKS_DIFFER: Final = timedelta(seconds=60)
#: Messages of a thread that are asked for when it was not listened to.
MOST_IN_THREAD: Final = 200
#: Happenings of one channel that may wait for its room; of what comes beyond, the room is told to catch up.
QUEUE: Final = 500


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a connection again. Not `resumed`: what came in between has to be asked for."""

    client: discord.Client
    resumed: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection went away."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message, or, with `edited`, what it says now."""

    message: discord.Message
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Archived:
    """The thread was put away. Whoever writes there brings it back."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The channel or the thread was deleted."""


Happening = Connected | Disconnected | Posted | Archived | Closed


@dataclass(eq=False)
class Subscription:
    """What waits for one room."""

    channel: int
    waiting: "asyncio.Queue[Happening]" = field(default_factory=lambda: asyncio.Queue(QUEUE))
    #: Something did not fit: the room has to ask for what it missed.
    overflowed: bool = False
    #: How much of that people wrote, and how much they edited, which cannot be asked for.
    posts: int = 0
    edits: int = 0
    #: The channel is gone, whether or not there was room to say so.
    closed: bool = False

    def put(self, happening: Happening) -> None:
        """Add something; when there is no room for it, note that."""
        self.closed = self.closed or isinstance(happening, Closed)
        try:
            self.waiting.put_nowait(happening)
        except asyncio.QueueFull:
            self.overflowed = True
            if isinstance(happening, Posted) and not happening.message.author.bot:
                self.posts, self.edits = self.posts + (not happening.edited), self.edits + happening.edited


class Hub:
    """Sorts what the client hears by channel."""

    def __init__(self) -> None:
        self.client: discord.Client | None = None
        #: Asked about threads and forum posts that nobody listens to, with the numbers of the server, the channel
        #: above and the thread: whether somebody will listen from now on.
        self.on_thread: Callable[[int, int, int, Subscription], None] | None = None
        #: Told the numbers of messages that were deleted, wherever the bot is.
        self.on_deleted: Callable[[Sequence[int]], Awaitable[None]] | None = None
        #: The moderators' role of each server that has one.
        self.staff_roles: dict[int, int] = {}
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._ready = False
        self._lost_at: datetime | None = None

    def subscribe(self, channel: int) -> Subscription:
        """Listen to a channel. The first happening is `Connected` if there is a connection now."""
        subscription = Subscription(channel)
        self._subscriptions.setdefault(channel, []).append(subscription)
        if self._ready and self.client is not None:
            subscription.put(Connected(self.client, resumed=False))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop listening."""
        listening = self._subscriptions.get(subscription.channel, [])
        listening.remove(subscription)
        if not listening:
            del self._subscriptions[subscription.channel]

    def listeners(self, client: discord.Client) -> dict[str, Callable[..., Coroutine[Any, Any, None]]]:
        """Return what a new client has to call, by the names of its events."""
        self.client = client

        async def ready() -> None:
            self._connected(client, resumed=False)

        async def resumed() -> None:
            self._connected(client, resumed=True)

        async def disconnected() -> None:
            self.lost()

        async def message(message: discord.Message) -> None:
            self._posted(Posted(message))

        async def edited(payload: discord.RawMessageUpdateEvent) -> None:
            self._posted(Posted(payload.message, edited=True))

        return {
            "on_ready": ready,
            "on_resumed": resumed,
            "on_disconnect": disconnected,
            "on_message": message,
            "on_raw_message_edit": edited,
            "on_raw_message_delete": self._message_gone,
            "on_raw_bulk_message_delete": self._messages_gone,
            "on_guild_channel_delete": self._channel_gone,
            "on_raw_thread_update": self._thread_changed,
            "on_raw_thread_delete": self._thread_gone,
        }

    def lost(self) -> None:
        """Tell every room that there is no connection."""
        if self._ready:
            self._ready = False
            self._lost_at = datetime.now(UTC)
            for channel in list(self._subscriptions):
                self._put(channel, Disconnected())

    def _connected(self, client: discord.Client, resumed: bool) -> None:
        self.client, self._ready = client, True
        for channel in list(self._subscriptions):
            self._put(channel, Connected(client, resumed))

    def _posted(self, posted: Posted) -> None:
        channel = posted.message.channel
        if channel.id not in self._subscriptions and isinstance(channel, discord.Thread) and not posted.edited:
            self._new_thread(channel)
        self._put(channel.id, posted)

    async def _message_gone(self, payload: discord.RawMessageDeleteEvent) -> None:
        if self.on_deleted is not None:
            await self.on_deleted([payload.message_id])

    async def _messages_gone(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        if self.on_deleted is not None:
            await self.on_deleted(sorted(payload.message_ids))

    async def _channel_gone(self, channel: discord.abc.GuildChannel) -> None:
        self._put(channel.id, Closed())

    async def _thread_changed(self, payload: discord.RawThreadUpdateEvent) -> None:
        if payload.data["thread_metadata"]["archived"]:
            self._put(payload.thread_id, Archived())

    async def _thread_gone(self, payload: discord.RawThreadDeleteEvent) -> None:
        self._put(payload.thread_id, Closed())

    async def find_threads(self, client: discord.Client, guild_id: int, channel: int) -> None:
        """Hand on what was written, since the connection was lost, in threads below a channel that nobody listens to.

        Raises discord.HTTPException.
        """
        if self._lost_at is None:
            return  # a start: what was heard in threads before it is not known here
        guild, after = client.get_guild(guild_id), time_snowflake(self._lost_at - CLOCKS_DIFFER)
        for thread in await guild.active_threads() if guild is not None else []:
            newer = thread.parent_id == channel and (thread.last_message_id or after + 1) > after
            if newer and thread.id not in self._subscriptions:
                async for message in thread.history(after=discord.Object(after), limit=MOST_IN_THREAD):
                    self._posted(Posted(message))

    def _new_thread(self, thread: discord.Thread) -> None:
        """Let whoever watches the channel above listen to a thread from its next message on."""
        if self.on_thread is None or thread.parent_id not in self._subscriptions:
            return
        self.on_thread(thread.guild.id, thread.parent_id, thread.id, self.subscribe(thread.id))

    def _put(self, channel: int, happening: Happening) -> None:
        for subscription in self._subscriptions.get(channel, ()):
            subscription.put(happening)
