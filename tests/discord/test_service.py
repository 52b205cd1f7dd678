"""The whole service against the protocol server: rooms of Discord, their threads, watches that come and go, a stop."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.client import PitchwatchClient
from bot.faces import JsonFace
from bot.policy import Watch
from bot.rooms import RoomError
from bot.speech.hearing import Hearing
from bot.store import Store
from bot.threads import Threads
from bot.watches import add_watch
from config.settings import Settings
from detectors.records import RoomKey
from tests.servers.discord import Channel, DiscordServer, Guild, User, permissions
from tests.stand_ins import MarkReader

TEACHING = "and this is how the light falls on the table when the lamp stands to the left ="
SELLING = "and my own course about it opens on friday for those who write to me $"


@dataclass
class Place:
    """A guild with a lounge, a channel for warnings, and somebody who talks."""

    server: DiscordServer
    guild: Guild
    lounge: Channel
    alerts: Channel
    host: User
    path: Path

    @property
    def lounge_key(self) -> RoomKey:
        """The lounge as a room."""
        return RoomKey("discord", f"{self.guild.id}/{self.lounge.id}")

    def settings(self, *rooms: dict[str, Any]) -> Settings:
        """Settings that point to the server."""
        server = self.server
        discord = {"api_base": server.api_base, "gateway": server.gateway, "cdn": server.cdn, "ready_seconds": 0.05}
        return Settings.model_validate(
            {
                "discord": {"token": server.gateway_state.token, **discord},
                "store": {"path": str(self.path)},
                "limits": {"restart_seconds": 0.05, "restart_most_seconds": 0.2},
                "rooms": list(rooms),
            }
        )

    def watched(self, channel: Channel) -> dict[str, Any]:
        """The settings of a channel whose warnings go to the channel for them."""
        watch = {"community": str(self.guild.id), "channel": f"discord:{self.alerts.id}"}
        return {"kind": "discord", "address": f"{self.guild.id}/{channel.id}", "watches": [watch]}

    async def show(self, channel: Channel) -> None:
        """Let the host teach and then sell in a channel."""
        for number in range(12):
            await self.server.world.say(channel, self.host, f"{TEACHING} {number}")
        for number in range(4):
            await self.server.world.say(channel, self.host, f"{SELLING} {number}")


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    async def at_once(client: PitchwatchClient, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once."""

    monkeypatch.setattr(PitchwatchClient, "before_identify_hook", at_once)
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        lounge, alerts = guild.channel("lounge"), guild.channel("alerts")
        host = guild.member("host")
        yield Place(server, guild, lounge, alerts, host, tmp_path / "db")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator["asyncio.Task[int]"]:
    """Run the service; a signal stops it, as it would be stopped."""
    face = JsonFace(io.StringIO(), "en")
    task = asyncio.create_task(app.serve(settings, MarkReader(), Hearing(settings.speech), face))
    try:
        yield task
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await task


async def connected(place: Place) -> None:
    """Wait until the bot listens: what is written before it is there is no news to it."""
    await place.server.gateway_state.connections(1)
    await place.server.gateway_state.flush()


def warned(place: Place, count: int = 1) -> Callable[[], bool]:
    return lambda: len(place.alerts.messages) == count


async def test_a_channel_and_a_thread_below_it_are_watched(place: Place) -> None:
    async with serving(place.settings(place.watched(place.lounge))):
        await connected(place)
        await place.show(place.lounge)
        await place.server.wait_for(warned(place))
        thread = place.guild.thread(place.lounge, "a talk")
        await place.show(thread)
        await place.server.wait_for(warned(place, 2))
    first, second = place.alerts.messages.values()
    assert f"<#{place.lounge.id}>" in first.text
    assert f"<#{thread.id}>" in second.text
    for message in (first, second):
        assert "and my own course about it" in message.text


async def test_nothing_is_said_of_staff(place: Place) -> None:
    role = place.guild.role("Moderators", permissions.MANAGE_MESSAGES)
    place.guild.change_member(place.host, roles=[role])
    other = place.guild.member("other")
    async with serving(place.settings(place.watched(place.lounge))):
        await connected(place)
        await place.show(place.lounge)
        place.host = other
        quiet = place.guild.thread(place.lounge, "elsewhere")
        await place.show(quiet)
        await place.server.wait_for(warned(place))
    (message,) = place.alerts.messages.values()
    assert f"<#{quiet.id}>" in message.text


async def own_watch(place: Place, room: RoomKey) -> None:
    store = Store(place.path)
    await store.open()
    watch = Watch(str(place.guild.id), room, f"discord:{place.alerts.id}")
    await add_watch(store, watch, "discord:discord:1", {}, Settings().streams)
    await store.close()


async def test_what_a_community_added_is_opened_at_the_start(place: Place) -> None:
    await own_watch(place, place.lounge_key)
    async with serving(place.settings()):
        await connected(place)
        await place.show(place.lounge)
        await place.server.wait_for(warned(place))


