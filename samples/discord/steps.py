"""What a server does with the bot after its first warnings: set-up, a channel of its own, cards, a statement, a digest.

Each step says in one line what did not happen.
"""

from datetime import timedelta
from typing import Final

from config.wording import say
from samples.discord.bot_process import expect
from samples.discord.stage import Stage
from tests.servers.discord import InteractionRecord, Message

#: Who is looked up.
KING: Final = "@kingofreels"
#: What vic writes in #market, and how many minutes ago.
TALK: Final = (
    (24, "morning all. since a few of you asked how I light the shop window clips: it is one lamp and a white sheet"),
    (22, "put the lamp behind the sheet, not in front. the sheet becomes the light, and the glass stops shining back"),
    (19, "then lock the exposure on your phone before anybody walks past. press and hold, that's all it is"),
    (16, "and film ten seconds longer than you think. the good bit is always just after you would have stopped"),
    (11, "if you want the whole thing I put it into a course, nine lessons, it's 97 euros instead of 180"),
    (9, "only until sunday, and there are six places left because I look at everybody's clips myself"),
    (6, "people doubled their views in a month with it. write me WINDOW and I'll send you the link to book"),
    (1, "two places gone already, so message me today if you want in: https://vic.example/window"),
)
STATEMENT: Final = "I was asked for the course in this channel. I paused it, and the price is on my page for everybody."


async def set_up(stage: Stage) -> None:
    """A manager sets the bot up, and has it read a channel."""
    stage.told.step("A manager sets it up in one command, and has it read #market")
    stands = await stage.use(stage.max, stage.alerts, "setup", channel=stage.alerts, moderators=stage.moderators)
    for wanted in (
        say("en", "setup.done"),
        say("en", "setup.channel", channel=f"<#{stage.alerts.id}>"),
        say("en", "setup.moderators", role=f"<@&{stage.moderators.id}>"),
    ):
        expect(wanted in stands.text, f"/setup should say “{wanted}”, not: {_one_line(stands)}")
    lacking = say("en", "setup.lacking", lacking="\n", channel="").partition("\n")[0]
    amiss = lacking in stands.text or "⚠" in stands.text
    expect(not amiss, f"/setup says that something is amiss: {_one_line(stands)}")
    added = await stage.use(stage.max, stage.alerts, "watch add", kind="discord", place=f"<#{stage.market.id}>")
    wanted = say("en", "watch.added", room=f"<#{stage.market.id}>", channel=f"<#{stage.alerts.id}>")
    expect(wanted in added.text, f"/watch add should say “{wanted}”, not: {_one_line(added)}")


async def read_market(stage: Stage) -> None:
    """Somebody teaches and then sells in that channel: there is a warning, and it is confirmed."""
    stage.told.step("vic helps in #market, and then sells there")
    # Nobody wants to wait for half an hour: the messages are dated back.
    now = stage.server.clock.now()
    for ago, text in TALK:
        stage.told.does(stage.vic, f"writes: {text}", stage.market)
        await stage.server.world.say(stage.market, stage.vic, text, at=now - timedelta(minutes=ago))
    warning = await stage.posted(stage.alerts, f"<@{stage.vic.id}>", "there is a warning about vic")
    stage.told.message(warning)
    await _confirm(stage, warning)
    stage.draw("6-market", warning)


async def look_up(stage: Stage) -> None:
    """Somebody asks about the host for all to see, and a moderator alone."""
    stage.told.step(f"Is {KING} to be trusted? mia asks for all to see, ana for herself")
    found = stage.rows("SELECT id FROM alerts WHERE account LIKE ?", f"%:{KING}")
    expect(len(found) == 1, f"there should be one warning about {KING}, not {len(found)}")
    await _confirm(stage, stage.about(found[0][0]))
    asked = f"!check {KING}"
    stage.told.does(stage.mia, f"writes: {asked}", stage.talk)
    await stage.server.world.say(stage.talk, stage.mia, asked)
    card = await stage.posted(stage.talk, say("en", "card.title"), f"{asked} is answered in the channel")
    confirmed = say("en", "check.confirmed_only", confirmed=1)
    expect(confirmed in card.text, f"the card should say “{confirmed}” for all to see")
    expect(say("en", "check.warnings") not in card.text, "the card for all to see should list no warnings")
    expect(not card.mentions and not card.mention_everyone, "the card should ping nobody")
    stage.told.good("seen by everybody: only what moderators confirmed")
    stage.draw("7-card", card)
    private = await stage.use(stage.ana, stage.talk, "check", who=KING)
    expect(say("en", "check.warnings") in private.text, "/check should list the warnings for a moderator")
    stage.draw("8-card-moderators", private)


async def contest(stage: Stage) -> None:
    """Whoever was named says something to that; a moderator puts it on the card."""
    stage.told.step("vic, who was named, has something to say")
    opened = await stage.slash(stage.vic, stage.market, "contest")
    await stage.until(lambda: opened.response is not None, "/contest is answered")
    expect(opened.modal, f"/contest should ask vic for a statement, but says: {_one_line(opened)}")
    kept = await stage.submit(stage.vic, opened, STATEMENT)
    expect(say("en", "contest.kept") in kept.text, f"the statement was answered: {_one_line(kept)}")
    shown = await stage.posted(stage.alerts, "pw:state:show:", "the statement is put before the moderators")
    expect(STATEMENT in shown.text, "moderators should read the statement as it was written")
    stage.draw("9-statement", shown)
    button = next(one for one in shown.custom_ids if one.startswith("pw:state:show:"))
    on_card = await stage.click(stage.bo, shown, button)
    expect(say("en", "contest.shown") in on_card.text, f"the button was answered: {_one_line(on_card)}")
    card = await stage.use(stage.vic, stage.talk, "check", who=f"<@{stage.vic.id}>")
    expect(STATEMENT in card.text, "the statement should stand on the card now")
    stage.told.good("the statement stands on the card, for every member to read")


async def digest(stage: Stage) -> None:
    """A manager sets the weekly digest; a moderator has one sent at once."""
    stage.told.step("Every Monday a digest, and one now")
    options = {"every": "week", "hour": 9, "zone": "Europe/Paris", "channel": stage.weekly}
    done = await stage.use(stage.max, stage.alerts, "digest set", **options)
    for wanted in (f"<#{stage.weekly.id}>", "Europe/Paris"):
        expect(wanted in done.text, f"/digest set should name {wanted}, but says: {_one_line(done)}")
    now = await stage.use(stage.ana, stage.alerts, "digest now")
    sent = await stage.posted(stage.weekly, "pw:waiting:", "the digest is in #weekly")
    expect(str(sent.id) in now.text, f"/digest now should link to the digest, but says: {_one_line(now)}")
    for name in ("kingofreels", str(stage.vic.id)):
        expect(name in sent.text, f"the digest should name {name}")
    expect(any(name.endswith(".csv") for name in sent.files), f"the digest should bring a table, not {[*sent.files]}")
    stage.told.good("the digest ranks who was confirmed, with those not reviewed apart")
    stage.draw("10-digest", sent)


async def _confirm(stage: Stage, warning: Message) -> None:
    answered = await stage.review(stage.ana, warning, "confirm")
    expect(answered.text.startswith(say("en", "answer.confirmed")), f"Confirm was answered: {_one_line(answered)}")
    mark = say("en", "message.confirmed", by=f"<@{stage.ana.id}>", when="").rstrip()
    await stage.until(lambda: mark in str(warning.components), "the message says who confirmed it")


def _one_line(answered: InteractionRecord) -> str:
    return " ".join(answered.text.split())
