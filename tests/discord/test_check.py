"""Cards, advice, figures and statements, over the wire."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.effects import Participation, Record, ShowProgress
from bot.policy import Watch
from bot.watches import add_watch
from config.settings import StreamSettings
from detectors.records import Account, Message, Person, RoomKey, ShowInfo
from tests.bot.samples import HOST, quote
from tests.discord.bot import bot_at, only
from tests.discord.test_settings import Place, place
from tests.discord.test_statements import name
from tests.servers.discord import DiscordServer, InteractionRecord
from tests.stand_ins import ROOM, person

__all__ = ["place"]


async def heard(place: Place) -> str:
    """Let the host be heard in a show with two warnings, of which one is confirmed."""
    first = await place.bot.raise_alert(place.channel)
    await place.bot.raise_alert(place.channel, episode=2)
    community = str(place.guild.id)
    claim = Message("claim.followers", {"number": 50_000, "words": "fifty thousand followers"})
    await place.bot.store.apply(
        [Record(community, ROOM, "show-1", "claims", HOST, "e9", 50.0, 1.0, claim, "I have 50k")]
    )
    await place.bot.reviews.decide(first, community, "discord:discord:1", "confirmed")
    return first


async def test_members_see_what_was_confirmed_and_moderators_everything(place: Place) -> None:
    await heard(place)
    for_member = (await place.ask(place.member, "check", who="@host")).text
    for_moderator = (await place.ask(place.moderator, "check", who="@host")).text
    assert "1 confirmed by moderators" in for_member
    for word in ("open", "50000", "followers;", "Warnings"):
        assert word not in for_member
    assert "1 confirmed, 1 open, 0 dismissed" in for_moderator
    assert "spoke of 50000 followers" in for_moderator
    assert "Warnings" in for_moderator
    for text in (for_member, for_moderator):
        assert "Name three campaigns" in text
        assert "Many people in this trade are honest" in text


async def test_the_card_has_a_picture(place: Place) -> None:
    await heard(place)
    answered = await place.ask(place.moderator, "check", who="@host")
    assert answered.files["shows.png"].startswith(b"\x89PNG")


async def test_nothing_known_is_said_as_such_with_since_when(place: Place) -> None:
    assert "no show has been listened to yet" in (await place.ask(place.member, "check", who="@nobody")).text
    await heard(place)
    text = (await place.ask(place.member, "check", who="twitch:nobody")).text
    assert "Nothing is known about" in text
    assert "Listening since <t:" in text
    assert "Name three campaigns" in text


async def test_who_speaks_on_a_site_goes_by_their_name_there(place: Place) -> None:
    streams = {"@Kay": "https://www.twitch.tv/kay", "@Lee": "https://youtu.be/abc123", "@Max": "https://live.example/a"}
    voice = Person(Account("media", "stream", "@speaker"), "@speaker")
    rooms = [RoomKey("media", address) for address in streams.values()]
    allowed = StreamSettings(hosts=["twitch.tv", "youtu.be", "live.example"])
    for said, room in zip(streams, rooms, strict=True):
        watch = Watch(str(place.guild.id), room, "discord:9", consent=True)
        await add_watch(place.bot.store, watch, "discord:discord:1", {"host": said}, allowed)
    for number, room in enumerate(rooms):
        info = ShowInfo(f"show-{number}", room, "An evening", voice, "en", None)
        part = Participation(voice, 30, 3, 300, 600.0, True)
        await place.bot.store.apply([ShowProgress(info, 600.0, 30, 0, 0, 0.0, (part,))])
    found = {
        who: "Nothing is known" not in (await place.ask(place.member, "check", who=who)).text
        for who in ("twitch:kay", "Twitch:@Kay", "youtube:Lee", "youtube:kay", "twitch:max", "media:max", "twitch:x")
    }
    assert [who for who, known in found.items() if known] == ["twitch:kay", "Twitch:@Kay", "youtube:Lee", "media:max"]
    figure = {"who": "twitch:kay", "what": "followers", "value": 312.0, "source": "profile"}
    assert "Noted" in (await place.ask(place.moderator, "record", **figure)).text
    await place.bot.raise_alert(place.channel, person=Person(Account("twitch", "twitch", "9"), "kay"))
    card = (await place.ask(place.moderator, "check", who="twitch:kay")).text
    assert "312" not in card  # an account of the platform itself comes first


async def test_what_another_server_heard_is_not_told(place: Place) -> None:
    other = place.server.world.guild("Another")
    await place.bot.raise_alert(other.channel("x"))
    assert "Nothing is known about" in (await place.ask(place.moderator, "check", who="@host")).text


async def test_with_a_prefix_everybody_sees_only_what_was_confirmed(place: Place) -> None:
    await heard(place)
    await place.server.world.say(place.channel, place.moderator, "!check @host")
    sent = await place.server.request("POST", f"/channels/{place.channel.id}/messages")
    assert place.server.sent("POST", "/messages") == [sent]
    assert "1 confirmed by moderators" in str(sent.body)
    assert "1 open" not in str(sent.body)
    assert sent.body["allowed_mentions"]["parse"] == []


async def test_the_context_menu_checks_a_member(place: Place) -> None:
    used = await place.server.context_menu(place.moderator, place.channel, "Check with Pitchwatch", place.member)
    answered = await used.settled()
    assert answered.ephemeral
    assert "Nothing is known about" in answered.text


async def test_a_noted_figure_stands_beside_the_claim(place: Place) -> None:
    await heard(place)
    options = {"who": "@host", "what": "followers", "value": 312.0, "source": "profile", "day": "2026-10-01"}
    assert "Noted" in (await place.ask(place.moderator, "record", **options)).text
    assert "followers: 312 (profile, 2026-10-01)" in (await place.ask(place.member, "check", who="@host")).text
    assert "Only moderators" in (await place.ask(place.member, "record", **options)).text
    bad = await place.ask(place.moderator, "record", **{**options, "day": "2026-13-01"})
    assert "2026-11-25" in bad.text


async def test_accounts_are_joined_by_moderators_and_parted_again(place: Place) -> None:
    await heard(place)
    await place.bot.raise_alert(place.channel, person=person("@other"))
    options = {"one_account": "@host", "other": "@other"}
    assert "Only moderators" in (await place.ask(place.member, "link", **options)).text
    assert "one person" in (await place.ask(place.moderator, "link", **options)).text
    assert "The same person, say moderators" in (await place.ask(place.moderator, "check", who="@host")).text
    assert "apart again" in (await place.ask(place.moderator, "link", **options, take_back=True)).text
    assert "so already" in (await place.ask(place.moderator, "link", **options, take_back=True)).text


async def test_a_figure_is_taken_back(place: Place) -> None:
    await heard(place)
    options = {"who": "@host", "what": "followers", "value": 312.0, "source": "profile"}
    await place.ask(place.moderator, "record", **options, day="2026-10-01")
    await place.ask(place.moderator, "record", **options, day="2026-10-02")
    assert (
        "not stand on the card any more" in (await place.ask(place.moderator, "record", **options, take_back=True)).text
    )
    text = (await place.ask(place.member, "check", who="@host")).text
    assert "2026-10-01" in text
    assert "2026-10-02" not in text
    assert (
        "not stand on the card any more" in (await place.ask(place.moderator, "record", **options, take_back=True)).text
    )
    assert "no such figure" in (await place.ask(place.moderator, "record", **options, take_back=True)).text
    log = await place.bot.store.run(lambda db: list(db.query("SELECT action FROM audit WHERE action LIKE 'record%'")))
    assert [row["action"] for row in log] == ["record", "record", "record_undone", "record_undone"]


async def test_names_known_elsewhere_only_cannot_be_noted_or_joined(place: Place) -> None:
    await place.bot.raise_alert(place.channel)
    elsewhere = place.server.world.guild("Another")
    await place.bot.raise_alert(elsewhere.channel("x"), person=person("@other"))
    other = str(person("@other").account)
    for who in ("@other", other, "<@123456789012345678>"):
        noted = await place.ask(place.moderator, "record", who=who, what="followers", value=1.0, source="profile")
        assert "Nothing is known" in noted.text
        joined = await place.ask(place.moderator, "link", one_account="@host", other=who)
        assert "Nothing is known" in joined.text
    assert await place.bot.store.run(lambda db: list(db.query("SELECT * FROM audit"))) == []


@pytest.mark.parametrize("status", ["open", "dismissed"])
async def test_members_learn_nothing_of_warnings_that_are_not_confirmed(place: Place, status: str) -> None:
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.raise_alert(place.channel, person=replace(HOST, name="@former name"), episode=2)
    await place.bot.store.run(lambda db: db.execute("UPDATE alerts SET status = ?", [status]))
    answered = await place.ask(place.member, "check", who="@former name")
    assert answered.files == {}
    assert "Shows heard" in answered.text
    assert "0 confirmed" in answered.text
    assert "former name" not in answered.text  # borne only in a warning that nobody confirmed
    # Somebody who was heard in no show that is known of.
    await place.bot.store.run(lambda db: db.execute("DELETE FROM participations"))
    for who in ("@former name", HOST.account.id, str(HOST.account)):
        assert "Nothing is known about" in (await place.ask(place.member, "check", who=who)).text
    assert "Warnings" in (await place.ask(place.moderator, "check", who=str(HOST.account))).text or status != "open"
    assert alert


async def test_several_accounts_are_listed_for_members_only_as_far_as_they_may_know(place: Place) -> None:
    await heard(place)
    twin = Person(Account("twitch", "twitch", "9"), HOST.name)
    await place.bot.raise_alert(place.channel, person=twin)
    await place.bot.store.run(
        lambda db: db.execute("DELETE FROM participations WHERE account = ?", [str(twin.account)])
    )
    assert "several accounts" in (await place.ask(place.moderator, "check", who=HOST.name)).text
    assert "1 confirmed by moderators" in (await place.ask(place.member, "check", who=HOST.name)).text


async def test_moderators_see_the_newest_quotes_with_their_times(place: Place) -> None:
    quotes = tuple(quote(number, 60.0 * number, f"words number {number}") for number in range(1, 6))
    await place.bot.raise_alert(place.channel, evidence=quotes)
    text = (await place.ask(place.moderator, "check", who="@host")).text
    for number, shown in ((1, False), (2, False), (3, True), (4, True), (5, True)):
        assert (f"words number {number}" in text) is shown
    assert "5:00" in text
    assert "words number" not in (await place.ask(place.member, "check", who="@host")).text


async def state(place: Place, text: str) -> InteractionRecord:
    opened = await (await place.server.slash(place.member, place.channel, "contest")).answered()
    sent = await place.server.submit_modal(place.member, opened, {"text": text})
    return await sent.settled()


async def test_a_statement_goes_before_the_moderators_and_onto_the_card(place: Place) -> None:
    await name(place.bot, place.channel, place.member)
    await place.ask(place.manager, "setup")
    assert "Moderators decide" in (await state(place, "I was asked for the link, @everyone")).text
    message = only(place.channel)
    assert "I was asked for the link" in str(message.components)
    assert "@everyone" not in str(message.components)
    who = place.member.mention
    assert "I was asked" not in (await place.ask(place.manager, "check", who=who)).text
    refused = await place.server.click(place.member, message, "pw:state:show:1")
    assert "Only moderators" in (await refused.settled()).text
    shown = await place.server.click(place.moderator, message, "pw:state:show:1")
    assert "stands on the card now" in (await shown.settled()).text
    assert "I was asked for the link" in (await place.ask(place.manager, "check", who=who)).text


async def test_a_statement_is_asked_for_in_french_too(place: Place) -> None:
    place.guild.rename(locale="fr")
    await name(place.bot, place.channel, place.member)
    opened = await (await place.server.slash(place.member, place.channel, "contest")).answered()
    assert opened.modal is not None
    assert opened.modal["title"] == "Que voulez-vous dire ?"


@pytest.mark.parametrize(("locale", "said"), [("en-US", "Before you pay"), ("fr", "Avant de payer")])
async def test_tips_are_posted_for_everybody(tmp_path: Path, locale: str, said: str) -> None:
    async with DiscordServer() as server:
        guild = server.world.guild("A server", locale)
        channel, mia = guild.channel("general"), guild.member("mia")
        async with bot_at(server, tmp_path / "db"):
            answered = await (await server.slash(mia, channel, "tips")).settled()
            assert said in answered.text
            assert not answered.ephemeral
            assert answered.messages == [only(channel)]
    server.assert_clean()
