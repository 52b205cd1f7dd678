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

from bot import deletions, periods, rows
from bot.effects import AlertBody, Effect, EndEpisode, OpenAlert, Record, ShowProgress, UpdateAlert
from bot.migrations import migrations
from bot.parcels import bump, newest_sent
from bot.policy import View, Watch
from bot.views import read_view
from detectors.records import Account, Person, RoomKey

T = TypeVar("T")

#: Name of the sink that notes what a dry run would have sent.
DRY_RUN: Final = "dry_run"
MEMORY: Final = ":memory:"
#: Deleted messages remembered, for warnings that come to quote them later.
MAX_DELETED: Final = 5_000


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
        self._deleted: dict[int, None] = {}  # used on the writer thread only
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
                if self._deleted:
                    quoting = [effect.body.id for effect in effects if isinstance(effect, OpenAlert | UpdateAlert)]
                    deletions.mark_known(database, quoting, self._deleted)
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
                    _begin_anew(database, listed)
                for watch in listed:
                    _save_room(database, watch.room)
                    if source == "thread" and _has_own_watch(database, watch):
                        continue  # a thread with a watch of its own keeps it
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
                    periods.begin_period(database, watch.community, str(watch.room), watch.host, source == "thread")

        await self.run(work)

    async def end_threads(self, rooms: Iterable[RoomKey]) -> None:
        """Note that threads are not listened to any more. Raises StoreError."""
        names = [str(room) for room in rooms]

        def work(database: Database) -> None:
            with database.atomic():
                periods.end_threads(database, names)

        if names:
            await self.run(work)

    async def snapshot(self, room: RoomKey, show: str) -> dict[str, Any] | None:
        """Return the numbers last saved for a show, or None."""

        def work(database: Database) -> dict[str, Any] | None:
            found = list(database.table("snapshots").rows_where("room = ? AND show = ?", [str(room), show]))
            return dict(json.loads(found[0]["numbers"])) if found else None

        return await self.run(work)

    async def view(self, watch: Watch, show: str, accounts: Iterable[Account], half_life_days: float) -> View:
        """Return what the watch's community knows about `accounts` and this room."""
        names = [str(account) for account in accounts]
        return await self.run(lambda database: read_view(database, watch, show, names, half_life_days))

    async def note_deleted(self, messages: Sequence[int]) -> None:
        """Note that messages of Discord were deleted; warnings that quote them are shown anew. Raises StoreError."""

        def work(database: Database) -> bool:
            self._deleted |= dict.fromkeys(messages)
            for oldest in list(self._deleted)[:-MAX_DELETED]:
                del self._deleted[oldest]
            with database.atomic():
                return deletions.note_deleted(database, messages)

        if await self.run(work):
            self.changed.set()

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
    held_back = effect.held_back or _channel_is_full(database, effect, now)
    inserted = database.table("alerts").insert(rows.alert_row(body, held_back, now), ignore=True)
    if inserted.db.execute("SELECT changes()").fetchone()[0] == 0:
        return  # the same episode, seen again after a restart
    _save_evidence(database, body, 1, now)
    if held_back:
        _say_that_more_waits(database, body)
    else:
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


def _channel_is_full(database: Database, effect: OpenAlert, now: str) -> bool:
    """Whether a channel of people had its most warnings in the last hour of the clock, from all shows together."""
    body = effect.body
    if body.dry_run or effect.most_per_hour is None or ":" not in body.channel:
        return False
    hour_ago = (datetime.fromisoformat(now) - timedelta(hours=1)).isoformat()
    sent = database.execute(
        "SELECT COUNT(*) FROM alerts WHERE channel = ? AND held_back = 0 AND raised > ?", [body.channel, hour_ago]
    ).fetchone()[0]
    return bool(sent >= effect.most_per_hour)


def _say_that_more_waits(database: Database, body: AlertBody) -> None:
    """Show the newest warning of the channel anew: it says how many more there are."""
    newest = newest_sent(database, body.community, rows.channel_of(body))
    if newest is not None and ":" in body.channel:
        bump(database, newest)


