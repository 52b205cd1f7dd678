"""Warnings and reviews over the wire: the real discord.py against a server with Discord's protocol."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.outbox import read_blocked
from bot.reviews import UnknownAlertError
from tests.bot.samples import quote
from tests.discord.bot import Bot, bot_at, moderators, only
from tests.servers.discord import Channel, DiscordServer, Guild, InteractionRecord, NotOfferedError, User, permissions
from tests.stand_ins import person


@dataclass
class Place:
    """A server with one guild, its channel for warnings, two moderators and a member; a database file."""

    server: DiscordServer
    guild: Guild
    channel: Channel
    ana: User
    bo: User
    member: User
    path: Path

    async def click(self, who: User, alert: str, action: str, values: list[str] | None = None) -> InteractionRecord:
        """Click a button that is there, and wait for the answer."""
        clicked = await self.server.click(who, only(self.channel), f"pw:{action}:{alert}", values)
        return await clicked.settled()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        channel = guild.channel("alerts")
        role = moderators(guild)
        ana, bo = guild.member("ana", [role]), guild.member("bo", [role])
        yield Place(server, guild, channel, ana, bo, guild.member("mia"), tmp_path / "db")
    server.assert_clean()


async def make_due(bot: Bot, older: timedelta = timedelta(0)) -> None:
    """End every wait, and date open attempts back."""

    def work(database: Any) -> None:
        now = datetime.now(UTC)
        with database.atomic():
            database.execute("UPDATE outbox SET next_try = ?", [now.isoformat()])
            database.execute("UPDATE outbox SET attempted = ? WHERE attempted IS NOT NULL", [(now - older).isoformat()])

    await bot.store.run(work)


async def rows(bot: Bot, query: str) -> list[dict[str, Any]]:
    return await bot.store.run(lambda database: list(database.query(query)))


async def test_a_warning_is_sent_and_confirmed(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        message = only(place.channel)
        assert message.nonce == alert
        assert "book a call" in message.text
        assert message.files["timeline.png"].startswith(b"\x89PNG")
        answered = await place.click(place.ana, alert, "confirm")
        assert answered.ephemeral
        assert "Confirmed" in answered.text
        await bot.outbox.drain()
        assert f"<@{place.ana.id}>" in only(place.channel).text
        assert "Undo" in only(place.channel).text
        assert len(only(place.channel).attachments) == 1


async def test_it_is_edited_in_place_as_evidence_grows_and_edits_in_between_are_left_out(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        await bot.grow(place.channel, at=150.0)
        await bot.grow(place.channel, at=200.0, evidence=(quote(1, 100.0), quote(3, 194.0, "the link is below $")))
        await bot.outbox.drain()
    assert "the link is below" in only(place.channel).text
    assert len(place.server.sent("POST", "/messages$")) == 1
    assert len(place.server.sent("PATCH", "/messages/")) == 1


async def test_buttons_work_after_a_restart(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
    async with bot_at(place.server, place.path) as bot:
        assert "Dismissed" in (await place.click(place.bo, alert, "dismiss")).text
        (row,) = await rows(bot, "SELECT status FROM alerts")
        assert row == {"status": "dismissed"}


async def test_of_two_moderators_at_once_one_decides_and_the_other_is_told(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        first, second = await asyncio.gather(
            place.click(place.ana, alert, "confirm"), place.click(place.bo, alert, "dismiss")
        )
        reviews = await rows(bot, "SELECT decision FROM reviews")
        assert len(reviews) == 1
        winner, loser = (first, second) if reviews[0]["decision"] == "confirmed" else (second, first)
        assert "Already" in loser.text
        assert "Already" not in winner.text


@pytest.mark.parametrize("action", ["confirm", "dismiss", "why", "note"])
async def test_a_member_may_do_nothing(place: Place, action: str) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        answered = await place.click(place.member, alert, action)
        assert answered.ephemeral
        assert "Only moderators" in answered.text
        assert await rows(bot, "SELECT * FROM audit") == []


async def test_permission_is_asked_at_each_click(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        place.guild.change_member(place.ana, roles=[])
        assert "Only moderators" in (await place.click(place.ana, alert, "confirm")).text


async def test_everything_can_be_undone_and_is_logged(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        await place.click(place.ana, alert, "dismiss")
        await bot.outbox.drain()
        assert "Taken back" in (await place.click(place.bo, alert, "undo")).text
        await bot.outbox.drain()
        assert "Nothing more" in (await place.click(place.ana, alert, "snooze", ["week"])).text
        await bot.outbox.drain()
        assert "Taken back" in (await place.click(place.bo, alert, "undo")).text
        assert "nothing to take back" in (await place.click(place.bo, alert, "undo")).text
        await bot.outbox.drain()
        why = await place.click(place.ana, alert, "why")
        assert "book a call" in why.text
        assert f"<@{place.bo.id}>" in why.text
        log = await rows(bot, "SELECT actor, action FROM audit ORDER BY id")
    by = {place.ana.id: "ana", place.bo.id: "bo"}
    told = [(by[int(row["actor"].rsplit(":", 1)[1])], row["action"]) for row in log]
    assert told == [("ana", "dismissed"), ("bo", "undo"), ("ana", "snooze"), ("bo", "undo")]


async def test_a_note_is_written_in_a_modal_and_stands_on_the_warning(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        asked = await place.click(place.ana, alert, "note")
        assert asked.modal is not None
        sent = await place.server.submit_modal(place.ana, asked, {"text": "spoke to them @everyone"})
        await sent.settled()
        await bot.outbox.drain()
        text = only(place.channel).text
    assert "spoke to them" in text
    assert "@everyone" not in text


async def test_a_french_server_is_spoken_to_in_french(tmp_path: Path) -> None:
    async with DiscordServer() as server:
        guild = server.world.guild("Un serveur", "fr")
        channel = guild.channel("alertes")
        moderator = guild.member("ana", [moderators(guild)])
        async with bot_at(server, tmp_path / "db") as bot:
            alert = await bot.raise_alert(channel)
            await bot.outbox.drain()
            assert "Confirmer" in only(channel).text
            clicked = await server.click(moderator, only(channel), f"pw:confirm:{alert}")
            assert "Confirmé" in (await clicked.settled()).text
            clicked = await server.click(moderator, only(channel), f"pw:note:{alert}")
            assert (await clicked.settled()).modal is not None
    server.assert_clean()


async def test_nobody_is_pinged_unless_a_role_is_named_and_the_warning_is_very_sure(place: Place) -> None:
    role = place.guild.role("On call", mentionable=True)
    async with bot_at(place.server, place.path) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        community = {"community": str(place.guild.id), "ping_role": str(role.id), "source": "community"}
        await bot.store.run(lambda database: database.table("communities").insert(community))
        await bot.raise_alert(place.channel, score=0.99, episode=2)
        await bot.outbox.drain()
    quiet, loud = place.server.sent("POST", "/messages$")
    assert quiet.body["allowed_mentions"] == {"parse": []}
    assert loud.body["allowed_mentions"]["roles"] == [role.id]
    assert role.mention in str(loud.body["components"])
    first, second = place.channel.by(place.server.world.bot)
    assert (first.mention_roles, second.mention_roles) == ([], [role])
    assert first.mentions == second.mentions == []


async def test_after_a_storm_of_429_it_arrives_once(place: Place) -> None:
    place.server.rate_limit("/messages$", 0.05, times=3, method="POST")
    async with bot_at(place.server, place.path) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        assert await bot.outbox.undelivered() == 0
    assert len(place.channel.messages) == 1


async def test_after_minutes_of_5xx_it_arrives_once(place: Place) -> None:
    fault = place.server.fail_next("POST", "/messages$", 503, times=None)
    async with bot_at(place.server, place.path, send_seconds=0.3) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        assert await bot.outbox.undelivered() == 1
        fault.clear()
        await make_due(bot)
        await bot.outbox.drain()
        assert await bot.outbox.undelivered() == 0
    assert len(place.channel.messages) == 1


@pytest.mark.parametrize("hours", [0, 1], ids=["early", "an hour later"])
async def test_killed_between_sending_and_storing_it_is_not_sent_twice(place: Place, hours: int) -> None:
    place.server.lose_answer("POST", "/messages$")
    place.server.fail_next("POST", "/messages$", 503, times=None)
    async with bot_at(place.server, place.path, send_seconds=0.3) as bot:
        alert = await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        assert await bot.outbox.undelivered() == 1
    assert len(place.channel.messages) == 1
    place.server.clear_faults()
    place.server.clock.advance(3600 * hours)
    async with bot_at(place.server, place.path) as bot:
        await make_due(bot, timedelta(hours=hours))
        await bot.outbox.drain()
        assert await bot.outbox.undelivered() == 0
        (row,) = await rows(bot, "SELECT reference, state FROM outbox")
        assert row == {"reference": str(only(place.channel).id), "state": "sent"}
        await bot.grow(place.channel)
        await bot.outbox.drain()
        assert "only two seats" in only(place.channel).text
        assert only(place.channel).nonce == alert


async def test_a_failure_after_a_lost_answer_does_not_make_the_lost_answer_forgotten(place: Place) -> None:
    place.server.lose_answer("POST", "/messages$")
    place.server.fail_next("POST", "/messages$", 503, times=None)
    async with bot_at(place.server, place.path, send_seconds=0.3) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        place.server.clear_faults()
        place.server.fail_next("POST", "/messages$", 400)
        await make_due(bot)
        await bot.outbox.drain()
        place.server.clock.advance(3600)
        await make_due(bot, timedelta(hours=1))
        await bot.outbox.drain()
        (row,) = await rows(bot, "SELECT reference, state FROM outbox")
        assert row == {"reference": str(only(place.channel).id), "state": "sent"}


async def test_a_message_that_never_went_out_is_sent_after_a_late_restart(place: Place) -> None:
    place.server.fail_next("POST", "/messages$", 503, times=None)
    async with bot_at(place.server, place.path, send_seconds=0.3) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
    place.server.clear_faults()
    await place.server.world.say(place.channel, place.member, "hello")
    async with bot_at(place.server, place.path) as bot:
        await make_due(bot, timedelta(hours=1))
        await bot.outbox.drain()
    assert len(place.channel.messages) == 2


@pytest.mark.parametrize("why", ["refused", "shown nothing"])
async def test_when_it_cannot_be_found_out_it_is_marked_told_and_not_sent_again(place: Place, why: str) -> None:
    place.server.lose_answer("POST", "/messages$")
    place.server.fail_next("POST", "/messages$", 503, times=None)
    async with bot_at(place.server, place.path, send_seconds=0.3) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
    place.server.clear_faults()
    if why == "refused":
        place.server.fail_next("GET", "/messages$", 403, times=None)
    else:
        place.channel.overwrite(place.guild.everyone, deny=permissions.READ_MESSAGE_HISTORY)
    async with bot_at(place.server, place.path) as bot:
        await make_due(bot, timedelta(hours=1))
        await bot.outbox.drain()
        (row,) = await rows(bot, "SELECT state FROM outbox")
        assert row == {"state": "unknown"}
        assert await bot.store.run(read_blocked) != []
    assert len(place.channel.messages) == 1


async def test_a_message_deleted_by_hand_is_not_posted_again(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        await bot.raise_alert(place.channel)
        await bot.outbox.drain()
        await place.server.world.delete(only(place.channel))
        await bot.grow(place.channel)
        await bot.outbox.drain()
        (row,) = await rows(bot, "SELECT state FROM outbox")
        assert row == {"state": "deleted"}
        assert await bot.outbox.undelivered() == 0
        await bot.grow(place.channel, at=300.0, score=0.99)
        await bot.outbox.drain()
    assert place.channel.messages == {}


@pytest.mark.parametrize("lost", ["permission", "view", "channel"])
async def test_where_it_may_not_write_the_owner_is_told_once_and_the_warning_is_kept(place: Place, lost: str) -> None:
    everyone = place.guild.everyone
    if lost == "channel":
        place.channel.deleted = True
    else:
        denied = permissions.SEND_MESSAGES if lost == "permission" else permissions.VIEW_CHANNEL
        place.channel.overwrite(everyone, deny=denied)
    async with bot_at(place.server, place.path) as bot:
        await bot.raise_alert(place.channel)
        await bot.raise_alert(place.channel, person=person("@other"))
        await bot.outbox.drain()
        await make_due(bot)
        await bot.outbox.drain()
        (direct,) = [c for c in place.server.world.channels.values() if c.kind == 1]
        assert direct.recipient is place.server.world.owner
        assert str(place.channel.id) in only(direct).content
        ((channel, waiting, why),) = await bot.store.run(read_blocked)
        assert (channel, waiting) == (f"discord:{place.channel.id}", 2)
        assert why
        place.channel.deleted = False
        place.channel.clear_overwrite(everyone)
        await make_due(bot)
        await bot.outbox.drain()
        assert await bot.outbox.undelivered() == 0
    assert len(place.channel.messages) == 2


async def test_over_the_cap_the_newest_warning_says_how_many_more(place: Place) -> None:
    async with bot_at(place.server, place.path) as bot:
        for number in range(15):
            await bot.raise_alert(place.channel, person=person(f"@p{number}"))
        await bot.outbox.drain()
    assert len(place.channel.messages) == 12
    assert "3 more" in place.channel.last.text


async def test_two_servers_that_watch_one_room_see_nothing_of_each_other(place: Place) -> None:
    server = place.server
    other = server.world.guild("Another")
    channel = other.channel("warnings")
    stranger = other.member("zoe", [moderators(other)])
    async with bot_at(server, place.path) as bot:
        here, there = await bot.raise_alert(place.channel), await bot.raise_alert(channel)
        assert here != there
        await bot.outbox.drain()
        # Discord sends no click on a button that is not in the message; somebody who could would get nothing by it.
        with pytest.raises(NotOfferedError):
            await server.click(stranger, only(channel), f"pw:confirm:{here}")
        with pytest.raises(UnknownAlertError):
            await bot.reviews.decide(here, str(other.id), f"discord:discord:{stranger.id}", "confirmed")
        await place.click(place.ana, here, "confirm")
        status = {row["id"]: row["status"] for row in await rows(bot, "SELECT id, status FROM alerts")}
    assert status == {here: "confirmed", there: "open"}


async def test_commands_are_synced_only_when_they_changed(place: Place) -> None:
    for _ in range(2):
        async with bot_at(place.server, place.path):
            pass
    assert [one.guild for one in place.server.commands.syncs] == [None]
