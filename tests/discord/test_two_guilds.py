"""Two servers that watch one stream, as they come and go: the room goes on, and nothing of one shows in the other."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot import listening
from bot.client import PitchwatchClient
from bot.rooms import RoomLostError
from bot.rooms.registry import open_room
from config.settings import RoomSettings, Settings
from detectors.records import Account, Event, Line, Person, RoomKey, RoomState, SeatChange, ShowInfo
from tests.discord.bot import moderators
from tests.discord.test_service import serving
from tests.servers.discord import Channel, DiscordServer, Guild, InteractionRecord, User, permissions

STREAM = "https://live.example/a.m3u8"
KEY = RoomKey("media", STREAM)
VOICE = Person(Account("media", "stream", "@speaker"), "@speaker")


@dataclass
class Stream:
    """A live stream with one voice, of which the test says what it says."""

    key: RoomKey = KEY
    skipped: int = 0
    opened: int = 0
    closed: int = 0
    queue: "asyncio.Queue[list[Event] | Exception]" = field(default_factory=asyncio.Queue)
    show: str = ""
    at: float = 0.0

    async def events(self) -> AsyncIterator[list[Event]]:
        self.opened += 1
        try:
            while True:
                coming = await self.queue.get()
                if isinstance(coming, Exception):
                    raise coming
                yield coming
        finally:
            self.closed += 1

    def begin(self, number: int) -> None:
        self.show, self.at = f"show-{number}", 0.0
        info = self.info(number)
        seat = SeatChange(f"{self.show}/seat", 0.0, 1, VOICE, "joined")
        self.queue.put_nowait([RoomState(f"{self.show}/open", 0.0, "open", info), seat])

    def info(self, number: int) -> ShowInfo:
        return ShowInfo(f"show-{number}", KEY, f"Evening {number}", VOICE, "en", datetime.now(UTC))

    def say(self, *texts: str) -> None:
        for text in texts:
            self.at += 10.0
            own_id = f"{self.show}/1#{round(self.at)}"
            self.queue.put_nowait([Line(own_id, self.at, self.at + 6.0, VOICE, text, "speech", 1, "en")])

    def end(self) -> None:
        self.queue.put_nowait([RoomState(f"{self.show}/end", self.at + 10.0, "closed")])

    def teach_and_sell(self, mark: str) -> None:
        self.say(*(f"this is how the light falls on the table {number} =" for number in range(12)))
        self.say(*(f"my own course {mark} opens on friday, write to me {number} $" for number in range(4)))


@dataclass
class Side:
    """One server: its manager, its moderator, a member, and its channel."""

    server: DiscordServer
    guild: Guild
    channel: Channel
    manager: User
    moderator: User
    member: User

    async def ask(self, who: User, command: str, /, **options: Any) -> InteractionRecord:
        self.server.clock.advance(6)
        return await (await self.server.slash(who, self.channel, command, **options)).settled()

    async def watch(self, **options: Any) -> None:
        added = await self.ask(self.manager, "watch add", kind="media", place=STREAM, consent=True, **options)
        assert "is listened to now" in added.text

    async def seen(self) -> str:
        """Return everything that moderators can look up."""
        texts = [(await self.ask(self.moderator, one)).text for one in ("history", "status", "digest preview")]
        texts += [(await self.ask(self.moderator, "check", who=name)).text for name in ("@Kay", "@Lee", "@speaker")]
        exported = await self.ask(self.manager, "export")
        return "\n".join([*texts, *(data.decode() for data in exported.files.values())])

    async def warned(self, count: int) -> str:
        await self.server.wait_for(lambda: len(self.channel.messages) == count)
        return list(self.channel.messages.values())[-1].text


def side(server: DiscordServer, name: str) -> Side:
    guild = server.world.guild(name)
    channel = guild.channel("alerts")
    manager = guild.member(f"max-{name}", [guild.role("Managers", permissions.MANAGE_GUILD)])
    moderator = guild.member(f"ana-{name}", [moderators(guild)])
    return Side(server, guild, channel, manager, moderator, guild.member(f"mia-{name}"))


@dataclass
class Both:
    one: Side
    two: Side
    stream: Stream


@pytest.fixture
async def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Both]:
    async with running(tmp_path, monkeypatch) as found:
        yield found


@asynccontextmanager
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Both]:
    """Run the service with two servers and a stream that either may watch."""

    async def at_once(client: PitchwatchClient, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once."""

    stream = Stream()
    monkeypatch.setattr(PitchwatchClient, "before_identify_hook", at_once)

    def opens(settings: RoomSettings, sources: Any) -> Any:
        return stream if settings.kind == "media" else open_room(settings, sources)

    monkeypatch.setattr(listening, "open_room", opens)
    async with DiscordServer() as server:
        one, two = side(server, "one"), side(server, "two")
        where = {"api_base": server.api_base, "gateway": server.gateway, "cdn": server.cdn, "ready_seconds": 0.05}
        settings = Settings.model_validate(
            {
                "discord": {"token": server.gateway_state.token, **where},
                "store": {"path": str(tmp_path / "db")},
                "streams": {"hosts": ["live.example"]},
                "limits": {"restart_seconds": 0.05, "restart_most_seconds": 0.2},
                "policy": {"update_seconds": 0},
            }
        )
        async with serving(settings):
            await server.gateway_state.connections(1)
            await server.gateway_state.flush()
            await server.wait_for(lambda: bool(server.commands.syncs))
            yield Both(one, two, stream)
    server.assert_clean()


