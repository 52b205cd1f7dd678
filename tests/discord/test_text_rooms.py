"""Discord's channels as rooms, over the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.rooms import Left, RoomLostError
from bot.rooms.discord_text import DiscordTextRoom
from detectors.records import Account, Event, Line, Person, RoomState, Tick, Unheard
from tests.discord.bot import Bot, bot_at, moderators
from tests.servers.discord import Channel, DiscordServer, Guild, User, permissions


@dataclass
class Heard:
    """What a room gave, and a way to wait for more."""

    room: DiscordTextRoom
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def lines(self) -> list[Line]:
        return [event for event in self.events if isinstance(event, Line)]

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, RoomState)]

    async def until(self, condition: Any, seconds: float = 20.0) -> None:
        async with self.changed, asyncio.timeout(seconds):
            await self.changed.wait_for(condition)


@asynccontextmanager
async def listening(bot: Bot, channel: Channel, **more: Any) -> AsyncIterator[Heard]:
    assert channel.guild is not None
    heard = Heard(DiscordTextRoom(f"{channel.guild.id}/{channel.id}", bot.parts.hub, **more))

    async def listen() -> None:
        async for batch in heard.room.events():
            async with heard.changed:
                heard.events += [event for event in batch if not isinstance(event, Tick)]
                heard.changed.notify_all()

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def away(server: DiscordServer, resumable: bool) -> AsyncIterator[None]:
    """Cut the bot off, and let it connect again only when what happens meanwhile has happened."""
    server.gateway_state.door.clear()
    await server.drop_gateway(resumable=resumable)
    yield
    server.gateway_state.door.set()


@dataclass
class Place:
    server: DiscordServer
    guild: Guild
    channel: Channel
    host: User
    viewer: User
    path: Path


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        host, viewer = guild.member("host"), guild.member("viewer")
        yield Place(server, guild, guild.channel("lounge"), host, viewer, tmp_path / "db")
    server.assert_clean()


async def test_a_message_opens_a_show_and_becomes_a_line(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel) as heard:
        message = await place.server.world.say(place.channel, place.host, "good evening")
        await heard.until(lambda: heard.lines)
    opened = heard.events[0]
    assert isinstance(opened, RoomState)
    assert opened.show is not None
    show = f"{place.channel.id}-{message.id}"
    assert (opened.show.id, opened.show.title, opened.show.room) == (show, "#lounge", heard.room.key)
    person = Person(Account("discord", "discord", str(place.host.id)), "@host")
    assert heard.lines == [Line(f"{show}/m{message.id}", 0.0, 0.0, person, "good evening", "chat")]


async def test_what_else_a_message_may_hold(place: Place) -> None:
    say, server, files = place.server.world.say, place.server, {"prices.pdf": b"pdf"}
    elsewhere = place.guild.channel("elsewhere")
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        first = await say(place.channel, place.host, "look", attachments=files)
        await say(place.channel, place.viewer, "an answer", reply_to=first)
        forwarded = await say(elsewhere, place.host, "my course opens tomorrow", attachments=files)
        await say(place.channel, place.viewer, forward_of=forwarded)
        await say(place.channel, server.world.bot, "a warning of my own")
        await say(place.channel, place.viewer, "from a webhook", webhook=True)
        await say(place.channel, place.viewer, "joined the server", kind=7)
        await say(place.channel, place.viewer, "last")
        await heard.until(lambda: "last" in heard.texts)
    assert heard.texts == [
        "look\n[prices.pdf]",
        "an answer",
        "my course opens tomorrow\n[prices.pdf]",
        "last",
    ]


async def test_an_edit_that_says_something_else_counts_and_one_that_mends_a_word_does_not(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel) as heard:
        said = "this is how i light my kitchen for photographs with one lamp and a sheet"
        message = await place.server.world.say(place.channel, place.host, said)
        await place.server.world.edit(message, said.replace("lamp", "lamp!"))
        await place.server.world.edit(message, "write to me for the whole course, it costs ninety seven until sunday")
        await place.server.world.say(place.channel, place.host, "last")
        await heard.until(lambda: "last" in heard.texts)
    assert heard.texts == [said, "write to me for the whole course, it costs ninety seven until sunday", "last"]
    assert len({line.id for line in heard.lines}) == 3


async def test_staff_is_marked_and_members_are_not(place: Place) -> None:
    role = place.guild.role("Helpers")
    chief = place.guild.member("chief", [moderators(place.guild)])
    helper = place.guild.member("helper", [role])
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel) as heard:
        bot.parts.hub.staff_roles[place.guild.id] = role.id
        for who in (place.host, chief, helper):
            await place.server.world.say(place.channel, who, "hello")
        await heard.until(lambda: len(heard.lines) == 3)
    assert [line.exempt for line in heard.lines] == [False, True, True]


async def test_a_dropped_connection_that_resumes_loses_and_doubles_nothing(place: Place) -> None:
    server = place.server
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        async with away(server, resumable=True):
            await server.world.say(place.channel, place.host, "two")
        await heard.until(lambda: "two" in heard.texts)
        await server.world.say(place.channel, place.host, "three")
        await heard.until(lambda: "three" in heard.texts)
    assert heard.texts == ["one", "two", "three"]
    assert server.gateway_state.resumed == 1


async def test_a_connection_that_cannot_resume_is_caught_up_without_doubles(place: Place) -> None:
    server = place.server
    chief = place.guild.member("chief", [moderators(place.guild)])
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        async with away(server, resumable=False):
            for text in ("two", "three"):
                await server.world.say(place.channel, chief, text)
        await heard.until(lambda: "three" in heard.texts)
        await server.world.say(place.channel, place.host, "four")
        await heard.until(lambda: "four" in heard.texts)
    assert heard.texts == ["one", "two", "three", "four"]
    assert [line.exempt for line in heard.lines] == [False, True, True, False]
    assert heard.states == ["open", "lost", "back"]


async def test_after_a_restart_the_show_goes_on_from_the_last_message(place: Place) -> None:
    server = place.server
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        opened = heard.events[0]
        assert isinstance(opened, RoomState)
    await server.world.say(place.channel, place.host, "two")

    async def resume(key: Any) -> Left:
        assert opened.show is not None and opened.show.started is not None
        return Left(opened.show, 0.0, opened.show.started)

    async with bot_at(server, place.path) as bot, listening(bot, place.channel, resume=resume) as heard:
        await heard.until(lambda: "two" in heard.texts)
    again = heard.events[0]
    assert isinstance(again, RoomState)
    assert again.show == opened.show
    assert heard.texts == ["one", "two"]  # what is known is passed over by the watcher, by its id


async def test_a_long_quiet_ends_the_show(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel, quiet=1800.0) as heard:
        await place.server.world.say(place.channel, place.host, "one")
        place.server.clock.advance(1900)
        await place.server.world.say(place.channel, place.host, "two")
        await heard.until(lambda: "two" in heard.texts)
    assert heard.states == ["open", "closed", "open"]


async def test_a_deleted_channel_is_over(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel) as heard:
        await place.server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        await place.server.world.delete_channel(place.channel)
        await heard.until(lambda: "closed" in heard.states)


async def test_a_channel_that_may_not_be_read_is_lost_not_clean(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        room = DiscordTextRoom(f"{place.guild.id}/{place.channel.id}", bot.parts.hub)
        batches = room.events()
        waiting = asyncio.create_task(anext(batches))
        await place.server.world.say(place.channel, place.host, "one")
        await waiting
        async with away(place.server, resumable=False):
            place.channel.overwrite(place.guild.everyone, deny=permissions.READ_MESSAGE_HISTORY)
            await place.server.world.say(place.channel, place.host, "two")
        with pytest.raises(RoomLostError, match="Read Message History"):
            async with asyncio.timeout(20):
                while True:
                    await anext(batches)


async def test_without_the_intent_what_is_written_counts_as_not_heard(place: Place) -> None:
    place.server.gateway_state.application_flags = 0
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel) as heard:
        await place.server.world.say(place.channel, place.host, "my course opens tomorrow")
        await heard.until(lambda: any(isinstance(event, Unheard) for event in heard.events))
        assert bot.parts.missing == ["discord.no_message_content"]
    assert heard.lines == []


async def test_a_gateway_that_dies_silently_is_made_anew(place: Place) -> None:
    server = place.server
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        # An event that discord.py's parser cannot take ends its task; REST goes on as if nothing were wrong.
        server.gateway_state.send_raw("GUILD_ROLE_CREATE", {"guild_id": "x"})
        await server.gateway_state.connections(2)
        await server.world.say(place.channel, place.host, "two")
        await heard.until(lambda: "two" in heard.texts)
    assert heard.texts == ["one", "two"]


async def test_unknown_fields_and_missing_optional_ones_are_survived(place: Place) -> None:
    server = place.server
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        message = await server.world.say(place.channel, place.host, "one")
        odd = {
            **message.as_json(),
            "id": str(server.world.ids.next()),
            "content": "two",
            "guild_id": str(place.guild.id),
        }
        for name in ("mention_roles", "pinned", "tts", "flags", "components"):
            odd.pop(name, None)
        server.gateway_state.send_raw("MESSAGE_CREATE", {**odd, "brand_new": {"a": [1]}, "poll_of_2031": None})
        server.gateway_state.send_raw("SOMETHING_NEW", {"x": 1})
        await heard.until(lambda: "two" in heard.texts)


async def test_a_thread_below_a_watched_channel_is_heard_from_its_first_message(place: Place) -> None:
    server = place.server
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        threads: list[tuple[int, int, int]] = []
        held: list[Any] = []

        def take(guild: int, above: int, thread: int, written: Any) -> None:
            threads.append((guild, above, thread))
            held.append(written)

        bot.parts.hub.on_thread = take
        await server.world.say(place.channel, place.host, "in the channel")
        thread = place.guild.thread(place.channel, "a talk", place.host)
        await server.world.say(thread, place.host, "in the thread")
        await server.world.say(place.channel, place.host, "last")
        await heard.until(lambda: "last" in heard.texts)
        assert threads == [(place.guild.id, place.channel.id, thread.id)]
        async with listening(bot, thread, thread=held[0]) as below:
            await below.until(lambda: below.lines)
            assert below.texts == ["in the thread"]
    assert heard.texts == ["in the channel", "last"]
