"""The server with Discord's protocol, held to what the real discord.py makes of it."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands, ui

from tests.servers.discord import Channel, DiscordServer, Guild, Message, NotOfferedError, User, permissions


class Bot(discord.Client):
    """A small bot: keeps the messages it reads, and answers its own button and commands."""

    def __init__(self, intents: discord.Intents) -> None:
        super().__init__(intents=intents, guild_ready_timeout=0.05)
        self.tree = app_commands.CommandTree(self)
        self.read: list[discord.Message] = []
        self.resumed = 0
        self.bulk: list[discord.RawBulkMessageDeleteEvent] = []
        self.edits: list[discord.RawMessageUpdateEvent] = []
        self.something = asyncio.Event()
        self.set_up = asyncio.Event()
        self.on_click: Callable[[discord.Interaction], Any] | None = None

    async def on_message(self, message: discord.Message) -> None:
        self.read.append(message)
        self.something.set()

    async def on_resumed(self) -> None:
        self.resumed += 1
        self.something.set()

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        self.bulk.append(event)
        self.something.set()

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.edits.append(event)
        self.something.set()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if self.on_click is not None and interaction.type is discord.InteractionType.component:
            await self.on_click(interaction)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once: the library waits five seconds here."""

    async def setup_hook(self) -> None:
        self.set_up.set()

    async def wait_until_connected(self) -> None:
        await self.set_up.wait()
        await self.wait_until_ready()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.something.clear()
                await self.something.wait()


class Place:
    def __init__(self, server: DiscordServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self._patch = server, monkeypatch
        monkeypatch.setattr(discord.http.Route, "BASE", server.api_base)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway))
        monkeypatch.setattr(discord.asset.Asset, "BASE", server.cdn)
        self.guild: Guild = server.world.guild("A server", locale="fr", bot_permissions=permissions.MANAGE_MESSAGES)
        self.mods: Channel = self.guild.channel("mods")
        self.ana: User = self.guild.member("ana")

    @asynccontextmanager
    async def bot(self, content: bool = True, **more: bool) -> AsyncIterator[Bot]:
        intents = discord.Intents.none()
        intents.guilds = intents.guild_messages = intents.dm_messages = True
        intents.message_content = content
        for name, value in more.items():
            setattr(intents, name, value)
        bot = Bot(intents)
        running = asyncio.create_task(bot.start("token"))
        try:
            ready = asyncio.create_task(bot.wait_until_connected())
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                ready.cancel()
                running.result()
            yield bot
        finally:
            await bot.close()
            running.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await running

    def at(self, bot: Bot, channel: Channel | None = None) -> discord.TextChannel:
        found = bot.get_channel((channel or self.mods).id)
        assert isinstance(found, discord.TextChannel)
        return found


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    async with DiscordServer() as server:
        yield Place(server, monkeypatch)
    server.assert_clean()


def button_view(custom_id: str = "go", label: str = "Go", many: int = 1) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    container: ui.Container[ui.LayoutView] = ui.Container()
    container.add_item(ui.TextDisplay("Shall we?"))
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    for index in range(many):
        row.add_item(ui.Button(custom_id=custom_id + (str(index) if index else ""), label=label))
    container.add_item(row)
    view.add_item(container)
    return view


