"""What Discord shows of a digest, as data. Pure; the sink turns it into what is sent.

Like a warning, it can be told in several degrees of detail: the fullest one that fits into a message is taken. The
attached table always holds the whole ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.cards import names
from bot.digest_charts import ACCOUNTS_PICTURE, WEEKS_PICTURE
from bot.digest_report import Digest, Ranked, RoomHours, Waiting
from bot.digest_settings import DigestSettings
from bot.digest_table import table_name
from bot.markdown import length, mention, moment, plain
from bot.messages import (
    AMBER,
    BLUE,
    MAX_ALT,
    RED_ORANGE,
    Attached,
    Button,
    Layout,
    Part,
    Picture,
    Row,
    Rule,
    Words,
    fullest,
    room_words,
)
from config.wording import say


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is told: accounts, links and rooms of an account, and rooms at most; most characters of a name."""

    accounts: int
    links: int
    places: int
    rooms: int
    name: int


_DETAILS: Final = (
    _Detail(accounts=10, links=5, places=3, rooms=15, name=40),
    _Detail(accounts=10, links=3, places=2, rooms=10, name=30),
    _Detail(accounts=8, links=2, places=1, rooms=8, name=24),
    _Detail(accounts=5, links=1, places=1, rooms=5, name=20),
    _Detail(accounts=3, links=0, places=0, rooms=3, name=16),
)
#: Warnings that are listed as waiting.
_MOST_WAITING: Final = 15
#: Discord's limit for a plain text.
_MOST_CHARACTERS: Final = 2_000


def digest_layout(digest: Digest, language: str, key: str) -> Layout:
    """Return a digest. `key` ends the id of its button, by which the message is found again."""
    return fullest(lambda detail: _layout(digest, language, key, detail), _DETAILS)


def _layout(digest: Digest, language: str, key: str, detail: _Detail) -> Layout:
    confirmed = [row for row in digest.ranking if row.confirmed]
    rest = [row for row in digest.ranking if not row.confirmed]
    parts: list[Part] = [Words(_head(digest, language)), Rule()]
    if not digest.ranking:
        parts.append(Words(_nothing(digest, language)))
    if confirmed:
        parts.append(Words(_ranking(confirmed, "digest.ranked", language, detail)))
    if rest:
        parts.append(Words(_ranking(rest, "digest.not_reviewed", language, detail)))
    if any(week.confirmed or week.open for week in digest.weeks):
        parts.append(Picture(WEEKS_PICTURE, _weeks_alt(digest, language)))
    if digest.ranking:
        parts.append(Picture(ACCOUNTS_PICTURE, _accounts_alt(digest, language)))
    if rooms := _rooms(digest, language, detail):
        parts += [Rule(), Words(rooms)]
    button = Button(f"pw:waiting:{key}", say(language, "digest.to_review"), "secondary")
    parts += [Rule(), Words(_foot(digest, language)), Attached(table_name(digest)), Row((button,))]
    return Layout(RED_ORANGE if confirmed else AMBER if rest or digest.unheard else BLUE, tuple(parts))


def _head(digest: Digest, language: str) -> str:
    span = say(language, "digest.since", since=moment(digest.since, "f"), until=moment(digest.until, "f"))
    confirmed, opened = sum(row.confirmed for row in digest.ranking), sum(row.open for row in digest.ranking)
    counts = say(language, "digest.counts", confirmed=confirmed, open=opened, before=digest.before)
    return f"### {say(language, 'digest.message_title')}\n{span}\n{counts}"


def _nothing(digest: Digest, language: str) -> str:
    """Return that there was nothing, unless nothing was heard: that is not the same."""
    if not digest.heard:
        return say(language, "digest.nothing_heard")
    return say(language, "digest.heard_part" if digest.unheard else "digest.empty")


def _ranking(rows: Sequence[Ranked], title: str, language: str, detail: _Detail) -> str:
    lines = [f"**{say(language, title)}**"]
    lines += [f"- {_row(row, language, detail)}" for row in rows[: detail.accounts]]
    if len(rows) > detail.accounts:
        lines.append(f"-# {say(language, 'digest.more', count=len(rows) - detail.accounts)}")
    return "\n".join(lines)


def _row(row: Ranked, language: str, detail: _Detail) -> str:
    number = mention(row.account)
    facts = [f"**{plain(row.name, detail.name)}**{f' {number}' if number else ''}"]
    score = _decimal(row.score, language)
    if row.confirmed:
        facts += [say(language, "digest.row_confirmed", count=row.confirmed)]
    if row.open:
        facts += [say(language, "digest.row_open", count=row.open)]
    facts.append(say(language, "digest.row_trend", trend=f"{row.trend:+d}".replace("-", "−") if row.trend else "±0"))
    if row.confirmed:
        facts.append(say(language, "digest.row_score", score=score))
    elif row.score >= 0.05:
        facts.append(say(language, "digest.row_earlier", score=score))
    if row.offers:
        facts.append(names(language, "offer", row.offers))
    if detail.places:
        facts.append(", ".join(room_words(room, detail.name) for room in row.rooms[: detail.places]))
    newest = row.links[-detail.links :] if detail.links else ()
    if newest:
        facts.append(" ".join(f"[{n}]({link})" for n, link in enumerate(newest, 1)))
    return " · ".join(facts)


