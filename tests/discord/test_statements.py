"""What those who were named have to say, and notes in modals: several people at once, restarts, failures."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.communities import register_communities
from bot.policy import Watch
from bot.store import StoreError
from config.settings import CommunitySettings
from detectors.records import Account, Person, RoomKey
from tests.discord.bot import Bot, bot_at, moderators, only
from tests.discord.test_settings import Place, place
from tests.servers.discord import Channel, DiscordServer, InteractionRecord, User

__all__ = ["place"]


def as_person(user: User) -> Person:
    """The account under which a Discord user is warned about."""
    return Person(Account("discord", "discord", str(user.id)), f"@{user.name}")


async def name(bot: Bot, channel: Channel, *users: User) -> None:
    """Raise a warning that names each user."""
    for user in users:
        await bot.raise_alert(channel, person=as_person(user))


async def open_contest(place: Place, who: User) -> InteractionRecord:
    return await (await place.server.slash(who, place.channel, "contest")).answered()


async def send(place: Place, who: User, opened: InteractionRecord, text: str) -> InteractionRecord:
    return await (await place.server.submit_modal(who, opened, {"text": text})).settled()


async def statements(bot: Bot) -> list[dict[str, Any]]:
    return await bot.store.run(lambda db: list(db.query("SELECT account, text FROM statements ORDER BY id")))


async def test_two_people_write_statements_at_the_same_time(place: Place) -> None:
    other = place.guild.member("noa")
    await name(place.bot, place.channel, place.member, other)
    first, second = await open_contest(place, place.member), await open_contest(place, other)
    assert first.modal is not None
    assert second.modal is not None
    assert first.modal["custom_id"] != second.modal["custom_id"]
    answers = await asyncio.gather(
        send(place, other, second, "mine"), send(place, place.member, first, "the first one's")
    )
    for answered in answers:
        assert answered.ephemeral
        assert "Moderators decide" in answered.text
    told = {row["account"]: row["text"] for row in await statements(place.bot)}
    assert told == {
        f"discord:discord:{place.member.id}": "the first one's",
        f"discord:discord:{other.id}": "mine",
    }


async def test_two_moderators_write_notes_about_one_warning_at_the_same_time(place: Place) -> None:
    bo = place.guild.member("bo", [moderators(place.guild)])
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.outbox.drain()
    opened = [
        await (await place.server.click(who, only(place.channel), f"pw:note:{alert}")).settled()
        for who in (place.moderator, bo)
    ]
    for who, shown in zip((place.moderator, bo), opened, strict=True):
        assert "The note stands" in (await send(place, who, shown, f"by {who.name}")).text
    notes = await place.bot.store.run(lambda db: list(db.query("SELECT text FROM notes ORDER BY id")))
    assert [row["text"] for row in notes] == ["by ana", "by bo"]


async def test_modals_that_were_open_over_a_restart_are_answered(tmp_path: Path) -> None:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        channel, mia = guild.channel("alerts"), guild.member("mia")
        ana = guild.member("ana", [moderators(guild)])
        async with bot_at(server, tmp_path / "db") as bot:
            await name(bot, channel, mia)
            await bot.outbox.drain()
            (button,) = [one for one in only(channel).custom_ids if one.startswith("pw:note:")]
            asked = await (await server.click(ana, only(channel), button)).settled()
            contest = await (await server.slash(mia, channel, "contest")).answered()
        async with bot_at(server, tmp_path / "db") as bot:
            noted = await (await server.submit_modal(ana, asked, {"text": "spoke to them"})).settled()
            assert "The note stands" in noted.text
            stated = await (await server.submit_modal(mia, contest, {"text": "I was asked"})).settled()
            assert "Moderators decide" in stated.text
            assert [row["text"] for row in await statements(bot)] == ["I was asked"]
    server.assert_clean()


async def test_a_note_is_taken_back_by_an_empty_one(place: Place) -> None:
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.outbox.drain()

    async def note(text: str) -> str:
        opened = await (await place.server.click(place.moderator, only(place.channel), f"pw:note:{alert}")).settled()
        return (await send(place, place.moderator, opened, text)).text

    assert "The note stands" in await note("first")
    assert "The note stands" in await note("second")
    assert "taken back" in await note("")
    notes = await place.bot.store.run(lambda db: list(db.query("SELECT text FROM notes")))
    assert [row["text"] for row in notes] == ["first"]
    assert "taken back" in await note("")
    assert "no note of yours" in await note("")
    log = await place.bot.store.run(lambda db: list(db.query("SELECT action FROM audit")))
    assert [row["action"] for row in log] == ["note", "note", "note_undone", "note_undone"]


async def test_a_modal_is_answered_when_the_store_fails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await name(place.bot, place.channel, place.member)
    opened = await open_contest(place, place.member)

    async def fails(*_: object) -> None:
        raise StoreError("/somewhere/pitchwatch.db: the disk is full")

    monkeypatch.setattr(place.bot.store, "run", fails)
    answered = await send(place, place.member, opened, "mine")
    assert "Nothing was changed" in answered.text
    assert "/somewhere" not in answered.text


@pytest.mark.parametrize("action", ["confirm", "note", "why"])
async def test_a_button_is_answered_when_the_store_fails(
    place: Place, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.outbox.drain()

    async def fails(*_: object) -> None:
        raise StoreError("/somewhere/pitchwatch.db: the disk is full")

    monkeypatch.setattr(place.bot.store, "run", fails)
    clicked = await place.server.click(place.moderator, only(place.channel), f"pw:{action}:{alert}")
    assert "Nothing was changed" in (await clicked.settled()).text


async def test_only_whoever_is_named_here_may_contest(place: Place) -> None:
    elsewhere = place.server.world.guild("Another")
    await name(place.bot, elsewhere.channel("x"), place.member)
    answered = await open_contest(place, place.member)
    assert answered.modal is None
    assert "No warning here names you" in answered.text
    place.guild.rename(locale="fr")
    assert "Aucun avertissement" in (await open_contest(place, place.member)).text


async def test_whoever_moderators_joined_to_a_named_account_may_contest(place: Place) -> None:
    await place.bot.raise_alert(place.channel)
    options = {"one_account": "@host", "other": place.member.mention}
    assert "one person" in (await place.ask(place.moderator, "link", **options)).text
    await place.ask(place.manager, "setup")
    opened = await open_contest(place, place.member)
    assert "Moderators decide" in (await send(place, place.member, opened, "I was asked for the link")).text
    shown = await place.server.click(place.moderator, only(place.channel), "pw:state:show:1")
    assert "stands on the card now" in (await shown.settled()).text
    assert "I was asked for the link" in (await place.ask(place.moderator, "check", who="@host")).text


async def test_a_statement_reaches_moderators_where_the_settings_file_names_no_channel(place: Place) -> None:
    warnings, community = place.guild.channel("warnings"), str(place.guild.id)
    await register_communities(place.bot.store, [CommunitySettings.model_validate({"guild": place.guild.id})])
    await name(place.bot, place.channel, place.member)
    await place.bot.store.register([Watch(community, RoomKey("discord", f"{community}/1"), f"discord:{warnings.id}")])
    await send(place, place.member, await open_contest(place, place.member), "I was asked")
    assert "I was asked" in only(warnings).text


async def test_a_statement_that_could_not_be_shown_waits_and_status_shows_it_again(place: Place) -> None:
    await name(place.bot, place.channel, place.member)
    await place.ask(place.manager, "setup")
    place.server.lose_request("POST", rf"/channels/{place.channel.id}/messages", times=None)
    opened = await open_contest(place, place.member)
    assert "Moderators decide" in (await send(place, place.member, opened, "I was asked")).text
    assert place.channel.messages == {}
    place.server.clear_faults()
    status = await (await place.server.slash(place.moderator, place.channel, "status")).followed_up(2)
    assert "Statements that wait: 1" in status.text
    assert "I was asked" in status.text
    shown = await place.server.click(place.moderator, status.messages[1], "pw:state:show:1")
    assert "stands on the card now" in (await shown.settled()).text
    assert "Statements that wait: 0" in (await place.ask(place.moderator, "status")).text


async def test_one_statement_a_day_counts_from_when_it_was_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await name(place.bot, place.channel, place.member)
    opened = await open_contest(place, place.member)
    run = place.bot.store.run

    async def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(place.bot.store, "run", fails)
    assert "Nothing was changed" in (await send(place, place.member, opened, "lost")).text
    monkeypatch.setattr(place.bot.store, "run", run)
    opened = await open_contest(place, place.member)
    assert "Moderators decide" in (await send(place, place.member, opened, "kept")).text
    assert "less than a day ago" in (await open_contest(place, place.member)).text


async def test_of_a_dry_run_nobody_is_told_before_moderators_confirmed_it(place: Place) -> None:
    alert = await place.bot.raise_alert(place.channel, person=as_person(place.member), dry_run=True)
    refused = await open_contest(place, place.member)
    assert refused.modal is None
    assert "No warning" in refused.text
    await place.bot.reviews.decide(alert, str(place.guild.id), "discord:discord:1", "confirmed")
    assert (await open_contest(place, place.member)).modal is not None
