"""The values of commands, menus, and modals, in the shape that Discord sends them."""

from typing import Any

from tests.servers.discord.component_rules import CHECKBOX, CHECKBOXES, LABEL, RADIOS, ROW, SELECTS, TEXT, TEXT_INPUT
from tests.servers.discord.people import Message, Role, User
from tests.servers.discord.places import Channel
from tests.servers.discord.refusals import Json

#: The types of options that hold options.
SUBCOMMAND, GROUP = 1, 2


class ValueRefusedError(Exception):
    """Discord's app does not send this value: it is missing, too long, or not among the choices."""


class Resolved:
    """Collects what values point to, since the client is told of it along with them."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.body: Json = {}

    def value(self, value: Any) -> Any:
        """Return a value as it is sent: an id for what has one."""
        if isinstance(value, User):
            self._user(value)
        elif isinstance(value, Role):
            self._add("roles", value.id, value.as_json())
        elif isinstance(value, Channel):
            allowed = value.permissions_for(self.channel.world.bot)
            self._add("channels", value.id, value.as_json() | {"permissions": str(allowed)})
        elif isinstance(value, Message):
            body = value.as_json()
            if value.channel.guild is not None:
                body["guild_id"] = str(value.channel.guild.id)
            self._add("messages", value.id, body)
        elif isinstance(value, tuple):
            name, data = value
            kept = self.channel.world.attach(self.channel, name, data)
            self._add("attachments", kept.id, kept.as_json() | {"ephemeral": True})
            return str(kept.id)
        else:
            return value
        return str(value.id)

    def _user(self, user: User) -> None:
        self._add("users", user.id, user.as_json())
        guild = self.channel.guild
        if guild is not None and user.id in guild.members:
            member = guild.members[user.id].as_json(with_user=False)
            self._add("members", user.id, member | {"permissions": str(self.channel.permissions_for(user))})

    def _add(self, kind: str, own_id: int, body: Json) -> None:
        self.body.setdefault(kind, {})[str(own_id)] = body


def subcommand(command: Json, names: list[str]) -> list[Json] | None:
    """Return the way from a command to one of its subcommands; None if there is none of that name."""
    path: list[Json] = []
    here = command
    for name in names:
        options = here.get("options") or []
        found = next((one for one in options if one["name"] == name and one["type"] in (SUBCOMMAND, GROUP)), None)
        if found is None:
            return None
        path.append(found)
        here = found
    if any(one["type"] in (SUBCOMMAND, GROUP) for one in here.get("options") or []):
        return None  # a group by itself cannot be called
    return path


def filled_options(offered: list[Json], values: Json, resolved: Resolved, partial: bool = False) -> list[Json]:
    """Return the options of a command with values, checked as Discord's app checks them."""
    known = {one["name"] for one in offered}
    if not set(values) <= known:
        raise ValueRefusedError(f"no options {sorted(set(values) - known)}, only {sorted(known)}")
    filled: list[Json] = []
    for one in offered:
        if one["name"] in values:
            value = values[one["name"]]
            if not partial:
                _check_option(one, value)
            filled.append({"name": one["name"], "type": one["type"], "value": resolved.value(value)})
        elif one.get("required") and not partial:
            raise ValueRefusedError(f"option {one['name']!r} is required")
    return filled


_PYTHON: dict[int, tuple[type, ...]] = {
    3: (str,),
    4: (int,),
    5: (bool,),
    6: (User,),
    7: (Channel,),
    8: (Role,),
    9: (User, Role),
    10: (int, float),
    11: (tuple,),
}


def _check_option(one: Json, value: Any) -> None:
    if not isinstance(value, _PYTHON[one["type"]]):
        raise ValueRefusedError(f"{value!r} is not of type {one['type']}")
    choices = [choice["value"] for choice in one.get("choices") or []]
    if choices and value not in choices:
        raise ValueRefusedError(f"{value!r} is not among {choices}")
    size = len(value) if isinstance(value, str) else value
    least, most = (one.get(f"{end}_{'length' if isinstance(value, str) else 'value'}") for end in ("min", "max"))
    if isinstance(size, int | float) and (
        size < (least if least is not None else size) or size > (most if most is not None else size)
    ):
        raise ValueRefusedError(f"{value!r} is not between {least} and {most}")
    kinds = one.get("channel_types")
    if isinstance(value, Channel) and kinds and value.kind not in kinds:
        raise ValueRefusedError(f"channel {value.name!r} is of kind {value.kind}, not {kinds}")


def filled_fields(components: list[Json], values: Json, resolved: Resolved) -> list[Json]:
    """Return the components of a modal as they come back with values; `values` by custom id."""
    left = dict(values)
    filled = [_filled(one, left, resolved) for one in components]
    if left:
        raise ValueRefusedError(f"the modal has no fields {sorted(left)}")
    return filled


def _filled(one: Json, left: Json, resolved: Resolved) -> Json:
    kind, body = one["type"], {"type": one["type"], "id": one.get("id", 1)}
    if kind == LABEL:
        return body | {"component": _filled(one["component"], left, resolved)}
    if kind == ROW:
        return body | {"components": [_filled(child, left, resolved) for child in one["components"]]}
    if kind == TEXT:
        return body | {"content": one["content"]}
    given = left.pop(one["custom_id"], None)
    body["custom_id"] = one["custom_id"]
    if kind == TEXT_INPUT:
        return body | {"value": _typed(one, given)}
    if kind == CHECKBOX:
        return body | {"value": bool(given if given is not None else one.get("default"))}
    if kind == RADIOS:
        return body | {"value": given}
    return body | {"values": _picked(one, kind, given, resolved)}


def _typed(one: Json, given: Any) -> str:
    text = str(given if given is not None else one.get("value") or "")
    if not text and not one.get("required", True):
        return ""
    least, most = one.get("min_length") or (1 if one.get("required", True) else 0), one.get("max_length") or 4000
    if not least <= len(text) <= most:
        raise ValueRefusedError(f"{one['custom_id']!r}: {len(text)} characters, {least} to {most} wanted")
    return text


def _picked(one: Json, kind: int, given: Any, resolved: Resolved) -> list[Any]:
    options = one.get("options") or []
    defaults = [option["value"] for option in options if option.get("default")]
    picked = list(given) if given is not None else defaults
    if not picked and one.get("required", True):
        raise ValueRefusedError(f"{one['custom_id']!r} is required")
    offered = {option["value"] for option in options}
    if kind in (SELECTS[0], CHECKBOXES) and not set(picked) <= offered:
        raise ValueRefusedError(f"{picked} are not among {sorted(offered)}")
    return [resolved.value(value) for value in picked]
