"""The store: applies effects in one transaction and keeps the outbox. One SQLite file, one writer thread.

Nothing here awaits inside a transaction: a transaction is one function that runs on the writer thread.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlite_utils import Database

from bot import rows
from bot.effects import AlertBody, Effect, EndEpisode, OpenAlert, Record, ShowProgress, UpdateAlert
from bot.migrations import migrations
from bot.policy import History, View, Watch
from detectors.records import Account, Person, RoomKey

T = TypeVar("T")

#: Name of the sink that notes what a dry run would have sent.
DRY_RUN: Final = "dry_run"
MEMORY: Final = ":memory:"


class StoreError(Exception):
    """The database cannot be used now; nothing of the failed change was written. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The numbers of a show's models and detectors at one moment, without text."""

    room: RoomKey
    show: str
    numbers: dict[str, Any]


def open_database(path: Path | str, busy_seconds: float = 5.0) -> Database:
    """Open (and bring up to date) the database. Raises StoreError when it cannot be read or written."""
    try:
        connection = sqlite3.connect(str(path), timeout=busy_seconds, check_same_thread=False, isolation_level=None)
        database = Database(connection)
        database.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        _refuse_foreign(database, path)
        if str(path) != MEMORY:
            database.execute("PRAGMA journal_mode=WAL")
        for pragma in (
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            database.execute(f"PRAGMA {pragma}")
        migrations.apply(database)
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error
    return database


def _refuse_foreign(database: Database, path: Path | str) -> None:
    """Raise StoreError when the file is a database of something else, before anything is added to it."""
    tables = database.table_names()
    if tables and migrations.migrations_table not in tables:
        raise StoreError(f"{path}: is a database of something else; name another file with --db")


def explain(error: BaseException, path: Path | str) -> StoreError:
    """Return an error that tells a person what is wrong with the database and what to do."""
    text = str(error)
    if "locked" in text:
        return StoreError(f"{path}: the database is locked by another program; stop it or wait, then start again")
    if "full" in text or "disk I/O" in text:
        return StoreError(f"{path}: the disk is full or failing ({text}); nothing was half written; make room")
    if "not a database" in text or "malformed" in text:
        return StoreError(f"{path}: is no Pitchwatch database ({text}); name another file with --db")
    return StoreError(f"{path}: the database cannot be used: {text}")


class Store:
    """Asynchronous access to the database through one thread."""

    def __init__(self, path: Path | str = MEMORY, busy_seconds: float = 5.0) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._database: Database | None = None
        #: Set after every change that may have put something into the outbox.
        self.changed = asyncio.Event()

    async def open(self) -> None:
        """Open the database. Raises StoreError."""
        loop = asyncio.get_running_loop()
        self._database = await loop.run_in_executor(self._thread, open_database, self.path, self._busy_seconds)

    async def close(self) -> None:
        """Close the database after everything under way."""
        await self.run(lambda database: database.close())
        self._thread.shutdown()

    async def run(self, work: Callable[[Database], T]) -> T:
        """Run `work` with the database on its thread. Raises StoreError."""
        database = self._database
        if database is None:
            raise StoreError(f"{self.path}: the database is not open")

        def guarded() -> T:
            try:
                return work(database)
            except (sqlite3.Error, OSError) as error:
                raise explain(error, self.path) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)

    async def apply(self, effects: Sequence[Effect], snapshots: Sequence[Snapshot] = ()) -> None:
        """Apply effects and snapshots in one transaction: all of them or none. Raises StoreError."""
        if not effects and not snapshots:
            return
        now = datetime.now(UTC)

        def work(database: Database) -> None:
            with database.atomic():
                for effect in effects:
                    _apply(database, effect, now.isoformat())
                for snapshot in snapshots:
                    _save_snapshot(database, snapshot, now.isoformat())

        await self.run(work)
        self.changed.set()

    async def register(self, watches: Iterable[Watch], source: str = "file") -> None:
        """Write rooms and watches of a `source`.

        Those of the settings file that are no longer in it are marked as former: what was heard there stays on cards.
        """
        listed = list(watches)

        def work(database: Database) -> None:
            with database.atomic():
                if source == "file":
                    database.execute("UPDATE watches SET source = 'former' WHERE source = 'file'")
                for watch in listed:
                    _save_room(database, watch.room)
                    database.table("watches").upsert(
                        {
                            "community": watch.community,
                            "room": str(watch.room),
                            "channel": watch.channel,
                            "sensitivity": watch.sensitivity,
                            "dry_run": int(watch.dry_run),
                            "consent": int(watch.consent),
                            "source": source,
                        },
                        pk=("community", "room"),
                    )

        await self.run(work)

    async def snapshot(self, room: RoomKey, show: str) -> dict[str, Any] | None:
        """Return the numbers last saved for a show, or None."""

        def work(database: Database) -> dict[str, Any] | None:
            found = list(database.table("snapshots").rows_where("room = ? AND show = ?", [str(room), show]))
            return dict(json.loads(found[0]["numbers"])) if found else None

        return await self.run(work)

    async def view(self, watch: Watch, accounts: Iterable[Account], half_life_days: float) -> View:
        """Return what the watch's community knows about `accounts` and this room."""
        names = [str(account) for account in accounts]
        return await self.run(lambda database: read_view(database, watch, names, half_life_days))

    async def expire_evidence(self, keep_days: int) -> int:
        """Delete quoted text older than `keep_days`; return how many rows went."""
        oldest = (datetime.now(UTC) - timedelta(days=keep_days)).isoformat()

        def work(database: Database) -> int:
            with database.atomic():
                gone = database.execute("DELETE FROM evidence WHERE noted < ?", [oldest]).rowcount
                gone += database.execute(
                    "UPDATE observations SET quote = '', params = json_set(params, '$.words', '…')"
                    " WHERE noted < ? AND quote != ''",
                    [oldest],
                ).rowcount
                database.execute(
                    "DELETE FROM snapshots WHERE taken < ? AND EXISTS (SELECT 1 FROM shows s"
                    " WHERE s.room = snapshots.room AND s.id = snapshots.show AND s.ended)",
                    [oldest],
                )
            return gone

        return await self.run(work)


