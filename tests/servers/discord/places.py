"""Servers, channels, threads, members: they are made by tests, and tell the gateway of every change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tests.servers.discord import permissions
from tests.servers.discord.people import Message, Role, User
from tests.servers.discord.permissions import Overwrite
from tests.servers.discord.refusals import Json

if TYPE_CHECKING:
    from tests.servers.discord.world import World

TEXT, DM, VOICE, CATEGORY, NEWS, PUBLIC_THREAD, PRIVATE_THREAD, STAGE, FORUM = 0, 1, 2, 4, 5, 11, 12, 13, 15
THREADS: Final = (10, PUBLIC_THREAD, PRIVATE_THREAD)
#: The gateway intents that places and members belong to.
GUILDS, GUILD_MEMBERS = 1 << 0, 1 << 1


@dataclass(eq=False)
class Channel:
    """A channel, a thread, a post in a forum, or a direct conversation."""

    id: int
    name: str
    world: "World"
    guild: "Guild | None" = None
    kind: int = TEXT
    parent: "Channel | None" = None
    topic: str | None = None
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    #: Who a direct conversation is with.
    recipient: User | None = None
    owner: User | None = None
    thread_members: set[int] = field(default_factory=set)
    archived: bool = False
    locked: bool = False
    archived_at: datetime | None = None
    deleted: bool = False

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread or a post in a forum."""
        return self.kind in THREADS

    @property
    def mention(self) -> str:
        """How a message names it."""
        return f"<#{self.id}>"

    @property
    def last(self) -> Message:
        """The newest message."""
        return self.messages[max(self.messages)]

    def by(self, user: User) -> list[Message]:
        """Return what somebody wrote here, oldest first."""
        return [one for _, one in sorted(self.messages.items()) if one.author is user]

    def permissions_for(self, user: User) -> int:
        """Return what somebody may do here."""
        if self.guild is None:
            return permissions.EVERYONE if user in (self.recipient, self.world.bot) else 0
        member = self.guild.members.get(user.id)
        if member is None:
            return 0
        place = self.parent if self.is_thread and self.parent is not None else self
        roles = [role.id for role in member.roles]
        allowed = permissions.in_channel(
            self.guild.permissions_for(user), place.overwrites, self.guild.id, roles, user.id
        )
        manages = allowed & permissions.MANAGE_THREADS
        if self.kind == PRIVATE_THREAD and not manages and user.id not in self.thread_members:
            return 0
        return allowed

    def overwrite(self, target: "Role | User", allow: int = 0, deny: int = 0) -> None:
        """Allow and deny a role or a member things in this channel."""
        kind = 0 if isinstance(target, Role) else 1
        self.overwrites[target.id] = Overwrite(target.id, kind, allow, deny)
        self.changed()

    def clear_overwrite(self, target: "Role | User") -> None:
        """Take back what was allowed and denied."""
        self.overwrites.pop(target.id, None)
        self.changed()

    def rename(self, name: str) -> None:
        """Give it another name."""
        self.name = name
        self.changed()

    def archive(self, archived: bool = True, locked: bool | None = None) -> None:
        """Archive a thread, or bring it back; a locked one only moderators bring back."""
        self.archived, self.archived_at = archived, self.world.clock.now()
        self.locked = self.locked if locked is None else locked
        self.changed()

    def delete(self) -> None:
        """Delete it, with the threads below it."""
        self.deleted = True
        for message in self.messages.values():
            message.deleted = True
        if self.guild is not None:
            for thread in self.guild.threads(self):
                thread.deleted = True
        name = "THREAD_DELETE" if self.is_thread else "CHANNEL_DELETE"
        self.world.emit(name, self.as_json(), GUILDS)

    def changed(self) -> None:
        """Tell the gateway how it is now."""
        self.world.emit("THREAD_UPDATE" if self.is_thread else "CHANNEL_UPDATE", self.as_json(), GUILDS)

    def as_json(self) -> Json:
        """Return the channel object."""
        last = str(max(self.messages)) if self.messages else None
        body: Json = {"id": str(self.id), "type": self.kind, "flags": 0, "last_message_id": last}
        if self.guild is None:
            return body | {"recipients": [self.recipient.as_json()] if self.recipient is not None else []}
        parent = str(self.parent.id) if self.parent is not None else None
        body |= {"name": self.name, "guild_id": str(self.guild.id), "parent_id": parent, "nsfw": False}
        body |= {"rate_limit_per_user": 0}
        if self.is_thread:
            return body | self._thread_json()
        overwrites = [one.as_json() for one in self.overwrites.values()]
        body |= {"position": 0, "topic": self.topic, "permission_overwrites": overwrites}
        if self.kind in (VOICE, STAGE):
            body |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None, "video_quality_mode": 1}
        if self.kind == FORUM:
            body |= {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
            body |= {"default_forum_layout": 0}
        return body

    def _thread_json(self) -> Json:
        made = self.world.made_at(self.id).isoformat()
        body: Json = {
            "owner_id": str(self.owner.id if self.owner is not None else self.world.owner.id),
            "message_count": len(self.messages),
            "total_message_sent": len(self.messages),
            "member_count": len(self.thread_members),
            "applied_tags": [],
            "thread_metadata": {
                "archived": self.archived,
                "locked": self.locked,
                "auto_archive_duration": 1440,
                "archive_timestamp": self.archived_at.isoformat() if self.archived_at else made,
                "create_timestamp": made,
            },
        }
        if self.world.bot.id in self.thread_members:
            member = {"id": str(self.id), "user_id": str(self.world.bot.id), "join_timestamp": made, "flags": 0}
            body["member"] = member
        return body


@dataclass(eq=False)
class Member:
    """Somebody in a server."""

    user: User
    roles: list[Role] = field(default_factory=list)
    nick: str | None = None
    timed_out_until: datetime | None = None

    def as_json(self, with_user: bool = True) -> Json:
        """Return the member object."""
        until = self.timed_out_until.isoformat() if self.timed_out_until else None
        body: Json = {
            "roles": [str(role.id) for role in self.roles],
            "joined_at": "2026-01-01T00:00:00+00:00",
            "communication_disabled_until": until,
            **{"deaf": False, "mute": False, "pending": False},
            **{"flags": 0, "nick": self.nick, "avatar": None, "premium_since": None},
        }
        return body | ({"user": self.user.as_json()} if with_user else {})


@dataclass(eq=False)
class Guild:
    """A server of which the bot is a member."""

    id: int
    name: str
    world: "World"
    owner: User
    locale: str = "en-US"
    roles: list[Role] = field(default_factory=list)
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    #: Whether Discord itself cannot reach it at the moment.
    unavailable: bool = False

    @property
    def everyone(self) -> Role:
        """The role that everybody has."""
        return self.roles[0]

    # ---- making

    def channel(self, name: str, kind: int = TEXT, parent: Channel | None = None, topic: str | None = None) -> Channel:
        """Add a channel. `parent` is its category."""
        made = Channel(self.world.ids.next(), name, self.world, self, kind, parent, topic)
        self._keep(made)
        self.world.emit("CHANNEL_CREATE", made.as_json(), GUILDS)
        return made

    def forum(self, name: str) -> Channel:
        """Add a forum; its posts are threads."""
        return self.channel(name, FORUM)

    def voice(self, name: str) -> Channel:
        """Add a voice channel."""
        return self.channel(name, VOICE)

    def stage(self, name: str) -> Channel:
        """Add a stage channel."""
        return self.channel(name, STAGE)

    def thread(
        self,
        parent: Channel,
        name: str,
        owner: User | None = None,
        private: bool = False,
        thread_id: int | None = None,
        members: Sequence[User] = (),
    ) -> Channel:
        """Open a thread below a channel, or a post in a forum (which `World.post` fills)."""
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        made = Channel(thread_id or self.world.ids.next(), name, self.world, self, kind, parent, owner=owner)
        made.thread_members = {one.id for one in (*members, *([owner] if owner else []))}
        self._keep(made)
        self.world.emit("THREAD_CREATE", made.as_json() | {"newly_created": True}, GUILDS, made)
        return made

    def role(self, name: str, permissions: int = 0, mentionable: bool = False) -> Role:
        """Add a role."""
        made = Role(self.world.ids.next(), name, permissions, len(self.roles), mentionable)
        self.roles.append(made)
        self.world.emit("GUILD_ROLE_CREATE", {"guild_id": str(self.id), "role": made.as_json()}, GUILDS)
        return made

    def member(self, user: User | str, roles: Sequence[Role] = (), nick: str | None = None) -> User:
        """Have somebody join, by name or as a user; return the user."""
        user = self.world.user(user) if isinstance(user, str) else user
        self.members[user.id] = Member(user, list(roles), nick)
        body = self.members[user.id].as_json() | {"guild_id": str(self.id)}
        self.world.emit("GUILD_MEMBER_ADD", body, GUILD_MEMBERS)
        return user

    def _keep(self, channel: Channel) -> None:
        self.channels[channel.id] = self.world.channels[channel.id] = channel

    # ---- changing

    def remove_member(self, user: User) -> None:
        """Have somebody leave."""
        del self.members[user.id]
        body = {"guild_id": str(self.id), "user": user.as_json()}
        self.world.emit("GUILD_MEMBER_REMOVE", body, GUILD_MEMBERS)

    def change_member(self, user: User, roles: Sequence[Role] | None = None, nick: str | None = None) -> None:
        """Give somebody other roles, or another name in this server."""
        member = self.members[user.id]
        member.roles = member.roles if roles is None else list(roles)
        member.nick = nick or member.nick
        intents = 0 if user is self.world.bot else GUILD_MEMBERS
        self.world.emit("GUILD_MEMBER_UPDATE", member.as_json() | {"guild_id": str(self.id)}, intents)

    def change_role(self, role: Role, permissions: int | None = None, name: str | None = None) -> None:
        """Change what a role may do, or its name."""
        role.permissions = role.permissions if permissions is None else permissions
        role.name = name or role.name
        self.world.emit("GUILD_ROLE_UPDATE", {"guild_id": str(self.id), "role": role.as_json()}, GUILDS)

    def delete_role(self, role: Role) -> None:
        """Delete a role; those who had it lose it."""
        self.roles.remove(role)
        for member in self.members.values():
            member.roles = [one for one in member.roles if one is not role]
        self.world.emit("GUILD_ROLE_DELETE", {"guild_id": str(self.id), "role_id": str(role.id)}, GUILDS)

    def rename(self, name: str | None = None, locale: str | None = None) -> None:
        """Give it another name or language."""
        self.name, self.locale = name or self.name, locale or self.locale
        self.world.emit("GUILD_UPDATE", self.as_json(full=False), GUILDS)

    def outage(self) -> None:
        """Have Discord lose the server for a while."""
        self.unavailable = True
        self.world.emit("GUILD_DELETE", {"id": str(self.id), "unavailable": True}, GUILDS)

    def back(self) -> None:
        """End the outage."""
        self.unavailable = False
        self.world.emit("GUILD_CREATE", self.as_json(), GUILDS)

    # ---- asking

    def threads(self, parent: Channel | None = None, archived: bool | None = None) -> list[Channel]:
        """Return its threads, oldest first: below one channel, and archived or not."""
        found = [one for one in self.channels.values() if one.is_thread and not one.deleted]
        found = [one for one in found if parent is None or one.parent is parent]
        return [one for one in found if archived is None or one.archived is archived]

    def permissions_for(self, user: User) -> int:
        """Return what somebody may do in the server as a whole."""
        member = self.members.get(user.id)
        if member is None:
            return 0
        held = [self.everyone.permissions, *(role.permissions for role in member.roles)]
        allowed = permissions.combine(held, user is self.owner)
        until = member.timed_out_until
        if until is not None and until > self.world.clock.now() and not allowed & permissions.ADMINISTRATOR:
            allowed &= permissions.VIEW_CHANNEL | permissions.READ_MESSAGE_HISTORY
        return allowed

    def as_json(self, full: bool = True, all_members: bool = False) -> Json:
        """Return the guild object; `full` as the gateway sends it when the bot connects."""
        body: Json = {
            "id": str(self.id),
            "name": self.name,
            "owner_id": str(self.owner.id),
            "preferred_locale": self.locale,
            "roles": [role.as_json() for role in self.roles],
            **{"icon": None, "splash": None, "description": None, "emojis": [], "stickers": [], "features": []},
            **{"afk_timeout": 300, "verification_level": 0, "default_message_notifications": 1},
            **{"explicit_content_filter": 0, "mfa_level": 0, "system_channel_flags": 0, "premium_tier": 0},
            **{"nsfw_level": 0, "premium_progress_bar_enabled": False},
        }
        if not full:
            return body
        there = [one for one in self.channels.values() if not one.deleted]
        bot = self.world.bot
        members = self.members.values() if all_members else [self.members[bot.id]]
        return body | {
            "large": False,
            "unavailable": False,
            "joined_at": "2026-01-01T00:00:00+00:00",
            "member_count": len(self.members),
            "members": [one.as_json() for one in members],
            "channels": [one.as_json() for one in there if not one.is_thread],
            "threads": [one.as_json() for one in self.threads(archived=False) if one.permissions_for(bot)],
            **{"voice_states": [], "presences": [], "stage_instances": []},
            **{"guild_scheduled_events": [], "soundboard_sounds": []},
        }
