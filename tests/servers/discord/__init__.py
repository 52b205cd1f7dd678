"""A server with Discord's protocol, for tests: gateway, REST, interactions, files. What Discord refuses, it refuses.

The real discord.py connects to it. A test fills `server.world`, acts as people do, and looks at what arrived:

    async with DiscordServer() as server:
        guild = server.world.guild("A server", locale="fr")
        mods = guild.channel("mods")
        ana = guild.member("ana", roles=[guild.role("Moderators", permissions.MANAGE_MESSAGES)])
        …  # point discord.py to server.api_base, server.gateway and server.cdn, and start the bot
        message = await server.world.say(mods, ana, "hello")
        record = await server.click(ana, mods.last, "a custom id")
        await record.answered()
"""

from tests.servers.discord import permissions
from tests.servers.discord.acting import NotOfferedError
from tests.servers.discord.api import Request
from tests.servers.discord.faults import Fault, Hold
from tests.servers.discord.interactions import InteractionRecord
from tests.servers.discord.options import ValueRefusedError
from tests.servers.discord.people import Attachment, Message, Role, User
from tests.servers.discord.places import Channel, Guild, Member
from tests.servers.discord.server import DiscordServer
from tests.servers.discord.world import World

__all__ = [
    "Attachment",
    "Channel",
    "DiscordServer",
    "Fault",
    "Guild",
    "Hold",
    "InteractionRecord",
    "Member",
    "Message",
    "NotOfferedError",
    "Request",
    "Role",
    "User",
    "ValueRefusedError",
    "World",
    "permissions",
]
