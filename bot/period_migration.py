"""The migration that gives watches their periods. It has landed with `bot.migrations`: it is not changed any more."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlite_utils import Database

#: Since when something is, of which nobody wrote down when it began.
BEGINNING: Final = "0001-01-01T00:00:00+00:00"
_PERIODS: Final = """
CREATE TABLE watch_periods (
    community TEXT NOT NULL,
    room TEXT NOT NULL REFERENCES rooms(id),
    since TEXT NOT NULL,             -- wall clock
    until TEXT,                      -- unset: it goes on
    host TEXT,                       -- who speaks there, says the community, where the room names nobody
    host_name TEXT
) STRICT;
CREATE INDEX periods_of_rooms ON watch_periods(room, community);
CREATE INDEX periods_of_communities ON watch_periods(community);
ALTER TABLE shows ADD COLUMN first_heard TEXT NOT NULL DEFAULT '';
UPDATE shows SET first_heard = MIN(updated, MAX(started, COALESCE(
    strftime('%Y-%m-%dT%H:%M:%f+00:00', updated, '-' || seconds || ' seconds'), started
)));
ALTER TABLE shows ADD COLUMN host_name TEXT NOT NULL DEFAULT '';
UPDATE shows SET host_name = COALESCE((SELECT NULLIF(p.name, '') FROM participations p
    WHERE p.room = shows.room AND p.show = shows.id AND p.account = shows.host),
    (SELECT a.name FROM accounts a WHERE a.id = shows.host AND a.platform != 'discord'), '');
ALTER TABLE participations ADD COLUMN first_heard TEXT NOT NULL DEFAULT '';
ALTER TABLE participations ADD COLUMN last_heard TEXT NOT NULL DEFAULT '';
UPDATE participations SET (first_heard, last_heard) = (
    SELECT first_heard, updated FROM shows s WHERE s.room = participations.room AND s.id = participations.show
);
CREATE VIEW heard_shows AS
    SELECT DISTINCT w.community, s.id, s.room, s.title,
        CASE WHEN w.host IS NULL THEN s.host ELSE w.host END AS host, s.started, s.updated, s.seconds, s.events,
        s.unread, s.dropped, s.lost_seconds, s.ended, s.phases, s.first_heard
    FROM watch_periods w JOIN shows s ON s.room = w.room
        AND s.updated >= w.since AND s.first_heard <= COALESCE(w.until, '9999');
CREATE VIEW heard_participations AS
    SELECT w.community, p.room, p.show, p.account, p.name, p.lines, p.selling_lines, p.words, p.seconds, p.seated
    FROM watch_periods w JOIN participations p ON p.room = w.room
        AND p.last_heard >= w.since AND p.first_heard <= COALESCE(w.until, '9999')
    JOIN shows s ON s.room = p.room AND s.id = p.show
    WHERE w.host IS NULL OR s.host IS NULL OR p.account != s.host
    UNION
    SELECT w.community, p.room, p.show, w.host AS account, w.host_name AS name,
        p.lines, p.selling_lines, p.words, p.seconds, p.seated
    FROM watch_periods w JOIN participations p ON p.room = w.room
        AND p.last_heard >= w.since AND p.first_heard <= COALESCE(w.until, '9999')
    JOIN shows s ON s.room = p.room AND s.id = p.show
    WHERE w.host IS NOT NULL AND p.account = s.host;
"""


def add_periods(db: Database) -> None:
    """Add the periods of watches, and who was heard when.

    What was heard before and after a community's periods is no business of it. A watch that a community added began
    when it did so. Of one from the settings file that is not known, so it always was; one that is over ended with the
    last thing that is known of it, or now where nobody else watched the room.
    """
    for statement in _PERIODS.split(";\n"):
        if statement.strip():
            db.execute(statement)
    for watch in list(db.table("watches").rows):
        _add_periods(db, watch)


def _add_periods(db: Database, watch: dict[str, Any]) -> None:
    """Reckon a watch's periods from what was written down about it."""
    of_room = [watch["community"], watch["room"]]
    since: str | None = None
    periods: list[tuple[str, str | None]] = []
    events = db.execute(
        "SELECT action, done FROM audit WHERE community = ? AND subject = ?"
        " AND action IN ('watch_add', 'watch_remove', 'watch_pause', 'watch_go_on') ORDER BY id",
        of_room,
    ).fetchall()
    if not events or events[0][0] != "watch_add":
        since = BEGINNING
    for action, done in events:
        if action in ("watch_add", "watch_go_on"):
            since = since or done
        elif since is not None:
            periods.append((since, done))
            since = None
    goes_on = watch["source"] != "former" and not watch["paused"]
    if since is not None:
        periods.append((since, None if goes_on else _end_of_watch(db, of_room)))
    elif goes_on:
        periods.append((events[-1][1], None))
    host = json.loads(watch["options"]).get("host") if watch["room"].startswith("media:") else None
    own = {"host": f"media:stream:{host.lower()}" if host else None, "host_name": host}
    rows = [{"community": of_room[0], "room": of_room[1], "since": a, "until": b, **own} for a, b in periods]
    db.table("watch_periods").insert_all(rows)


def _end_of_watch(db: Database, of_room: list[str]) -> str:
    others = db.execute("SELECT COUNT(*) FROM watches WHERE community != ? AND room = ?", of_room).fetchone()[0]
    if not others:
        return datetime.now(UTC).isoformat()
    last = db.execute(
        "SELECT MAX(at) FROM (SELECT raised AS at FROM alerts WHERE community = ?1 AND room = ?2"
        " UNION ALL SELECT noted FROM observations WHERE community = ?1 AND room = ?2)",
        of_room,
    ).fetchone()[0]
    return str(last or BEGINNING)
