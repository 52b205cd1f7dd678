"""A database of the first schema with rows in it goes on, and loses nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database, Migrations

from bot.migrations import first_tables, migrations, newest
from bot.parcels import QuoteRow, read_parcel
from bot.period_migration import BEGINNING
from bot.store import open_database
from tests.bot.samples import tables

CLOCK = "2026-10-03T19:00:00+00:00"
ROOM = "replay:show.jsonl"
ACCOUNT = "replay:script:@host"
ALERT: dict[str, Any] = {
    "id": "a1",
    "community": "77",
    "room": ROOM,
    "show": "show-1",
    "account": ACCOUNT,
    "name": "@host",
    "episode": 1,
    "presenter": None,
    "since": 100.0,
    "at": 106.0,
    "last_at": 106.0,
    "score": 0.9,
    "offers": "[]",
    "cues": "[]",
    "reasons": "[]",
    "status": "open",
    "running": 0,
    "held_back": 0,
    "version": 1,
    "raised": CLOCK,
}
SENT: dict[str, Any] = {
    "alert": "a1",
    "sink": "discord",
    "channel": "discord:42",
    "desired_version": 1,
    "delivered_version": 1,
    "attempted_version": 1,
    "state": "sent",
    "attempts": 0,
    "next_try": CLOCK,
    "reference": "9",
    "error": None,
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "rooms": [{"id": ROOM, "kind": "replay", "address": "show.jsonl"}],
    "watches": [
        {"community": "77", "room": ROOM, "channel": "discord:42", "sensitivity": "normal"}
        | {"dry_run": 0, "consent": 0, "source": "file"}
    ],
    "accounts": [
        {"id": ACCOUNT, "platform": "replay", "server": "script", "name": "@host"}
        | {"first_seen": CLOCK, "last_seen": CLOCK}
    ],
    "shows": [
        {"id": "show-1", "room": ROOM, "title": "A show", "host": ACCOUNT, "started": CLOCK, "updated": CLOCK}
        | {"seconds": 200.0, "events": 11, "unread": 0, "dropped": 0, "lost_seconds": 0.0, "ended": 1, "phases": "[]"}
    ],
    "participations": [
        {"room": ROOM, "show": "show-1", "account": ACCOUNT, "lines": 10, "selling_lines": 2, "words": 80}
        | {"seconds": 60.0, "seated": 1}
    ],
    "alerts": [ALERT, ALERT | {"id": "a2", "episode": 2}, ALERT | {"id": "a3", "episode": 3, "held_back": 1}],
    "evidence": [
        {"alert": "a1", "event_id": "show-1/1", "version": 1, "at": 100.0, "until": 106.0, "who": "@host"}
        | {"kind": "speech", "text": "book a call", "pitch": 0.97, "noted": CLOCK}
    ],
    "outbox": [SENT, SENT | {"alert": "a2", "sink": "dry_run"}],
    "observations": [
        {"community": "77", "room": ROOM, "show": "show-1", "detector": "remark", "account": ACCOUNT}
        | {"event_id": "show-1/1", "at": 106.0, "score": 0.5, "key": "phase.pitch", "params": "{}"}
        | {"quote": "book a call", "noted": CLOCK}
    ],
    "reviews": [
        {"id": 1, "alert": "a1", "community": "77", "reviewer": "mod", "decision": "dismissed", "note": ""}
        | {"decided": CLOCK, "undone": None}
    ],
    "exemptions": [{"community": "77", "account": ACCOUNT, "by": "mod", "since": CLOCK}],
    "snoozes": [{"community": "77", "subject": ROOM, "until": CLOCK, "by": "mod"}],
    "statements": [{"id": 1, "community": "77", "account": ACCOUNT, "text": "I teach", "made": CLOCK}],
    "snapshots": [{"room": ROOM, "show": "show-1", "numbers": "{}", "taken": CLOCK}],
}


#: What is known of when a watch of the settings file began: nothing.
ALWAYS: dict[str, Any] = {"community": "77", "room": ROOM, "since": BEGINNING, "until": None}
ALWAYS |= {"id": 1, "host": None, "host_name": None}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as the first version left it."""
    database = Database(tmp_path / "old.db")
    first = Migrations("pitchwatch")
    first(name="first_tables")(first_tables)
    first.apply(database)
    for name, rows in ROWS.items():
        database.table(name).insert_all(rows)
    assert tables(database) == ROWS
    database.close()
    return tmp_path / "old.db"


