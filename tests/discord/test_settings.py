"""Set-up, watches, status and what moderators look up, over the wire."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.room_tasks import RoomHealth
from bot.watches import list_watches, room_settings
from detectors.records import Message, RoomKey
from tests.bot.samples import quote
from tests.discord.bot import Bot, bot_at, moderators, only
from tests.servers.discord import Channel, DiscordServer, Guild, InteractionRecord, NotOfferedError, User, permissions
from tests.stand_ins import person


@dataclass
class Rooms:
    """Stands in for the service that runs rooms: notes what was asked."""

    reloaded: list[RoomKey] = field(default_factory=list)
    health: dict[RoomKey, RoomHealth] = field(default_factory=dict)
    refusals: dict[RoomKey, Message] = field(default_factory=dict)
    threads: int = 0

    def changing(self, key: RoomKey) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def reload(self, key: RoomKey) -> None:
        self.reloaded.append(key)

    def running(self, community: str | None = None) -> Mapping[RoomKey, RoomHealth]:
        return self.health

    def refusal(self, key: RoomKey) -> Message | None:
        return self.refusals.get(key)

    def refused_threads(self, community: str) -> tuple[int, int]:
        return self.threads, 100


@dataclass
class Place:
    server: DiscordServer
    guild: Guild
    channel: Channel
    manager: User
    moderator: User
    member: User
    bot: Bot
    rooms: Rooms

    async def ask(self, who: User, name: str, /, **options: Any) -> InteractionRecord:
        """Use a slash command that is offered, and wait for the answer."""
        if name == "check":
            self.server.clock.advance(6)  # nobody checks more often
        answered = await (await self.server.slash(who, self.channel, name, **options)).settled()
        assert answered.ephemeral
        return answered

    async def insist(self, who: User, name: str, /, **options: Any) -> InteractionRecord:
        """Use a slash command that is not offered, once the server's settings allow it all the same."""
        with pytest.raises(NotOfferedError):
            await self.server.slash(who, self.channel, name, **options)
        self.server.commands.permit(who, name.split()[0])
        answered = await self.ask(who, name, **options)
        self.server.commands.permitted.clear()
        return answered


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        channel = guild.channel("alerts")
        manager = guild.member("max", [guild.role("Managers", permissions.MANAGE_GUILD)])
        moderator = guild.member("ana", [moderators(guild)])
        member = guild.member("mia")
        async with bot_at(server, tmp_path / "db", streams={"hosts": ["live.example"], "per_community": 2}) as bot:
            rooms = Rooms()
            bot.parts.rooms = rooms
            yield Place(server, guild, channel, manager, moderator, member, bot, rooms)
    server.assert_clean()


async def test_set_up_in_one_command(place: Place) -> None:
    role = place.guild.role("Reviewers")
    to = place.guild.channel("warnings")
    answered = await place.ask(place.manager, "setup", channel=to, moderators=role, sensitivity="high", language="fr")
    assert "Pitchwatch est réglé" in answered.text
    assert f"<#{to.id}>" in answered.text
    (row,) = await place.bot.store.run(lambda db: list(db.query("SELECT * FROM communities")))
    assert (row["channel"], row["moderator_role"], row["sensitivity"], row["language"]) == (
        f"discord:{to.id}",
        str(role.id),
        "high",
        "fr",
    )
    (log,) = await place.bot.store.run(lambda db: list(db.query("SELECT actor, action FROM audit")))
    assert log == {"actor": f"discord:discord:{place.manager.id}", "action": "setup"}


async def test_it_says_what_the_bot_lacks_in_the_channel(place: Place) -> None:
    to = place.guild.channel("closed")
    to.overwrite(place.guild.everyone, deny=permissions.ATTACH_FILES)
    assert "Attach Files" in (await place.ask(place.manager, "setup", channel=to)).text


@pytest.mark.parametrize("who", ["moderator", "member"])
async def test_settings_are_for_those_who_manage_the_server(place: Place, who: str) -> None:
    someone = getattr(place, who)
    for command, options in (
        ("setup", {}),
        ("watch add", {"kind": "discord", "place": str(place.channel.id)}),
        ("watch list", {}),
        ("allow", {"member": place.member}),
        ("export", {}),
    ):
        assert "Only those who may manage" in (await place.insist(someone, command, **options)).text
    assert await place.bot.store.run(lambda db: list(db.query("SELECT * FROM audit"))) == []


