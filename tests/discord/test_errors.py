"""What people are told when something fails, or when they ask too often."""

import sys
from typing import Any

import pytest

from bot.store import StoreError
from tests.discord.test_settings import Place, place

__all__ = ["place"]


def fails(*_: object) -> Any:
    raise ValueError("https://user:secret@live.example/a?token=1")


@pytest.mark.parametrize("locale", ["en-US", "fr"])
async def test_an_unknown_failure_says_only_that_something_failed(
    place: Place, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    place.guild.rename(locale=locale)
    # discord.py loads cogs as modules of its own.
    monkeypatch.setattr(sys.modules["bot.cogs.settings"], "read_history", fails)
    monkeypatch.setattr(sys.modules["bot.cogs.check"], "listening_since", fails)
    for who, command, options in ((place.moderator, "history", {}), (place.member, "check", {"who": "@host"})):
        answered = await place.ask(who, command, **options)
        assert ("Something failed" if locale == "en-US" else "Quelque chose a échoué") in answered.text
        assert "Nothing was changed" not in answered.text
        assert "secret" not in answered.text


async def test_a_failing_store_leaves_nobody_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise StoreError("/somewhere/db: full")

    monkeypatch.setattr(place.bot.store, "run", broken)
    for command in ("status", "history"):
        answered = await place.ask(place.moderator, command)
        assert "Nothing was changed" in answered.text
        assert "/somewhere" not in answered.text


async def test_who_checks_too_often_is_asked_to_wait(place: Place) -> None:
    async def ask() -> str:
        return (await (await place.server.slash(place.member, place.channel, "check", who="@x")).settled()).text

    assert "Nothing is known" in await ask()
    assert "Please wait" in await ask()
    place.server.clock.advance(6)
    assert "Nothing is known" in await ask()


async def test_tips_too_often_are_refused_in_words(place: Place) -> None:
    await (await place.server.slash(place.member, place.channel, "tips")).settled()
    refused = await (await place.server.slash(place.moderator, place.channel, "tips")).settled()
    assert "Please wait" in refused.text
    assert refused.ephemeral


async def test_a_channel_is_not_filled_by_prefix_checks(place: Place) -> None:
    other = place.guild.member("noa")
    say = place.server.world.say
    for who in (place.member, other, place.member, other):
        await say(place.channel, who, "!check @x")
    where = f"/channels/{place.channel.id}/messages"
    await place.server.request("POST", where, count=2)
    await say(place.channel, place.manager, "!unknown thing")
    place.server.clock.advance(11)
    await say(place.channel, place.manager, "!check @x")
    await place.server.request("POST", where, count=3)
    texts = [one.text for one in place.channel.by(place.server.world.bot)]
    assert len(texts) == 3
    assert sum("Please wait" in text for text in texts[:2]) == 1
    assert "Nothing is known" in texts[2]


async def test_check_without_a_name_says_how_it_is_used(place: Place) -> None:
    await place.server.world.say(place.channel, place.member, "!check")
    await place.server.request("POST", f"/channels/{place.channel.id}/messages")
    (answered,) = place.channel.by(place.server.world.bot)
    assert "!check" in answered.text
