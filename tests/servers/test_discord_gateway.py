"""The protocol server: threads, pings, search, interactions, and the gateway itself."""

from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands, ui

from tests.servers.discord import DiscordServer, Message, NotOfferedError, permissions
from tests.servers.test_discord import Bot, Place, button_view, place

__all__ = ["place"]


async def test_threads_and_forums(place: Place) -> None:
    forum = place.guild.forum("questions")
    world = place.server.world
    async with place.bot() as bot:
        post = await world.post(forum, place.ana, "How?", "Like this")
        await bot.until(lambda: bot.read)
        thread = bot.read[0].channel
        assert isinstance(thread, discord.Thread)
        assert (thread.id, thread.parent_id, bot.read[0].id) == (post.id, forum.id, post.id)
        await thread.send("I see")
        old = place.guild.thread(place.mods, "old", owner=place.ana)
        old.archive()
        archived = [one.id async for one in place.at(bot).archived_threads()]
        active = [one.id for one in await bot.guilds[0].active_threads()]
        assert (archived, active) == ([old.id], [post.id])
        made = await place.at(bot).create_thread(name="new", type=discord.ChannelType.public_thread)
        await made.send("in it")
        channel = bot.get_channel(forum.id)
        assert isinstance(channel, discord.ForumChannel)
        opened = await channel.create_thread(name="mine", content="first")
        assert world.channels[opened.thread.id].last.content == "first"
        old.archive(locked=True)
        with pytest.raises(discord.HTTPException) as caught:
            await (await bot.fetch_channel(old.id)).send("x")  # type: ignore[union-attr]
        assert caught.value.code == 50083


async def test_replies_and_forwards(place: Place) -> None:
    async with place.bot() as bot:
        world = place.server.world
        first = await world.say(place.mods, place.ana, "buy it")
        await world.say(place.mods, place.ana, "why?", reply_to=first)
        await world.say(place.mods, place.ana, forward_of=first)
        await bot.until(lambda: len(bot.read) == 3)
        reference = bot.read[1].reference
        assert reference is not None
        assert isinstance(reference.resolved, discord.Message)
        assert reference.resolved.content == "buy it"
        assert bot.read[2].message_snapshots[0].content == "buy it"
        await bot.read[0].reply("seen")
        assert place.mods.last.replied_to is first


async def test_who_is_pinged(place: Place) -> None:
    role = place.guild.role("Callers", mentionable=True)
    async with place.bot() as bot:
        channel, text = place.at(bot), f"{place.ana.mention} {role.mention} @everyone"
        await channel.send(text)
        assert (place.mods.last.mentions, place.mods.last.mention_roles) == ([place.ana], [role])
        assert not place.mods.last.mention_everyone  # the bot may not
        await channel.send(text, allowed_mentions=discord.AllowedMentions.none())
        assert (place.mods.last.mentions, place.mods.last.mention_roles) == ([], [])
        view = ui.LayoutView().add_item(ui.TextDisplay(role.mention))
        await channel.send(view=view, allowed_mentions=discord.AllowedMentions(roles=[discord.Object(role.id)]))
        assert place.mods.last.mention_roles == [role]


async def test_search(place: Place) -> None:
    async with place.bot() as bot:
        sent = await place.at(bot).send(view=button_view("pw:confirm:abc"))
        await place.server.world.say(place.mods, place.ana, "hello there")
        route = discord.http.Route("GET", "/guilds/{guild_id}/messages/search", guild_id=place.guild.id)
        found = await bot.http.request(route, params={"author_id": str(place.server.world.bot.id)})
        assert [one[0]["id"] for one in found["messages"]] == [str(sent.id)]
        place.server.refuse_search()
        with pytest.raises(discord.Forbidden):
            await bot.http.request(route, params={"content": "hello"})


async def test_direct_messages(place: Place) -> None:
    async with place.bot() as bot:
        ana = await bot.fetch_user(place.ana.id)
        await ana.send("hello")
        assert place.server.world.dm(place.ana).last.content == "hello"
        place.ana.dms_open = False
        with pytest.raises(discord.Forbidden) as caught:
            await ana.send("again")
        assert caught.value.code == 50007


async def test_late_and_second_answers(place: Place) -> None:
    async with place.bot() as bot:
        refused: list[int] = []

        async def answer(interaction: discord.Interaction) -> None:
            try:
                await interaction.response.defer(ephemeral=True, thinking=True)
            except discord.NotFound as error:
                refused.append(error.code)
                return
            message = {"type": 4, "data": {"content": "again"}}
            path = f"/interactions/{interaction.id}/{interaction.token}/callback"
            try:
                await bot.http.request(discord.http.Route("POST", path), json=message)
            except discord.HTTPException as error:
                refused.append(error.code)
            await interaction.edit_original_response(content="at last")

        bot.on_click = answer
        await place.at(bot).send(view=button_view())
        hold = place.server.hold("POST", "/callback")
        late = await place.server.click(place.ana, place.mods.last, "go")
        await hold.reached()
        place.server.clock.advance(4)
        hold.release()
        assert (await late.refused()).code == 10062
        record = await place.server.click(place.ana, place.mods.last, "go")
        await record.settled()
        assert (record.text, record.ephemeral, refused) == ("at last", True, [10062, 40060])
        assert [one.code for one in record.refusals] == [40060]
        place.server.clock.advance(16 * 60)
        assert len(place.mods.messages) == 1


