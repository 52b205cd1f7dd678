"""The migration that keeps where shows stood as periods began and ended. It has landed with `bot.migrations`: it is
not changed any more."""

from itertools import groupby
from typing import Any, Final

from sqlite_utils import Database

_TABLES: Final = """
DROP VIEW heard_shows;
DROP VIEW heard_participations;
CREATE TABLE numbered_periods (
    id INTEGER PRIMARY KEY,
    community TEXT NOT NULL,
    room TEXT NOT NULL REFERENCES rooms(id),
    since TEXT NOT NULL,             -- wall clock
    until TEXT,                      -- unset: it goes on
    host TEXT,                       -- who speaks there, says the community, where the room names nobody
    host_name TEXT
) STRICT;
INSERT INTO numbered_periods (community, room, since, until, host, host_name)
    SELECT community, room, since, until, host, host_name FROM watch_periods ORDER BY rowid;
DROP TABLE watch_periods;
ALTER TABLE numbered_periods RENAME TO watch_periods;
CREATE INDEX periods_of_rooms ON watch_periods(room, community);
CREATE INDEX periods_of_communities ON watch_periods(community);
CREATE TABLE show_marks (
    period INTEGER NOT NULL REFERENCES watch_periods(id),
    show TEXT NOT NULL,              -- that was under way when the period began or ended
    edge TEXT NOT NULL,              -- begin or end
    updated TEXT NOT NULL,           -- wall clock of its last change by then, and what it had counted
    seconds REAL NOT NULL,
    events INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    lost_seconds REAL NOT NULL,
    PRIMARY KEY (period, show, edge)
) STRICT;
CREATE TABLE participation_marks (
    period INTEGER NOT NULL REFERENCES watch_periods(id),
    show TEXT NOT NULL,
    edge TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    lines INTEGER NOT NULL,
    selling_lines INTEGER NOT NULL,
    words INTEGER NOT NULL,
    seconds REAL NOT NULL,
    seated INTEGER NOT NULL,
    PRIMARY KEY (period, show, edge, account)
) STRICT
"""


def _less(total: str, *columns: str) -> str:
    """Return what was counted between a period's two edges, or since its first one, or until now."""
    return ", ".join(f"MAX(0, COALESCE(e.{one}, {total}.{one}) - COALESCE(b.{one}, 0)) AS {one}" for one in columns)


