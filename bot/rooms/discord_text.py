"""Room `discord`: a text channel, a thread or a forum post. What people write becomes lines.

A show begins with the first message and ends after half an hour in which nobody wrote. Bots and webhooks are not
listened to; staff are, but nothing is said of them.
"""

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import discord
from discord.utils import time_snowflake

from bot.channels import reads_past
from bot.rooms import Resume, RoomError, RoomLostError
from bot.rooms.discord_hub import Archived, Closed, Connected, Disconnected, Happening, Hub, Posted, Subscription
from detectors.records import (
    MAX_TEXT,
    Account,
    Event,
    Line,
    Message,
    Person,
    RoomKey,
    RoomState,
    ShowInfo,
    Tick,
    Unheard,
)
from detectors.signatures import near, signature

log = logging.getLogger(__name__)

#: A show is over when nobody wrote for so long, in seconds.
QUIET_ENDS: Final = 1_800.0
#: Time is told, and quiet noticed, at least this often, in seconds of the clock.
TICK_SECONDS: Final = 15.0
#: Messages handed over at once, and asked for after a connection that could not be resumed; so many beyond these are
#: only counted, and nothing is asked for that is older than a day.
BATCH: Final = 32
MOST_MISSED: Final = 1_000
MOST_COUNTED: Final = 100
FARTHEST: Final = timedelta(hours=24)
#: Authors of missed messages that are looked up.
MOST_ASKED: Final = 50
#: What messages said, remembered so that an edit that only mends a word is no new line: a signature, or of texts too
#: short for one the beginning. Of other messages, news of an edit that was made long ago is no news.
MAX_REMEMBERED: Final = 500
MAX_SHORT: Final = 200
EDIT_IS_NEWS: Final = timedelta(minutes=10)
#: Clocks differ: what was handled last is asked for again from so much earlier; what is known is passed over.
OVERLAP: Final = timedelta(seconds=60)
_ADDRESS: Final = re.compile(r"(\d{1,20})/(\d{1,20})")


def check_discord_address(address: str) -> None:
    """Raise RoomError when an address is not a server's and a channel's number."""
    if not _ADDRESS.fullmatch(address):
        raise RoomError(f"{address}: is no Discord channel: write the server's and the channel's number, as in 123/456")


