"""Periods: when a community watched a room. What was heard there before and after is no business of it.

A show counts on and on; where it stood as a period began and ended is kept, and what lies between is the community's
own. The views `heard_stretches` (of shows), `heard_parts` and `heard_participations` (of people) give that, by
community; nobody is to read the tables below them for a community.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlite_utils import Database

from detectors.records import Person, Phase, PhaseSpan


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
    row |= {"host": account, "host_name": host.name if host else None}
    period = database.table("watch_periods").insert(row).last_pk
    _mark(database, int(str(period)), room, "begin")


def end_period(database: Database, community: str, room: str) -> None:
    """Let a community watch a room no more, if it does, nor follow what it was warned of there. Part of the caller's
    transaction."""
    for row in list(_rows(database, "until IS NULL", community, room)):
        _mark(database, row["id"], room, "end")
        database.execute("UPDATE watch_periods SET until = ? WHERE id = ?", [_now(), row["id"]])
        database.execute(
            "UPDATE alerts SET running = 0 WHERE community = ? AND room = ? AND running", [community, room]
        )


def _mark(database: Database, period: int, room: str, edge: str) -> None:
    """Keep where the show that is under way stands as a period begins or ends."""
    newest = "SELECT id, ended FROM shows WHERE room = ? ORDER BY updated DESC, rowid DESC LIMIT 1"
    show, ended = database.execute(newest, [room]).fetchone() or (None, True)
    if ended:
        return
    of_show = [period, edge, room, show]
    database.execute(
        "INSERT INTO show_marks (period, show, edge, updated, seconds, events, unread, dropped, lost_seconds)"
        " SELECT ?, id, ?, updated, seconds, events, unread, dropped, lost_seconds FROM shows"
        " WHERE room = ? AND id = ?",
        of_show,
    )
    database.execute(
        "INSERT INTO participation_marks"
        " (period, show, edge, account, name, lines, selling_lines, words, seconds, seated)"
        " SELECT ?, show, ?, account, name, lines, selling_lines, words, seconds, seated FROM participations"
        " WHERE room = ? AND show = ?",
        of_show,
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
    period = [last[-1]["id"]]
    database.execute("UPDATE watch_periods SET until = NULL WHERE id = ?", period)
    for marks in ("show_marks", "participation_marks"):
        database.execute(f"DELETE FROM {marks} WHERE period = ? AND edge = 'end'", period)
    return True


def _rows(database: Database, condition: str, community: str, room: str) -> Iterable[dict[str, Any]]:
    return database.query(
        f"SELECT * FROM watch_periods WHERE community = ? AND room = ? AND {condition} ORDER BY id",
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


def heard_share(stretch: Mapping[str, Any], since: datetime, until: datetime) -> float:
    """Return how much of a stretch of a show lies between two moments: 0 to 1.

    It ended, or stands, where it was last written; it was heard from its beginning on, or later.
    """
    end = moment(stretch["updated"])
    begin = max(moment(stretch["first_heard"]), end - timedelta(seconds=stretch["seconds"]))
    if end <= begin:  # heard at once, as files are
        return float(since <= end <= until)
    return Span(since, until).within(begin, end) / (end - begin)


def clipped(phases: str, began: float, ended: float) -> list[tuple[float, float, str]]:
    """Return what of a show's timeline lies between two of its seconds."""
    found = [(max(at, began), min(until, ended), phase) for at, until, phase in json.loads(phases)]
    return [one for one in found if one[0] < one[1]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a community heard of one show: its timeline, up to which second of it, what of it was lost; whether it was
    there at the end, or does not listen any more."""

    phases: tuple[PhaseSpan, ...] = ()
    until: float = 0.0
    lost_seconds: float = 0.0
    unread: int = 0
    ended: bool = False
    away: bool = False


def read_heard(database: Database, community: str, room: str, show: str) -> Heard:
    """Return what a community heard of a show; all of it where it has no periods at all, as from before there were
    any."""
    query = "SELECT * FROM heard_stretches WHERE community = ? AND room = ? AND id = ? ORDER BY period"
    found = list(database.query(query, [community, room, show]))
    if not found and not list(_rows(database, "TRUE", community, room)):
        query = "SELECT *, 0 AS began_at, seconds AS ended_at, TRUE AS goes_on FROM shows WHERE room = ? AND id = ?"
        found = list(database.query(query, [room, show]))
    phases = [one for row in found for one in clipped(row["phases"], row["began_at"], row["ended_at"])]
    ended = any(row["ended"] for row in found)
    return Heard(
        tuple(PhaseSpan(at, until, cast(Phase, phase)) for at, until, phase in phases),
        max((row["ended_at"] for row in found), default=0.0),
        sum(row["lost_seconds"] for row in found),
        sum(row["unread"] for row in found),
        ended,
        not ended and not any(row["goes_on"] for row in found),
    )


def heard_shows(database: Database, community: str) -> list[dict[str, Any]]:
    """Return the shows that a community heard, each with what lies in its own time, the oldest first.

    Whoever it says speaks there stands with the stretch of which it said so: another one is another row.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    query = "SELECT * FROM heard_stretches WHERE community = ? ORDER BY started, room, id, period"
    for row in database.query(query, [community]):
        phases = clipped(row["phases"], row.pop("began_at"), row.pop("ended_at"))
        del row["period"], row["goes_on"]
        key = row["room"], row["id"], row["host"]
        show = found.get(key)
        if show is None:
            found[key] = {**row, "phases": phases}
            continue
        show["phases"] += phases
        for counted in ("seconds", "events", "unread", "dropped", "lost_seconds"):
            show[counted] += row[counted]
        show["updated"], show["ended"] = row["updated"], row["ended"]
    return [{**row, "phases": json.dumps(row["phases"])} for row in found.values()]


def moment(iso: str) -> datetime:
    """Return an ISO time as a moment; one that names no zone is UTC."""
    found = datetime.fromisoformat(iso)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _now() -> str:
    return datetime.now(UTC).isoformat()