def read_view(database: Database, watch: Watch, accounts: Sequence[str], half_life_days: float) -> View:
    """Read exemptions, snoozes and decayed decisions for the named accounts."""
    now = datetime.now(UTC)
    marks = ",".join("?" * len(accounts))
    exempt = database.query(
        f"SELECT account FROM exemptions WHERE community = ? AND account IN ({marks})", [watch.community, *accounts]
    )
    snoozed = {
        row["subject"]
        for row in database.query(
            "SELECT subject FROM snoozes WHERE community = ? AND until > ?", [watch.community, now.isoformat()]
        )
    }
    history: dict[Account, History] = {}
    for row in database.query(
        "SELECT a.account, r.decision, r.decided FROM reviews r JOIN alerts a ON a.id = r.alert"
        f" WHERE r.community = ? AND r.undone IS NULL AND a.account IN ({marks})",
        [watch.community, *accounts],
    ):
        days = (now - datetime.fromisoformat(row["decided"])).total_seconds() / 86_400
        count = 0.5 ** (max(0.0, days) / half_life_days)
        account = Account.parse(row["account"])
        before = history.get(account, History())
        if row["decision"] == "confirmed":
            history[account] = History(before.confirmed + count, before.dismissed)
        else:
            history[account] = History(before.confirmed, before.dismissed + count)
    return View(
        exempt=frozenset(Account.parse(row["account"]) for row in exempt),
        snoozed=frozenset(Account.parse(name) for name in accounts if name in snoozed),
        snoozed_room=str(watch.room) in snoozed,
        history=history,
    )


def _apply(database: Database, effect: Effect, now: str) -> None:
    if isinstance(effect, OpenAlert):
        _open_alert(database, effect, now)
    elif isinstance(effect, UpdateAlert):
        _update_alert(database, effect.body, now)
    elif isinstance(effect, EndEpisode):
        database.execute(
            "UPDATE alerts SET running = 0, last_at = MAX(last_at, ?) WHERE id = ?", [effect.at, effect.alert]
        )
    elif isinstance(effect, Record):
        _save_account(database, effect.person, now)
        database.table("observations").insert(rows.observation_row(effect, now), ignore=True)
    else:
        _save_progress(database, effect, now)