@pytest.fixture
def migrated(old: Path) -> Iterator[Database]:
    """The same file, opened by this version."""
    database = open_database(old)
    yield database
    database.close()


def test_every_row_is_kept_and_new_columns_say_what_was_so(migrated: Database) -> None:
    first, second, third = ROWS["alerts"]
    found = tables(migrated)
    assert {name: found[name] for name in ROWS} == {
        **ROWS,
        "watches": [row | {"paused": 0, "options": "{}", "added_by": None} for row in ROWS["watches"]],
        "alerts": [
            first | {"channel": "discord:42"},
            second | {"channel": "dry_run:discord:42"},
            third | {"channel": ""},
        ],
        "evidence": [row | {"seat": None, "deleted": 0} for row in ROWS["evidence"]],
        "outbox": [row | {"attempted": None, "told": 0} for row in ROWS["outbox"]],
        "shows": [row | {"first_heard": CLOCK, "host_name": "@host"} for row in ROWS["shows"]],
        "participations": [
            row | {"name": "@host", "first_heard": CLOCK, "last_heard": CLOCK} for row in ROWS["participations"]
        ],
        "reviews": [row | {"changes": "[]"} for row in ROWS["reviews"]],
        "statements": [row | {"status": "shown", "decided_by": None, "message": None} for row in ROWS["statements"]],
    }
    assert {name: rows for name, rows in found.items() if name not in ROWS and rows} == {"watch_periods": [ALWAYS]}
    assert migrated.execute("PRAGMA foreign_key_check").fetchall() == []
    assert migrated.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_was_stored_before_can_be_shown(migrated: Database) -> None:
    parcel = read_parcel(migrated, "a1", "discord")
    assert parcel.evidence == (QuoteRow(100.0, 106.0, "@host", "speech", "book a call", "show-1/1", None, 0.97),)
    assert parcel.decision is not None
    assert (parcel.decision.decision, parcel.decision.changes, parcel.attempted) == ("dismissed", (), None)


def test_a_migrated_database_has_the_tables_of_a_new_one(migrated: Database, tmp_path: Path) -> None:
    new = open_database(tmp_path / "new.db")

    def columns(database: Database) -> dict[str, list[Any]]:
        names = [name for name in database.table_names() if not name.startswith("_")]
        return {name: [tuple(column) for column in database.table(name).columns] for name in names}

    assert columns(migrated) == columns(new)
    new.close()


def test_opening_it_again_changes_nothing(old: Path) -> None:
    found = []
    for _ in range(2):
        database = open_database(old)
        found.append(tables(database))
        assert len(list(database.table(migrations.migrations_table).rows)) == newest()
        database.close()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("source", "paused", "done", "periods"),
    [
        ("community", 0, ("add",), [("1", None)]),
        ("community", 1, ("add", "pause"), [("1", "2")]),
        ("community", 0, ("add", "pause", "go_on"), [("1", "2"), ("3", None)]),
        ("former", 0, ("add", "remove"), [("1", "2")]),
        ("community", 0, ("add", "remove", "add", "add"), [("1", "2"), ("3", None)]),
        ("file", 0, ("add", "remove"), [("1", "2"), ("2", None)]),
        ("former", 0, (), [(BEGINNING, CLOCK)]),  # its last warning is the last that is known of it
    ],
)
def test_periods_of_watches_are_reckoned_from_what_was_written_down(
    tmp_path: Path, source: str, paused: int, done: tuple[str, ...], periods: list[tuple[str, str | None]]
) -> None:
    database = Database(tmp_path / "old.db")
    migrations.apply(database, stop_before="watches_have_periods")
    for name in ("rooms", "accounts", "shows", "alerts"):
        database.table(name).insert_all(ROWS[name])
    watch = ROWS["watches"][0] | {"source": source, "paused": paused}
    database.table("watches").insert_all([watch, watch | {"community": "88", "source": "file", "paused": 0}])
    for number, action in enumerate(done, 1):
        row = {"community": "77", "actor": "m", "action": f"watch_{action}", "subject": ROOM, "details": "{}"}
        database.table("audit").insert(row | {"done": str(number)})
    database.close()
    migrated = open_database(tmp_path / "old.db")
    found = migrated.execute("SELECT since, until FROM watch_periods WHERE community = '77' ORDER BY rowid").fetchall()
    assert found == periods
    migrated.close()