async def test_a_watch_is_added_listed_paused_and_removed(place: Place) -> None:
    lounge = place.guild.channel("lounge")
    room = RoomKey("discord", f"{place.guild.id}/{lounge.id}")
    added = await place.ask(place.manager, "watch add", kind="discord", place=f"<#{lounge.id}>", sensitivity="high")
    assert f"<#{lounge.id}> is listened to" in added.text
    assert "warns early" in (await place.ask(place.manager, "watch list")).text
    assert "paused" in (await place.ask(place.manager, "watch pause", room=str(room))).text
    rows = await list_watches(place.bot.store, str(place.guild.id))
    assert room_settings(room, rows) is None
    await place.ask(place.manager, "watch pause", room=str(room), go_on=True)
    opened = room_settings(room, await list_watches(place.bot.store, str(place.guild.id)))
    assert opened is not None
    assert opened.watches[0].channel == f"discord:{place.channel.id}"
    assert "not listened to any more" in (await place.ask(place.manager, "watch remove", room=str(room))).text
    assert "Nothing is listened to" in (await place.ask(place.manager, "watch list")).text
    assert place.rooms.reloaded == [room] * 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "media", "place": "https://elsewhere.example/a.m3u8", "consent": True}, "not allowed here"),
        ({"kind": "media", "place": "https://live.example.evil.example/a", "consent": True}, "not allowed here"),
        ({"kind": "media", "place": "file:///etc/passwd", "consent": True}, "begins with one of"),
        ({"kind": "media", "place": "/etc/passwd", "consent": True}, "begins with one of"),
        ({"kind": "media", "place": "https://live.example/a.m3u8"}, "before people there were told"),
        ({"kind": "discord", "place": "general"}, "is no channel"),
    ],
)
async def test_what_may_not_be_watched(place: Place, options: dict[str, Any], said: str) -> None:
    assert said in (await place.ask(place.manager, "watch add", **options)).text
    assert await list_watches(place.bot.store) == []
    assert place.rooms.reloaded == []


async def test_only_channels_of_this_server_that_one_sees_oneself_may_be_watched(place: Place) -> None:
    other = place.server.world.guild("Another")
    secret, closed = other.channel("secret"), place.guild.channel("closed")
    other.member(place.manager)
    closed.overwrite(place.manager, deny=permissions.VIEW_CHANNEL)
    thread = place.guild.thread(closed, "below")
    private = place.guild.thread(place.channel, "private", place.member, private=True, members=[place.server.world.bot])
    for number in (secret.id, closed.id, thread.id, private.id, 12345):
        for said in (str(number), f"<#{number}>"):
            answered = await place.ask(place.manager, "watch add", kind="discord", place=said)
            assert f"<#{number}> is no channel of this server that you can see" in answered.text
    assert await list_watches(place.bot.store) == []
    assert place.rooms.reloaded == []
    below = place.guild.thread(place.channel, "open to all")
    added = await place.ask(place.manager, "watch add", kind="discord", place=str(below.id))
    assert f"<#{below.id}> is listened to" in added.text


async def test_what_one_may_do_in_one_channel_counts_for_nothing_in_the_whole_server(place: Place) -> None:
    allowed = permissions.MANAGE_MESSAGES | permissions.MANAGE_GUILD
    place.channel.overwrite(place.member, allow=allowed)
    assert "Only moderators" in (await place.ask(place.member, "history")).text
    assert "Only those who may manage" in (await place.ask(place.member, "watch list")).text
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.outbox.drain()
    clicked = await (await place.server.click(place.member, only(place.channel), f"pw:confirm:{alert}")).settled()
    assert "Only moderators" in clicked.text


async def test_a_community_has_a_quota(place: Place) -> None:
    for number in range(3):
        at = f"https://cdn.live.example/{number}.m3u8"
        answered = await place.ask(place.manager, "watch add", kind="media", place=at, consent=True)
    assert "its 2 watches" in answered.text
    assert len(await list_watches(place.bot.store)) == 2


async def test_status_says_what_is_heard_and_what_is_not(place: Place) -> None:
    at = "https://live.example/a.m3u8"
    await place.ask(place.manager, "watch add", kind="media", place=at, consent=True)
    key = RoomKey("media", at)
    assert "could not be opened" in (await place.ask(place.moderator, "status")).text
    place.rooms.health[key] = RoomHealth(None, 0.0, 0.0, 0, 0, 3, "no answer", True)
    assert "failed 3 time(s), last: no answer" in (await place.ask(place.moderator, "status")).text
    place.rooms.health[key] = RoomHealth("Evening", 600.0, 12.0, 2, 0, 0, "", False)
    text = (await place.ask(place.moderator, "status")).text
    assert "heard: Evening, 10 min so far, lost: 12 s, 2 line(s) not read" in text
    assert "Only moderators" in (await place.ask(place.member, "status")).text