async def test_a_watch_that_cannot_be_opened_holds_nothing_else_up(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await own_watch(place, place.lounge_key)
    settings = place.settings().model_copy(update={"discord": Settings().discord})
    async with serving(settings) as task:
        assert await task == 0
    assert "needs Discord" in caplog.text


def service_of(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    init = app._Service.__init__

    def keep(self: Any, *given: Any) -> None:
        init(self, *given)
        made.append(self)

    monkeypatch.setattr(app._Service, "__init__", keep)
    return made


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something of which nothing tells."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


async def when(condition: Callable[[], bool], server: DiscordServer) -> None:
    await server.wait_for(condition)


async def test_many_reloads_at_once_leave_one_room_and_a_clean_stop(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service_of(monkeypatch)
    await own_watch(place, place.lounge_key)
    async with serving(place.settings()):
        await connected(place)
        service = made[0]
        reloads: list[Awaitable[None]] = [service.rooms.reload(place.lounge_key) for _ in range(5)]
        await asyncio.gather(*reloads)
        assert list(service.rooms.running()) == [place.lounge_key]
        await place.show(place.lounge)
        await place.server.wait_for(warned(place))
    assert len(place.alerts.messages) == 1


async def test_a_removed_watch_takes_its_threads_along(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = service_of(monkeypatch)
    await own_watch(place, place.lounge_key)
    async with serving(place.settings()):
        await connected(place)
        thread = place.guild.thread(place.lounge, "a talk")
        await place.show(thread)
        await place.server.wait_for(warned(place))
        service = made[0]
        assert len(service.rooms.running()) == 2
        store = service._store
        await store.run(lambda database: database.execute("UPDATE watches SET paused = 1"))
        await service.rooms.reload(place.lounge_key)
        assert service.rooms.running() == {}


def test_without_a_token_a_room_that_needs_discord_is_refused_in_one_line(tmp_path: Path) -> None:
    settings = Settings.model_validate({"rooms": [{"kind": "discord", "address": "1/2"}]})
    with pytest.raises(RoomError, match="PITCHWATCH_DISCORD__TOKEN"):
        app._check_discord(settings)


async def test_a_thread_that_began_while_the_bot_was_away_is_heard(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service_of(monkeypatch)
    async with serving(place.settings(place.watched(place.lounge))):
        await connected(place)
        async with asyncio.timeout(10):
            while not made[0]._discord.hub._ready:  # noqa: ASYNC110 - nothing tells when, and the drop must come later
                await asyncio.sleep(0.01)
        await place.server.gateway_state.drop(resumable=False)
        thread = place.guild.thread(place.lounge, "while it was away")
        await place.show(thread)
        await place.server.wait_for(warned(place))
    (message,) = place.alerts.messages.values()
    assert f"<#{thread.id}>" in message.text


async def test_delays_are_measured_and_threads_beyond_the_share_counted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service_of(monkeypatch)
    async with serving(place.settings(place.watched(place.lounge))):
        await connected(place)
        rooms = made[0].rooms
        rooms.threads = Threads(1)
        await place.show(place.lounge)
        await place.server.wait_for(warned(place))
        delay = rooms.running(str(place.guild.id))[place.lounge_key].delay
        assert delay is not None and 0.0 <= delay[0] <= delay[1] < 60.0
        assert rooms.running("another") == {}
        first, second = (place.guild.thread(place.lounge, name) for name in ("first", "second"))
        for thread in (first, second, second):
            await place.server.world.say(thread, place.host, f"{TEACHING} hello")
        await until(lambda: rooms.refused_threads(str(place.guild.id)) == (1, 1))
        assert RoomKey("discord", f"{place.guild.id}/{second.id}") not in rooms.running()


async def test_a_thread_makes_room_for_another_servers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = service_of(monkeypatch)
    other = place.server.world.guild("Another")
    hall, host = other.channel("hall"), other.member("kim")
    hall_watch = {"community": str(other.id), "channel": f"discord:{place.alerts.id}"}
    in_hall = {"kind": "discord", "address": f"{other.id}/{hall.id}", "watches": [hall_watch]}
    async with serving(place.settings(place.watched(place.lounge), in_hall)):
        await connected(place)
        rooms = made[0].rooms
        rooms.threads = Threads(2)
        threads = [place.guild.thread(place.lounge, name) for name in ("first", "second")]
        for thread in threads:
            await place.server.world.say(thread, place.host, f"{TEACHING} hello")
        theirs = other.thread(hall, "theirs")
        await place.server.world.say(theirs, host, f"{TEACHING} hello")
        keys = {RoomKey("discord", f"{place.guild.id}/{threads[1].id}"), RoomKey("discord", f"{other.id}/{theirs.id}")}
        await until(
            lambda: {place.lounge_key, RoomKey("discord", f"{other.id}/{hall.id}"), *keys} == set(rooms.running())
        )