async def test_the_thin_line(place: Place) -> None:
    async with place.bot() as bot:
        sent = await place.at(bot).send("hello")
        assert [one.content for one in place.mods.messages.values()] == ["hello"]
        assert sent.id == place.mods.last.id
        assert bot.guilds[0].preferred_locale is discord.Locale.french

        async def answer(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("done", ephemeral=True)
            await interaction.followup.send("more", ephemeral=True)

        bot.on_click = answer
        await place.at(bot).send(view=button_view())
        record = await place.server.click(place.ana, place.mods.last, "go")
        await record.followed_up()
        assert record.ephemeral
        assert record.text == "done\nmore"
        assert len(place.mods.messages) == 2  # what only one sees is not in the channel
        with pytest.raises(NotOfferedError):
            await place.server.click(place.ana, place.mods.last, "other")


async def test_messages_are_edited_read_and_deleted(place: Place) -> None:
    async with place.bot() as bot:
        channel = place.at(bot)
        said = [await place.server.world.say(place.mods, place.ana, f"line {n}") for n in range(5)]
        await bot.until(lambda: len(bot.read) == 5)
        assert bot.read[-1].content == "line 4"
        assert [m.id async for m in channel.history(limit=2)] == [said[4].id, said[3].id]
        after = [m.content async for m in channel.history(after=discord.Object(said[2].id), oldest_first=True)]
        assert after == ["line 3", "line 4"]
        around = [m.content async for m in channel.history(around=discord.Object(said[2].id), limit=3)]
        assert sorted(around) == ["line 1", "line 2", "line 3"]
        await place.server.world.edit(said[0], "changed")
        await bot.until(lambda: bot.edits)
        assert bot.edits[0].message.content == "changed"
        await place.server.world.delete(said[0], said[1])
        await bot.until(lambda: bot.bulk)
        assert bot.bulk[0].message_ids == {said[0].id, said[1].id}
        own = await channel.send("mine")
        await own.edit(content="mine, better")
        assert place.mods.last.content == "mine, better"
        fetched = await channel.fetch_message(said[2].id)
        await bot.http.delete_message(channel.id, fetched.id, reason="off topic")
        await own.delete()
        assert sorted(place.mods.messages) == [said[3].id, said[4].id]
        assert place.server.sent("DELETE", "messages")[0].reason == "off topic"


REFUSED: list[tuple[str, int, Callable[[discord.TextChannel], Any]]] = [
    ("long text", 50035, lambda c: c.send("x" * 2001)),
    ("nothing", 50006, lambda c: c.send()),
    ("long nonce", 50035, lambda c: c.send("x", nonce="n" * 26)),
    ("content and components", 50035, lambda c: _raw(c, content="x", flags=1 << 15, components=_text("y"))),
    ("embeds and components", 50035, lambda c: _raw(c, embeds=[{"title": "x"}], flags=1 << 15, components=_text("y"))),
    ("much text", 50035, lambda c: _raw(c, flags=1 << 15, components=[*_text("x" * 2001), *_text("x" * 2000)])),
    ("41 components", 50035, lambda c: _raw(c, flags=1 << 15, components=[_container(40)])),
    ("components without the flag", 50035, lambda c: _raw(c, components=_text("x"))),
    ("one id twice", 50035, lambda c: _raw(c, content="x", components=[_row(_button("a"), _button("a"))])),
    ("a long id", 50035, lambda c: _raw(c, content="x", components=[_row(_button("a" * 101))])),
    ("a long label", 50035, lambda c: _raw(c, content="x", components=[_row(_button("a", "l" * 81))])),
    ("26 options", 50035, lambda c: _raw(c, content="x", components=[_row(_menu(26))])),
    ("a picture that is not there", 50035, lambda c: _raw(c, flags=1 << 15, components=_gallery("attachment://a.png"))),
    ("a large file", 40005, lambda c: c.send(file=discord.File(io.BytesIO(b"x" * (10 * 2**20 + 1)), "x.bin"))),
    ("an unknown message", 10008, lambda c: c.fetch_message(1)),
]


def _raw(channel: discord.TextChannel, **body: Any) -> Any:
    return channel._state.http.request(
        discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=channel.id), json=body
    )


def _text(text: str) -> list[dict[str, Any]]:
    return [{"type": 10, "content": text}]


def _container(count: int) -> dict[str, Any]:
    return {"type": 17, "components": [*_text("x") * count]}


def _row(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(items)}


def _button(custom_id: str, label: str = "Go") -> dict[str, Any]:
    return {"type": 2, "style": 1, "custom_id": custom_id, "label": label}


def _menu(options: int) -> dict[str, Any]:
    return {"type": 3, "custom_id": "m", "options": [{"label": str(n), "value": str(n)} for n in range(options)]}


