"""Messages that were quoted and are deleted since, over the wire."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.effects import OpenAlert, UpdateAlert
from bot.policy import Watch
from detectors.records import Quote, RoomKey
from tests.bot.samples import HOST, body, progress
from tests.discord.bot import bot_at, only
from tests.servers.discord import DiscordServer, Message
from tests.stand_ins import show_info


@pytest.mark.parametrize("at_once", [1, 2])
async def test_a_quote_whose_message_is_deleted_says_so_and_leads_nowhere(tmp_path: Path, at_once: int) -> None:
    async with DiscordServer() as server:
        guild = server.world.guild("A server")
        lounge, alerts, host = guild.channel("lounge"), guild.channel("alerts"), guild.member("host")
        room = RoomKey("discord", f"{guild.id}/{lounge.id}")
        said = [await server.world.say(lounge, host, text) for text in ("my course", "my ebook", "my group")]
        first, second, third = said

        def quote(message: Message, at: float) -> Quote:
            return Quote(f"show-1/m{message.id}", at, at, HOST, "chat", message.content, 0.9)

        async with bot_at(server, tmp_path / "db") as bot:
            bot.parts.hub.on_deleted = bot.store.note_deleted
            channel, community = f"discord:{alerts.id}", str(guild.id)
            await bot.store.register([Watch(community, room, channel)])
            made = body(
                room=room, channel=channel, community=community, evidence=(quote(first, 1.0), quote(second, 2.0))
            )
            await bot.store.apply([progress(info=replace(show_info(), room=room)), OpenAlert(made)])
            await bot.outbox.drain()
            assert only(alerts).text.count(f"/{lounge.id}/") == 2

            bot.store.changed.clear()
            await server.world.delete(*[first, third][:at_once])
            await bot.store.changed.wait()
            await bot.outbox.drain()
            text = only(alerts).text
            assert text.count("deleted since") == 1
            assert first.jump_url() not in text
            assert second.jump_url() in text
            assert "my course" in text

            # What was deleted before it was quoted is told as well.
            grown = replace(made, at=300.0, evidence=(*made.evidence, quote(third, 3.0)))
            await bot.store.apply([UpdateAlert(grown)])
            await bot.outbox.drain()
            text = only(alerts).text
            assert text.count("deleted since") == at_once
            assert (third.jump_url() in text) is (at_once == 1)
        server.assert_clean()


async def test_a_deletion_marks_that_message_alone(tmp_path: Path) -> None:
    async with DiscordServer() as server, bot_at(server, tmp_path / "db") as bot:
        alerts = server.world.guild("A server").channel("alerts")
        await bot.raise_alert(alerts, evidence=(Quote("show-1/m77", 1.0, 1.0, HOST, "chat", "my course", 0.9),))
        bot.store.changed.clear()
        await bot.store.note_deleted([77, 7])  # a script's line that only looks like a message of Discord
        marked = await bot.store.run(lambda db: db.execute("SELECT SUM(deleted) FROM evidence").fetchone()[0])
        assert marked == 0
        assert not bot.store.changed.is_set()
