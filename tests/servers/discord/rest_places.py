"""The routes of channels, threads, servers, roles, members, and direct conversations."""

from typing import Any

from tests.servers.discord import permissions
from tests.servers.discord.api import ROUTES, Answer, Call
from tests.servers.discord.people import Role
from tests.servers.discord.permissions import Overwrite
from tests.servers.discord.places import FORUM, PRIVATE_THREAD, PUBLIC_THREAD, Channel
from tests.servers.discord.refusals import check_length, invalid, refused
from tests.servers.discord.writing import draft_in, write


@ROUTES.add("GET", "/channels/{channel}")
def channel(call: Call) -> Any:
    return call.channel().as_json()


@ROUTES.add("PATCH", "/channels/{channel}")
def change_channel(call: Call) -> Any:
    found = call.channel()
    own = found.is_thread and found.owner is call.bot
    needs = permissions.MANAGE_THREADS if found.is_thread else permissions.MANAGE_CHANNELS
    if not own and needs & ~found.permissions_for(call.bot):
        raise refused(50013)
    body = call.body
    if "name" in body:
        check_length("name", body["name"], 100, 1)
        found.name = body["name"]
    found.topic = body.get("topic", found.topic)
    if "locked" in body:
        found.locked = bool(body["locked"])
    if "archived" in body:
        found.archived, found.archived_at = bool(body["archived"]), call.world.clock.now()
    found.changed()
    return found.as_json()


@ROUTES.add("DELETE", "/channels/{channel}")
def delete_channel(call: Call) -> Any:
    found = call.channel()
    needs = permissions.MANAGE_THREADS if found.is_thread else permissions.MANAGE_CHANNELS
    if found.guild is not None and needs & ~found.permissions_for(call.bot):
        raise refused(50013)
    found.delete()
    return found.as_json()


@ROUTES.add("PUT", "/channels/{channel}/permissions/{target}")
def overwrite(call: Call) -> Any:
    found, target = call.channel(permissions.MANAGE_ROLES), int(call.ids["target"])
    body = call.body
    allow, deny = int(body.get("allow") or 0), int(body.get("deny") or 0)
    found.overwrites[target] = Overwrite(target, int(body["type"]), allow, deny)
    found.changed()


@ROUTES.add("DELETE", "/channels/{channel}/permissions/{target}")
def clear_overwrite(call: Call) -> Any:
    found = call.channel(permissions.MANAGE_ROLES)
    found.overwrites.pop(int(call.ids["target"]), None)
    found.changed()


# ---- threads


@ROUTES.add("POST", "/channels/{channel}/threads")
def start_thread(call: Call) -> Any:
    parent, body = call.channel(), call.body
    assert parent.guild is not None
    check_length("name", body.get("name") or "", 100, 1)
    if parent.kind == FORUM:
        return _post(call, parent)
    private = int(body.get("type", PRIVATE_THREAD)) == PRIVATE_THREAD
    needs = permissions.CREATE_PRIVATE_THREADS if private else permissions.CREATE_PUBLIC_THREADS
    call.channel(needs)
    return Answer(201, parent.guild.thread(parent, body["name"], call.bot, private).as_json())


def _post(call: Call, forum: Channel) -> Any:
    assert forum.guild is not None
    call.channel(permissions.SEND_MESSAGES)
    thread = Channel(call.world.ids.next(), call.body["name"], call.world, forum.guild, PUBLIC_THREAD, forum)
    message = draft_in(thread)
    message.id = thread.id
    write(message, call.draft(call.body.get("message") or {}))  # a refused message opens no thread
    message.channel = forum.guild.thread(forum, call.body["name"], call.bot, thread_id=thread.id)
    call.world.add(message)
    return Answer(201, message.channel.as_json() | {"message": call.shown(message)})


@ROUTES.add("POST", "/channels/{channel}/messages/{message}/threads")
def thread_from_message(call: Call) -> Any:
    parent = call.channel(permissions.CREATE_PUBLIC_THREADS)
    message = call.message(parent)
    assert parent.guild is not None
    check_length("name", call.body.get("name") or "", 100, 1)
    if message.id in parent.guild.channels:
        raise invalid("message", "THREAD_ALREADY_CREATED", "A thread has already been created for this message")
    made = parent.guild.thread(parent, call.body["name"], call.bot, thread_id=message.id)
    return Answer(201, made.as_json())


@ROUTES.add("GET", "/guilds/{guild}/threads/active")
def active_threads(call: Call) -> Any:
    guild = call.guild()
    found = [one for one in guild.threads(archived=False) if one.permissions_for(call.bot)]
    return {"threads": [one.as_json() for one in reversed(found)], "members": []}


