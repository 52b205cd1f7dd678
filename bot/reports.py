"""Report card and digest as data: what the store knows, read and added up. Pure reading; nothing is written."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlite_utils import Database


class AmbiguousHandleError(Exception):
    """A handle fits several accounts. `candidates` lists them."""

    def __init__(self, handle: str, candidates: Sequence[str]) -> None:
        super().__init__(f"{handle} is ambiguous: {', '.join(candidates)}")
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim that somebody made: message key, its parameters, the show and the time in it (seconds)."""

    key: str
    params: dict[str, Any]
    show: str
    at: float
    quote: str


@dataclass(frozen=True, slots=True)
class Card:
    """Everything known about an account in one community. `self_promotion` is a share of lines, 0 to 1."""

    account: str
    names: tuple[str, ...]
    shows: int
    hours: float
    episodes: dict[str, int]
    offers: dict[str, int]
    claims: tuple[ClaimRow, ...]
    self_promotion: float
    last_seen: str | None
    listening_since: str | None
    statements: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the card in its stable format."""
        return {
            "type": "card",
            "account": self.account,
            "names": list(self.names),
            "shows": self.shows,
            "hours": round(self.hours, 3),
            "episodes": self.episodes,
            "offers": self.offers,
            "claims": [{"key": c.key, **c.params, "show": c.show, "at": c.at, "quote": c.quote} for c in self.claims],
            "self_promotion": round(self.self_promotion, 4),
            "last_seen": self.last_seen,
            "listening_since": self.listening_since,
            "statements": list(self.statements),
        }


@dataclass(frozen=True, slots=True)
class Ranked:
    """One account of the ranking. `trend` is episodes now less those of the period before."""

    account: str
    name: str
    confirmed: int
    open: int
    score: float
    trend: int
    offers: tuple[str, ...]
    rooms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoomHours:
    """How well a room was heard, in hours, and how many of its events were lost or could not be read."""

    room: str
    heard_hours: float
    lost_hours: float
    dropped: int


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

    def as_json(self) -> dict[str, Any]:
        """Return the digest in its stable format."""
        return {
            "type": "digest",
            "community": self.community,
            "since": self.since,
            "until": self.until,
            "ranking": [
                {
                    "account": row.account,
                    "name": row.name,
                    "confirmed": row.confirmed,
                    "open": row.open,
                    "score": round(row.score, 3),
                    "trend": row.trend,
                    "offers": list(row.offers),
                    "rooms": list(row.rooms),
                }
                for row in self.ranking
            ],
            "reviews": self.reviews,
            "held_back": self.held_back,
            "rooms": [
                {
                    "room": room.room,
                    "heard_hours": round(room.heard_hours, 3),
                    "lost_hours": round(room.lost_hours, 3),
                    "dropped": room.dropped,
                }
                for room in self.rooms
            ],
        }


#: The rooms of a community: what was heard elsewhere is no business of its moderators.
_WATCHED: Final = "SELECT room FROM watches WHERE community = ?"


def find_account(database: Database, handle: str) -> str | None:
    """Return the account that a handle, `platform:handle` or full account id names, or None.

    Raises AmbiguousHandleError when several fit: the same handle elsewhere is not the same person.
    """
    if list(database.table("accounts").rows_where("id = ?", [handle])):
        return handle
    platform, _, rest = handle.rpartition(":")
    name = rest.lstrip("@").casefold()
    # SQLite's own lower() knows the letters of English only.
    database.conn.create_function("casefold", 1, str.casefold, deterministic=True)
    found = [
        row["id"]
        for row in database.query(
            "SELECT id, platform FROM accounts WHERE casefold(ltrim(name, '@')) = ? ORDER BY id", [name]
        )
        if not platform or row["platform"] == platform
    ]
    if len(found) > 1:
        raise AmbiguousHandleError(handle, found)
    return found[0] if found else None


def listening_since(database: Database, community: str) -> str | None:
    """Return when the first show in a room of `community` began, in ISO time, or None before that."""
    row = database.execute(f"SELECT MIN(started) FROM shows WHERE room IN ({_WATCHED})", [community]).fetchone()
    return str(row[0]) if row[0] else None


def read_card(database: Database, account: str, community: str) -> Card:
    """Return the card of an account as `community` sees it."""
    part = next(
        iter(
            database.query(
                "SELECT COUNT(*) AS shows, COALESCE(SUM(s.seconds), 0) AS seconds, COALESCE(SUM(p.lines), 0) AS lines,"
                " COALESCE(SUM(p.selling_lines), 0) AS selling, MAX(s.started) AS last_show"
                " FROM participations p JOIN shows s ON s.room = p.room AND s.id = p.show"
                f" WHERE p.account = ? AND p.room IN ({_WATCHED})",
                [account, community],
            )
        )
    )
    alerts = list(database.table("alerts").rows_where("account = ? AND community = ?", [account, community]))
    episodes = {status: sum(a["status"] == status for a in alerts) for status in ("confirmed", "open", "dismissed")}
    offers: dict[str, int] = {}
    for alert in alerts:
        for offer in json.loads(alert["offers"]) if alert["status"] != "dismissed" else []:
            offers[offer] = offers.get(offer, 0) + 1
    known = next(iter(database.table("accounts").rows_where("id = ?", [account])))
    said = {str(a["name"]) for a in alerts} | {str(known["name"])}
    return Card(
        account=account,
        names=tuple(sorted(said)),
        shows=part["shows"],
        hours=part["seconds"] / 3600,
        episodes=episodes,
        offers=dict(sorted(offers.items(), key=lambda item: (-item[1], item[0]))),
        claims=_claims(database, account, community),
        self_promotion=part["selling"] / part["lines"] if part["lines"] else 0.0,
        last_seen=part["last_show"],
        listening_since=listening_since(database, community),
        statements=tuple(
            row["text"]
            for row in database.table("statements").rows_where(
                "account = ? AND community = ?", [account, community], order_by="id"
            )
        ),
    )


def _claims(database: Database, account: str, community: str) -> tuple[ClaimRow, ...]:
    rows = database.table("observations").rows_where(
        "account = ? AND community = ? AND detector = 'claims'", [account, community], order_by="show, at", limit=50
    )
    return tuple(ClaimRow(row["key"], json.loads(row["params"]), row["show"], row["at"], row["quote"]) for row in rows)


def read_digest(database: Database, community: str, since: timedelta, half_life_days: float = 90.0) -> Digest:
    """Return the digest of the time from `since` ago to now.

    The score of an account is its confirmed episodes, each halved per `half_life_days` of age, plus a quarter of
    its open ones; dismissed ones do not count.
    """
    until = datetime.now(UTC)
    start, before = until - since, until - 2 * since
    alerts = list(
        database.table("alerts").rows_where(
            "community = ? AND raised >= ? AND status != 'dismissed'", [community, before.isoformat()]
        )
    )
    now = [alert for alert in alerts if alert["raised"] >= start.isoformat()]
    earlier = [alert for alert in alerts if alert["raised"] < start.isoformat()]
    ranking = [_ranked(account, now, earlier, until, half_life_days) for account in {a["account"] for a in now}]
    ranking.sort(key=lambda row: (-row.score, -row.open, row.account))
    return Digest(
        community=community,
        since=start.isoformat(),
        until=until.isoformat(),
        ranking=tuple(ranking),
        reviews=_reviews(database, community, start.isoformat()),
        held_back=sum(alert["held_back"] for alert in now),
        rooms=_rooms(database, community, start.isoformat()),
    )


def _ranked(
    account: str,
    now: Sequence[dict[str, Any]],
    earlier: Sequence[dict[str, Any]],
    until: datetime,
    half_life_days: float,
) -> Ranked:
    own = [alert for alert in now if alert["account"] == account]
    score = 0.0
    for alert in own:
        days = (until - datetime.fromisoformat(alert["raised"])).total_seconds() / 86_400
        score += (1.0 if alert["status"] == "confirmed" else 0.25) * 0.5 ** (days / half_life_days)
    offers = {offer for alert in own for offer in json.loads(alert["offers"])}
    return Ranked(
        account=account,
        name=own[-1]["name"],
        confirmed=sum(alert["status"] == "confirmed" for alert in own),
        open=sum(alert["status"] == "open" for alert in own),
        score=score,
        trend=len(own) - sum(alert["account"] == account for alert in earlier),
        offers=tuple(sorted(offers)),
        rooms=tuple(sorted({alert["room"] for alert in own})),
    )


def _reviews(database: Database, community: str, start: str) -> dict[str, int]:
    done = database.execute(
        "SELECT COUNT(*) FROM reviews WHERE community = ? AND decided >= ? AND undone IS NULL", [community, start]
    ).fetchone()[0]
    waiting = database.execute(
        "SELECT COUNT(*) FROM alerts WHERE community = ? AND status = 'open'", [community]
    ).fetchone()[0]
    return {"done": done, "waiting": waiting}


def _rooms(database: Database, community: str, start: str) -> tuple[RoomHours, ...]:
    """Return every room that the community watches, also those of which nothing was heard."""
    return tuple(
        RoomHours(row["room"], row["seconds"] / 3600 - row["lost"] / 3600, row["lost"] / 3600, row["dropped"])
        for row in database.query(
            # Nobody waits for a replayed script or a room that is watched no longer: listed only when it was heard.
            "SELECT w.room, COALESCE(SUM(s.seconds), 0.0) AS seconds, COALESCE(SUM(s.lost_seconds), 0.0) AS lost,"
            " COALESCE(SUM(s.unread + s.dropped), 0) AS dropped"
            " FROM watches w LEFT JOIN shows s ON s.room = w.room AND s.updated >= ? WHERE w.community = ?"
            " GROUP BY w.room HAVING COUNT(s.id) OR w.source NOT IN ('replay', 'former') ORDER BY w.room",
            [start, community],
        )
    )