async def test_whoever_comes_late_sees_nothing_from_before_and_the_room_goes_on(both: Both) -> None:
    one, two, stream = both.one, both.two, both.stream
    await one.watch(host="@Kay")
    stream.begin(1)
    stream.teach_and_sell("in paris")
    assert "@Kay" in await one.warned(1)
    (message,) = one.channel.messages.values()
    alert = next(name.rpartition(":")[2] for name in message.custom_ids if name.startswith("pw:confirm:"))
    await (await one.server.click(one.moderator, message, f"pw:confirm:{alert}")).settled()
    figure = {"who": "@Kay", "what": "followers", "value": 312.0, "source": "a profile page"}
    assert "Noted" in (await one.ask(one.moderator, "record", **figure)).text

    await two.watch(host="@Lee")
    text = await two.seen()
    for word in ('Kay"', "in paris", "a profile page", str(one.guild.id), alert, "confirmed by"):
        assert word not in text
    assert "No warnings." in text
    assert r"Nothing is known about **\@Kay**" in text
    assert "not known here" in (await two.ask(two.moderator, "why", alert=alert)).text
    assert "Nothing is known" in (await two.ask(two.moderator, "record", **figure)).text
    assert "heard: Evening 1, 0 min so far" in (await two.ask(two.moderator, "status")).text
    assert "heard: Evening 1, 3 min so far" in (await one.ask(one.moderator, "status")).text
    assert (stream.opened, stream.closed) == (1, 0)

    stream.say(*(f"and places in rome are few, write to me {number} $" for number in range(4)))
    theirs = await two.warned(1)
    assert "@Lee" in theirs
    assert "in rome" in theirs
    assert "in paris" not in theirs
    assert "Kay" not in theirs
    mine = await one.seen()
    assert r"Nothing is known about **\@Lee**" in mine
    for word in ("stream:@lee", 'Lee"', str(two.guild.id)):
        assert word not in mine
    assert len(one.channel.messages) == 1
    assert "in paris" in (await one.ask(one.moderator, "why", alert=alert)).text


async def test_whoever_left_or_paused_sees_nothing_of_what_comes_after(both: Both) -> None:
    one, two, stream = both.one, both.two, both.stream
    await one.watch(host="@Kay")
    await two.watch(host="@Lee")
    stream.begin(1)
    stream.teach_and_sell("in paris")
    assert "@Kay" in await one.warned(1)
    assert "@Lee" in await two.warned(1)
    stream.end()
    await one.server.wait_for(lambda: "the show is over" in next(iter(one.channel.messages.values())).text)

    assert "not listened to any more" in (await one.ask(one.manager, "watch remove", room=str(KEY))).text
    assert (stream.opened, stream.closed) == (1, 0)
    stream.begin(2)
    stream.teach_and_sell("in rome")
    assert "in rome" in await two.warned(2)
    text = await one.seen()
    for word in ("rome", "show-2", 'Lee"', str(two.guild.id)):
        assert word not in text
    assert "@Kay" in text
    assert "Evening 2" not in text
    assert len(one.channel.messages) == 1

    await one.watch(host="@Kay")
    assert "paused" in (await two.ask(two.manager, "watch pause", room=str(KEY))).text
    assert (stream.opened, stream.closed) == (1, 0)
    stream.say(*(f"and places in oslo are few, write to me {number} $" for number in range(4)))
    theirs = await one.warned(2)
    assert "in oslo" in theirs
    assert "in rome" not in theirs
    assert "oslo" not in await two.seen()
    rows = [json.loads(line) for line in (await one.seen()).splitlines() if line.startswith("{")]
    assert len([row for row in rows if row["type"] == "watch_periods"]) == 2