@ROUTES.add("GET", "/channels/{channel}/threads/archived/{kind:x}")
def archived_threads(call: Call) -> Any:
    parent = call.channel(permissions.READ_MESSAGE_HISTORY)
    assert parent.guild is not None
    wanted = PRIVATE_THREAD if call.ids["kind"] == "private" else PUBLIC_THREAD
    if wanted == PRIVATE_THREAD:
        call.channel(permissions.MANAGE_THREADS)
    limit = call.number("limit", 50, 2, 100)
    found = [one for one in parent.guild.threads(parent, archived=True) if one.kind == wanted]
    found.sort(key=lambda one: one.archived_at or one.world.made_at(one.id), reverse=True)
    before = call.request.query.get("before")
    if before is not None:
        found = [one for one in found if one.as_json()["thread_metadata"]["archive_timestamp"] < before]
    return {
        "threads": [one.as_json() for one in found[:limit]],
        "members": [],
        "has_more": len(found) > limit,
    }


@ROUTES.add("PUT", "/channels/{channel}/thread-members/@me")
def join_thread(call: Call) -> Any:
    found = call.channel()
    if found.archived:
        raise refused(50083)
    found.thread_members.add(call.bot.id)


@ROUTES.add("DELETE", "/channels/{channel}/thread-members/@me")
def leave_thread(call: Call) -> Any:
    call.channel().thread_members.discard(call.bot.id)


# ---- servers


@ROUTES.add("GET", "/users/@me/guilds")
def guilds(call: Call) -> Any:
    keys = ("id", "name", "icon", "features")
    found = [(guild, guild.as_json(full=False)) for guild in call.world.guilds.values()]
    return [
        {key: body[key] for key in keys}
        | {"owner": guild.owner is call.bot, "permissions": str(guild.permissions_for(call.bot))}
        for guild, body in found
    ]


@ROUTES.add("GET", "/guilds/{guild}")
def guild(call: Call) -> Any:
    return call.guild().as_json(full=False) | {"approximate_member_count": len(call.guild().members)}


@ROUTES.add("GET", "/guilds/{guild}/channels")
def channels(call: Call) -> Any:
    return [one.as_json() for one in call.guild().channels.values() if not one.is_thread and not one.deleted]


@ROUTES.add("POST", "/guilds/{guild}/channels")
def add_channel(call: Call) -> Any:
    found = call.guild()
    if not found.permissions_for(call.bot) & permissions.MANAGE_CHANNELS:
        raise refused(50013)
    check_length("name", call.body.get("name") or "", 100, 1)
    made = found.channel(call.body["name"], int(call.body.get("type") or 0), topic=call.body.get("topic"))
    for one in call.body.get("permission_overwrites") or []:
        target = int(one["id"])
        made.overwrites[target] = Overwrite(target, int(one["type"]), int(one["allow"]), int(one["deny"]))
    return Answer(201, made.as_json())


@ROUTES.add("GET", "/guilds/{guild}/roles")
def roles(call: Call) -> Any:
    return [one.as_json() for one in call.guild().roles]


@ROUTES.add("GET", "/guilds/{guild}/roles/{role}")
def role(call: Call) -> Any:
    return _role(call).as_json()


def _role(call: Call) -> Role:
    found = next((one for one in call.guild().roles if one.id == int(call.ids["role"])), None)
    if found is None:
        raise refused(10011)
    return found


@ROUTES.add("GET", "/guilds/{guild}/members/{user}")
def member(call: Call) -> Any:
    found = call.guild().members.get(int(call.ids["user"]))
    if found is None:
        raise refused(10007 if int(call.ids["user"]) in call.world.users else 10013)
    return found.as_json()


@ROUTES.add("GET", "/guilds/{guild}/members")
def members(call: Call) -> Any:
    if not call.server.gateway_state.application_flags & (3 << 14):
        raise refused(50001)
    limit, after = call.number("limit", 1, 1, 1000), int(call.request.query.get("after", 0))
    found = sorted(one for one in call.guild().members if one > after)
    return [call.guild().members[one].as_json() for one in found[:limit]]


@ROUTES.add("PATCH", "/guilds/{guild}/members/{user}")
def change_member(call: Call) -> Any:
    found = call.guild()
    member = found.members.get(int(call.ids["user"]))
    if member is None:
        raise refused(10007)
    needs = permissions.MODERATE_MEMBERS if "communication_disabled_until" in call.body else permissions.MANAGE_ROLES
    if not found.permissions_for(call.bot) & needs or member.user is found.owner:
        raise refused(50013)
    until = call.body.get("communication_disabled_until")
    if "communication_disabled_until" in call.body:
        member.timed_out_until = type(call.request.at).fromisoformat(until) if until else None
    found.change_member(member.user)
    return member.as_json()


# ---- people


@ROUTES.add("GET", "/users/{user}")
def user(call: Call) -> Any:
    found = call.world.users.get(int(call.ids["user"]))
    if found is None:
        raise refused(10013)
    return found.as_json()


@ROUTES.add("POST", "/users/@me/channels")
def direct(call: Call) -> Any:
    found = call.world.users.get(int(call.body.get("recipient_id") or 0))
    if found is None:
        raise refused(10013)
    return call.world.dm(found).as_json()