CLOSES: list[tuple[int, list[Any]]] = [
    (4002, ["{"]),
    (4001, [{"op": 99}]),
    (4003, [{"op": 3, "d": {}}]),
    (4004, [{"op": 2, "d": {"token": "wrong", "intents": 0}}]),
    (4013, [{"op": 2, "d": {"token": "token", "intents": 1 << 40}}]),
    (4014, [{"op": 2, "d": {"token": "token", "intents": 1 << 1}}]),
    (4005, [{"op": 2, "d": {"token": "token", "intents": 0}}] * 2),
    (4004, [{"op": 6, "d": {"token": "wrong", "session_id": "?", "seq": 0}}]),
]


@pytest.mark.parametrize(("code", "frames"), CLOSES, ids=[f"{code}-{n}" for n, (code, _) in enumerate(CLOSES)])
async def test_the_gateway_closes_with_a_code(code: int, frames: list[Any]) -> None:
    async with (
        DiscordServer() as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.gateway) as socket,
    ):
        assert (await socket.receive_json())["d"]["heartbeat_interval"] == 41_250
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_json(frame))
        async for _ in socket:
            pass
        assert socket.close_code == code


async def test_heartbeats_are_answered(place: Place) -> None:
    place.server.gateway_state.heartbeat_ms = 30
    async with place.bot() as bot:
        await place.server.wait_for(lambda: place.server.gateway_state.heartbeats > 3)
        assert bot.latency < 5


class Ask(ui.Modal, title="Why?"):
    """A modal with a text and a menu."""

    reason: ui.Label[Any] = ui.Label(text="Reason", component=ui.TextInput(custom_id="reason", max_length=50))
    kind: ui.Label[Any] = ui.Label(
        text="Kind",
        component=ui.Select(custom_id="kind", options=[discord.SelectOption(label="A", value="a")]),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        text, menu = self.reason.component, self.kind.component
        assert isinstance(text, ui.TextInput)
        assert isinstance(menu, ui.Select)
        await interaction.response.edit_message(content=f"{text.value} {menu.values}")


async def test_commands_modals_and_menus(place: Place) -> None:
    async with place.bot() as bot:
        _add_commands(bot)
        await bot.tree.sync()
        await bot.tree.sync(guild=discord.Object(place.guild.id))
        server = place.server
        assert [one.guild for one in server.commands.syncs] == [None, place.guild.id]
        with pytest.raises(NotOfferedError):
            await server.slash(place.ana, place.mods, "watch add", who=place.ana, room="x")
        manager = place.guild.member("mo", roles=[place.guild.role("M", permissions.MANAGE_GUILD)])
        server.commands.permit(place.ana, "watch")
        allowed = await server.slash(place.ana, place.mods, "watch add", who=place.ana, room="x")
        assert (await allowed.settled()).text == "ana x 1"
        record = await server.slash(manager, place.mods, "watch add", who=place.ana, room="lobby", often=3)
        assert (await record.settled()).text == "ana lobby 3"
        typed = await server.autocomplete(manager, place.mods, "watch add", "room", room="lo")
        assert (await typed.answered()).choices == ["lo-1", "lo-2"]
        message = await server.world.say(place.mods, place.ana, "a line")
        checked = await server.context_menu(place.ana, place.mods, "Check", message)
        assert (await checked.settled()).text == "a line"
        whose = await server.context_menu(place.ana, place.mods, "Who", manager)
        assert (await whose.settled()).text == "mo"

        async def ask(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Ask())

        bot.on_click = ask
        await place.at(bot).send("Ask me", view=ui.View().add_item(ui.Button(custom_id="ask", label="Ask")))
        shown = await (await server.click(place.ana, place.mods.last, "ask")).answered()
        back = await server.submit_modal(place.ana, shown, {"reason": "because", "kind": ["a"]})
        await back.answered()
        assert place.mods.last.content == "because ['a']"


def _add_commands(bot: Bot) -> None:
    watch = app_commands.Group(
        name="watch", description="Watches", default_permissions=discord.Permissions(manage_guild=True)
    )

    @watch.command(name="add", description="Add one")
    async def add(interaction: discord.Interaction, who: discord.Member, room: str, often: int = 1) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.followup.send(f"{who.name} {room} {often}", ephemeral=True)

    @add.autocomplete("room")
    async def rooms(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{current} {n}", value=f"{current}-{n}") for n in (1, 2)]

    @app_commands.context_menu(name="Check")
    async def check(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(message.content, ephemeral=True)

    @app_commands.context_menu(name="Who")
    async def who(interaction: discord.Interaction, user: discord.Member) -> None:
        await interaction.response.send_message(user.name, ephemeral=True)

    for one in (watch, check, who):
        bot.tree.add_command(one)


async def test_members_come_on_request(place: Place) -> None:
    place.server.gateway_state.application_flags |= 1 << 15
    async with place.bot(members=True) as bot:
        assert place.ana.id in {one.id for one in bot.guilds[0].members}
        newcomer = place.guild.member("zoe")
        found = await bot.guilds[0].query_members(user_ids=[newcomer.id])
        assert [one.name for one in found] == ["zoe"]
        fetched = await bot.guilds[0].fetch_member(place.ana.id)
        assert fetched.name == "ana"


async def test_routes_that_are_not_there_are_seen(place: Place) -> None:
    async with place.bot() as bot:
        with pytest.raises(discord.NotFound):
            await bot.guilds[0].invites()
    assert place.server.unknown_routes == [f"GET /guilds/{place.guild.id}/invites"]
    place.server.unknown_routes.clear()


def test_last_is_the_newest() -> None:
    server = DiscordServer()
    channel = server.world.guild("x").channel("y")
    made = [Message(server.world.ids.next(), channel, server.world.bot) for _ in range(3)]
    assert [one.id for one in made] == sorted({one.id for one in made})
