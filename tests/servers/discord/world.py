"""Everything there is: users, servers, channels, and what people do. No network here; events go to the gateway."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tests.servers.discord import permissions
from tests.servers.discord.people import HAS_SNAPSHOT, Attachment, Message, Role, User, walk
from tests.servers.discord.places import DM, Channel, Guild, Member
from tests.servers.discord.refusals import Json
from tests.servers.discord.times import Changes, Clock, Ids, made_at

#: The gateway intents that messages belong to.
GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 12, 1 << 15

T = TypeVar("T")
Build = Callable[[bool], Json]


@dataclass
class Event:
    """Something that happened: `build` writes it down, with the content of others' messages or without."""

    name: str
    build: Build
    #: Which intents let it through: any of these. 0 is always.
    intents: int = 0
    #: Where: the bot must see the place.
    channel: Channel | None = None


class World:
    """The bot is there from the start, and so is its owner."""

    def __init__(self, clock: Clock, changes: Changes) -> None:
        self.clock = clock
        self.changes = changes
        self.ids = Ids(clock)
        self.cdn = ""
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, Attachment] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self.bot = self.user("Pitchwatch", bot=True)
        self.owner = self.user("operator")

    # ---- making

    def user(self, name: str, bot: bool = False, display: str | None = None, locale: str = "en-US") -> User:
        """Add somebody."""
        made = User(self.ids.next(), name, bot, display, locale=locale)
        self.users[made.id] = made
        return made

    def guild(self, name: str, locale: str = "en-US", bot_permissions: int = 0, owner: User | None = None) -> Guild:
        """Add a server with the bot in it: `bot_permissions` on top of what everyone may do."""
        made = Guild(self.ids.next(), name, self, owner or self.owner, locale)
        made.roles.append(Role(made.id, "@everyone", permissions.EVERYONE, 0))
        self.guilds[made.id] = made
        own = [Role(self.ids.next(), self.bot.name, bot_permissions)] if bot_permissions else []
        made.roles.extend(own)
        made.members[self.bot.id] = Member(self.bot, own)
        made.members[made.owner.id] = Member(made.owner)
        joined = {key: value for key, value in made.as_json().items() if key != "unavailable"}
        self.emit("GUILD_CREATE", joined, 1)
        return made

    def remove_guild(self, guild: Guild) -> None:
        """Have the bot thrown out of a server."""
        del self.guilds[guild.id]
        guild.members.pop(self.bot.id, None)
        self.emit("GUILD_DELETE", {"id": str(guild.id)}, 1)

    def dm(self, user: User) -> Channel:
        """Return the direct conversation of somebody with the bot."""
        there = (one for one in self.channels.values() if one.recipient is user)
        made = next(there, None) or Channel(self.ids.next(), "", self, kind=DM, recipient=user)
        self.channels[made.id] = made
        return made

    def attach(self, channel: Channel, name: str, data: bytes, description: str | None = None) -> Attachment:
        """Keep a file, and put it where the address says."""
        made = Attachment(self.ids.next(), name, data, description)
        made.url = f"{self.cdn}/attachments/{channel.id}/{made.id}/{name}"
        self.files[made.id] = made
        return made

    def made_at(self, snowflake: int) -> datetime:
        """Return the time that an id carries."""
        return made_at(snowflake)

    # ---- what people do

    async def say(
        self,
        channel: Channel,
        user: User,
        text: str = "",
        *,
        reply_to: Message | None = None,
        forward_of: Message | None = None,
        attachments: Mapping[str, bytes] | None = None,
        embeds: Sequence[Json] = (),
        webhook: bool = False,
        kind: int = 0,
        at: datetime | None = None,
        quiet: bool = False,
    ) -> Message:
        """Write a message as somebody. `at` dates it back; `quiet`: the gateway does not tell of it."""
        made = Message(self.ids.next(at), channel, user, text, list(embeds), kind=19 if reply_to else kind)
        files = attachments or {}
        made.attachments = [self.attach(channel, name, data) for name, data in files.items()]
        if reply_to is not None:
            made.replied_to, made.reference = reply_to, reference(reply_to, 0)
        if forward_of is not None:
            made.reference, made.snapshots = reference(forward_of, 1), [forward_of.snapshot()]
            made.flags |= HAS_SNAPSHOT
        made.webhook_id = self.ids.next() if webhook else None
        self.find_mentions(made)
        self.add(made, quiet)
        return made

    async def edit(self, message: Message, text: str) -> None:
        """Change a message as its author."""
        message.content = text
        self.find_mentions(message)
        self.edited(message)

    async def delete(self, *messages: Message) -> None:
        """Delete a message, or several of one channel at once."""
        self.remove(messages)

    def remove(self, messages: Sequence[Message]) -> None:
        """Take messages of one channel away, and tell of it."""
        channel = messages[0].channel
        for message in messages:
            message.deleted = True
            channel.messages.pop(message.id, None)
        body: Json = {"channel_id": str(channel.id)}
        if channel.guild is not None:
            body["guild_id"] = str(channel.guild.id)
        if len(messages) == 1:
            name, body["id"] = "MESSAGE_DELETE", str(messages[0].id)
        else:
            name, body["ids"] = "MESSAGE_DELETE_BULK", [str(one.id) for one in messages]
        self.emit(name, body, _intents(channel), channel)

    async def post(self, forum: Channel, user: User, title: str, text: str) -> Channel:
        """Write a post in a forum; its thread and its first message have the same id."""
        assert forum.guild is not None
        thread = forum.guild.thread(forum, title, user)
        first = Message(thread.id, thread, user, text)
        self.find_mentions(first)
        self.add(first)
        return thread

    async def delete_channel(self, channel: Channel) -> None:
        """Delete a channel, with the threads below it."""
        channel.delete()

    # ---- telling

    def add(self, message: Message, quiet: bool = False) -> None:
        """Put a message where it belongs, and tell of it. A thread that was archived comes back."""
        channel = message.channel
        channel.messages[message.id] = message
        if channel.is_thread and channel.archived:
            channel.archive(False)
        if not quiet:
            self.emit_message("MESSAGE_CREATE", message)
        self.changes.notify()

    def edited(self, message: Message) -> None:
        """Tell of an edit."""
        message.edited, message.edits = self.clock.now(), message.edits + 1
        self.emit_message("MESSAGE_UPDATE", message)
        self.changes.notify()

    def emit(self, name: str, body: Json, intents: int, channel: Channel | None = None) -> None:
        """Tell the gateway of something that is the same for everybody."""
        self._tell(Event(name, lambda _: body, intents, channel))

    def emit_message(self, name: str, message: Message) -> None:
        """Tell the gateway of a message as it stands now."""
        shown, bare = self._message_event(message, True), self._message_event(message, False)
        build: Build = lambda content: shown if content else bare  # noqa: E731
        self._tell(Event(name, build, _intents(message.channel), message.channel))

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
        self.changes.notify()

    def _message_event(self, message: Message, content: bool) -> Json:
        body = message.as_json(lambda one: not content and self.is_private(one))
        guild = message.channel.guild
        body["channel_type"] = message.channel.kind
        if guild is not None:
            body["guild_id"] = str(guild.id)
            member = guild.members.get(message.author.id)
            if member is not None and message.webhook_id is None:
                body["member"] = member.as_json(with_user=False)
        return body

    def is_private(self, message: Message) -> bool:
        """Whether its content is only shown with the message-content intent."""
        mine = message.author is self.bot
        return not (mine or message.channel.guild is None or self.bot in message.mentions)

    def find_mentions(self, message: Message, allowed: Json | None = None) -> None:
        """Work out whom a message pings: what its texts name, as far as `allowed_mentions` lets them."""
        displays = [one["content"] for one in walk(message.components) if one["type"] == 10]
        text, guild = "\n".join([message.content, *displays]), message.channel.guild  # embeds ping nobody
        users = [self.users[int(one)] for one in re.findall(r"<@!?(\d+)>", text) if int(one) in self.users]
        roles = {str(role.id): role for role in (guild.roles if guild is not None else [])}
        named = [roles[one] for one in re.findall(r"<@&(\d+)>", text) if one in roles]
        everyone = re.search(r"@(everyone|here)\b", text) is not None
        may_ping_all = bool(message.channel.permissions_for(message.author) & permissions.MENTION_EVERYONE)
        parse = ["users", "roles", "everyone"] if allowed is None else allowed.get("parse", [])
        listed = {str(one) for key in ("users", "roles") for one in (allowed or {}).get(key) or []}
        message.mentions = _unique([one for one in users if "users" in parse or str(one.id) in listed])
        pinged = [one for one in named if "roles" in parse or str(one.id) in listed]
        message.mention_roles = _unique([one for one in pinged if one.mentionable or may_ping_all])
        message.mention_everyone = everyone and may_ping_all and "everyone" in parse
        answered = message.replied_to
        if answered is not None and (allowed is None or allowed.get("replied_user")):
            message.mentions = _unique([*message.mentions, answered.author])


def _unique(items: list[T]) -> list[T]:
    return list(dict.fromkeys(items))


def _intents(channel: Channel) -> int:
    return GUILD_MESSAGES if channel.guild is not None else DIRECT_MESSAGES


def reference(message: Message, kind: int) -> Json:
    """Return how another message points to one: as a reply (0) or a forward (1)."""
    body: Json = {"type": kind, "message_id": str(message.id), "channel_id": str(message.channel.id)}
    if message.channel.guild is not None:
        body["guild_id"] = str(message.channel.guild.id)
    return body
