"""Periods: when a community watched a room. What was heard there before and after is no business of it.

The views `heard_shows` and `heard_participations` give what lies in them, by community; nobody is to read the tables
below them for a community.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from detectors.records import Person


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the wall clock. `until` is None while it goes on."""

    since: datetime
    until: datetime | None = None

    def within(self, since: datetime, until: datetime) -> timedelta:
        """Return how much of the time from `since` to `until` lies in the span."""
        end = until if self.until is None else min(self.until, until)
        return max(timedelta(0), end - max(self.since, since))


def begin_period(
    database: Database, community: str, room: str, host: Person | None = None, resume: bool = False
) -> None:
    """Let a community watch a room from now on, if it does not yet. Part of the caller's transaction.

    `host` is who speaks there, says the community; somebody else begins a new period. With `resume` the last period
    goes on, if nothing is known of the room since it ended.
    """
    now, account = _now(), str(host.account) if host else None
    open_ones = list(_rows(database, "until IS NULL", community, room))
    if open_ones and open_ones[-1]["host"] == account:
        return
    if open_ones:
        end_period(database, community, room)
    elif resume and _go_on(database, community, room):
        return
    row = {"community": community, "room": room, "since": now, "until": None}
    database.table("watch_periods").insert({**row, "host": account, "host_name": host.name if host else None})


def end_period(database: Database, community: str, room: str) -> None:
    """Let a community watch a room no more, if it does. Part of the caller's transaction."""
    database.execute(
        "UPDATE watch_periods SET until = ? WHERE community = ? AND room = ? AND until IS NULL",
        [_now(), community, room],
    )


def end_threads(database: Database, rooms: Iterable[str] | None = None) -> None:
    """Let nobody watch threads any more that are watched for the channel above; without `rooms` none of them."""
    threads = [
        (row["community"], row["room"])
        for row in database.query(
            "SELECT p.community, p.room FROM watch_periods p JOIN watches w ON w.community = p.community"
            " AND w.room = p.room WHERE p.until IS NULL AND w.source = 'thread'"
        )
    ]
    wanted = None if rooms is None else set(rooms)
    for community, room in threads:
        if wanted is None or room in wanted:
            end_period(database, community, room)


def _go_on(database: Database, community: str, room: str) -> bool:
    """Let the last period go on, unless something was heard, or could not be heard, after it."""
    last = list(_rows(database, "until IS NOT NULL", community, room))
    if not last:
        return False
    until = last[-1]["until"]
    for query in (
        "SELECT 1 FROM shows WHERE room = ? AND updated > ?",
        "SELECT 1 FROM outages WHERE room = ? AND until > ?",
    ):
        if database.execute(query, [room, until]).fetchone():
            return False
    database.execute("UPDATE watch_periods SET until = NULL WHERE rowid = ?", [last[-1]["number"]])
    return True


def _rows(database: Database, condition: str, community: str, room: str) -> Iterable[dict[str, Any]]:
    return database.query(
        f"SELECT rowid AS number, * FROM watch_periods WHERE community = ? AND room = ? AND {condition} ORDER BY rowid",
        [community, room],
    )


def read_spans(database: Database, community: str) -> dict[str, list[Span]]:
    """Return when a community watched which rooms."""
    found: dict[str, list[Span]] = {}
    query = "SELECT room, since, until FROM watch_periods WHERE community = ? ORDER BY since"
    for row in database.query(query, [community]):
        until = moment(row["until"]) if row["until"] else None
        found.setdefault(row["room"], []).append(Span(moment(row["since"]), until))
    return found


def heard_share(show: Mapping[str, Any], spans: Sequence[Span], since: datetime, until: datetime) -> float:
    """Return how much of a show lies in the spans and between two moments: 0 to 1.

    A show ended, or stands, where it was last written; it was heard from its beginning on, or later.
    """
    end = moment(show["updated"])
    begin = max(moment(show["first_heard"]), end - timedelta(seconds=show["seconds"]))
    if end <= begin:  # heard at once, as files are
        return float(since <= end <= until and any(_holds(span, end) for span in spans))
    first, last = max(begin, since), min(end, until)
    inside = sum((span.within(first, last) for span in spans), timedelta(0))
    return max(0.0, min(1.0, inside / (end - begin)))


def share_ever(show: Mapping[str, Any], spans: Sequence[Span]) -> float:
    """Return how much of a show lies in the spans: 0 to 1."""
    return heard_share(show, spans, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _holds(span: Span, at: datetime) -> bool:
    return span.since <= at and (span.until is None or at <= span.until)


def moment(iso: str) -> datetime:
    """Return an ISO time as a moment; one that names no zone is UTC."""
    found = datetime.fromisoformat(iso)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _now() -> str:
    return datetime.now(UTC).isoformat()