@pytest.mark.parametrize(
    ("locale", "delay", "failed", "threads", "refused"),
    [
        (
            *("en-US", "read 1.2 s after it was said, at most 3.5 s for 95 of 100 lines"),
            *("failed 2 time(s) before, last: it cannot be reached now (no answer)", "7 thread(s) are not listened to"),
            "not heard: it cannot be opened like this (is no Janus room)",
        ),
        (
            *("fr", "lu 1.2 s après avoir été dit"),
            *("le dernier : on ne peut pas l’atteindre pour l’instant (no answer)", "7 fil(s) ne sont pas écoutés"),
            "pas entendu : on ne peut pas l’ouvrir ainsi (is no Janus room)",
        ),
    ],
)
async def test_status_says_delays_failures_and_what_was_refused(
    place: Place, locale: str, delay: str, failed: str, threads: str, refused: str
) -> None:
    place.guild.rename(locale=locale)
    heard, closed = RoomKey("media", "https://live.example/a"), RoomKey("media", "https://live.example/b")
    for key in (heard, closed):
        await place.ask(place.manager, "watch add", kind="media", place=key.address, consent=True)
    lost = Message("reason.lost", {"details": "no answer"})
    place.rooms.health[heard] = RoomHealth("Evening", 60.0, 0.0, 0, 0, 2, "no answer", False, (1.23, 3.46), lost)
    place.rooms.refusals[closed] = Message("reason.wrong", {"details": "is no Janus room"})
    place.rooms.threads = 7
    text = (await place.ask(place.moderator, "status")).text.replace("\u00a0", " ").replace("\u202f", " ")
    for words in (delay, failed, threads, refused):
        assert words in text


async def test_history_and_why_also_for_what_the_cap_held_back(place: Place) -> None:
    await place.bot.raise_alert(place.channel)
    await place.bot.outbox.drain()
    alert = await place.bot.raise_alert(place.channel, episode=2)
    await place.bot.store.run(lambda db: db.execute("UPDATE alerts SET held_back = 1 WHERE id = ?", [alert]))
    await place.bot.store.run(lambda db: db.execute("DELETE FROM outbox WHERE alert = ?", [alert]))
    text = (await place.ask(place.moderator, "history")).text
    assert "held back by the cap" in text
    assert f"https://discord.com/channels/{place.guild.id}/{place.channel.id}/{only(place.channel).id}" in text
    assert "book a call" in (await place.ask(place.moderator, "why", alert=alert)).text
    assert "not known here" in (await place.ask(place.moderator, "why", alert="0" * 16)).text
    assert "Only moderators" in (await place.ask(place.member, "history")).text


async def test_what_was_shown_nowhere_is_reviewed_from_why(place: Place) -> None:
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.store.run(lambda db: db.execute("DELETE FROM outbox WHERE alert = ?", [alert]))
    why = await place.ask(place.moderator, "why", alert=alert)
    clicked = await place.server.click(place.moderator, why.messages[0], f"pw:dismiss:{alert}")
    assert "Dismissed" in (await clicked.settled()).text
    again = await place.ask(place.moderator, "why", alert=alert)
    clicked = await place.server.click(place.moderator, again.messages[0], f"pw:undo:{alert}")
    assert "Taken back" in (await clicked.settled()).text


async def test_a_long_history_ends_at_a_line_and_says_how_many_are_left(place: Place) -> None:
    for number in range(15):
        await place.bot.raise_alert(place.channel, person=person("@" + "*" * 39 + str(number)))
    await place.bot.outbox.drain()
    text = (await place.ask(place.moderator, "history")).text
    assert len(text) <= 2000
    *listed, last = text.split("\n")
    assert all(line.startswith("- <t:") and line.endswith(("`", ">)")) for line in listed)
    assert last == f"{15 - len(listed)} more."


async def test_history_finds_nobody_whom_only_another_server_met(place: Place) -> None:
    await place.bot.raise_alert(place.server.world.guild("Another").channel("x"))
    assert "Nothing is known" in (await place.ask(place.moderator, "history", who="@host")).text


