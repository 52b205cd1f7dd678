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

from tests.servers.discord import Channel, DiscordServer, Guild, NotOfferedError, User, permissions


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
