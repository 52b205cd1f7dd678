"""From what a client sends to a message: what Discord refuses is refused, files are kept, media found."""

import copy
from dataclasses import dataclass, field
from typing import Any, Final

from tests.servers.discord import component_rules
from tests.servers.discord.people import COMPONENTS_V2, SUPPRESS_EMBEDS, Attachment, Message
from tests.servers.discord.places import Channel
from tests.servers.discord.refusals import Json, check_length, invalid, refused

#: The flags that a bot may set itself.
SETTABLE: Final = SUPPRESS_EMBEDS | 1 << 6 | 1 << 12 | COMPONENTS_V2
_EMBED_LENGTHS: Final = {"title": 256, "description": 4096}
_FIELD_LENGTHS: Final = {"name": 256, "value": 1024}


@dataclass
class File:
    """One uploaded file."""

    filename: str
    data: bytes


@dataclass
class Draft:
    """A message as a client sent it: the fields, and the files by their number."""

    body: Json
    files: dict[int, File] = field(default_factory=dict)
    most_bytes: int = 10 * 2**20


def write(message: Message, draft: Draft) -> None:
    """Fill a new message, or refuse it."""
    body = draft.body
    _check_types(body)
    message.flags |= int(body.get("flags") or 0) & SETTABLE
    _apply(message, draft, kept=[])


def rewrite(message: Message, draft: Draft) -> None:
    """Change a message. What is not named stays as it is; nothing is changed when it is refused."""
    body = draft.body
    _check_types(body)
    flags = body.get("flags")
    if flags is not None and message.flags & COMPONENTS_V2 and not int(flags) & COMPONENTS_V2:
        raise invalid("flags", "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG", "The flag cannot be removed once set")
    before, kept = message.flags, list(message.attachments)
    if body.get("attachments") is not None:
        listed = {str(one.get("id")) for one in body["attachments"]}
        kept = [one for one in kept if str(one.id) in listed]
    if flags is not None:
        message.flags = before & ~SETTABLE | int(flags) & SETTABLE | before & COMPONENTS_V2
    try:
        _apply(message, draft, kept)
    except Exception:
        message.flags = before
        raise


def _apply(message: Message, draft: Draft, kept: list[Attachment]) -> None:
    body = draft.body
    content = str(body["content"] or "") if "content" in body else message.content
    embeds = list(body["embeds"] or []) if "embeds" in body else message.embeds
    components = copy.deepcopy(body["components"] or []) if "components" in body else message.components
    added = _uploads(draft)
    names = {one.filename for one in kept} | {file.filename for file, _ in added}
    v2 = bool(message.flags & COMPONENTS_V2)
    check_content(content, embeds, v2)
    component_rules.check_message(components, v2, names)
    legacy = content or embeds or names or message.snapshots or body.get("sticker_ids") or body.get("poll")
    if not components and (v2 or not legacy):
        raise refused(50006)
    world = message.channel.world
    new = [world.attach(message.channel, file.filename, file.data, note) for file, note in added]
    message.content, message.embeds, message.attachments = content, embeds, [*kept, *new]
    message.components = component_rules.number(components)
    world.find_mentions(message, body.get("allowed_mentions"))


def check_content(content: str, embeds: list[Json], v2: bool) -> None:
    """Refuse text and embeds that are too long, or that the components flag does not go with."""
    if v2:
        for name, value in (("content", content), ("embeds", embeds)):
            if value:
                message = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                raise invalid(name, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    check_length("content", content, 2000)
    if len(embeds) > 10:
        raise invalid("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    total = sum(_check_embed(one, f"embeds.{index}") for index, one in enumerate(embeds))
    if total > 6000:
        message = "Embed size exceeds maximum size of 6000"
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", message)


def _check_embed(embed: Json, path: str) -> int:
    parts: list[tuple[str, Any, int]] = [(key, embed.get(key), most) for key, most in _EMBED_LENGTHS.items()]
    parts.append(("footer.text", (embed.get("footer") or {}).get("text"), 2048))
    parts.append(("author.name", (embed.get("author") or {}).get("name"), 256))
    fields = embed.get("fields") or []
    if len(fields) > 25:
        raise invalid(f"{path}.fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, one in enumerate(fields):
        for key, most in _FIELD_LENGTHS.items():
            check_length(f"{path}.fields.{index}.{key}", str(one.get(key) or ""), most, 1)
            parts.append((f"fields.{index}.{key}", one.get(key), most))
    for key, value, most in parts:
        check_length(f"{path}.{key}", str(value or ""), most)
    return sum(len(str(value or "")) for _, value, _ in parts)


def _check_types(body: Json) -> None:
    nonce = body.get("nonce")
    if nonce is not None:
        check_length("nonce", str(nonce), 25)
    allowed: Json = body.get("allowed_mentions") or {}
    for key in ("users", "roles"):
        if allowed.get(key) and key in (allowed.get("parse") or []):
            message = f'parse:["{key}"] and {key}: [ids...] are mutually exclusive.'
            raise invalid("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
    for key in ("embeds", "components", "attachments"):
        if not isinstance(body.get(key), list | None):
            raise invalid(key, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")


def _uploads(draft: Draft) -> list[tuple[File, str | None]]:
    described = {str(one.get("id")): one for one in draft.body.get("attachments") or []}
    if len(draft.files) > 10:
        raise invalid("attachments", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    found: list[tuple[File, str | None]] = []
    for number, file in sorted(draft.files.items()):
        if len(file.data) > draft.most_bytes:
            raise refused(40005)
        about = described.get(str(number), {})
        found.append((File(about.get("filename") or file.filename, file.data), about.get("description")))
    return found


def draft_in(channel: Channel, flags: int = 0, **more: Any) -> Message:
    """Return a new empty message of the bot in a channel, not yet put there."""
    world = channel.world
    return Message(world.ids.next(), channel, world.bot, flags=flags, **more)
