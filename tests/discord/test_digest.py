"""Digests over the wire: at their time, out of turn and in private, for whom they are, and once whatever fails."""

import asyncio
import csv
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.bot.samples import quote
from tests.discord.bot import Bot, bot_at, moderators, only
from tests.servers.discord import (
    Channel,
    DiscordServer,
    Guild,
    InteractionRecord,
    Message,
    User,
    permissions,
)
from tests.stand_ins import person

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Place:
    """A server with one guild, its channel, an owner, a manager, a moderator and a member; a database file."""

    server: DiscordServer
    guild: Guild
    channel: Channel
    manager: User
    moderator: User
    member: User
    path: Path

    @property
    def owner(self) -> User:
        return self.guild.owner

    async def ask(self, who: User, sub: str, **options: Any) -> InteractionRecord:
        """Use a slash command that is offered, and wait for the answer."""
        answered = await (await self.server.slash(who, self.channel, f"digest {sub}", **options)).settled()
        assert answered.ephemeral
        return answered


#: Whoever manages a server may manage its messages as a rule.
MANAGES = permissions.MANAGE_GUILD | permissions.MANAGE_MESSAGES


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        channel = guild.channel("alerts")
        manager = guild.member("max", [guild.role("Managers", MANAGES)])
        moderator = guild.member("ana", [moderators(guild)])
        yield Place(server, guild, channel, manager, moderator, guild.member("mia"), tmp_path / "db")
    server.assert_clean()


async def rows(bot: Bot, query: str) -> list[dict[str, Any]]:
    return await bot.store.run(lambda database: list(database.query(query)))


async def set_up(place: Place, **options: Any) -> str:
    """Set a daily digest, at the hour that it is not now."""
    wanted = {"every": "day", "hour": 9, "zone": "Europe/Paris", "minimum": 0, **options}
    return (await place.ask(place.manager, "set", **wanted)).text


async def overdue(bot: Bot, days: int = 0) -> None:
    """Let the next digest have been due for days."""
    due = (datetime.now(UTC) - timedelta(days=days, minutes=1)).isoformat()
    await bot.store.run(lambda database: database.execute("UPDATE digests SET next_due = ?", [due]))


async def earlier(bot: Bot, hours: float) -> None:
    """Date warnings back, so that they lie in the period of a digest that is due."""

    def work(database: Any) -> None:
        for row in list(database.query("SELECT id, raised FROM alerts")):
            raised = datetime.fromisoformat(row["raised"]) - timedelta(hours=hours)
            database.execute("UPDATE alerts SET raised = ? WHERE id = ?", [raised.isoformat(), row["id"]])

    await bot.store.run(work)


async def tick(bot: Bot, waited: bool = False) -> None:
    """Let a minute's tick come; `waited` ends every wait first."""
    assert bot.parts.digests is not None
    if waited:
        now = datetime.now(UTC).isoformat()
        await bot.store.run(lambda database: database.execute("UPDATE digest_runs SET next_try = ?", [now]))
    await bot.parts.digests.tick()


async def attempted(bot: Bot, hours: int) -> None:
    """Date an attempt back of which it is not known what became of it."""
    moment = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    await bot.store.run(lambda database: database.execute("UPDATE digest_runs SET attempted = ?", [moment]))


def digests(channel: Channel) -> list[Message]:
    return [one for one in channel.messages.values() if any(name.endswith(".csv") for name in one.files)]


