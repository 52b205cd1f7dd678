"""Set-up, once and again: only what was given changes, and what that means is said."""

from typing import Any

import pytest

from bot.digest_settings import DigestSettings, read_digest_settings
from bot.schedule import Schedule
from bot.watches import RefusedWatchError, list_watches
from detectors.records import RoomKey
from tests.discord.test_settings import Place, place
from tests.servers.discord import permissions

__all__ = ["place"]


async def stands(place: Place) -> dict[str, Any]:
    (row,) = await place.bot.store.run(lambda db: list(db.query("SELECT * FROM communities")))
    return row


async def digest(place: Place) -> DigestSettings | None:
    community = str(place.guild.id)
    return await place.bot.store.run(lambda database: read_digest_settings(database, community))


async def test_setting_up_again_changes_only_what_is_given(place: Place) -> None:
    role, to = place.guild.role("Reviewers"), place.guild.channel("warnings")
    await place.ask(place.manager, "setup", channel=to, moderators=role, sensitivity="high", ping=role)
    before = await stands(place)
    again = await place.ask(place.manager, "setup", language="fr")
    assert await stands(place) == {**before, "language": "fr"}
    assert "Changé : langue" in again.text.replace("\u00a0", " ")
    _, second = await place.bot.store.run(lambda db: list(db.query("SELECT details FROM audit ORDER BY id")))
    assert second["details"] == '{"language": "fr"}'
    await place.ask(place.manager, "setup", language="en")
    assert "Nothing was changed" in (await place.ask(place.manager, "setup")).text
    assert (await stands(place))["channel"] == f"discord:{to.id}"


async def test_roles_are_unset(place: Place) -> None:
    role = place.guild.role("Reviewers")
    await place.ask(place.manager, "setup", moderators=role, ping=role)
    assert place.bot.parts.hub.staff_roles == {place.guild.id: role.id}
    answered = await place.ask(place.manager, "setup", clear_moderators=True, clear_ping=True)
    assert "Whoever may manage messages" in answered.text
    row = await stands(place)
    assert (row["moderator_role"], row["ping_role"]) == (None, None)
    assert place.bot.parts.hub.staff_roles == {}


async def test_it_says_when_everybody_can_read_warnings(place: Place) -> None:
    assert "Everybody can read" in (await place.ask(place.manager, "setup")).text
    closed = place.guild.channel("mods")
    closed.overwrite(place.guild.everyone, deny=permissions.VIEW_CHANNEL)
    closed.overwrite(place.server.world.bot, allow=permissions.VIEW_CHANNEL)
    assert "Everybody can read" not in (await place.ask(place.manager, "setup", channel=closed)).text


async def test_a_new_sensitivity_reaches_watches_that_chose_none_of_their_own(place: Place) -> None:
    own, usual = place.guild.channel("own"), place.guild.channel("usual")
    await place.ask(place.manager, "watch add", kind="discord", place=own.mention, sensitivity="low")
    await place.ask(place.manager, "watch add", kind="discord", place=usual.mention)
    place.rooms.reloaded.clear()
    answered = await place.ask(place.manager, "setup", sensitivity="high")
    assert "1 watch(es)" in answered.text
    rows = {row.watch.room.address: row.watch.sensitivity for row in await list_watches(place.bot.store)}
    assert rows == {f"{place.guild.id}/{own.id}": "low", f"{place.guild.id}/{usual.id}": "high"}
    assert len(place.rooms.reloaded) == 2


async def test_rooms_go_on_when_nothing_about_them_changed_and_one_that_cannot_open_hinders_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.ask(place.manager, "setup")
    await place.ask(place.manager, "watch add", kind="discord", place=place.channel.mention)
    place.rooms.reloaded.clear()
    await place.ask(place.manager, "setup", language="en")
    assert place.rooms.reloaded == []

    async def refuses(key: RoomKey) -> None:
        raise RefusedWatchError("watch.cannot_open", why="https://user:secret@live.example/a?token=secret: gone")

    monkeypatch.setattr(place.rooms, "reload", refuses)
    answered = await place.ask(place.manager, "setup", sensitivity="low")
    assert "cannot be opened" in answered.text
    assert "secret" not in answered.text


@pytest.mark.parametrize(("locale", "zone"), [("en-US", "UTC"), ("fr", "Europe/Paris")])
async def test_a_digest_is_set_with_sensible_defaults(place: Place, locale: str, zone: str) -> None:
    place.guild.rename(locale=locale)
    await place.ask(place.manager, "setup", digest="week")
    found = await digest(place)
    assert found is not None
    assert (found.schedule, found.channel) == (Schedule("week", 0, 9, zone), f"discord:{place.channel.id}")
    other = place.guild.channel("digests")
    await place.ask(
        place.manager, "digest set", every="week", hour=18, zone="Asia/Tokyo", channel=other, minimum=3, weekday=2
    )
    await place.ask(place.manager, "setup", digest="day")
    found = await digest(place)
    assert found is not None
    assert found.schedule == Schedule("day", 2, 18, "Asia/Tokyo")
    assert (found.channel, found.least) == (f"discord:{other.id}", 3)
    await place.ask(place.manager, "setup", language="en")
    assert await digest(place) is not None
    answered = await place.ask(place.manager, "setup", digest="off")
    assert "No digest is sent" in answered.text
    assert await digest(place) is None


async def test_a_watch_or_digest_without_a_channel_says_that_it_comes_here_and_who_reads_there(place: Place) -> None:
    lounge = place.guild.channel("lounge")
    where = f"<#{place.channel.id}>"
    added = (await place.ask(place.manager, "watch add", kind="discord", place=lounge.mention)).text
    assert f"No channel is set for warnings, so they come here, to {where}" in added
    assert f"Everybody can read {where}" in added
    options = {"every": "day", "hour": 9, "zone": "UTC"}
    told = (await place.ask(place.manager, "digest set", **options)).text
    assert f"No channel is set for digests or warnings, so it comes here, to {where}" in told
    assert f"Everybody can read {where}" in told
    closed = place.guild.channel("mods")
    closed.overwrite(place.guild.everyone, deny=permissions.VIEW_CHANNEL)
    closed.overwrite(place.server.world.bot, allow=permissions.VIEW_CHANNEL)
    await place.ask(place.manager, "setup", channel=closed)
    for command, more in (("watch add", {"kind": "discord", "place": lounge.mention}), ("digest set", options)):
        text = (await place.ask(place.manager, command, **more)).text
        assert "No channel is set" not in text
        assert "Everybody" not in text
        assert f"<#{closed.id}>" in text
