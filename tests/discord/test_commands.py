"""Every command, as the owner, as a moderator chosen in `/setup`, and as a member: what each is answered."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.policy import Watch
from bot.watches import add_watch
from detectors.records import Account, Person, RoomKey
from tests.discord.bot import Bot, bot_at
from tests.discord.test_settings import Rooms
from tests.servers.discord import Channel, DiscordServer, Guild, InteractionRecord, NotOfferedError, User, permissions
from tests.stand_ins import person

ROLES = ("member", "moderator", "owner")
#: What those are told who may not.
REFUSED = {
    "moderator": "Only moderators can do that here.",
    "owner": "Only those who may manage the server can do that.",
}


@dataclass
class Place:
    """A server that chose a role for its moderators, which may do nothing else; a warning; a room that is watched."""

    server: DiscordServer
    guild: Guild
    channel: Channel
    lounge: Channel
    owner: User
    moderator: User
    member: User
    bot: Bot
    alert: str

    async def ask(self, who: User, command: str, /, **options: Any) -> InteractionRecord:
        self.server.clock.advance(61)  # nobody asks too often
        return await (await self.server.slash(who, self.channel, command, **options)).settled()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        channel, lounge, market = guild.channel("alerts"), guild.channel("lounge"), guild.channel("market")
        reviewers = guild.role("Reviewers")
        moderator, member = guild.member("ana", [reviewers]), guild.member("mia")
        async with bot_at(server, tmp_path / "db") as bot:
            bot.parts.rooms = Rooms()
            await (await server.slash(guild.owner, channel, "setup", moderators=reviewers)).settled()
            alert = await bot.raise_alert(channel)
            await bot.raise_alert(channel, person=person("@other"))
            await bot.outbox.drain()
            watch = Watch(str(guild.id), RoomKey("discord", f"{guild.id}/{market.id}"), f"discord:{channel.id}")
            await add_watch(bot.store, watch, "discord:discord:1", {}, bot.parts.settings.streams)
            yield Place(server, guild, channel, lounge, guild.owner, moderator, member, bot, alert)
    server.assert_clean()


@dataclass(frozen=True)
class Case:
    """A command, what is given with it, who may use it at least, and what those are answered."""

    command: str
    least: str
    said: Callable[[Place], str] | str
    options: Callable[[Place], dict[str, Any]] = lambda place: {}
    #: What those are answered who come after the first.
    again: str = ""

    def answer(self, place: Place, first: bool) -> str:
        if self.again and not first:
            return self.again
        return self.said if isinstance(self.said, str) else self.said(place)


def market(place: Place) -> dict[str, Any]:
    channel = next(one for one in place.guild.channels.values() if one.name == "market")
    return {"room": f"discord:{place.guild.id}/{channel.id}"}


def figure(place: Place) -> dict[str, Any]:
    return {"who": "@host", "what": "followers", "value": 312.0, "source": "a profile"}


CASES = [
    Case("setup", "owner", "Nothing was changed"),
    Case(
        "watch add",
        "owner",
        lambda place: f"<#{place.lounge.id}> is listened to now",
        lambda place: {"kind": "discord", "place": place.lounge.mention},
    ),
    Case("watch list", "owner", "warns as usual"),
    Case("watch pause", "owner", "is paused", market),
    Case("watch pause", "owner", "is listened to again", lambda place: {**market(place), "go_on": True}),
    Case("watch remove", "owner", "is not listened to any more", market),
    Case("allow", "owner", "Nothing is said about", lambda place: {"member": place.member}),
    Case("export", "owner", "What is kept about this server"),
    Case("digest set", "owner", "The digest comes", lambda place: {"every": "week", "hour": 9, "zone": "UTC"}),
    Case("digest off", "owner", "No digest was set"),
    Case("status", "moderator", "warnings that wait for a review: 2"),
    Case("history", "moderator", lambda place: f"`{place.alert}`"),
    Case("why", "moderator", "book a call", lambda place: {"alert": place.alert}),
    Case("record", "moderator", "Noted", figure),
    Case(
        "link",
        "moderator",
        "one person",
        lambda place: {"one_account": "@host", "other": "@other"},
        "That was so already",
    ),
    Case("digest now", "moderator", "The digest was sent"),
    Case("digest preview", "moderator", "not reviewed yet"),
    Case("check", "member", "Shows heard", lambda place: {"who": "@host"}),
    Case("tips", "member", "Before you pay somebody"),
    Case("contest", "member", "No warning here names you"),
]


def may(role: str, least: str) -> bool:
    return ROLES.index(role) >= ROLES.index(least)


def cases() -> Iterator[Any]:
    for case in CASES:
        marks = "-go_on" if "again" in str(case.said) else ""
        yield pytest.param(case, id=case.command.replace(" ", "-") + marks)


@pytest.mark.parametrize("case", list(cases()))
async def test_who_may_use_a_command_and_what_they_are_answered(place: Place, case: Case) -> None:
    for role in ROLES:
        who, options = getattr(place, role), case.options(place)
        if not may(role, case.least) and is_hidden(case):
            with pytest.raises(NotOfferedError):
                await place.server.slash(who, place.channel, case.command, **options)
            # A server's settings may show it to anybody all the same.
            place.server.commands.permit(who, case.command.split()[0])
        before = await audit(place)
        answered = await place.ask(who, case.command, **options)
        if may(role, case.least):
            assert case.answer(place, role == case.least) in answered.text, role
            assert answered.ephemeral == (case.command != "tips")
            continue
        assert answered.text == REFUSED[case.least], role
        assert answered.ephemeral
        assert await audit(place) == before


def is_hidden(case: Case) -> bool:
    """Whether Discord's app shows a command only to those who may manage the server."""
    return case.least == "owner" and not case.command.startswith("digest")