_OF_ROOM: Final = (
    "watch_periods w JOIN shows s ON s.room = w.room"
    " AND s.updated >= w.since AND s.first_heard <= COALESCE(w.until, '9999')"
)
_STRETCHES: Final = (
    "CREATE VIEW heard_stretches AS SELECT w.id AS period, w.community, s.room, s.id, s.title,"
    " CASE WHEN w.host IS NULL THEN s.host ELSE w.host END AS host, s.started,"
    " MIN(COALESCE(w.until, '9999'), COALESCE(e.updated, s.updated)) AS updated,"
    " MAX(s.first_heard, w.since) AS first_heard,"
    " COALESCE(b.seconds, 0.0) AS began_at, COALESCE(e.seconds, s.seconds) AS ended_at,"
    f" {_less('s', 'seconds', 'events', 'unread', 'dropped', 'lost_seconds')},"
    " (s.ended AND (w.until IS NULL OR w.until >= s.updated)) AS ended, w.until IS NULL AS goes_on, s.phases"
    f" FROM {_OF_ROOM}"
    " LEFT JOIN show_marks b ON b.period = w.id AND b.show = s.id AND b.edge = 'begin'"
    " LEFT JOIN show_marks e ON e.period = w.id AND e.show = s.id AND e.edge = 'end'"
)
_PARTS: Final = (
    f" {_less('t', 'lines', 'selling_lines', 'words', 'seconds')},"
    " CASE WHEN b.seated THEN NULL ELSE COALESCE(e.seated, t.seated) END AS seated"
    f" FROM {_OF_ROOM} JOIN participations t ON t.room = s.room AND t.show = s.id"
    " LEFT JOIN participation_marks b"
    " ON b.period = w.id AND b.show = t.show AND b.edge = 'begin' AND b.account = t.account"
    " LEFT JOIN participation_marks e"
    " ON e.period = w.id AND e.show = t.show AND e.edge = 'end' AND e.account = t.account"
    " LEFT JOIN show_marks l ON l.period = w.id AND l.show = t.show AND l.edge = 'end'"
    " WHERE (l.period IS NULL OR e.account IS NOT NULL)"
    " AND (b.account IS NULL OR COALESCE(e.lines, t.lines) > b.lines OR COALESCE(e.words, t.words) > b.words"
    " OR COALESCE(e.seconds, t.seconds) > b.seconds OR COALESCE(e.seated, t.seated) > b.seated)"
)
_VIEWS: Final = (
    _STRETCHES,
    "CREATE VIEW heard_parts AS"
    " SELECT w.id AS period, w.community, t.room, t.show, t.account, COALESCE(e.name, t.name) AS name,"
    f" {_PARTS} AND (w.host IS NULL OR s.host IS NULL OR t.account != s.host)"
    " UNION ALL SELECT w.id AS period, w.community, t.room, t.show, w.host AS account, w.host_name AS name,"
    f" {_PARTS} AND w.host IS NOT NULL AND t.account = s.host",
    "CREATE VIEW heard_participations AS SELECT community, room, show, account, MAX(name) AS name,"
    " SUM(lines) AS lines, SUM(selling_lines) AS selling_lines, SUM(words) AS words, SUM(seconds) AS seconds,"
    " MAX(seated) AS seated FROM heard_parts GROUP BY community, room, show, account",
)
#: Periods that do not hold a whole show, or end before one that may go on.
_CUT: Final = (
    f"SELECT w.id AS period, w.community, w.until, s.room, s.id AS show FROM {_OF_ROOM}"
    " WHERE w.since > s.first_heard OR w.until < s.updated OR (w.until IS NOT NULL AND NOT s.ended)"
    " ORDER BY w.community, s.room, s.id, w.id"
)


def add_stretches(db: Database) -> None:
    """Add where shows stood as periods began and ended, so that each community is told its own part of them.

    Where that was not written down, a show that was cut is a community's own if nobody else listened to it; else its
    part is not known, and what was counted up to now is told to nobody whose periods cut it.
    """
    for statement in _TABLES.split(";\n"):
        db.execute(statement)
    cut = list(db.query(_CUT))
    for key, periods in groupby(cut, lambda row: (row["community"], row["room"], row["show"])):
        first = not _shared(db, *key)
        for row in periods:
            if not first:
                _mark(db, row, "begin")
            if row["until"] is not None:
                _mark(db, row, "end")
            first = False
    for view in _VIEWS:
        db.execute(view)


def _shared(db: Database, community: str, room: str, show: str) -> bool:
    query = f"SELECT 1 FROM {_OF_ROOM} WHERE s.room = ? AND s.id = ? AND w.community != ?"
    return db.execute(query, [room, show, community]).fetchone() is not None


def _mark(db: Database, row: dict[str, Any], edge: str) -> None:
    of_show = [row["period"], edge, row["room"], row["show"]]
    db.execute(
        "INSERT INTO show_marks (period, show, edge, updated, seconds, events, unread, dropped, lost_seconds)"
        " SELECT ?, id, ?, updated, seconds, events, unread, dropped, lost_seconds FROM shows"
        " WHERE room = ? AND id = ?",
        of_show,
    )
    db.execute(
        "INSERT INTO participation_marks"
        " (period, show, edge, account, name, lines, selling_lines, words, seconds, seated)"
        " SELECT ?, show, ?, account, name, lines, selling_lines, words, seconds, seated FROM participations"
        " WHERE room = ? AND show = ?",
        of_show,
    )