class DiscordTextRoom:
    """One channel of written messages."""

    def __init__(
        self,
        address: str,
        hub: Hub,
        resume: Resume | None = None,
        thread: Subscription | None = None,
        quiet: float = QUIET_ENDS,
    ) -> None:
        """`thread` holds what was written already in a thread that nobody listened to; such a room is over with its
        show. `quiet` is in seconds."""
        check_discord_address(address)
        self.key = RoomKey("discord", address)
        self.skipped = 0
        self._guild, self._channel = (int(part) for part in address.split("/"))
        self._hub = hub
        self._resume = resume
        self._thread = thread
        self._transient = thread is not None
        self._quiet = quiet
        self._show: ShowInfo | None = None
        self._last = 0.0  # show time of the newest message
        self._newest = 0  # number of the newest message that was handled
        self._since = 0  # number from which on messages are this room's to hear, as far as none was handled
        self._said: OrderedDict[int, int | str] = OrderedDict()
        self._staff: OrderedDict[int, bool] = OrderedDict()
        self._unasked: set[int] = set()  # who may be staff, for all that is known
        self._connected = False

    @property
    def now(self) -> float | None:
        """How far the show is by the clock, in seconds; None when none is on."""
        return None if self._show is None else self._at(datetime.now(UTC))

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield what is written, until the channel is gone.

        Raises:
            RoomError: the channel is another server's.
            RoomLostError: the bot cannot see the channel now.
        """
        self._show, self._connected = None, False
        subscription = self._thread or self._hub.subscribe(self._channel)
        self._thread = None
        try:
            if opened := await self._go_on():
                yield opened
            while True:
                events, over = await self._next(subscription)
                if events:
                    yield events
                if isinstance(over, Exception):
                    raise over
                if over:
                    return
        finally:
            self._hub.unsubscribe(subscription)

    async def _go_on(self) -> list[Event]:
        """Take up where the store was left: what came later is asked for again, and what is known passed over."""
        if self._resume is None:
            return []
        self._newest = 0
        if (left := await self._resume(self.key)) is None:
            return []
        if left.show is None:
            # Nobody would notice that what was heard last comes again, so it must not: numbers hold milliseconds.
            self._since = time_snowflake(left.heard + timedelta(milliseconds=1), high=True)
            return []
        self._since = time_snowflake(left.heard - OVERLAP)
        self._show, self._last = left.show, left.seconds
        return [RoomState(f"{left.show.id}/open", 0.0, "open", left.show)]

    async def _next(self, subscription: Subscription) -> tuple[list[Event], bool | Exception]:
        """Wait for something to happen; return what it means, and whether the room is over or why it failed."""
        events: list[Event] = []
        happenings = await _take(subscription)
        for happening in happenings + self._unsaid(subscription):
            if isinstance(happening, Closed):
                return events + self._close(), True
            try:
                events += await self._understand(happening)
            except (RoomError, RoomLostError) as error:
                return events, error
        return events + self._pass_time(happenings), self._transient and self._show is None and bool(self._newest)

    def _unsaid(self, subscription: Subscription) -> list[Happening]:
        """Return what did not fit into the queue, once it has to be told."""
        if subscription.closed and subscription.waiting.empty():
            self.skipped += subscription.posts + subscription.edits  # nobody can be asked for these any more
            return [Closed()]
        if subscription.closed or not subscription.overflowed or self._hub.client is None:
            return []
        self.skipped += subscription.edits
        subscription.overflowed, subscription.posts, subscription.edits = False, 0, 0
        return [Connected(self._hub.client, resumed=False)]

    async def _understand(self, happening: Happening) -> list[Event]:
        if isinstance(happening, Posted):
            guild = happening.message.guild
            if guild is None or guild.id != self._guild:
                return []  # not of the server for which this room is listened to
            author, client = happening.message.author, self._hub.client
            if client is not None and not isinstance(author, discord.Member) and author.id not in self._staff:
                await self._learn_staff(client, [happening.message])  # read from the past, where that is not said
            return self._edited(happening.message) if happening.edited else self._posted(happening.message)
        if isinstance(happening, Archived):
            return self._close()
        if isinstance(happening, Connected):
            return await self._reconnected(happening)
        if isinstance(happening, Disconnected):
            return self._state("lost")
        return []

    async def _reconnected(self, connected: Connected) -> list[Event]:
        back = self._state("back")
        if connected.resumed:
            return back  # Discord itself sends what was missed
        missed = await self._catch_up(connected.client)
        events = back + [event for message in missed for event in self._posted(message)]
        await self._find_threads(connected.client)
        return events

    async def _find_threads(self, client: discord.Client) -> None:
        """Have threads and forum posts heard that began, or went on, below this channel while nobody listened."""
        if self._transient:
            return
        try:
            await self._hub.find_threads(client, self._guild, self._channel)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("%s: threads that began meanwhile cannot be looked for: %s", self.key, error)
            self.skipped += 1

    async def _catch_up(self, client: discord.Client) -> list[discord.Message]:
        """Return what was written since the newest message that was handled."""
        self._check_server(client.get_channel(self._channel))
        now = datetime.now(UTC)
        if not (self._newest or self._since):
            self._since = time_snowflake(now)  # what was written before anybody listened is not asked for
            return []
        after = discord.Object(max(self._newest or self._since, time_snowflake(now - FARTHEST)))
        if not reads_past(client, self._channel):
            raise RoomLostError(
                f"{self.key}: the bot may not read it: give it View Channel and Read Message History",
                Message("reason.rights"),
            )
        channel = client.get_partial_messageable(self._channel, guild_id=self._guild)
        most = MOST_MISSED + MOST_COUNTED
        try:
            if client.get_channel(self._channel) is None:
                self._check_server(await client.fetch_channel(self._channel))
            missed = [message async for message in channel.history(after=after, limit=most, oldest_first=False)]
        except (discord.Forbidden, discord.NotFound) as error:
            raise RoomLostError(
                f"{self.key}: the bot may not read it ({error.text}): give it View Channel and Read Message History",
                Message("reason.rights"),
            ) from error
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            why = f"{self.key}: what was written meanwhile cannot be read now: {error}"
            raise RoomLostError(why, Message("reason.missed")) from error
        # Older ones stay unread; the newest matter most.
        self.skipped += sum(_is_said(message) for message in missed[MOST_MISSED:])
        missed = missed[:MOST_MISSED]
        await self._learn_staff(client, missed)
        return missed[::-1]

    def _check_server(self, channel: Any) -> None:
        """Raise RoomError when a channel, as far as it is known, is not of the server that this room is of."""
        if channel is not None and getattr(getattr(channel, "guild", None), "id", None) != self._guild:
            why = f"{self.key}: the channel is of another server, whose messages are not heard here"
            raise RoomError(why, Message("reason.other_server"))

    async def _learn_staff(self, client: discord.Client, missed: Sequence[discord.Message]) -> None:
        """Ask which authors look after the server: messages of the past come without that.

        Whoever could not be asked for counts as staff until it is known: a warning about a moderator is worse than a
        line of a member that counts for nothing.
        """
        guild = client.get_guild(self._guild)
        unknown = sorted({m.author.id for m in missed if not m.author.bot} - self._staff.keys())
        self._unasked = set(unknown)
        for user in unknown[:MOST_ASKED] if guild is not None else ():
            assert guild is not None
            try:
                self._note_staff(await guild.fetch_member(user))
            except discord.NotFound:
                self._unasked.discard(user)  # has left: nobody's staff
            except (discord.HTTPException, aiohttp.ClientError, OSError):
                return  # the next one would be as slow to fail

    def _note_staff(self, author: discord.abc.User) -> None:
        if isinstance(author, discord.Member):
            self._unasked.discard(author.id)
            self._staff[author.id] = is_staff(author, self._hub.staff_roles.get(self._guild))
            self._staff.move_to_end(author.id)
            while len(self._staff) > MAX_REMEMBERED:
                self._staff.popitem(last=False)

    def _posted(self, message: discord.Message) -> list[Event]:
        if message.id <= self._newest or not _is_said(message):
            return []
        written = message.created_at.astimezone(UTC)
        events = self._begin(message, written)
        self._newest = message.id
        return [*events, self._line(message, f"m{message.id}", written)]

    def _begin(self, message: discord.Message, written: datetime, mark: str = "") -> list[Event]:
        """Have a show on in which something that was written can stand; `mark` tells it from others in its id."""
        events: list[Event] = []
        if self._show is not None and self._at(written) - self._last > self._quiet:
            events += self._close()
        if self._show is None:
            events += self._open(message, written, mark)
        self._last = max(self._last, self._at(written))
        return events

    def _line(self, message: discord.Message, number: str, written: datetime) -> Line | Unheard:
        assert self._show is not None
        own_id, at = f"{self._show.id}/{number}", self._at(written)
        text, person, author = words_of(message), _person(message), message.author
        self._note_staff(author)
        self._remember(message.id, text)
        if not text:
            return Unheard(own_id, at, at, person, "what messages say is not shown to the bot")
        exempt = self._staff.get(author.id, author.id in self._unasked)
        return Line(own_id, at, at, person, text[:MAX_TEXT], "chat", exempt=exempt)

    def _edited(self, message: discord.Message) -> list[Event]:
        """An edit that changes what is said counts as said anew; one that mends a word does not."""
        text, before = words_of(message), self._said.get(message.id)
        if message.edited_at is None or not text or not _is_said(message):
            return []
        edited = message.edited_at.astimezone(UTC)
        if _same(before, _gist(text)) or (before is None and datetime.now(UTC) - edited > EDIT_IS_NEWS):
            return []
        mark = f"e{round(edited.timestamp())}"
        events = self._begin(message, edited, f"-{mark}")
        return [*events, self._line(message, f"{mark}/m{message.id}", edited)]

    def _remember(self, number: int, text: str) -> None:
        self._said[number] = _gist(text)
        while len(self._said) > MAX_REMEMBERED:
            self._said.popitem(last=False)

    def _open(self, message: discord.Message, written: datetime, mark: str = "") -> list[Event]:
        title = getattr(message.channel, "name", None) or str(self._channel)
        host = None
        if isinstance(message.channel, discord.Thread) and message.channel.id == message.id:
            host = _person(message)  # who opened a forum post presents it
        self._last = 0.0
        self._show = ShowInfo(f"{self._channel}-{message.id}{mark}", self.key, f"#{title}", host, None, written)
        return [RoomState(f"{self._show.id}/open", 0.0, "open", self._show)]

    def _close(self) -> list[Event]:
        if self._show is None:
            return []
        closed = RoomState(f"{self._show.id}/end", self._last, "closed")
        self._show = None
        return [closed]

    def _pass_time(self, happenings: list[Happening]) -> list[Event]:
        """Tell the time when nothing was written, and end the show after a long quiet."""
        if happenings or self._show is None or not self._connected:
            return []
        now = self._at(datetime.now(UTC))
        if now - self._last > self._quiet:
            return self._close()
        return [Tick(now)]

    def _state(self, state: Any) -> list[Event]:
        self._connected = state == "back"
        if self._show is None:
            return []
        at = max(self._last, self._at(datetime.now(UTC)))
        return [RoomState(f"{self._show.id}/{state}{round(at * 1000)}", at, state)]

    def _at(self, moment: datetime) -> float:
        assert self._show is not None and self._show.started is not None
        return round(max(0.0, (moment - self._show.started).total_seconds()), 3)


async def _take(subscription: Subscription) -> list[Happening]:
    """Wait a while for something, and take what is there."""
    try:
        async with asyncio.timeout(TICK_SECONDS):
            taken = [await subscription.waiting.get()]
    except TimeoutError:
        return []
    while len(taken) < BATCH and not subscription.waiting.empty():
        taken.append(subscription.waiting.get_nowait())
    return taken


def _gist(text: str) -> int | str:
    """Return what an edit is compared by."""
    number = signature(text)
    return " ".join(text.casefold().split())[:MAX_SHORT] if number is None else number


def _same(one: int | str | None, other: int | str) -> bool:
    """Whether two gists are those of nearly the same text."""
    return near(one, other) if isinstance(one, int) and isinstance(other, int) else one == other


def words_of(message: discord.Message) -> str:
    """Return what a message says: its text, what it forwards, and the names of its files."""
    parts = [message.content]
    parts += [snapshot.content for snapshot in message.message_snapshots]
    files = [*message.attachments, *(a for snapshot in message.message_snapshots for a in snapshot.attachments)]
    parts += [f"[{file.filename}]" for file in files]
    return "\n".join(part for part in parts if part).strip()


def is_staff(member: discord.Member, role: int | None) -> bool:
    """Whether a member looks after the server, by what they may do or by the moderators' `role`."""
    allowed = member.guild_permissions
    may = allowed.manage_messages or allowed.manage_guild or allowed.administrator
    return may or any(one.id == role for one in member.roles)


def _is_said(message: discord.Message) -> bool:
    """Whether a message is something that a person said: no bot, no webhook, no notice of Discord's own."""
    ordinary = message.type in (discord.MessageType.default, discord.MessageType.reply)
    starts_thread = message.type is discord.MessageType.thread_starter_message
    return (ordinary or starts_thread) and not message.author.bot and message.webhook_id is None


def _person(message: discord.Message) -> Person:
    author = message.author
    return Person(Account("discord", "discord", str(author.id)), f"@{author.display_name}"[:100])