def _update_alert(database: Database, body: AlertBody, now: str) -> None:
    known = list(database.query("SELECT last_at FROM alerts WHERE id = ?", [body.id]))
    if not known or known[0]["last_at"] >= body.at:
        return  # the same update, seen again after a restart
    # One that was left and is heard again says anew only what was heard since: what it said before stays.
    changing = {name: value for name, value in rows.changing_columns(body).items() if value != "[]"}
    database.table("alerts").update(body.id, changing)
    _save_evidence(database, body, bump(database, body.id), now)


def _save_evidence(database: Database, body: AlertBody, version: int, now: str) -> None:
    database.table("evidence").insert_all(rows.evidence_rows(body, version, now), pk=("alert", "event_id"), ignore=True)


def _save_progress(database: Database, progress: ShowProgress, now: str) -> None:
    _save_room(database, progress.info.room)
    if progress.info.host is not None:
        _save_account(database, progress.info.host, now)
    row = rows.show_row(progress, now)
    known = database.execute(
        "SELECT started, first_heard FROM shows WHERE room = ? AND id = ?", [row["room"], row["id"]]
    )
    started, row["first_heard"] = known.fetchone() or (now, now)
    if progress.info.started is None:
        row["started"] = started  # when it was first heard, not when it was last written
    database.table("shows").upsert(row, pk=("room", "id"))
    if progress.ended:
        _say_that_it_is_over(database, row["room"], row["id"])
    for part in progress.people:
        _save_account(database, part.person, now)
    for row in rows.participation_rows(progress):
        # Somebody who was forgotten for a while is counted anew; what was written stays the least.
        database.execute(
            "INSERT INTO participations (room, show, account, name, lines, selling_lines, words, seconds, seated,"
            " first_heard, last_heard)"
            " VALUES (:room, :show, :account, :name, :lines, :selling_lines, :words, :seconds, :seated, :now, :now)"
            " ON CONFLICT(room, show, account) DO UPDATE SET name = excluded.name,"
            " last_heard = CASE WHEN excluded.lines > lines OR excluded.seconds > seconds OR excluded.seated > seated"
            "  THEN excluded.last_heard ELSE last_heard END, lines = MAX(lines, excluded.lines),"
            " selling_lines = MAX(selling_lines, excluded.selling_lines), words = MAX(words, excluded.words),"
            " seconds = MAX(seconds, excluded.seconds), seated = MAX(seated, excluded.seated)",
            {**row, "now": now},
        )


def _begin_anew(database: Database, listed: Sequence[Watch]) -> None:
    """Take in what the settings file says now: what is no longer in it is over, and no thread is listened to yet."""
    stay = {(watch.community, str(watch.room)) for watch in listed}
    for row in list(database.table("watches").rows_where("source = 'file'")):
        if (row["community"], row["room"]) not in stay:
            periods.end_period(database, row["community"], row["room"])
    database.execute("UPDATE watches SET source = 'former' WHERE source = 'file'")
    periods.end_threads(database)


def _has_own_watch(database: Database, watch: Watch) -> bool:
    query = "SELECT 1 FROM watches WHERE community = ? AND room = ? AND source IN ('file', 'community')"
    return database.execute(query, [watch.community, str(watch.room)]).fetchone() is not None


def _say_that_it_is_over(database: Database, room: str, show: str) -> None:
    """Show a show's warnings anew where messages are edited in place: they say whether the show still runs. Whoever
    does not listen any more is not told."""
    for (alert,) in database.execute(
        "SELECT id FROM alerts WHERE room = ? AND show = ? AND channel LIKE '%:%' AND EXISTS (SELECT 1"
        " FROM watch_periods w WHERE w.community = alerts.community AND w.room = alerts.room AND w.until IS NULL)",
        [room, show],
    ).fetchall():
        bump(database, alert)


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