def _rooms(digest: Digest, language: str, detail: _Detail) -> str:
    """Return how well each room was heard, those first that were not."""
    lines = []
    if digest.off_hours >= 0.05:
        lines.append(say(language, "digest.off", hours=_decimal(digest.off_hours, language)))
    ordered = sorted(digest.rooms, key=lambda room: (not room.unheard, room.quiet, -room.heard_hours))
    lines += [f"- {_room(room, language, detail)}" for room in ordered[: detail.rooms]]
    if len(ordered) > detail.rooms:
        lines.append(f"-# {say(language, 'digest.room_more', count=len(ordered) - detail.rooms)}")
    if digest.unheard:
        lines.append(f"-# {say(language, 'digest.outage')}")
    return "\n".join([f"**{say(language, 'digest.rooms_title')}**", *lines]) if lines else ""


def _room(room: RoomHours, language: str, detail: _Detail) -> str:
    name, missed = room_words(room.room, detail.name), room.lost_hours + room.down_hours
    values = {"room": name, "hours": _decimal(room.heard_hours, language), "missed": _decimal(missed, language)}
    if room.unheard:
        return say(language, "digest.room_unheard", **values)
    if room.quiet and missed < 0.05:
        return say(language, "digest.room_quiet", room=name)
    facts = [say(language, "digest.room_heard", room=name, hours=_decimal(room.heard_hours, language))]
    if missed >= 0.05:
        facts.append(say(language, "digest.room_missed", missed=_decimal(missed, language)))
    if room.dropped:
        facts.append(say(language, "digest.room_dropped", dropped=room.dropped))
    return ", ".join(facts)


def _decimal(number: float, language: str) -> str:
    return f"{number:.1f}".replace(".", "," if language == "fr" else ".")


def _foot(digest: Digest, language: str) -> str:
    lines = [say(language, "digest.reviews", **digest.reviews)]
    if digest.review_seconds is not None:
        lines[0] += f" · {say(language, 'digest.median', time=span_words(digest.review_seconds, language))}"
    if digest.held_back:
        lines.append(say(language, "digest.cap", count=digest.held_back))
    lines.append(f"-# {say(language, 'digest.score_note')} {say(language, 'card.judgement')}")
    return "\n".join(lines)


def span_words(seconds: float, language: str) -> str:
    """Return how long something took, in its largest unit."""
    minutes = round(seconds / 60)
    if minutes < 90:
        return say(language, "digest.minutes", count=minutes)
    if minutes < 48 * 60:
        return say(language, "digest.hours", count=round(minutes / 60))
    return say(language, "digest.days", count=round(minutes / 1440))


def _weeks_alt(digest: Digest, language: str) -> str:
    told = ", ".join(
        say(language, "digest.alt_item", name=week.began, confirmed=week.confirmed, open=week.open)
        for week in digest.weeks
    )
    return say(language, "digest.weeks_alt", weeks=told)[:MAX_ALT]


def _accounts_alt(digest: Digest, language: str) -> str:
    told = ", ".join(
        say(language, "digest.alt_item", name=plain(row.name, 30), confirmed=row.confirmed, open=row.open)
        for row in digest.ranking[:12]
    )
    return say(language, "digest.accounts_alt", accounts=told)[:MAX_ALT]


def waiting_text(waiting: Sequence[Waiting], language: str) -> str:
    """Return which warnings wait for a review, the oldest first."""
    if not waiting:
        return say(language, "digest.waiting_none")
    lines = [say(language, "digest.waiting_title", count=len(waiting))]
    for one in waiting[:_MOST_WAITING]:
        where = f"[{plain(one.name, 30)}]({one.link})" if one.link else f"**{plain(one.name, 30)}**"
        line = f"- {moment(one.raised, 'R')} {where} · `{one.alert}`"
        if sum(map(length, lines)) + len(lines) + length(line) > _MOST_CHARACTERS:
            break
        lines.append(line)
    return "\n".join(lines)


def set_text(settings: DigestSettings, language: str) -> str:
    """Return the answer to a change: when and where digests come from now on."""
    schedule = settings.schedule
    weekday = say(language, f"digest.weekday_{schedule.weekday}")
    when = say(language, f"digest.when_{schedule.every}", hour=f"{schedule.hour:02d}", weekday=weekday)
    channel = f"<#{settings.channel.partition(':')[2]}>"
    coming = moment(settings.next_due.isoformat(), "f")
    lines = [say(language, "digest.set_done", when=when, zone=schedule.zone, channel=channel, next=coming)]
    if settings.least:
        lines.append(say(language, "digest.set_least", least=settings.least))
    return "\n".join(lines)
