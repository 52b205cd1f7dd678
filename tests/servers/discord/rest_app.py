"""The routes of the bot itself: who it is, where the gateway is, and its commands."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from tests.servers.discord.api import ROUTES, Answer, Call
from tests.servers.discord.people import User
from tests.servers.discord.refusals import Json, check_length, invalid, refused

#: How many commands of each kind an application may have in one place: slash, user, message.
MOST_COMMANDS: Final = {1: 100, 2: 15, 3: 15}
_NAME = re.compile(r"[-_'\w]{1,32}")


@dataclass
class Sync:
    """One bulk overwrite of the commands: where (None is everywhere), and what was sent."""

    guild: int | None
    commands: list[Json]


@dataclass
class Commands:
    """The commands that Discord knows of."""

    #: By server; None is everywhere.
    known: dict[int | None, list[Json]] = field(default_factory=dict)
    #: Every bulk overwrite that went through.
    syncs: list[Sync] = field(default_factory=list)
    #: Who was allowed which command in a server's settings.
    permitted: set[tuple[str, int]] = field(default_factory=set)

    def permit(self, user: User, *names: str) -> None:
        """Allow somebody commands in the server's settings, whatever `default_member_permissions` asks for."""
        self.permitted |= {(name, user.id) for name in names}

    def named(self, guild: int | None = None) -> list[str]:
        """Return the names of the commands in one place."""
        return [one["name"] for one in self.known.get(guild, [])]

    def find(self, name: str, kind: int, guild: int | None) -> Json | None:
        """Return a command as somebody in a server sees it: the server's own go first."""
        for place in (guild, None):
            for one in self.known.get(place, []):
                if one["name"] == name and one["type"] == kind:
                    return one
        return None


@ROUTES.add("GET", "/gateway")
def gateway(call: Call) -> Any:
    return {"url": call.server.gateway}


@ROUTES.add("GET", "/gateway/bot")
def gateway_bot(call: Call) -> Any:
    limit = {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1}
    return {"url": call.server.gateway, "shards": 1, "session_start_limit": limit}


@ROUTES.add("GET", "/users/@me")
def me(call: Call) -> Any:
    return call.bot.as_json() | {"verified": True, "mfa_enabled": True, "email": None, "flags": 0}


@ROUTES.add("GET", "/oauth2/applications/@me")
@ROUTES.add("GET", "/applications/@me")
def application(call: Call) -> Any:
    return {
        "id": str(call.bot.id),
        "name": call.bot.name,
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": call.server.gateway_state.application_flags,
        "owner": call.world.owner.as_json(),
        "team": None,
        "bot": call.bot.as_json(),
        "approximate_guild_count": len(call.world.guilds),
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
    }


@ROUTES.add("GET", "/applications/{app}/commands")
@ROUTES.add("GET", "/applications/{app}/guilds/{guild}/commands")
def list_commands(call: Call) -> Any:
    return call.server.commands.known.get(_place(call), [])


