"""What people do that becomes an interaction: clicks, menus, modals, commands. Only what Discord's app offers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.servers.discord import permissions
from tests.servers.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, InteractionRecord
from tests.servers.discord.options import Resolved, filled_fields, filled_options, subcommand
from tests.servers.discord.people import EPHEMERAL, Message, User
from tests.servers.discord.places import Channel
from tests.servers.discord.refusals import Json

if TYPE_CHECKING:
    from tests.servers.discord.gateway import Gateway
    from tests.servers.discord.rest_app import Commands
    from tests.servers.discord.world import World


class NotOfferedError(Exception):
    """Discord's app does not offer this to this person: no such button, command, or not for them."""


class Acting:
    """The part of the server that people's hands are on."""

    world: "World"
    gateway_state: "Gateway"
    commands: "Commands"
    interactions: dict[str, InteractionRecord]
    most_bytes: int

    async def click(
        self, user: User, message: Message, custom_id: str, values: Sequence[Any] | None = None, *, stale: bool = False
    ) -> InteractionRecord:
        """Click a button, or choose from a menu with `values` (strings, or users, roles, channels).

        `stale`: the person's screen shows the message as it once was, so it need not be there any more.
        """
        component = message.component(custom_id)
        if component is None and not stale:
            raise NotOfferedError(f"no component {custom_id!r} in {message.custom_ids}")
        if not stale and (component or {}).get("disabled"):
            raise NotOfferedError(f"{custom_id!r} is disabled")
        if message.flags & EPHEMERAL and (message.interaction or {})["user"]["id"] != str(user.id):
            raise NotOfferedError("only the one who asked sees this message")
        kind = int((component or {}).get("type") or (2 if values is None else 3))
        data: Json = {"custom_id": custom_id, "component_type": kind, "id": (component or {}).get("id", 1)}
        if kind != 2:
            data |= self._chosen(component, message.channel, values or [])
        return await self._interact(user, message.channel, COMPONENT, data, message)

    def _chosen(self, component: Json | None, channel: Channel, values: Sequence[Any]) -> Json:
        offered = {one["value"] for one in (component or {}).get("options") or []}
        if offered and not set(values) <= offered:
            raise NotOfferedError(f"{values} are not among {sorted(offered)}")
        most, least = (component or {}).get("max_values") or 25, (component or {}).get("min_values")
        if component is not None and not (1 if least is None else least) <= len(values) <= most:
            raise NotOfferedError(f"{len(values)} chosen, {least} to {most} wanted")
        resolved = Resolved(channel)
        data: Json = {"values": [resolved.value(one) for one in values]}
        return data | ({"resolved": resolved.body} if resolved.body else {})

    async def submit_modal(
        self, user: User, shown: InteractionRecord, values: Mapping[str, Any] | None = None
    ) -> InteractionRecord:
        """Send back the modal that an interaction was answered with; `values` by custom id."""
        if shown.modal is None or shown.user is not user:
            raise NotOfferedError(f"{user.name} was not shown a modal: {shown.response}")
        resolved = Resolved(shown.channel)
        components = filled_fields(shown.modal["components"], dict(values or {}), resolved)
        data: Json = {"custom_id": shown.modal["custom_id"], "components": components}
        data |= {"resolved": resolved.body} if resolved.body else {}
        return await self._interact(user, shown.channel, MODAL_SUBMIT, data, shown.source)

    async def slash(self, user: User, channel: Channel, name: str, /, **options: Any) -> InteractionRecord:
        """Use a slash command: `name` with its subcommands, as in "watch add"; options by name.

        Users, roles, channels, and `(name, bytes)` for a file may be given as they are.
        """
        command, path, offered = self._offered(user, channel, name)
        resolved = Resolved(channel)
        filled = filled_options(offered, options, resolved)
        return await self._interact(user, channel, COMMAND, self._command_data(command, path, filled, resolved))

    async def autocomplete(
        self, user: User, channel: Channel, name: str, focused: str, /, **options: Any
    ) -> InteractionRecord:
        """Type into an option that completes: `focused` is its name, its text so far is among the options."""
        command, path, offered = self._offered(user, channel, name)
        resolved = Resolved(channel)
        filled = filled_options(offered, {focused: "", **options}, resolved, partial=True)
        one = next(one for one in filled if one["name"] == focused)
        if not next(option for option in offered if option["name"] == focused).get("autocomplete"):
            raise NotOfferedError(f"option {focused!r} of {name!r} does not complete")
        one["focused"] = True
        return await self._interact(user, channel, AUTOCOMPLETE, self._command_data(command, path, filled, resolved))

    async def context_menu(self, user: User, channel: Channel, name: str, target: User | Message) -> InteractionRecord:
        """Use a command from the menu of a message or a person."""
        kind = 3 if isinstance(target, Message) else 2
        command = self._command(user, channel, name, kind)
        resolved = Resolved(channel)
        resolved.value(target)
        data = self._command_data(command, [], [], resolved) | {"type": kind, "target_id": str(target.id)}
        return await self._interact(user, channel, COMMAND, data)

    # ---- what is offered

    def _command(self, user: User, channel: Channel, name: str, kind: int) -> Json:
        guild = channel.guild
        command = self.commands.find(name, kind, guild.id if guild is not None else None)
        if command is None:
            known = {place: self.commands.named(place) for place in self.commands.known}
            raise NotOfferedError(f"no command {name!r}: {known}")
        needed = command.get("default_member_permissions")
        allowed = channel.permissions_for(user)
        mask = int(needed or 0) or permissions.ADMINISTRATOR  # "0" hides it from all but administrators
        permitted = (name, user.id) in self.commands.permitted
        if guild is not None and needed is not None and mask & ~allowed and not permitted:
            raise NotOfferedError(f"{user.name} lacks the permissions for {name!r}")
        contexts = command.get("contexts")
        in_direct = 1 in contexts if contexts is not None else command.get("dm_permission", True)
        if guild is None and not in_direct:
            raise NotOfferedError(f"{name!r} is for servers only")
        return command

    def _offered(self, user: User, channel: Channel, name: str) -> tuple[Json, list[Json], list[Json]]:
        root, *rest = name.split()
        command = self._command(user, channel, root, 1)
        path = subcommand(command, rest)
        if path is None:
            raise NotOfferedError(f"no command {name!r}")
        return command, path, (path[-1] if path else command).get("options") or []

    @staticmethod
    def _command_data(command: Json, path: list[Json], filled: list[Json], resolved: Resolved) -> Json:
        options = filled
        for step in reversed(path):
            options = [{"type": step["type"], "name": step["name"], "options": options}]
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": options}
        data |= {"guild_id": command["guild_id"]} if "guild_id" in command else {}
        return data | ({"resolved": resolved.body} if resolved.body else {})

    # ---- sending it

    async def _interact(
        self, user: User, channel: Channel, kind: int, data: Json, source: Message | None = None
    ) -> InteractionRecord:
        own_id = self.world.ids.next()
        token = f"interaction-{own_id}"
        now, changes = self.world.clock.now(), self.world.changes
        record = InteractionRecord(own_id, token, kind, user, channel, data, now, changes, source)
        self.interactions[token] = record
        self.world.emit("INTERACTION_CREATE", self._payload(record), 0)
        await self.gateway_state.flush()
        return record

    def _payload(self, record: InteractionRecord) -> Json:
        channel, user, guild, bot = record.channel, record.user, record.channel.guild, self.world.bot
        body: Json = {
            "id": str(record.id),
            "application_id": str(bot.id),
            "type": record.kind,
            "data": record.data,
            "token": record.token,
            "version": 1,
            "channel_id": str(channel.id),
            "channel": channel.as_json() | {"permissions": str(channel.permissions_for(user))},
            "locale": user.locale,
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(guild.id) if guild is not None else "0"},
            "context": 0 if guild is not None else 1,
            "attachment_size_limit": self.most_bytes,
            "app_permissions": str(channel.permissions_for(bot)),
        }
        if guild is None:
            body["user"] = user.as_json()
        else:
            member = guild.members[user.id].as_json() | {"permissions": str(channel.permissions_for(user))}
            body |= {"guild_id": str(guild.id), "guild_locale": guild.locale, "member": member}
            body["guild"] = {"id": str(guild.id), "locale": guild.locale, "features": []}
        if record.source is not None:
            body["message"] = record.source.as_json()
        return body
