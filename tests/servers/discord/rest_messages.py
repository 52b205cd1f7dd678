"""The routes of messages: send, edit, delete, read, search."""

from datetime import timedelta
from typing import Any

from tests.servers.discord import permissions
from tests.servers.discord.api import ROUTES, Answer, Call
from tests.servers.discord.people import HAS_SNAPSHOT, SUPPRESS_EMBEDS, Message
from tests.servers.discord.places import CATEGORY, FORUM, Channel
from tests.servers.discord.refusals import Json, invalid, refused
from tests.servers.discord.times import made_at
from tests.servers.discord.world import reference
from tests.servers.discord.writing import draft_in, rewrite, write

#: How long Discord remembers a nonce. It says "a few minutes".
NONCE_MEMORY = timedelta(minutes=3)
BULK_AGE = timedelta(days=14)


@ROUTES.add("POST", "/channels/{channel}/messages")
def send(call: Call) -> Any:
    channel = call.channel()
    if channel.kind in (FORUM, CATEGORY):
        raise refused(50008)
    if channel.guild is None and channel.recipient is not None and not channel.recipient.dms_open:
        raise refused(50007)
    check_may_write(call, channel)
    again = remembered(call)
    if again is not None:
        return call.shown(again)
    message = draft_in(channel)
    refer(call, channel, message)
    write(message, call.draft())
    nonce = call.body.get("nonce")
    if nonce is not None:
        message.nonce = str(nonce)
        call.server.nonces[message.nonce] = (call.world.clock.now(), message)
    call.world.add(message)
    return call.shown(message)


def check_may_write(call: Call, channel: Channel) -> None:
    """Refuse what the bot may not write here."""
    if channel.guild is None:
        return
    needs = permissions.SEND_IN_THREADS if channel.is_thread else permissions.SEND_MESSAGES
    if call.request.uploads:
        needs |= permissions.ATTACH_FILES
    if call.body.get("embeds"):
        needs |= permissions.EMBED_LINKS
    allowed = channel.permissions_for(call.bot)
    if needs & ~allowed:
        raise refused(50013)
    if channel.is_thread and channel.archived and channel.locked and not allowed & permissions.MANAGE_THREADS:
        raise refused(50083)


def remembered(call: Call) -> Message | None:
    """Return the message that was sent with the same nonce, when the client asks for that to be looked at."""
    nonce = call.body.get("nonce")
    if nonce is None or not call.body.get("enforce_nonce"):
        return None
    at, message = call.server.nonces.get(str(nonce), (None, None))
    if at is None or message is None or message.deleted or call.world.clock.now() - at > NONCE_MEMORY:
        return None
    return message


def refer(call: Call, channel: Channel, message: Message) -> None:
    """Point the new message to the one it answers or forwards."""
    asked: Json | None = call.body.get("message_reference")
    if asked is None:
        return
    other = call.world.channels.get(int(asked.get("channel_id") or channel.id))
    found = other.messages.get(int(asked["message_id"])) if other is not None else None
    if not channel.permissions_for(call.bot) & permissions.READ_MESSAGE_HISTORY:
        raise refused(160002)
    forward = asked.get("type") == 1
    if found is None:
        if asked.get("fail_if_not_exists", True) or forward:
            raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return
    message.reference = reference(found, 1 if forward else 0)
    if forward:
        message.snapshots, message.flags = [found.snapshot()], message.flags | HAS_SNAPSHOT
    else:
        message.replied_to, message.kind = found, 19


@ROUTES.add("PATCH", "/channels/{channel}/messages/{message}")
def edit(call: Call) -> Any:
    channel = call.channel()
    message = call.message(channel)
    if message.author is not call.bot:
        only_flags = set(call.body) <= {"flags"}
        if not only_flags or not channel.permissions_for(call.bot) & permissions.MANAGE_MESSAGES:
            raise refused(50005)
        message.flags = message.flags & ~SUPPRESS_EMBEDS | int(call.body["flags"]) & SUPPRESS_EMBEDS
    else:
        if channel.is_thread and channel.archived:
            raise refused(50083)
        rewrite(message, call.draft())
    call.world.edited(message)
    return call.shown(message)


