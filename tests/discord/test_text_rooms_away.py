"""Discord's channels as rooms: what was missed, what was edited late, and who could not be asked for."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.rooms import Left, RoomError, RoomLostError, discord_hub, discord_text
from bot.rooms.discord_text import DiscordTextRoom, check_discord_address
from detectors.records import Event, Line, RoomState
from tests.discord.bot import Bot, bot_at
from tests.discord.test_text_rooms import Place, away, listening, place

__all__ = ["place"]


async def test_what_was_written_while_the_bot_was_away_is_read_also_without_a_show(place: Place) -> None:
    server = place.server
    await server.world.say(place.channel, place.host, "before it came")
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await bot_has_heard(bot, place, "elsewhere")
        async with away(server, resumable=False):
            await server.world.say(place.channel, place.host, "while it was away")
        await heard.until(lambda: heard.lines)
        await server.world.say(place.channel, place.host, "after")
        await heard.until(lambda: "after" in heard.texts)
    assert heard.texts == ["while it was away", "after"]


async def test_after_a_restart_without_a_show_it_reads_on_from_when_the_room_was_heard_last(place: Place) -> None:
    server, now = place.server, datetime.now(UTC)
    for text, ago in (("long ago", timedelta(days=3)), ("known", timedelta(hours=2)), ("missed", timedelta(hours=1))):
        await server.world.say(place.channel, place.host, text, at=now - ago)

    async def ended(key: Any) -> Left:
        return Left(None, 0.0, now - timedelta(hours=2))  # the very time of what is known

    async def ended_days_ago(key: Any) -> Left:
        return Left(None, 0.0, now - timedelta(days=7))

    async with bot_at(server, place.path) as bot:
        async with listening(bot, place.channel, resume=ended) as heard:
            await heard.until(lambda: "missed" in heard.texts)
        async with listening(bot, place.channel, resume=ended_days_ago) as bounded:
            await bounded.until(lambda: "missed" in bounded.texts)
    assert heard.texts == ["missed"]
    assert bounded.texts == ["known", "missed"]


async def test_a_room_that_is_opened_again_asks_for_what_the_store_does_not_hold(place: Place) -> None:
    say = place.server.world.say
    async with bot_at(place.server, place.path) as bot:
        left: list[Left | None] = [None]

        async def resume(key: Any) -> Left | None:
            return left[0]

        room = DiscordTextRoom(f"{place.guild.id}/{place.channel.id}", bot.parts.hub, resume)
        batches = room.events()
        waiting = asyncio.create_task(anext(batches))
        await say(place.channel, place.host, "one")
        first = (await waiting)[0]
        assert isinstance(first, RoomState) and first.show is not None and first.show.started is not None
        await say(place.channel, place.host, "two")
        await anext(batches)
        await batches.aclose()
        left[0] = Left(first.show, 0.0, first.show.started)
        assert await _texts(room, "two") == ["one", "two"]
        left[0] = None  # nothing of the show was written yet
        assert await _texts(room, "two") == ["one", "two"]


async def _texts(room: DiscordTextRoom, last: str) -> list[str]:
    texts: list[str] = []
    async with asyncio.timeout(20):
        async for batch in room.events():
            texts += [event.text for event in batch if isinstance(event, Line)]
            if last in texts:
                break
    return texts


async def test_what_was_heard_before_a_failure_is_handed_over_first(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bot_at(place.server, place.path) as bot:
        monkeypatch.setattr(discord_hub, "QUEUE", 2)
        room = DiscordTextRoom(f"{place.guild.id}/{place.channel.id}", bot.parts.hub)
        batches = room.events()
        waiting = asyncio.create_task(anext(batches))
        await place.server.world.say(place.channel, place.host, "one")
        await waiting
        place.server.fail_next("GET", r"/channels/\d+/messages", 503, times=None)
        for text in ("two", "three", "four", "five"):
            await place.server.world.say(place.channel, place.host, text)
        await bot_has_heard(bot, place, "elsewhere")
        async with asyncio.timeout(20):
            lines = [event.text for event in await anext(batches) if isinstance(event, Line)]
            assert lines == ["two", "three"]
            with pytest.raises(RoomLostError, match="cannot be read now"):
                await anext(batches)
        place.server.clear_faults()


async def bot_has_heard(bot: Bot, place: Place, name: str) -> None:
    """Return when the bot has taken in everything that happened so far."""
    marker = place.guild.channel(name)
    async with listening(bot, marker) as heard:
        await place.server.world.say(marker, place.host, "so far")
        await heard.until(lambda: heard.lines)


async def test_a_channel_that_is_gone_is_over_however_much_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bot_at(place.server, place.path) as bot:
        monkeypatch.setattr(discord_hub, "QUEUE", 2)
        room = DiscordTextRoom(f"{place.guild.id}/{place.channel.id}", bot.parts.hub)
        batches = room.events()
        waiting = asyncio.create_task(anext(batches))
        await place.server.world.say(place.channel, place.host, "one")
        await waiting
        for text in ("two", "three", "four"):
            await place.server.world.say(place.channel, place.host, text)
        await place.server.world.delete_channel(place.channel)
        await bot_has_heard(bot, place, "elsewhere")
        async with asyncio.timeout(20):
            rest = [event async for batch in batches for event in batch]
    assert [event.text for event in rest if isinstance(event, Line)] == ["two", "three"]
    assert isinstance(rest[-1], RoomState) and rest[-1].state == "closed"
    assert room.skipped == 1  # "four" cannot be asked for any more


async def test_lines_that_are_too_many_are_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord_text, "MOST_MISSED", 2)
    server = place.server
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        async with away(server, resumable=False):
            for text in ("two", "three", "four", "five", "six"):
                await server.world.say(place.channel, place.host, text)
            await server.world.say(place.channel, server.world.bot, "a warning of my own")
            await server.world.say(place.channel, place.host, "seven")
        await heard.until(lambda: "seven" in heard.texts)
    assert heard.texts == ["one", "seven"]
    assert heard.room.skipped == 5


async def test_a_short_text_that_becomes_an_advert_is_read(place: Place) -> None:
    world = place.server.world
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel) as heard:
        message = await world.say(place.channel, place.host, "hello")
        await world.edit(message, "Hello ")
        await world.edit(message, "buy my course: x")
        await world.say(place.channel, place.host, "last")
        await heard.until(lambda: "last" in heard.texts)
    assert heard.texts == ["hello", "buy my course: x", "last"]


async def test_an_edit_of_something_from_before_is_read_and_opens_a_show_of_its_own(place: Place) -> None:
    world = place.server.world
    old = await world.say(place.channel, place.host, "hello")
    pinned = await world.say(place.channel, place.host, "an old one", at=datetime.now(UTC) - timedelta(days=30))
    pinned.edited = datetime.now(UTC) - timedelta(days=29)
    async with bot_at(place.server, place.path) as bot, listening(bot, place.channel, quiet=600.0) as heard:
        world.emit_message("MESSAGE_UPDATE", pinned)  # pinned, or its preview was made: nothing new is said
        await world.edit(old, "buy my course: x")
        await heard.until(lambda: heard.lines)
        place.server.clock.advance(900)
        await world.edit(old, "buy my other course: y")
        await heard.until(lambda: len(heard.lines) == 2)
    assert heard.texts == ["buy my course: x", "buy my other course: y"]
    assert heard.states == ["open", "closed", "open"]
    opened = [event.show.id for event in heard.events if isinstance(event, RoomState) and event.show is not None]
    assert len(set(opened)) == 2
    assert f"{place.channel.id}-{old.id}" not in opened  # so a message's own show is called


async def test_whoever_cannot_be_asked_for_is_taken_for_staff_until_it_is_known(place: Place) -> None:
    server = place.server
    left = place.guild.member("left")
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "one")
        await heard.until(lambda: heard.lines)
        server.fail_next("GET", r"/guilds/\d+/members/\d+", 503, times=None)
        async with away(server, resumable=False):
            await server.world.say(place.channel, place.viewer, "two")
        await heard.until(lambda: "two" in heard.texts)
        server.clear_faults()
        async with away(server, resumable=False):
            await server.world.say(place.channel, place.viewer, "three")
            await server.world.say(place.channel, left, "four")
            place.guild.remove_member(left)
        await heard.until(lambda: "four" in heard.texts)
    assert [line.exempt for line in heard.lines] == [False, True, False, False]


async def test_of_many_authors_those_who_were_not_asked_for_are_taken_for_staff(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discord_text, "MOST_ASKED", 1)
    server = place.server
    another = place.guild.member("another")
    async with bot_at(server, place.path) as bot, listening(bot, place.channel) as heard:
        await server.world.say(place.channel, place.host, "hello")
        await heard.until(lambda: heard.lines)
        async with away(server, resumable=False):
            for who in (place.viewer, another):
                await server.world.say(place.channel, who, "hello")
        await heard.until(lambda: len(heard.lines) == 3)
    assert [line.exempt for line in heard.lines] == [False, False, True]


async def test_another_servers_channel_is_not_heard(place: Place) -> None:
    other = place.server.world.guild("Another")
    secret, someone = other.channel("secret"), other.member("someone")
    async with bot_at(place.server, place.path) as bot:
        room = DiscordTextRoom(f"{place.guild.id}/{secret.id}", bot.parts.hub)
        before = len(place.server.requests)
        with pytest.raises(RoomError, match="another server"):
            async with asyncio.timeout(20):
                await anext(room.events())
        assert not [one for one in place.server.requests[before:] if one.fits("GET", r"/channels/\d+/messages")]
        # Also where nothing is asked for: what comes by itself is not taken.
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setattr(bot.parts.hub, "_ready", False)
        heard: list[Event] = []

        async def listen() -> None:
            async for batch in room.events():
                heard.extend(batch)

        task = asyncio.create_task(listen())
        await asyncio.sleep(0)
        message = await place.server.world.say(secret, someone, "a secret")
        await place.server.world.edit(message, "another secret, and quite a long one at that")
        monkeypatch.undo()
        await bot_has_heard(bot, place, "elsewhere")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert heard == []


async def test_a_thread_that_is_archived_ends_its_show_and_comes_back_with_the_next_message(place: Place) -> None:
    thread = place.guild.thread(place.channel, "a talk", place.host)
    async with bot_at(place.server, place.path) as bot, listening(bot, thread) as heard:
        await place.server.world.say(thread, place.host, "one")
        await heard.until(lambda: heard.lines)
        thread.rename("another name")
        thread.archive()
        await heard.until(lambda: "closed" in heard.states)
        await place.server.world.say(thread, place.host, "two")
        await heard.until(lambda: "two" in heard.texts)
    assert heard.states == ["open", "closed", "open"]


@pytest.mark.parametrize("address", ["", "1", "a/b", "1/2/3", "1/"])
def test_an_address_that_is_none_is_told_in_one_line(address: str) -> None:
    with pytest.raises(RoomError, match="123/456"):
        check_discord_address(address)