@ROUTES.add("PUT", "/applications/{app}/commands")
@ROUTES.add("PUT", "/applications/{app}/guilds/{guild}/commands")
def sync(call: Call) -> Any:
    place, sent = _place(call), call.request.body
    if not isinstance(sent, list):
        raise refused(50109)
    for index, one in enumerate(sent):
        _check_command(one, str(index))
    keys = [(one["name"], one.get("type", 1)) for one in sent]
    if len(set(keys)) != len(keys):
        raise invalid("0.name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    for kind, most in MOST_COMMANDS.items():
        if sum(one == kind for _, one in keys) > most:
            raise invalid("0", "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
    kept = [_keep(call, place, one) for one in sent]
    call.server.commands.known[place] = kept
    call.server.commands.syncs.append(Sync(place, sent))
    return kept


@ROUTES.add("POST", "/applications/{app}/commands")
@ROUTES.add("POST", "/applications/{app}/guilds/{guild}/commands")
def add_command(call: Call) -> Any:
    place = _place(call)
    _check_command(call.body, "")
    known = call.server.commands.known.setdefault(place, [])
    made = _keep(call, place, call.body)
    new = all(one["id"] != made["id"] for one in known)
    call.server.commands.known[place] = [*(one for one in known if one["id"] != made["id"]), made]
    return Answer(201 if new else 200, made)


@ROUTES.add("GET", "/applications/{app}/commands/{command}")
@ROUTES.add("GET", "/applications/{app}/guilds/{guild}/commands/{command}")
def command(call: Call) -> Any:
    return _command(call)


@ROUTES.add("DELETE", "/applications/{app}/commands/{command}")
@ROUTES.add("DELETE", "/applications/{app}/guilds/{guild}/commands/{command}")
def delete_command(call: Call) -> Any:
    call.server.commands.known[_place(call)].remove(_command(call))


def _command(call: Call) -> Json:
    known = call.server.commands.known.get(_place(call), [])
    found = next((one for one in known if one["id"] == call.ids["command"]), None)
    if found is None:
        raise refused(10063)
    return found


def _place(call: Call) -> int | None:
    if int(call.ids["app"]) != call.bot.id:
        raise refused(10002)
    if "guild" not in call.ids:
        return None
    if int(call.ids["guild"]) not in call.world.guilds:
        raise refused(50001)
    return int(call.ids["guild"])


def _keep(call: Call, place: int | None, sent: Json) -> Json:
    known = call.server.commands.known.get(place, [])
    kind = sent.get("type", 1)
    before = next((one for one in known if (one["name"], one["type"]) == (sent["name"], kind)), None)
    return {
        "options": [],
        "description": "",
        "default_member_permissions": None,
        "dm_permission": True,
        "nsfw": False,
        **sent,
        "type": kind,
        "id": before["id"] if before is not None else str(call.world.ids.next()),
        "application_id": str(call.bot.id),
        "version": str(call.world.ids.next()),
        **({"guild_id": str(place)} if place is not None else {}),
    }


def _check_command(one: Json, path: str) -> None:
    dot = f"{path}." if path else ""
    name, kind = str(one.get("name") or ""), one.get("type", 1)
    check_length(f"{dot}name", name, 32, 1)
    if kind != 1:
        if one.get("description"):
            raise invalid(f"{dot}description", "APPLICATION_COMMAND_DESCRIPTION", "Must be empty")
        return
    _check_named(one, dot)
    if _size(one) > 8000:
        raise invalid(f"{dot}name", "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
    _check_options(one, dot)


def _check_named(one: Json, dot: str) -> None:
    name = str(one.get("name") or "")
    texts = [name, *(one.get("name_localizations") or {}).values()]
    if any(not _NAME.fullmatch(text) or text != text.lower() for text in texts):
        raise invalid(f"{dot}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    for text in (one.get("description") or "", *(one.get("description_localizations") or {}).values()):
        check_length(f"{dot}description", str(text), 100, 1)


def _check_options(one: Json, dot: str) -> None:
    options = one.get("options") or []
    if len(options) > 25:
        raise invalid(f"{dot}options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    required = [bool(option.get("required")) for option in options if option["type"] not in (1, 2)]
    if required != sorted(required, reverse=True):
        message = "Required options must be placed before non-required options"
        raise invalid(f"{dot}options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
    for index, option in enumerate(options):
        inner = f"{dot}options.{index}."
        _check_named(option, inner)
        _check_options(option, inner)
        for number, choice in enumerate(option.get("choices") or []):
            check_length(f"{inner}choices.{number}.name", str(choice.get("name") or ""), 100, 1)
        if len(option.get("choices") or []) > 25:
            raise invalid(f"{inner}choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")


def _size(one: Json) -> int:
    own = sum(len(str(one.get(key) or "")) for key in ("name", "description"))
    choices = sum(len(str(c["name"])) + len(str(c["value"])) for c in one.get("choices") or [])
    return own + choices + sum(_size(option) for option in one.get("options") or [])