async def test_how_often_a_room_failed_before_is_told_to_nobody_who_came_later(both: Both) -> None:
    one, two, stream = both.one, both.two, both.stream
    await one.watch()
    stream.queue.put_nowait(RoomLostError("the camera of the first one was off"))
    async with asyncio.timeout(10):
        while stream.opened < 2:  # noqa: ASYNC110 - a stream tells nobody that it was opened
            await asyncio.sleep(0.01)
    await two.watch()
    stream.begin(1)
    stream.say("hello =")
    assert "failed 1 time(s)" in (await one.ask(one.moderator, "status")).text
    assert "failed" not in (await two.ask(two.moderator, "status")).text


async def test_a_new_channel_or_host_reaches_a_room_that_goes_on(both: Both) -> None:
    one, stream = both.one, both.stream
    await one.watch(host="@Kay")
    stream.begin(1)
    stream.teach_and_sell("in paris")
    await one.warned(1)
    to = one.guild.channel("moved")
    await one.ask(one.manager, "setup", channel=to)
    await one.watch(host="@Kim")
    stream.say(*(f"and places in rome are few, write to me {number} $" for number in range(4)))
    await one.server.wait_for(lambda: len(to.messages) == 1)
    assert "@Kim" in to.last.text
    assert "in paris" not in to.last.text
    assert (stream.opened, stream.closed, len(one.channel.messages)) == (1, 0, 1)


def heard(text: str) -> list[dict[str, Any]]:
    """Return the rows of an export that say what was heard."""
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [row for row in rows if row["type"] in ("shows", "participations", "alerts")]


async def test_whoever_leaves_in_the_middle_of_a_show_hears_nothing_more_of_it(both: Both) -> None:
    one, two, stream = both.one, both.two, both.stream
    await one.watch(host="@Kay")
    await two.watch(host="@Lee")
    stream.begin(1)
    stream.teach_and_sell("in paris")
    await one.warned(1)
    await two.warned(1)
    await one.server.wait_for(stream.queue.empty)
    assert "not listened to any more" in (await one.ask(one.manager, "watch remove", room=str(KEY))).text
    await one.server.wait_for(lambda: "listens no more" in one.channel.last.text)
    before, message = heard(await one.seen()), one.channel.last.text
    (part,) = (row for row in before if row["type"] == "participations")
    assert (part["lines"], part["account"]) == (16, "media:stream:@kay")

    stream.say(*(f"and places in rome are few, write to me {number} $" for number in range(20)))
    stream.end()
    await two.server.wait_for(lambda: "the show is over" in two.channel.last.text)
    assert heard(await one.seen()) == before
    assert one.channel.last.text == message
    (theirs,) = (row for row in heard(await two.seen()) if row["type"] == "participations")
    assert theirs["lines"] == 36


async def test_whoever_comes_late_is_told_of_its_own_part_also_when_the_room_is_opened_again(both: Both) -> None:
    one, two, stream = both.one, both.two, both.stream
    await one.watch(host="@Kay")
    stream.begin(1)
    stream.teach_and_sell("in paris")
    await one.warned(1)
    await one.server.wait_for(stream.queue.empty)
    await two.watch(host="@Lee")
    stream.queue.put_nowait(RoomLostError("gone"))
    stream.queue.put_nowait([RoomState("show-1/open2", 0.0, "open", stream.info(1))])
    stream.say(*(f"and places in rome are few, write to me {number} $" for number in range(4)))
    await two.warned(1)
    await two.server.wait_for(stream.queue.empty)
    assert "heard: Evening 1, 1 min so far" in (await two.ask(two.moderator, "status")).text
    assert "heard: Evening 1, 3 min so far" in (await one.ask(one.moderator, "status")).text
    alert = next(n.rpartition(":")[2] for n in two.channel.last.custom_ids if n.startswith("pw:confirm:"))
    why = (await two.ask(two.moderator, "why", alert=alert)).text
    assert "it began before this server listened" in why
    assert "separate passages" not in why
    await two.ask(two.manager, "watch remove", room=str(KEY))
    (part,) = (row for row in heard(await two.seen()) if row["type"] == "participations")
    assert (part["lines"], part["account"]) == (4, "media:stream:@lee")