def _open_alert(database: Database, effect: OpenAlert, now: str) -> None:
    body = effect.body
    _save_account(database, body.person, now)
    inserted = database.table("alerts").insert(rows.alert_row(body, effect.held_back, now), ignore=True)
    if inserted.db.execute("SELECT changes()").fetchone()[0] == 0:
        return  # the same episode, seen again after a restart
    _save_evidence(database, body, 1, now)
    if not effect.held_back:
        sink = DRY_RUN if body.dry_run else body.channel.split(":", 1)[0]
        database.table("outbox").insert(
            {
                "alert": body.id,
                "sink": sink,
                "channel": body.channel,
                "desired_version": 1,
                "delivered_version": 0,
                "attempted_version": 0,
                "state": "pending",
                "attempts": 0,
                "next_try": now,
                "reference": None,
                "error": None,
            }
        )


def _update_alert(database: Database, body: AlertBody, now: str) -> None:
    known = list(database.query("SELECT version, last_at FROM alerts WHERE id = ?", [body.id]))
    if not known or known[0]["last_at"] >= body.at:
        return  # the same update, seen again after a restart
    version = known[0]["version"] + 1
    database.table("alerts").update(body.id, {**rows.changing_columns(body), "version": version})
    _save_evidence(database, body, version, now)
    database.execute(
        "UPDATE outbox SET desired_version = ?, state = CASE state WHEN 'sent' THEN 'pending' ELSE state END"
        " WHERE alert = ?",
        [version, body.id],
    )


def _save_evidence(database: Database, body: AlertBody, version: int, now: str) -> None:
    database.table("evidence").insert_all(rows.evidence_rows(body, version, now), pk=("alert", "event_id"), ignore=True)


def _save_progress(database: Database, progress: ShowProgress, now: str) -> None:
    _save_room(database, progress.info.room)
    if progress.info.host is not None:
        _save_account(database, progress.info.host, now)
    row = rows.show_row(progress, now)
    if progress.info.started is None:
        known = database.execute("SELECT started FROM shows WHERE room = ? AND id = ?", [row["room"], row["id"]])
        row["started"] = (known.fetchone() or [now])[0]  # when it was first heard, not when it was last written
    database.table("shows").upsert(row, pk=("room", "id"))
    for part in progress.people:
        _save_account(database, part.person, now)
    for row in rows.participation_rows(progress):
        # Somebody who was forgotten for a while is counted anew; what was written stays the least.
        database.execute(
            "INSERT INTO participations (room, show, account, lines, selling_lines, words, seconds, seated)"
            " VALUES (:room, :show, :account, :lines, :selling_lines, :words, :seconds, :seated)"
            " ON CONFLICT(room, show, account) DO UPDATE SET lines = MAX(lines, excluded.lines),"
            " selling_lines = MAX(selling_lines, excluded.selling_lines), words = MAX(words, excluded.words),"
            " seconds = MAX(seconds, excluded.seconds), seated = MAX(seated, excluded.seated)",
            row,
        )


def _save_room(database: Database, room: RoomKey) -> None:
    database.table("rooms").insert({"id": str(room), "kind": room.kind, "address": room.address}, ignore=True)


def _save_account(database: Database, person: Person, now: str) -> None:
    database.execute(
        "INSERT INTO accounts (id, platform, server, name, first_seen, last_seen)"
        " VALUES (:id, :platform, :server, :name, :first_seen, :last_seen)"
        " ON CONFLICT(id) DO UPDATE SET name = excluded.name, last_seen = excluded.last_seen",
        rows.account_row(person, now),
    )


def _save_snapshot(database: Database, snapshot: Snapshot, now: str) -> None:
    database.table("snapshots").upsert(
        {"room": str(snapshot.room), "show": snapshot.show, "numbers": json.dumps(snapshot.numbers), "taken": now},
        pk=("room", "show"),
    )
