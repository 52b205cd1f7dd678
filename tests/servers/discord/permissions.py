"""Who may do what, worked out as Discord does: roles, then what a channel allows and denies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ADMINISTRATOR: Final = 1 << 3
MANAGE_CHANNELS: Final = 1 << 4
MANAGE_GUILD: Final = 1 << 5
VIEW_CHANNEL: Final = 1 << 10
SEND_MESSAGES: Final = 1 << 11
MANAGE_MESSAGES: Final = 1 << 13
EMBED_LINKS: Final = 1 << 14
ATTACH_FILES: Final = 1 << 15
READ_MESSAGE_HISTORY: Final = 1 << 16
MENTION_EVERYONE: Final = 1 << 17
CONNECT: Final = 1 << 20
SPEAK: Final = 1 << 21
MANAGE_ROLES: Final = 1 << 28
USE_APPLICATION_COMMANDS: Final = 1 << 31
MANAGE_THREADS: Final = 1 << 34
CREATE_PUBLIC_THREADS: Final = 1 << 35
CREATE_PRIVATE_THREADS: Final = 1 << 36
SEND_IN_THREADS: Final = 1 << 38
MODERATE_MEMBERS: Final = 1 << 40

#: What the role @everyone of a new server may do.
DEFAULT: Final = (
    *(VIEW_CHANNEL, SEND_MESSAGES, EMBED_LINKS, ATTACH_FILES, READ_MESSAGE_HISTORY, CONNECT, SPEAK),
    *(USE_APPLICATION_COMMANDS, CREATE_PUBLIC_THREADS, CREATE_PRIVATE_THREADS, SEND_IN_THREADS),
)
EVERYONE: Final = sum(DEFAULT)
ALL: Final = (1 << 52) - 1
#: What is lost with the permission to send.
_WITH_SEND: Final = MENTION_EVERYONE | EMBED_LINKS | ATTACH_FILES | (1 << 12)


@dataclass
class Overwrite:
    """What a channel allows and denies a role (kind 0) or a member (kind 1)."""

    target: int
    kind: int
    allow: int = 0
    deny: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the overwrite object."""
        return {"id": str(self.target), "type": self.kind, "allow": str(self.allow), "deny": str(self.deny)}


def combine(role_permissions: Iterable[int], owner: bool) -> int:
    """Return what somebody may do in a server, before any channel has its say."""
    allowed = 0
    for one in role_permissions:
        allowed |= one
    return ALL if owner or allowed & ADMINISTRATOR else allowed


def in_channel(base: int, overwrites: dict[int, Overwrite], everyone: int, roles: Iterable[int], member: int) -> int:
    """Return what somebody may do in a channel: @everyone's overwrite, then all roles' together, then their own."""
    if base & ADMINISTRATOR:
        return ALL
    if everyone in overwrites:
        base = base & ~overwrites[everyone].deny | overwrites[everyone].allow
    allow = deny = 0
    for role in roles:
        if role in overwrites and role != everyone:
            allow |= overwrites[role].allow
            deny |= overwrites[role].deny
    base = base & ~deny | allow
    if member in overwrites:
        base = base & ~overwrites[member].deny | overwrites[member].allow
    if not base & VIEW_CHANNEL:
        return 0
    return base if base & SEND_MESSAGES else base & ~_WITH_SEND
