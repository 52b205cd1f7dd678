"""The digest of a time as data: what the store knows, read and added up. Pure reading; nothing is written."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from sqlite_utils import Database

from bot.jump import alert_link
from bot.outages import outage_hours
from bot.periods import heard_share, moment, read_spans
from bot.schedule import Period

#: Weeks shown in the picture over time, the last one ending with the digest's time.
WEEKS: Final = 8
#: Links to warnings that are kept for an account, the newest ones.
MAX_LINKS: Final = 5
#: A room counts as unheard from this much on, in hours, if it was not heard for longer than that.
_LEAST_UNHEARD: Final = 0.1
#: After so many half-lives a confirmed episode counts for nothing that could be seen.
_HALF_LIVES: Final = 14
_LONGEST_DAYS: Final = 36_500.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """One account of the ranking. `trend` is episodes now less those of the period before.

    `score` is every confirmed episode of the account up to now, each halved per half-life of its age.
    """

    account: str
    name: str
    confirmed: int
    open: int
    score: float
    trend: int
    offers: tuple[str, ...]
    rooms: tuple[str, ...]
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomHours:
    """How well a room was heard, in hours, and how many of its events were lost or could not be read.

    `lost_hours` is time within shows, `down_hours` time in which the room could not be reached at all.
    """

    room: str
    heard_hours: float
    lost_hours: float
    dropped: int
    down_hours: float = 0.0

    @property
    def unheard(self) -> bool:
        """Whether so much could not be heard that silence says nothing."""
        missed = self.lost_hours + self.down_hours
        return missed >= _LEAST_UNHEARD and missed >= self.heard_hours

    @property
    def quiet(self) -> bool:
        """Whether the room could be heard, and nothing was said there."""
        return not self.unheard and self.heard_hours <= 0


@dataclass(frozen=True, slots=True)
class Week:
    """Episodes of one week by the day on which it began (ISO date); those that were dismissed are left out."""

    began: str
    confirmed: int
    open: int


@dataclass(frozen=True, slots=True)
class Digest:
    """The ranking of a time in one community, with what it rests on."""

    community: str
    since: str
    until: str
    ranking: tuple[Ranked, ...]
    reviews: dict[str, int]
    held_back: int
    rooms: tuple[RoomHours, ...]
    #: Median time from a warning to its review, in seconds; None when nothing was reviewed.
    review_seconds: float | None = None
    weeks: tuple[Week, ...] = ()
    #: Episodes of the period before, those that were dismissed left out.
    before: int = 0
    #: Hours in which the bot itself did not run.
    off_hours: float = 0.0

    @property
    def episodes(self) -> int:
        """Episodes of the time, those that were dismissed left out."""
        return sum(row.confirmed + row.open for row in self.ranking)

    @property
    def heard(self) -> bool:
        """Whether anything was heard at all."""
        return any(room.heard_hours > 0 for room in self.rooms)

    @property
    def unheard(self) -> bool:
        """Whether silence may come of not hearing."""
        return self.off_hours >= _LEAST_UNHEARD or any(room.unheard for room in self.rooms)

    def as_json(self) -> dict[str, Any]:
        """Return the digest in its stable format."""
        return {
            "type": "digest",
            "community": self.community,
            "since": self.since,
            "until": self.until,
            "ranking": [_ranked_json(row) for row in self.ranking],
            "reviews": {**self.reviews, "median_seconds": _rounded(self.review_seconds)},
            "held_back": self.held_back,
            "rooms": [_room_json(room) for room in self.rooms],
            "before": self.before,
            "off_hours": round(self.off_hours, 3),
            "weeks": [{"began": one.began, "confirmed": one.confirmed, "open": one.open} for one in self.weeks],
        }


def _ranked_json(row: Ranked) -> dict[str, Any]:
    return {
        "account": row.account,
        "name": row.name,
        "confirmed": row.confirmed,
        "open": row.open,
        "score": round(row.score, 3),
        "trend": row.trend,
        "offers": list(row.offers),
        "rooms": list(row.rooms),
        "links": list(row.links),
    }


def _room_json(room: RoomHours) -> dict[str, Any]:
    return {
        "room": room.room,
        "heard_hours": round(room.heard_hours, 3),
        "lost_hours": round(room.lost_hours, 3),
        "dropped": room.dropped,
        "down_hours": round(room.down_hours, 3),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def read_digest(database: Database, community: str, since: timedelta, half_life_days: float = 90.0) -> Digest:
    """Return the digest of the time from `since` ago to now."""
    until = datetime.now(UTC)
    return read_period(database, community, Period(until - 2 * since, until - since, until), half_life_days)


def read_period(database: Database, community: str, period: Period, half_life_days: float = 90.0) -> Digest:
    """Return the digest of a period.

    Whoever had an episode in it is ranked by confirmed episodes, also earlier ones, each halved per `half_life_days`
    of age; open ones decide only between equals, dismissed ones count for nothing.
    """
    lasting = timedelta(days=min(_HALF_LIVES * half_life_days, _LONGEST_DAYS))
    oldest = min(period.before, period.until - timedelta(weeks=WEEKS), period.until - lasting)
    alerts = [(moment(row["raised"]), row) for row in _alerts(database, community, oldest, period.until)]
    now = [row for raised, row in alerts if raised > period.since]
    earlier = Counter(row["account"] for raised, row in alerts if period.before < raised <= period.since)
    scores: dict[str, float] = defaultdict(float)
    for raised, row in alerts:
        if row["status"] == "confirmed":
            days = (period.until - raised).total_seconds() / 86_400
            scores[row["account"]] += 0.5 ** (days / half_life_days)
    ranking = [_ranked(account, now, earlier[account], scores[account]) for account in {row["account"] for row in now}]
    ranking.sort(key=lambda row: (-row.score, -row.open, row.account))
    done, waiting, seconds = _reviews(database, community, period)
    return Digest(
        community=community,
        since=period.since.isoformat(),
        until=period.until.isoformat(),
        ranking=tuple(ranking),
        reviews={"done": done, "waiting": waiting},
        held_back=sum(row["held_back"] for row in now),
        rooms=_rooms(database, community, period),
        review_seconds=seconds,
        weeks=_weeks(alerts, period.until),
        before=earlier.total(),
        off_hours=outage_hours(database, "", period),
    )


def _alerts(database: Database, community: str, after: datetime, until: datetime) -> list[dict[str, Any]]:
    return list(
        database.query(
            "SELECT a.*, o.channel AS goes_to, o.reference FROM alerts a LEFT JOIN outbox o"
            " ON o.alert = a.id AND o.sink = 'discord'"
            " WHERE a.community = ? AND a.raised > ? AND a.raised <= ? AND a.status != 'dismissed'"
            " ORDER BY a.raised, a.rowid",
            [community, after.isoformat(), until.isoformat()],
        )
    )


def _ranked(account: str, now: Sequence[Mapping[str, Any]], earlier: int, score: float) -> Ranked:
    own = [row for row in now if row["account"] == account]
    links = [link for row in own if (link := alert_link(row["community"], row["goes_to"], row["reference"]))]
    return Ranked(
        account=account,
        name=own[-1]["name"],
        confirmed=sum(row["status"] == "confirmed" for row in own),
        open=sum(row["status"] == "open" for row in own),
        score=score,
        trend=len(own) - earlier,
        offers=tuple(sorted({offer for row in own for offer in json.loads(row["offers"])})),
        rooms=tuple(sorted({row["room"] for row in own})),
        links=tuple(links[-MAX_LINKS:]),
    )


def _weeks(alerts: Sequence[tuple[datetime, Mapping[str, Any]]], until: datetime) -> tuple[Week, ...]:
    """Return the weeks up to `until`, the oldest first, also those in which nothing was."""
    week, counts = timedelta(weeks=1), Counter[tuple[int, str]]()
    for raised, row in alerts:
        if row["status"] in ("confirmed", "open"):
            counts[(until - raised) // week, row["status"]] += 1
    return tuple(
        Week((until - (back + 1) * week).date().isoformat(), counts[back, "confirmed"], counts[back, "open"])
        for back in reversed(range(WEEKS))
    )


def _reviews(database: Database, community: str, period: Period) -> tuple[int, int, float | None]:
    """Return how many reviews were made in the period and still stand, how many wait, and the median time to one."""
    taken = [
        (moment(row["decided"]) - moment(row["raised"])).total_seconds()
        for row in database.query(
            "SELECT r.decided, a.raised FROM reviews r JOIN alerts a ON a.id = r.alert"
            " WHERE r.community = ? AND r.decided > ? AND r.decided <= ? AND r.undone IS NULL",
            [community, period.since.isoformat(), period.until.isoformat()],
        )
    ]
    waiting = database.execute(
        "SELECT COUNT(*) FROM alerts WHERE community = ? AND status = 'open'", [community]
    ).fetchone()[0]
    return len(taken), int(waiting), median(taken) if taken else None


def _rooms(database: Database, community: str, period: Period) -> tuple[RoomHours, ...]:
    """Return every room that the community watches, also those of which nothing was heard.

    What others heard, or could not hear, while the community did not watch counts for nothing.
    """
    found, spans = [], read_spans(database, community)
    for watch in database.query(
        "SELECT room, source, paused FROM watches WHERE community = ? ORDER BY room", [community]
    ):
        shows = list(
            database.query(
                "SELECT * FROM heard_stretches WHERE community = ? AND room = ? AND updated > ?",
                [community, watch["room"], period.since.isoformat()],
            )
        )
        own = spans.get(watch["room"], [])
        shares = [heard_share(row, period.since, period.until) for row in shows]
        heard = any(share > 0 for share in shares)
        # Nobody waits for a replayed script or a room that is not watched now: listed only when it was heard.
        over = watch["source"] == "thread" and all(span.until is not None for span in own)
        if not heard and (over or watch["paused"] or watch["source"] in ("replay", "former")):
            continue
        parts = list(zip(shows, shares, strict=True))
        lost = sum(row["lost_seconds"] * share for row, share in parts) / 3600
        whole = sum(row["seconds"] * share for row, share in parts) / 3600
        dropped = sum(round((row["unread"] + row["dropped"]) * share) for row, share in parts)
        down = outage_hours(database, watch["room"], period, own)
        found.append(RoomHours(watch["room"], max(0.0, whole - lost), lost, dropped, down))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A warning that nobody has reviewed: its id, about whom, when it was raised (ISO time), and where it stands."""

    alert: str
    name: str
    raised: str
    link: str | None


def read_waiting(database: Database, community: str, limit: int = 200) -> list[Waiting]:
    """Return the warnings of a community that wait for a review, the oldest first."""
    return [
        Waiting(row["id"], row["name"], row["raised"], alert_link(community, row["goes_to"], row["reference"]))
        for row in database.query(
            "SELECT a.id, a.name, a.raised, o.channel AS goes_to, o.reference FROM alerts a LEFT JOIN outbox o"
            " ON o.alert = a.id AND o.sink = 'discord' WHERE a.community = ? AND a.status = 'open'"
            " ORDER BY a.raised, a.rowid LIMIT ?",
            [community, limit],
        )
    ]