async def test_addresses_are_shown_without_what_may_be_a_key(place: Place) -> None:
    at = "https://user:secret@live.example/a.m3u8?token=secret"
    await place.ask(place.manager, "watch add", kind="media", place=at, consent=True)
    key = RoomKey("media", at)
    for who, command in ((place.moderator, "status"), (place.manager, "watch list")):
        text = (await place.ask(who, command)).text
        assert "secret" not in text
        assert "live\\[.\\]example" in text
    place.rooms.health[key] = RoomHealth(None, 0.0, 0.0, 0, 0, 1, f"{key}: 403 for {at}", True)
    text = (await place.ask(place.moderator, "status")).text
    assert "403 for" in text
    assert "secret" not in text


async def test_a_channel_is_paused_and_removed_by_its_mention(place: Place) -> None:
    lounge = place.guild.channel("lounge")
    await place.ask(place.manager, "watch add", kind="discord", place=lounge.mention)
    assert "paused" in (await place.ask(place.manager, "watch pause", room=lounge.mention)).text
    assert "not listened to any more" in (await place.ask(place.manager, "watch remove", room=lounge.mention)).text
    assert "There is no watch" in (await place.ask(place.manager, "watch remove", room=place.channel.mention)).text
    wrong = await place.ask(place.manager, "watch add", kind="media", place="http://[x", consent=True)
    assert "http, https, rtmp, rtmps" in wrong.text


async def test_rooms_are_completed_for_managers_only(place: Place) -> None:
    await place.ask(place.manager, "watch add", kind="discord", place=place.channel.mention)
    shown = await place.server.autocomplete(place.manager, place.channel, "watch remove", "room")
    assert len((await shown.answered()).choices) == 1
    place.server.commands.permit(place.member, "watch")
    shown = await place.server.autocomplete(place.member, place.channel, "watch remove", "room")
    assert (await shown.answered()).choices == []


async def test_whoever_is_allowed_is_exempt_until_it_is_taken_back(place: Place) -> None:
    assert "Nothing is said" in (await place.ask(place.manager, "allow", member=place.member)).text
    assert "so already" in (await place.ask(place.manager, "allow", member=place.member)).text
    rows = await place.bot.store.run(lambda db: list(db.query("SELECT account FROM exemptions")))
    assert rows == [{"account": f"discord:discord:{place.member.id}"}]
    await place.ask(place.manager, "allow", member=place.member, take_back=True)
    assert await place.bot.store.run(lambda db: list(db.query("SELECT account FROM exemptions"))) == []


async def test_an_export_holds_the_communitys_own_and_nothing_else(place: Place) -> None:
    other = place.server.world.guild("Another")
    await place.bot.raise_alert(place.channel)
    await place.bot.raise_alert(other.channel("x"))
    answered = await place.ask(place.manager, "export")
    (data,) = answered.files.values()
    assert str(place.guild.id) in data.decode()
    assert str(other.id) not in data.decode()
    assert "book a call" in data.decode()
    rows = [json.loads(line) for line in data.decode().splitlines()]
    assert {"outbox", "shows", "participations", "accounts", "alerts", "evidence"} <= {row["type"] for row in rows}
    (log,) = await place.bot.store.run(lambda db: list(db.query("SELECT actor, action FROM audit")))
    assert log == {"actor": f"discord:discord:{place.manager.id}", "action": "export"}


async def test_an_export_holds_settings_joined_accounts_digests_and_dismissed_texts(place: Place) -> None:
    alert = await place.bot.raise_alert(place.channel, evidence=(quote(1, 100.0, "book a call with me tonight, " * 3),))
    await place.bot.raise_alert(place.channel, person=person("@other"))
    await place.ask(place.manager, "setup", digest="week")
    await place.ask(place.moderator, "link", one_account="@host", other="@other")
    await place.bot.reviews.decide(alert, str(place.guild.id), "discord:discord:1", "dismissed")
    (data,) = (await place.ask(place.manager, "export")).files.values()
    types = {json.loads(line)["type"] for line in data.decode().splitlines()}
    assert {"communities", "digests", "links", "dismissed_texts"} <= types


async def test_new_set_up_of_moderators_counts_at_the_next_click(place: Place) -> None:
    role = place.guild.role("Reviewers")
    alert = await place.bot.raise_alert(place.channel)
    await place.bot.outbox.drain()
    await place.ask(place.manager, "setup", moderators=role)
    place.guild.change_member(place.member, roles=[role])
    clicked = await place.server.click(place.member, only(place.channel), f"pw:confirm:{alert}")
    assert "Confirmed" in (await clicked.settled()).text
    await place.bot.outbox.drain()
    assert "Undo" in only(place.channel).text