def _gallery(url: str) -> list[dict[str, Any]]:
    return [{"type": 12, "items": [{"media": {"url": url}}]}]


@pytest.mark.parametrize(("code", "send"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_what_discord_refuses(place: Place, code: int, send: Callable[[discord.TextChannel], Any]) -> None:
    async with place.bot() as bot:
        with pytest.raises(discord.HTTPException) as caught:
            await send(place.at(bot))
        assert caught.value.code == code
        assert not place.mods.messages


async def test_exactly_at_the_limits_it_passes(place: Place) -> None:
    async with place.bot() as bot:
        channel = place.at(bot)
        await channel.send("x" * 2000, nonce="n" * 25)
        await _raw(channel, flags=1 << 15, components=[*_text("x" * 2000), *_text("x" * 2000)])
        await _raw(channel, flags=1 << 15, components=[_container(39)])
        await _raw(channel, content="x", components=[_row(_button("a" * 100, "l" * 80)), _row(_menu(25))])
        assert len(place.mods.messages) == 4


async def test_a_nonce_is_remembered_for_some_minutes(place: Place) -> None:
    async with place.bot() as bot:
        channel = place.at(bot)
        first = await channel.send("once", nonce="alert-1")
        assert (await channel.send("once", nonce="alert-1")).id == first.id
        place.server.clock.advance(600)
        assert (await channel.send("once", nonce="alert-1")).id != first.id
        assert len(place.mods.messages) == 2


async def test_permissions(place: Place) -> None:
    hidden, quiet = place.guild.channel("hidden"), place.guild.channel("quiet")
    hidden.overwrite(place.guild.everyone, deny=permissions.VIEW_CHANNEL)
    quiet.overwrite(place.guild.everyone, deny=permissions.SEND_MESSAGES | permissions.MANAGE_MESSAGES)
    async with place.bot() as bot:
        theirs = await place.server.world.say(quiet, place.ana, "hello")
        await place.server.world.say(hidden, place.ana, "psst")
        for channel, code in ((hidden, 50001), (quiet, 50013)):
            found = place.at(bot, channel)
            assert found.permissions_for(found.guild.me).value & permissions.VIEW_CHANNEL == (channel is quiet) * 1024
            with pytest.raises(discord.Forbidden) as caught:
                await found.send("x")
            assert caught.value.code == code
        message = place.at(bot, quiet).get_partial_message(theirs.id)
        with pytest.raises(discord.Forbidden) as caught:
            await message.edit(content="mine")
        assert caught.value.code == 50005
        await place.server.world.delete_channel(quiet)
        with pytest.raises(discord.NotFound) as gone:
            await message.fetch()
        assert gone.value.code == 10003
        await bot.until(lambda: bot.read)
        assert [one.content for one in bot.read] == ["hello"]
        quiet_role = place.guild.role("Readers")
        hidden.overwrite(quiet_role, allow=permissions.VIEW_CHANNEL)
        place.guild.change_member(place.server.world.bot, roles=[quiet_role])
        await place.at(bot, hidden).send("now I can")


async def test_content_needs_the_intent(place: Place) -> None:
    world = place.server.world
    async with place.bot(content=False) as bot:
        files = {"a.txt": b"x"}
        await world.say(place.mods, place.ana, "secret", attachments=files)
        await world.say(place.mods, place.ana, f"hello {world.bot.mention}")
        own = await place.at(bot).send("mine")
        await world.say(place.mods, place.ana, "answer", reply_to=place.mods.messages[own.id])
        await world.say(world.dm(place.ana), place.ana, "directly")
        await bot.until(lambda: len(bot.read) == 5)
        texts = [(one.content, len(one.attachments)) for one in bot.read]
        assert texts == [("", 0), (f"hello {world.bot.mention}", 0), ("mine", 0), ("answer", 0), ("directly", 0)]
    place.server.gateway_state.application_flags = 0
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with place.bot():
            pass
    async with place.bot(content=False) as bot:
        assert not (await bot.application_info()).flags.gateway_message_content_limited


async def test_a_wrong_token(place: Place) -> None:
    place.server.gateway_state.token = "another"
    with pytest.raises(discord.LoginFailure):
        async with place.bot():
            pass


async def test_resume_replays_what_was_missed(place: Place) -> None:
    async with place.bot() as bot:
        gateway = place.server.gateway_state
        gateway.door.clear()
        await place.server.drop_gateway()
        await place.server.world.say(place.mods, place.ana, "while away")
        gateway.door.set()
        await bot.until(lambda: bot.resumed and bot.read)
        assert [one.content for one in bot.read] == ["while away"]
        gateway.ask_reconnect()
        await bot.until(lambda: bot.resumed == 2)
        gateway.invalidate(resumable=True)
        await bot.until(lambda: bot.resumed == 3)
        gateway.invalidate(resumable=False)
        await gateway.connections(5)
        assert (gateway.identified, gateway.resumed) == (2, 3)
        await place.server.drop_gateway(resumable=False)
        await gateway.connections(6)
        assert (gateway.identified, gateway.refused_resumes) == (3, 1)


async def test_faults(place: Place) -> None:
    async with place.bot() as bot:
        server, channel = place.server, place.at(bot)
        server.rate_limit("/messages", retry_after=0.01, times=2)
        server.rate_limit("/messages", retry_after=0.01, everywhere=True)
        await channel.send("at last")
        assert [one.status for one in server.sent("POST", "/messages")] == [429, 429, 429, 200]
        refused = server.fail_next("POST", "/messages", 403, times=None, code=50013)
        with pytest.raises(discord.Forbidden):
            await channel.send("no")
        refused.clear()
        server.fail_next("POST", "/messages", 403, times=None, code=50013)
        server.clear_faults()
        seen: list[str] = []
        server.onlookers.append(lambda request: seen.append(request.method))
        await channel.send("yes")
        assert seen == ["POST"]
        server.lose_answer("POST", "/messages")
        with pytest.raises((aiohttp.ClientError, OSError)):
            await channel.send("done, but unknown")
        assert place.mods.last.content == "done, but unknown"
        server.lose_request("POST", "/messages")
        with pytest.raises((aiohttp.ClientError, OSError)):
            await channel.send("not done, and unknown too")
        assert place.mods.last.content == "done, but unknown"
        hold = server.hold("POST", "/messages", after=True)
        sending = asyncio.create_task(channel.send("held"))
        await hold.reached()
        assert not sending.done()
        assert place.mods.last.content == "held"
        hold.release()
        await sending
        server.enforce_limit("/messages", 2, 0.3)
        for _ in range(3):
            await channel.send("x")
        assert server.sent("POST", "/messages")[-1].status == 200


async def test_files(place: Place) -> None:
    async with place.bot() as bot:
        view = ui.LayoutView()
        view.add_item(ui.MediaGallery(discord.MediaGalleryItem("attachment://chart.png", description="a chart")))
        files = [discord.File(io.BytesIO(b"\x89PNG one"), "chart.png"), discord.File(io.BytesIO(b"two"), "log.txt")]
        sent = await place.at(bot).send(view=view, files=files)
        assert place.mods.last.files == {"chart.png": b"\x89PNG one", "log.txt": b"two"}
        assert await sent.attachments[0].read() == b"\x89PNG one"
        gallery = sent.components[0]
        assert isinstance(gallery, discord.MediaGalleryComponent)
        assert gallery.items[0].media.url == sent.attachments[0].url
        new = discord.File(io.BytesIO(b"\x89PNG two"), "chart.png")
        await sent.edit(attachments=[sent.attachments[1], new], view=view)
        assert place.mods.last.files == {"chart.png": b"\x89PNG two", "log.txt": b"two"}
        theirs = await place.server.world.say(place.mods, place.ana, attachments={"à lire.pdf": b"pdf"})
        await bot.until(lambda: bot.read[-1].id == theirs.id)
        assert await bot.read[-1].attachments[0].read() == b"pdf"


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
