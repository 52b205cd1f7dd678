"""Users, roles, and messages, and how Discord writes them down."""

import mimetypes
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.servers.discord.refusals import Json
from tests.servers.discord.times import made_at

if TYPE_CHECKING:
    from tests.servers.discord.places import Channel

#: Flags of messages.
EPHEMERAL, LOADING, SUPPRESS_EMBEDS, COMPONENTS_V2, HAS_SNAPSHOT = 1 << 6, 1 << 7, 1 << 2, 1 << 15, 1 << 14


@dataclass(eq=False)
class User:
    """Somebody, or a bot."""

    id: int
    name: str
    bot: bool = False
    display: str | None = None
    #: Whether strangers, and the bot is one, may write to them directly.
    dms_open: bool = True
    locale: str = "en-US"

    @property
    def mention(self) -> str:
        """How a message names them."""
        return f"<@{self.id}>"

    def as_json(self) -> Json:
        """Return the user object."""
        return {
            "id": str(self.id),
            "username": self.name,
            "discriminator": "0",
            "global_name": self.display or self.name,
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
        }


@dataclass(eq=False)
class Role:
    """A role of a server."""

    id: int
    name: str
    permissions: int = 0
    position: int = 1
    mentionable: bool = False

    @property
    def mention(self) -> str:
        """How a message names it."""
        return f"<@&{self.id}>"

    def as_json(self) -> Json:
        """Return the role object."""
        return {
            "id": str(self.id),
            "name": self.name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "permissions": str(self.permissions),
            "managed": False,
            "mentionable": self.mentionable,
            "flags": 0,
        }


@dataclass(eq=False)
class Attachment:
    """A file of a message, with its bytes."""

    id: int
    filename: str
    data: bytes
    description: str | None = None
    url: str = ""

    def as_json(self) -> Json:
        """Return the attachment object."""
        body: Json = {
            "id": str(self.id),
            "filename": self.filename,
            "size": len(self.data),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": mimetypes.guess_type(self.filename)[0] or "application/octet-stream",
            "spoiler": self.filename.startswith("SPOILER_"),
        }
        if self.description is not None:
            body["description"] = self.description
        if self.data.startswith(b"\x89PNG\r\n\x1a\n") and len(self.data) >= 24:
            body["width"], body["height"] = struct.unpack(">II", self.data[16:24])
        return body


def show_all(_: "Message") -> bool:
    """Hide nothing."""
    return False


@dataclass(eq=False)
class Message:
    """A message as it stands now."""

    id: int
    channel: "Channel"
    author: User
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    kind: int = 0
    nonce: str | None = None
    edited: datetime | None = None
    reference: Json | None = None
    replied_to: "Message | None" = None
    snapshots: list[Json] = field(default_factory=list)
    webhook_id: int | None = None
    interaction: Json | None = None
    #: Who is pinged: people, roles, everybody. What the text names but `allowed_mentions` forbids is not here.
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[Role] = field(default_factory=list)
    mention_everyone: bool = False
    deleted: bool = False
    #: How many times it was edited.
    edits: int = 0

    @property
    def files(self) -> dict[str, bytes]:
        """The attached bytes by file name."""
        return {one.filename: one.data for one in self.attachments}

    @property
    def created_at(self) -> datetime:
        """When it was written."""
        return made_at(self.id)

    @property
    def text(self) -> str:
        """Every text a reader sees: content, embeds, text displays, labels."""
        return "\n".join(shown_texts([self.content, self.embeds, self.components]))

    @property
    def custom_ids(self) -> list[str]:
        """The custom ids of all its components, in order."""
        return [one["custom_id"] for one in walk(self.components) if "custom_id" in one]

    def component(self, custom_id: str) -> Json | None:
        """Return the component with a custom id."""
        return next((one for one in walk(self.components) if one.get("custom_id") == custom_id), None)

    def jump_url(self) -> str:
        """Return the link to the message as people copy it."""
        place = self.channel.guild.id if self.channel.guild is not None else "@me"
        return f"https://discord.com/channels/{place}/{self.channel.id}/{self.id}"

    def as_json(self, hide: "Callable[[Message], bool]" = show_all) -> Json:
        """Return the message object; `hide` says of which messages the content is kept back."""
        hidden = hide(self)
        body: Json = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "author": self.author.as_json(),
            "content": "" if hidden else self.content,
            "timestamp": self.created_at.isoformat(),
            "edited_timestamp": self.edited.isoformat() if self.edited else None,
            "tts": False,
            "mention_everyone": self.mention_everyone,
            "mentions": [one.as_json() for one in self.mentions],
            "mention_roles": [str(one.id) for one in self.mention_roles],
            "attachments": [] if hidden else [one.as_json() for one in self.attachments],
            "embeds": [] if hidden else self.embeds,
            "components": [] if hidden else resolve_media(self.components, self.attachments),
            "pinned": False,
            "type": self.kind,
            "flags": self.flags,
        }
        if self.nonce is not None:
            body["nonce"] = self.nonce
        if self.webhook_id is not None:
            body |= {"webhook_id": str(self.webhook_id), "application_id": str(self.webhook_id)}
        if self.interaction is not None:
            body["interaction_metadata"] = self.interaction
        return body | self._references(hide)

    def _references(self, hide: "Callable[[Message], bool]") -> Json:
        body: Json = {}
        if self.reference is not None:
            body["message_reference"] = self.reference
        if self.kind == 19:
            there = self.replied_to if self.replied_to is not None and not self.replied_to.deleted else None
            body["referenced_message"] = there.as_json(hide) if there is not None else None
        if self.snapshots:
            body["message_snapshots"] = [{"message": _bare(one) if hide(self) else one} for one in self.snapshots]
        return body

    def snapshot(self) -> Json:
        """Return what a forward of it carries."""
        body = self.as_json()
        keys = ("type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags")
        return {key: body[key] for key in (*keys, "mentions", "mention_roles", "components")}


def _bare(snapshot: Json) -> Json:
    return {**snapshot, "content": "", "embeds": [], "attachments": [], "components": []}


def walk(node: Any) -> list[Json]:
    """Return every component below a node, in order."""
    found: list[Json] = []
    if isinstance(node, list):
        for one in node:
            found.extend(walk(one))
    elif isinstance(node, dict):
        if "type" in node:
            found.append(node)
        for key in ("components", "component", "accessory"):
            if key in node:
                found.extend(walk(node[key]))
    return found


def shown_texts(node: Any) -> list[str]:
    """Return every text below a node that a reader sees."""
    if isinstance(node, str):
        return [node] if node else []
    if isinstance(node, list):
        return [text for one in node for text in shown_texts(one)]
    if not isinstance(node, dict):
        return []
    keys = ("content", "title", "description", "name", "value", "text", "label", "placeholder", "fields", "footer")
    found: list[str] = []
    for key in (*keys, "embeds", "components", "component", "accessory", "options", "items"):
        if key == "value" and "label" in node:
            continue  # a choice's value is not shown
        found.extend(shown_texts(node.get(key)))
    return found


def resolve_media(node: Any, attachments: list[Attachment]) -> Any:
    """Return components with `attachment://name` turned into where the file is."""
    if isinstance(node, list):
        return [resolve_media(one, attachments) for one in node]
    if not isinstance(node, dict):
        return node
    url = node.get("url")
    if isinstance(url, str) and url.startswith("attachment://"):
        file = next((one for one in attachments if one.filename == url.removeprefix("attachment://")), None)
        if file is not None:
            return {**node, "url": file.url, "proxy_url": file.url, "attachment_id": str(file.id)}
    return {key: resolve_media(value, attachments) for key, value in node.items()}
