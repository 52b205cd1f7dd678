"""When rooms could not be heard, and when the bot itself did not run. Noted each minute; read by the digest."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlite_utils import Database

from bot.periods import Span
from bot.schedule import Period

#: Outages are kept so long.
KEPT: Final = timedelta(days=100)
#: Two looks further apart than this were not made by one running bot.
APART: Final = timedelta(minutes=5)
_LAST_LOOK: Final = "outages:looked"


def note_outages(database: Database, rooms: Mapping[str, bool], now: datetime) -> None:
    """Write down which rooms cannot be heard now, as part of the caller's transaction. Called about once a minute.

    `rooms` are those that run, and whether each is heard. A watched room that never ends by itself and does not run
    is not heard either: it could not be opened.
    """
    row = database.execute("SELECT value FROM own_notes WHERE name = ?", [_LAST_LOOK]).fetchone()
    last = datetime.fromisoformat(row[0]) if row else None
    if last is not None and now - last > APART:
        _extend(database, "", last, now)
    watched = {
        row["room"]
        for row in database.query(
            "SELECT DISTINCT w.room FROM watches w JOIN rooms r ON r.id = w.room WHERE r.kind IN ('discord', 'janus')"
            " AND w.source IN ('file', 'community') AND NOT w.paused"
        )
    }
    for room in sorted((watched - rooms.keys()) | {room for room, heard in rooms.items() if not heard}):
        _extend(database, room, last if last is not None and now - last <= APART else now, now)
    database.execute(
        "INSERT INTO own_notes (name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
        [_LAST_LOOK, now.isoformat()],
    )
    database.execute("DELETE FROM outages WHERE until < ?", [(now - KEPT).isoformat()])


def _extend(database: Database, room: str, last: datetime, now: datetime) -> None:
    """Let the outage that was on at the last look go on, or begin one there."""
    gone_on = database.execute(
        "UPDATE outages SET until = ? WHERE room = ? AND until = ?", [now.isoformat(), room, last.isoformat()]
    ).rowcount
    if not gone_on:
        database.execute(
            "INSERT INTO outages (room, since, until) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET until = excluded.until",
            [room, last.isoformat(), now.isoformat()],
        )


def outage_hours(database: Database, room: str, period: Period, spans: Sequence[Span] | None = None) -> float:
    """Return for how many hours of a period a room could not be heard; of the bot itself for an empty `room`.

    With `spans`, only what lies in one of them counts.
    """
    total = timedelta(0)
    for row in database.query(
        "SELECT since, until FROM outages WHERE room = ? AND until > ? AND since < ?",
        [room, period.since.isoformat(), period.until.isoformat()],
    ):
        since = max(datetime.fromisoformat(row["since"]), period.since)
        until = min(datetime.fromisoformat(row["until"]), period.until)
        for span in spans if spans is not None else (Span(since),):
            total += span.within(since, until)
    return total / timedelta(hours=1)