@ROUTES.add("GET", "/channels/{channel}/messages/{message}")
def read(call: Call) -> Any:
    channel = call.channel()
    if not channel.permissions_for(call.bot) & permissions.READ_MESSAGE_HISTORY:
        raise refused(50001)
    return call.shown(call.message(channel))


@ROUTES.add("DELETE", "/channels/{channel}/messages/{message}")
def delete(call: Call) -> Any:
    channel = call.channel()
    message = call.message(channel)
    if message.author is not call.bot and not channel.permissions_for(call.bot) & permissions.MANAGE_MESSAGES:
        raise refused(50003 if channel.guild is None else 50013)
    call.server.forget(message)


@ROUTES.add("POST", "/channels/{channel}/messages/bulk-delete")
def bulk_delete(call: Call) -> Any:
    channel = call.channel(permissions.MANAGE_MESSAGES)
    ids = [int(one) for one in call.body.get("messages") or []]
    if not 2 <= len(ids) <= 100:
        raise refused(50016)
    if any(call.world.clock.now() - made_at(one) > BULK_AGE for one in ids):
        raise refused(50034)
    call.server.forget(*(channel.messages[one] for one in ids if one in channel.messages))


@ROUTES.add("GET", "/channels/{channel}/messages")
def history(call: Call) -> Any:
    channel, query = call.channel(), call.request.query
    if channel.kind in (FORUM, CATEGORY):
        raise refused(50024)
    limit = call.number("limit", 50, 1, 100)
    if not channel.permissions_for(call.bot) & permissions.READ_MESSAGE_HISTORY:
        return []  # Discord shows nothing here, and does not complain
    ids = sorted(channel.messages)
    if "around" in query:
        middle = int(query["around"])
        before = [one for one in ids if one < middle][-(limit // 2) :]
        ids = [*before, *[one for one in ids if one >= middle][: limit - len(before)]]
    elif "after" in query:
        ids = [one for one in ids if one > int(query["after"])][:limit]
    elif "before" in query:
        ids = [one for one in ids if one < int(query["before"])][-limit:]
    else:
        ids = ids[-limit:]
    return [call.shown(channel.messages[one]) for one in reversed(ids)]


@ROUTES.add("GET", "/guilds/{guild}/messages/search")
def search(call: Call) -> Any:
    guild, query = call.guild(), call.request.query
    if not call.server.gateway_state.application_flags & (3 << 18):
        raise refused(50001)
    if not guild.permissions_for(call.bot) & permissions.READ_MESSAGE_HISTORY:
        raise refused(50013)
    if call.server.search_indexing is not None:
        waiting = {"message": "Index not yet available. Try again later", "code": 110000, "documents_indexed": 0}
        return Answer(202, waiting | {"retry_after": call.server.search_indexing})
    limit, offset = call.number("limit", 25, 1, 25), call.number("offset", 0, 0, 9975)
    needs = permissions.VIEW_CHANNEL | permissions.READ_MESSAGE_HISTORY
    places = [one for one in guild.channels.values() if not one.deleted and not needs & ~one.permissions_for(call.bot)]
    found = [one for place in places for one in place.messages.values() if _matches(call, one)]
    found.sort(key=lambda one: one.id, reverse=query.get("sort_order", "desc") == "desc")
    page = [[call.shown(one) | {"hit": True}] for one in found[offset : offset + limit]]
    threads = {one.channel.id: one.channel.as_json() for one in found if one.channel.is_thread}
    body = {"total_results": len(found), "messages": page, "threads": list(threads.values()), "members": []}
    return body | {"doing_deep_historical_index": False}


def _matches(call: Call, message: Message) -> bool:
    query: Any = call.request.query
    wanted = str(query.get("content", "")).lower().split()
    text = message.text.lower()
    has = set(query.getall("has", []))
    return (
        all(word in text for word in wanted)
        and str(message.author.id) in query.getall("author_id", [str(message.author.id)])
        and str(message.channel.id) in query.getall("channel_id", [str(message.channel.id)])
        and message.id > int(query.get("min_id", 0))
        and message.id < int(query.get("max_id", 1 << 63))
        and (not has & {"file", "image"} or bool(message.attachments))
        and ("link" not in has or "http" in text)
    )


@ROUTES.add("POST", "/channels/{channel}/typing")
def typing(call: Call) -> Any:
    check_may_write(call, call.channel())
