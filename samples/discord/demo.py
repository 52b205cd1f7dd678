"""A server's evening with the bot, from beginning to end, without Discord: `make demo-discord`.

The bot runs as it would in life, as a process of its own, and speaks with the server of the tests, which follows
Discord's rules. It is killed at the worst moment and comes back an hour later; then moderators review its warnings, set
it up, ask about people, and have a digest sent. What is shown is what that server was sent; what was hoped for and did
not happen is said in one line, with exit code 1.
"""

import argparse
import asyncio
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Final

from rich.console import Console

from config.wording import say
from samples.discord import steps
from samples.discord.bot_process import UnmetError, expect
from samples.discord.stage import AWAY, Stage
from tests.servers.discord import DiscordServer

SHOW: Final = Path("samples/en-reels-evening.jsonl")


async def play_on(stage: Stage) -> None:
    """Play everything. Raises UnmetError."""
    try:
        alert = await _first_life(stage)
        await _second_life(stage, alert)
        await _review(stage, alert)
        for step in (steps.set_up, steps.read_market, steps.look_up, steps.contest, steps.digest):
            await step(stage)
        await _end(stage)
    finally:
        if stage.bot.process is not None and stage.bot.process.returncode is None:
            await stage.bot.end(signal.SIGKILL)


async def _first_life(stage: Stage) -> str:
    stage.told.step(f"The bot starts, plays {stage.show.name}, and sends its first warning")

    # The message gets into the channel, and the answer that says so does not leave the server.
    answer = stage.server.hold("POST", f"/channels/{stage.alerts.id}/messages$", after=True)
    await stage.bot.start()
    await stage.until(lambda: answer.requests or stage.bot.summaries, "the first warning is sent")
    expect(answer.requests, "the show is over, and no warning was sent")
    await stage.bot.end(signal.SIGKILL)
    answer.release()
    stage.told.step("Killed (SIGKILL) before the answer: it cannot know that the message is out")
    (message,) = stage.warnings
    alert = stage.alert_of(message)
    ((state, reference),) = stage.rows("SELECT state, reference FROM outbox WHERE attempted IS NOT NULL")
    expect((state, reference) == ("pending", None), f"the outbox should know nothing, but has {state} {reference}")
    stage.told.fact(f"outbox: warning {alert} is {state}, message not known; in the channel: 1 message")
    stage.draw("1-sent", message)
    return alert


async def _second_life(stage: Stage, alert: str) -> None:
    stage.told.step("An hour later it is started again")
    # Nobody wants to wait for an hour: the server's clock jumps, so that it has forgotten the message's nonce, and
    # the open attempt is dated back by as much in the bot's database, which keeps when an attempt was begun.
    stage.server.clock.advance(AWAY)
    then = (datetime.now(UTC) - timedelta(seconds=AWAY)).isoformat()
    with closing(sqlite3.connect(stage.database)) as database, database:
        database.execute("UPDATE outbox SET attempted = ? WHERE attempted_version > delivered_version", [then])
    await stage.bot.start()
    searched = f"/channels/{stage.alerts.id}/messages$"
    await stage.until(lambda: stage.server.sent("GET", searched), "it looks for the message")
    await stage.until(lambda: stage.bot.summaries, "the show is over")
    message = stage.about(alert)
    ((reference,),) = stage.rows("SELECT reference FROM outbox WHERE alert = ?", alert)
    expect(reference == str(message.id), f"the outbox should have found message {message.id}, not {reference}")
    posts, known = stage.server.sent("POST", searched), stage.rows("SELECT id FROM alerts")
    alerts = sorted(stage.alert_of(one) for one in stage.warnings)
    expect(alerts == sorted(row[0] for row in known), f"{len(known)} warnings, but {len(alerts)} messages")
    expect(len(posts) == len(alerts), f"{len(alerts)} messages, but {len(posts)} were sent")
    expect(message.edited, "the warning should have grown while the show went on")
    stage.told.good(
        f"still one message for the warning that was cut off, found again and edited in place;"
        f" {len(alerts)} warnings in all, {len(alerts)} messages, none sent twice"
    )
    stage.draw("2-grown", message)


async def _review(stage: Stage, alert: str) -> None:
    message = stage.about(alert)
    stage.told.step("Moderators review it")
    refused = await stage.review(stage.mia, message, "confirm")
    expect(say("en", "review.not_allowed") in refused.text, "a member's click should be refused")
    confirmed = await stage.review(stage.ana, message, "confirm")
    expect(confirmed.text.startswith(say("en", "answer.confirmed")), f"Confirm was answered: {confirmed.text}")
    mark = say("en", "message.confirmed", by=f"<@{stage.ana.id}>", when="").rstrip()
    await stage.until(lambda: mark in str(message.components), "the message says who confirmed it")
    stage.told.message(message)
    stage.draw("3-confirmed", message)
    why = await stage.review(stage.bo, message, "why")
    stage.draw("4-why", why)
    undone = await stage.review(stage.bo, message, "undo")
    expect(say("en", "answer.undone") in undone.text, f"Undo was answered: {undone.text}")
    await stage.until(lambda: f"pw:confirm:{alert}" in str(message.components), "the warning is open again")
    dismissed = await stage.review(stage.bo, message, "dismiss")
    expect(dismissed.text.startswith(say("en", "answer.dismissed")), f"Dismiss was answered: {dismissed.text}")
    mark = say("en", "message.dismissed", by=f"<@{stage.bo.id}>", when="").rstrip()
    await stage.until(lambda: mark in str(message.components), "the message says who dismissed it")
    stage.draw("5-dismissed", message)
    log = [action for (action,) in stage.rows("SELECT action FROM audit WHERE subject = ? ORDER BY id", alert)]
    expect(log == ["confirmed", "undo", "dismissed"], f"the log of decisions has {log}")
    stage.told.good("each decision stands in the log, once: confirmed by ana, undone and dismissed by bo")


async def _end(stage: Stage) -> None:
    stage.told.step("The bot is asked to stop (SIGTERM)")
    code = await stage.bot.end(signal.SIGTERM)
    expect(code == 0, f"the bot should have ended with exit code 0, not {code}; see {stage.bot.log}")
    expect(not stage.server.unknown_routes, f"requests that Discord does not know: {stage.server.unknown_routes}")
    expect(not stage.server.errors, f"mistakes in the server of the tests: {stage.server.errors}")
    refused = [one for one in stage.server.requests if one.status >= 400]
    expect(not refused, f"requests that Discord refuses: {[(one.method, one.path) for one in refused]}")
    stage.told.good(f"{len(stage.server.requests)} requests, none refused; {monotonic() - stage.began:.0f} s")


async def play(folder: Path, console: Console, show: Path = SHOW) -> None:
    """Play the demo; its files are left in `folder`, which is there. Raises UnmetError."""
    async with DiscordServer() as server:
        await play_on(Stage(folder, console, server, show))
    console.print(f"\nPictures of what was sent, dark and light: {folder}/*.png; the bot's own log: {folder}/bot.log")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo and return the exit code."""
    parser = argparse.ArgumentParser(description="An evening on Discord from beginning to end, without Discord.")
    parser.add_argument("--folder", type=Path, default=Path(".demo/discord"), help="where its files go")
    parser.add_argument("--show", type=Path, default=SHOW, help="the show script that is played")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(play(given.folder, Console(highlight=False, emoji=False, markup=False), given.show))
    except UnmetError as error:
        print(f"demo-discord: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