async def test_a_missed_digest_comes_once_with_everything_in_it(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        assert "every day at 09:00 (`Europe/Paris`)" in await set_up(place)
        first = await bot.raise_alert(place.channel, person=person("=cmd|' /C calc'!A0"))
        await bot.raise_alert(place.channel, person=person("@other"))
        await bot.outbox.drain()
        link = f"https://discord.com/channels/{place.guild.id}/{place.channel.id}/{min(place.channel.messages)}"
        await bot.reviews.decide(first, str(place.guild.id), "discord:discord:1", "confirmed")
        await bot.outbox.drain()
        await earlier(bot, 24)
        await overdue(bot, days=3)
    async with bot_at(place.server, place.path) as bot:
        await tick(bot)
        await tick(bot)
        (message,) = digests(place.channel)
        text = message.text
        assert "Confirmed by moderators" in text
        assert "Possible, not reviewed yet" in text
        assert link in text
        assert "**1** confirmed, **1** not reviewed yet" in text
        (name,) = [one for one in message.files if one.endswith(".csv")]
        (confirmed, opened) = list(csv.DictReader(StringIO(message.files[name].decode("utf-8-sig"))))
        assert confirmed["name"].startswith("'=cmd")
        assert (confirmed["confirmed"], opened["open"], opened["name"]) == ("1", "1", "'@other")
        assert set(message.files) == {name, "weeks.png", "accounts.png"}
        for picture in ("weeks.png", "accounts.png"):
            assert Image.open(BytesIO(message.files[picture])).size[0] == 900
        (run,) = await rows(bot, "SELECT * FROM digest_runs")
        assert (run["state"], run["reference"]) == ("sent", str(message.id))
    assert all(one.body["allowed_mentions"] == {"parse": []} for one in place.server.sent("POST", "/messages$"))


@pytest.mark.parametrize("hours", [0, 1], ids=["early", "an hour later"])
async def test_killed_between_sending_and_storing_it_is_not_sent_twice(place: Place, hours: int) -> None:
    async with bot_at(place.server, place.path, send_seconds=0.5) as bot:
        await set_up(place)
        await overdue(bot)
        place.server.lose_answer("POST", "/messages$")
        place.server.fail_next("POST", "/messages$", 503, times=None)
        await tick(bot)
        (run,) = await rows(bot, "SELECT * FROM digest_runs")
        assert (run["state"], run["reference"]) == ("pending", None)
        await attempted(bot, hours)
    assert len(digests(place.channel)) == 1
    place.server.clear_faults()
    place.server.clock.advance(3600 * hours)
    async with bot_at(place.server, place.path) as bot:
        await tick(bot, waited=True)
        (run,) = await rows(bot, "SELECT * FROM digest_runs")
        assert (run["state"], run["reference"]) == ("sent", str(only(place.channel).id))
        await tick(bot, waited=True)
    assert len(place.channel.messages) == 1


async def test_one_that_never_went_out_is_sent_after_a_late_restart(place: Place) -> None:
    async with bot_at(place.server, place.path, send_seconds=0.5) as bot:
        await set_up(place)
        await overdue(bot)
        place.server.fail_next("POST", "/messages$", 503, times=None)
        await tick(bot)
        await attempted(bot, 1)
    place.server.clear_faults()
    await place.server.world.say(place.channel, place.member, "hello")
    async with bot_at(place.server, place.path) as bot:
        await tick(bot, waited=True)
    assert len(digests(place.channel)) == 1


@pytest.mark.parametrize("lost", ["permission", "channel"])
async def test_where_it_may_not_write_the_owner_is_told_once_and_the_digest_is_kept(place: Place, lost: str) -> None:
    async with bot_at(place.server, place.path) as bot:
        await set_up(place)
        await overdue(bot)
        if lost == "channel":
            place.channel.deleted = True
        else:
            place.channel.overwrite(place.guild.everyone, deny=permissions.SEND_MESSAGES)
        await tick(bot)
        await tick(bot, waited=True)
        (direct,) = [c for c in place.server.world.channels.values() if c.kind == 1]
        assert direct.recipient is place.server.world.owner
        assert f"<#{place.channel.id}>" in only(direct).content
        place.channel.deleted = False
        place.channel.clear_overwrite(place.guild.everyone)
        await tick(bot, waited=True)
        assert [row["state"] for row in await rows(bot, "SELECT state FROM digest_runs")] == ["sent"]
    assert len(digests(place.channel)) == 1


async def test_a_channel_that_is_gone_is_changed_for_another_one(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        await set_up(place)
        await overdue(bot)
        await place.server.world.delete_channel(place.channel)
        await tick(bot)
        assert [row["state"] for row in await rows(bot, "SELECT state FROM digest_runs")] == ["blocked"]
        place.channel = to = place.guild.channel("digests")
        assert f"<#{to.id}>" in await set_up(place, channel=to)
        await tick(bot)
    assert len(digests(to)) == 1


async def test_two_servers_see_nothing_of_each_other(place: Place) -> None:
    server, other = place.server, place.server.world.guild("Un autre", "fr")
    there = other.channel("alertes")
    manager = other.member("zoe", [other.role("Managers", MANAGES)])
    elsewhere = Place(server, other, there, manager, manager, manager, place.path)
    async with bot_at(server, place.path) as bot:
        await set_up(place)
        await set_up(elsewhere)
        await bot.raise_alert(place.channel, evidence=(quote(1, 100.0),), person=person("@anton"))
        await bot.raise_alert(there, person=person("@berta"))
        await bot.outbox.drain()
        await earlier(bot, 24)
        await overdue(bot)
        await tick(bot)
        (ours,), (theirs,) = digests(place.channel), digests(there)
        for message, own, foreign in ((ours, "anton", "berta"), (theirs, "berta", "anton")):
            table = next(data for name, data in message.files.items() if name.endswith(".csv")).decode("utf-8-sig")
            assert own in message.text
            assert foreign not in message.text
            assert f"@{own}" in table and f"@{foreign}" not in table
        assert "Récapitulatif" in theirs.text
        assert "berta" not in (await place.ask(place.moderator, "preview")).text
        await elsewhere.ask(manager, "off")
        assert [row["community"] for row in await rows(bot, "SELECT community FROM digests")] == [str(place.guild.id)]


async def test_a_preview_is_for_one_moderator_alone(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        before = len(place.channel.messages)
        for who in (place.owner, place.manager, place.moderator):
            answered = await place.ask(who, "preview")
            assert "not reviewed yet" in answered.text
            assert len(answered.files) == 3
        assert "Only moderators" in (await place.ask(place.member, "preview")).text
        assert len(place.channel.messages) == before
        assert await rows(bot, "SELECT * FROM digest_runs") == []


async def test_out_of_turn_it_goes_where_digests_go_and_never_simply_here(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        assert "no channel for digests yet" in (await place.ask(place.moderator, "now")).text
        to = place.guild.channel("digests")
        await set_up(place, channel=to)
        answered = await place.ask(place.moderator, "now")
        assert f"https://discord.com/channels/{place.guild.id}/{to.id}/{only(to).id}" in answered.text
        assert "Only moderators" in (await place.ask(place.member, "now")).text
        to.overwrite(place.guild.everyone, deny=permissions.SEND_MESSAGES)
        assert "cannot be shown" in (await place.ask(place.owner, "now")).text
        assert len(digests(to)) == 1
        assert len(await rows(bot, "SELECT * FROM digest_runs")) == 2


@pytest.mark.parametrize("who", ["moderator", "member"])
async def test_settings_are_for_those_who_manage_the_server(place: Place, who: str) -> None:
    async with bot_at(place.server, place.path) as bot:
        for sub, options in (("set", {"every": "day", "hour": 9, "zone": "UTC"}), ("off", {})):
            assert "Only those who may manage" in (await place.ask(getattr(place, who), sub, **options)).text
        assert await rows(bot, "SELECT * FROM digests") == await rows(bot, "SELECT * FROM audit") == []


async def test_what_is_set_is_kept_audited_and_switched_off(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        text = await set_up(place, every="week", weekday=4, hour=18, zone="America/Montreal", minimum=3)
        assert "every Friday at 18:00 (`America/Montreal`)" in text
        assert "fewer than 3" in text
        (row,) = await rows(bot, "SELECT * FROM digests")
        assert (row["every"], row["weekday"], row["hour"], row["zone"], row["least"]) == (
            *("week", 4, 18, "America/Montreal", 3),
        )
        assert row["channel"] == f"discord:{place.channel.id}"
        assert "There is no time zone" in await set_up(place, zone="Europe/Nowhere")
        assert "No digest is sent" in (await place.ask(place.owner, "off")).text
        assert "No digest was set" in (await place.ask(place.owner, "off")).text
        log = await rows(bot, "SELECT actor, action FROM audit ORDER BY id")
    assert [(row["actor"].rpartition(":")[2], row["action"]) for row in log] == [
        (str(place.manager.id), "digest_set"),
        (str(place.owner.id), "digest_off"),
    ]


async def test_it_says_what_the_bot_lacks_in_the_channel(place: Place) -> None:
    async with bot_at(place.server, place.path):
        to = place.guild.channel("closed")
        to.overwrite(place.guild.everyone, deny=permissions.SEND_MESSAGES)
        assert "Send Messages" in await set_up(place, channel=to)


async def test_zones_are_offered_while_typing(place: Place) -> None:
    async with bot_at(place.server, place.path):
        typed = await place.server.autocomplete(place.manager, place.channel, "digest set", "zone", zone="montr")
        assert (await typed.answered()).choices[0] == "America/Montreal"


async def test_the_button_lists_what_waits_also_after_a_restart(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        await set_up(place)
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        link = f"/channels/{place.guild.id}/{place.channel.id}/{only(place.channel).id}"
        await overdue(bot)
        await tick(bot)
    async with bot_at(place.server, place.path) as bot:
        (message,) = digests(place.channel)
        (custom_id,) = message.custom_ids

        async def click(who: User) -> str:
            answered = await (await place.server.click(who, message, custom_id)).settled()
            assert answered.ephemeral
            return answered.text

        text = await click(place.moderator)
        assert alert in text and link in text
        assert "Only moderators" in await click(place.member)
        await bot.reviews.decide(alert, str(place.guild.id), "discord:discord:1", "dismissed")
        assert "Nothing waits" in await click(place.moderator)


async def test_before_discord_told_of_the_servers_nothing_is_sent_in_the_wrong_language(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        await set_up(place)
        await overdue(bot)
        client = bot.connection.logged_in()
        client._ready.clear()
        await tick(bot)
        assert digests(place.channel) == []
        client._ready.set()
        await tick(bot)
        assert len(digests(place.channel)) == 1


async def test_the_service_sends_what_it_missed_when_it_starts(place: Place, tmp_path: Path) -> None:
    """`pitchwatch run` itself, from its settings to the message."""
    async with bot_at(place.server, place.path) as bot:
        await set_up(place)
        await overdue(bot, days=2)
    server, settings = place.server, tmp_path / "pitchwatch.toml"
    room = f"{place.guild.id}/{place.guild.channel('lounge').id}"
    settings.write_text(
        f'[store]\npath = "{place.path}"\n[discord]\ntoken = "{server.gateway_state.token}"\n'
        f'api_base = "{server.api_base}"\ngateway = "{server.gateway}"\ncdn = "{server.cdn}"\nready_seconds = 0.05\n'
        f'[[rooms]]\nkind = "discord"\naddress = "{room}"\n'
    )
    said = (tmp_path / "said").open("wb")
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", "--config", settings, stdout=said, stderr=said, cwd=ROOT
    )
    ended = asyncio.create_task(service.wait())
    came = asyncio.create_task(server.wait_for(lambda: digests(place.channel), 90.0))
    await asyncio.wait((came, ended), return_when=asyncio.FIRST_COMPLETED)
    came.cancel()
    if not ended.done():
        service.send_signal(signal.SIGINT)
    assert await ended == 0, (tmp_path / "said").read_text()
    said.close()
    assert len(digests(place.channel)) == 1
