"""What `check` shows, as data. What members see is only what moderators confirmed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.cards import clock, names
from bot.dossier import Dossier, RecordRow, Said
from bot.history import Past
from bot.markdown import mention, moment, plain
from bot.messages import (
    AMBER,
    BLUE,
    Button,
    Layout,
    Part,
    Picture,
    Row,
    Rule,
    Words,
    fullest,
    message_words,
    percent,
)
from bot.reports import ClaimRow, ObservationRow
from config.wording import say
from detectors.records import Message

#: The file name of the picture over time.
OVER_TIME: Final = "shows.png"
_TIPS: Final = ("look_up", "references", "own_business", "results", "offers", "trial", "campaigns", "following")


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is listed of each sort at most, and the most characters of a statement, a quote and a name."""

    listed: int
    records: int
    statements: int
    linked: int
    words: int
    name: int


#: From the fullest to one that fits whatever was said.
_CARD: Final = (
    _Detail(listed=5, records=5, statements=3, linked=5, words=300, name=80),
    _Detail(listed=3, records=5, statements=3, linked=5, words=160, name=60),
    _Detail(listed=2, records=3, statements=2, linked=3, words=100, name=40),
    _Detail(listed=1, records=2, statements=1, linked=1, words=60, name=20),
)


def check_layout(dossier: Dossier, language: str, moderator: bool) -> Layout:
    """Return an account's card with the advice below it; with quotes and open episodes for moderators alone."""
    return fullest(lambda detail: _layout(dossier, language, moderator, detail), _CARD)


def _layout(dossier: Dossier, language: str, moderator: bool, detail: _Detail) -> Layout:
    parts: list[Part] = [Words(_facts(dossier, language, moderator, detail))]
    if shows := dossier.pictured(moderator):
        key = "check.picture" if moderator else "check.picture_confirmed"
        parts.append(Picture(OVER_TIME, say(language, key, shows=len(shows))))
    if claims := _claims(dossier, language, moderator, detail):
        parts.append(Words(claims))
    if moderator:
        past = [_past(one, language) for one in dossier.past if one.status != "dismissed"][: detail.listed]
        said = [_said(one, language, detail) for one in dossier.said]
        parts += [
            Words(text)
            for text in (_titled("check.warnings", past, language), _titled("check.said", said, language))
            if text
        ]
    told = [f"> {plain(text, detail.words)}" for text in dossier.card.statements[-detail.statements :]]
    if statements := _titled("card.statements", told, language):
        parts.append(Words(statements))
    return Layout(AMBER, (*parts, Rule(), Words(tips_text(language))))


def _titled(key: str, lines: Sequence[str], language: str) -> str:
    return "\n".join([f"**{say(language, key)}**", *lines]) if lines else ""


def unknown_layout(name: str, since: str | None, language: str) -> Layout:
    """Return the answer about somebody who was never met, with since when the bot has been listening."""
    if since is None:
        text = say(language, "check.never", name=plain(name, 60))
    else:
        text = say(language, "check.unknown", name=plain(name, 60), since=moment(since, "D"))
    return Layout(BLUE, (Words(text), Rule(), Words(tips_text(language))))


def tips_text(language: str) -> str:
    """Return how to check somebody before paying them."""
    lines = [f"- {say(language, f'tips.{name}')}" for name in _TIPS]
    return "\n".join([f"**{say(language, 'tips.title')}**", *lines, f"-# {say(language, 'tips.honest')}"])


def statement_layout(number: int, account: str, text: str, language: str) -> Layout:
    """Return a statement before the moderators, with its buttons."""
    who = mention(account) or f"**{plain(account, 60)}**"
    row = Row(
        (
            Button(f"pw:state:show:{number}", say(language, "contest.show"), "primary"),
            Button(f"pw:state:refuse:{number}", say(language, "contest.refuse"), "secondary"),
        )
    )
    head = f"### {say(language, 'contest.new')}\n{say(language, 'contest.from', who=who)}"
    return Layout(BLUE, (Words(head), Words(f"> {plain(text, 900)}"), row))


def _facts(dossier: Dossier, language: str, moderator: bool, detail: _Detail) -> str:
    card, none = dossier.card, say(language, "card.none")
    called = card.names if moderator else dossier.confirmed_names
    known = mention(card.account)
    name = plain(" / ".join(called), detail.name)
    lines = [f"### {say(language, 'card.title')} · {name}{f' {known}' if known else ''}"]
    facts = {
        "card.shows": str(card.shows),
        "card.hours": f"{card.hours:.1f}",
        "card.episodes": say(language, "check.confirmed_only", confirmed=card.episodes["confirmed"]),
        "card.self_promotion": f"{percent(card.self_promotion)} %" if card.self_promotion else "0 %",
        "card.last_seen": moment(card.last_seen, "D") if card.last_seen else none,
        "card.listening_since": moment(card.listening_since, "D") if card.listening_since else none,
    }
    if moderator:
        facts["card.episodes"] = say(language, "card.episodes_value", **card.episodes)
        facts["card.offers"] = names(language, "offer", list(card.offers)) or none
        if dossier.linked:
            facts["check.linked"] = _linked(dossier.linked, language, detail)
    else:
        del facts["card.self_promotion"]  # how often they sell is our reading, not what moderators confirmed
    lines += [f"**{say(language, key)}** · {value}" for key, value in facts.items()]
    lines.append(f"-# {say(language, 'card.judgement' if moderator else 'check.judgement')}")
    return "\n".join(lines)


def _linked(linked: Sequence[str], language: str, detail: _Detail) -> str:
    shown = [mention(one) or plain(one, detail.name // 2) for one in linked[: detail.linked]]
    left = len(linked) - len(shown)
    return ", ".join([*shown, *([say(language, "answering.left", count=left)] if left else [])])


def _claims(dossier: Dossier, language: str, moderator: bool, detail: _Detail) -> str:
    """Return what was claimed beside what moderators looked up; members see only what was looked up."""
    lines = [f"- {_record(record, language, detail)}" for record in dossier.records[: detail.records]]
    if moderator:
        noted: list[ClaimRow | ObservationRow] = [
            *dossier.card.claims[: detail.listed],
            *dossier.card.observations[: detail.listed],
        ]
        lines += [
            f"- {message_words(Message(one.key, one.params), language, min(60, detail.name))}"
            f" ({plain(one.show, 30)}, {clock(one.at)})"
            for one in noted
        ]
    return _titled("check.claims", lines, language)


def _record(record: RecordRow, language: str, detail: _Detail) -> str:
    value = f"{record.value:,.0f}".replace(",", "\u202f")
    what, source = plain(record.what, detail.name // 2), plain(record.source, detail.name)
    return say(language, "check.record", what=what, value=value, source=source, as_of=record.as_of)


def _said(said: Said, language: str, detail: _Detail) -> str:
    when = f"[{clock(said.at)}]({said.link})" if said.link else f"**{clock(said.at)}**"
    return f"> {when} {say(language, 'message.quote', text=plain(said.text, min(200, detail.words)))}"


def _past(past: Past, language: str) -> str:
    where = f" [→]({past.link})" if past.link else ""
    return f"- {moment(past.raised, 'R')} {percent(past.score)} % · {say(language, f'history.{past.status}')}{where}"
