"""The report card as data: what the store knows, read and added up. Pure reading; nothing is written."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from bot.jump import site_of


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
class ObservationRow:
    """Something else that was noted about somebody, and by which detector. Warns nobody."""

    detector: str
    key: str
    params: dict[str, Any]
    show: str
    at: float
    quote: str


#: Observations on a card, the newest ones.
MAX_OBSERVATIONS: Final = 20


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
    observations: tuple[ObservationRow, ...] = ()

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
            "observations": [
                {"detector": o.detector, "key": o.key, **o.params, "show": o.show, "at": o.at, "quote": o.quote}
                for o in self.observations
            ],
        }


#: Accounts that a community has met, in its rooms or in its warnings, by the names that they bore there.
_MET: Final = (
    "SELECT account AS id, name FROM heard_parts WHERE community = :community"
    " UNION SELECT account, name FROM alerts WHERE community = :community"
)


def find_account(database: Database, handle: str, community: str | None = None) -> str | None:
    """Return the account that a handle, `platform:handle` or full account id names, or None.

    With a `community`, only accounts that it has met: who is known elsewhere is no business of its members. Who is
    said to speak in a stream of Twitch or YouTube goes by `twitch:handle` or `youtube:handle` as well. Raises
    AmbiguousHandleError when several fit: the same handle elsewhere is not the same person.
    """
    known = "SELECT id, name FROM accounts" if community is None else _MET
    values = {"handle": handle, "community": community}
    if database.execute(f"SELECT 1 FROM ({known}) WHERE id = :handle", values).fetchone():
        return handle
    platform, _, rest = handle.rpartition(":")
    name = rest.lstrip("@").casefold()
    # SQLite's own lower() knows the letters of English only.
    database.conn.create_function("casefold", 1, str.casefold, deterministic=True)
    named = [
        row["id"]
        for row in database.query(
            f"SELECT DISTINCT id FROM ({known}) WHERE casefold(ltrim(name, '@')) = :name ORDER BY id",
            {"name": name, "community": community},
        )
    ]
    found = [one for one in named if not platform or one.split(":", 1)[0] == platform.lower()]
    found = found or [one for one in named if _speaks_on(database, one, platform.lower(), community)]
    if len(found) > 1:
        raise AmbiguousHandleError(handle, found)
    return found[0] if found else None


def _speaks_on(database: Database, account: str, site: str, community: str | None) -> bool:
    """Whether an account was heard in a stream of a site."""
    if not account.startswith("media:"):
        return False
    rooms = database.execute(
        "SELECT DISTINCT room FROM heard_parts WHERE account = :account AND community = :community"
        if community is not None
        else "SELECT DISTINCT room FROM participations WHERE account = :account",
        {"account": account, "community": community},
    ).fetchall()
    return any(site_of(room) == site for (room,) in rooms)


def listening_since(database: Database, community: str) -> str | None:
    """Return when the first show that `community` heard began, in ISO time, or None before that.

    Of one that others had heard before, it is when the community came to it.
    """
    row = database.execute(
        "SELECT MIN(CASE WHEN s.first_heard < w.since THEN w.since ELSE s.started END) FROM watch_periods w"
        " JOIN shows s ON s.room = w.room AND s.updated >= w.since AND s.first_heard <= COALESCE(w.until, '9999')"
        " WHERE w.community = ?",
        [community],
    ).fetchone()
    return str(row[0]) if row[0] else None


def heard_shows_of(database: Database, account: str, community: str) -> list[dict[str, Any]]:
    """Return the shows in which a community heard an account, the oldest first, with the account's part in each.

    `seconds` is how much of the show the community heard while it went by that account.
    """
    return list(
        database.query(
            "SELECT s.id, s.room, s.started, SUM(s.seconds) AS seconds, SUM(p.lines) AS lines,"
            " SUM(p.selling_lines) AS selling_lines FROM heard_parts p"
            " JOIN heard_stretches s ON s.period = p.period AND s.room = p.room AND s.id = p.show"
            " WHERE p.account = ? AND p.community = ? GROUP BY s.room, s.id ORDER BY s.started, s.room, s.id",
            [account, community],
        )
    )


def read_card(database: Database, account: str, community: str) -> Card:
    """Return the card of an account as `community` sees it."""
    shows = heard_shows_of(database, account, community)
    lines = sum(show["lines"] for show in shows)
    alerts = list(database.table("alerts").rows_where("account = ? AND community = ?", [account, community]))
    episodes = {status: sum(a["status"] == status for a in alerts) for status in ("confirmed", "open", "dismissed")}
    offers: dict[str, int] = {}
    for alert in alerts:
        for offer in json.loads(alert["offers"]) if alert["status"] != "dismissed" else []:
            offers[offer] = offers.get(offer, 0) + 1
    met = database.query(
        "SELECT name FROM heard_parts WHERE community = :community AND account = :id"
        " UNION SELECT name FROM alerts WHERE community = :community AND account = :id",
        {"community": community, "id": account},
    )
    said = {str(row["name"]) for row in met if row["name"]} or {account.split(":", 2)[2]}
    return Card(
        account=account,
        names=tuple(sorted(said)),
        shows=len(shows),
        hours=sum(show["seconds"] for show in shows) / 3600,
        episodes=episodes,
        offers=dict(sorted(offers.items(), key=lambda item: (-item[1], item[0]))),
        claims=_claims(database, account, community),
        self_promotion=sum(show["selling_lines"] for show in shows) / lines if lines else 0.0,
        last_seen=max((show["started"] for show in shows), default=None),
        listening_since=listening_since(database, community),
        statements=tuple(
            row["text"]
            for row in database.table("statements").rows_where(
                "account = ? AND community = ? AND status = 'shown'", [account, community], order_by="id"
            )
        ),
        observations=_observations(database, account, community),
    )


def _claims(database: Database, account: str, community: str) -> tuple[ClaimRow, ...]:
    rows = database.table("observations").rows_where(
        "account = ? AND community = ? AND detector = 'claims'", [account, community], order_by="show, at", limit=50
    )
    return tuple(ClaimRow(row["key"], json.loads(row["params"]), row["show"], row["at"], row["quote"]) for row in rows)


def _observations(database: Database, account: str, community: str) -> tuple[ObservationRow, ...]:
    """Return what else was noted, the newest first."""
    rows = database.table("observations").rows_where(
        "account = ? AND community = ? AND detector NOT IN ('claims', 'remark')",
        [account, community],
        order_by="noted DESC, rowid DESC",
        limit=MAX_OBSERVATIONS,
    )
    return tuple(
        ObservationRow(r["detector"], r["key"], json.loads(r["params"]), r["show"], r["at"], r["quote"]) for r in rows
    )