async def audit(place: Place) -> list[dict[str, Any]]:
    return await place.bot.store.run(lambda database: list(database.query("SELECT * FROM audit")))


def test_every_command_has_its_case() -> None:
    known = {case.command for case in CASES}
    assert known == {
        *("setup", "watch add", "watch list", "watch pause", "watch remove", "allow", "export"),
        *("status", "history", "why", "record", "link", "check", "tips", "contest"),
        *("digest set", "digest off", "digest now", "digest preview"),
    }


async def test_these_are_all_the_commands_there_are(place: Place) -> None:
    known = {case.command for case in CASES}
    offered = set()
    for command in place.server.commands.known[None]:
        if command["type"] == 1:
            subs = [one["name"] for one in command["options"] if one["type"] == 1]
            offered |= {f"{command['name']} {sub}" for sub in subs} or {command["name"]}
        else:
            assert command["name"] == "Check with Pitchwatch"
    assert offered == known


async def test_a_check_says_more_to_moderators_in_each_of_its_forms(place: Place) -> None:
    for role, sees_more in (("member", False), ("moderator", True), ("owner", True)):
        who = getattr(place, role)
        card = (await place.ask(who, "check", who="@host")).text
        assert ("0 confirmed, 1 open" in card, "book a call" in card) == (sees_more, sees_more)
        place.server.clock.advance(61)
        used = await place.server.context_menu(who, place.channel, "Check with Pitchwatch", place.member)
        menu = await used.settled()
        assert menu.ephemeral
        assert "Nothing is known about" in menu.text
        place.server.clock.advance(61)
        sent = len(place.channel.by(place.server.world.bot))
        await place.server.world.say(place.channel, who, "!check @host")
        await place.server.wait_for(lambda sent=sent: len(place.channel.by(place.server.world.bot)) > sent)
        answered = place.channel.last.text
        assert "0 confirmed by moderators" in answered
        assert "book a call" not in answered


async def test_whoever_is_named_contests_whatever_they_are_else(place: Place) -> None:
    for role in ROLES:
        who = getattr(place, role)
        await place.bot.raise_alert(
            place.channel,
            person=Person(Account("discord", "discord", str(who.id)), f"@{who.name}"),
            episode=ROLES.index(role) + 1,
        )
        opened = await (await place.server.slash(who, place.channel, "contest")).answered()
        assert opened.modal is not None
        stated = await (await place.server.submit_modal(who, opened, {"text": f"by a {role}"})).settled()
        assert "Moderators decide" in stated.text
        assert stated.ephemeral


async def test_without_a_chosen_role_whoever_may_manage_messages_is_a_moderator(place: Place) -> None:
    await place.ask(place.owner, "setup", clear_moderators=True)
    helper = place.guild.member("bo", [place.guild.role("Helpers", permissions.MANAGE_MESSAGES)])
    assert f"`{place.alert}`" in (await place.ask(helper, "history")).text
    assert (await place.ask(place.moderator, "history")).text == REFUSED["moderator"]


async def test_in_a_conversation_with_the_bot_nothing_of_a_server_is_offered(place: Place) -> None:
    direct = place.server.world.dm(place.owner)
    for case in CASES:
        with pytest.raises(NotOfferedError):
            await place.server.slash(place.owner, direct, case.command, **case.options(place))


@pytest.mark.parametrize("key", ["description_localizations", "name_localizations"])
async def test_commands_options_and_choices_are_described_in_french_too(place: Place, key: str) -> None:
    said: list[tuple[str, dict[str, Any]]] = []

    def walk(one: dict[str, Any], path: str) -> None:
        said.append((path, one))
        for inner in [*(one.get("options") or []), *(one.get("choices") or [])]:
            walk(inner, f"{path} {inner['name']}")

    for command in place.server.commands.known[None]:
        walk(command, command["name"])
    described = [(path, one) for path, one in said if one.get("description")]
    if key == "description_localizations":
        lacking = [path for path, one in described if one[key]["fr"] == one["description"] or not one[key]["fr"]]
        assert (lacking, len(described) > 50) == ([], True)
        return
    choices = [(path, one) for path, one in said if "value" in one]
    same = {"discord", "media", "janus", "English", "français"}  # the same in each language
    assert [path for path, one in choices if one["name"] not in same and not (one.get(key) or {}).get("fr")] == []
