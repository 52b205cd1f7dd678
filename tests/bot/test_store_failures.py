"""Watches of the file; a database that is locked, full, damaged, foreign or not there; what a restart finds."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from bot.effects import OpenAlert
from bot.migrations import newest
from bot.policy import Watch
from bot.store import MEMORY, Store, StoreError, open_database
from detectors.records import RoomKey
from tests.bot.samples import HOST, WATCH, body, progress
from tests.bot.test_store import LOCKED, SNAPSHOT, dump, execute, record
from tests.stand_ins import ROOM


async def test_watches_of_the_settings_file_come_and_go_with_it(store: Store) -> None:
    other_room = RoomKey("replay", "other.jsonl")
    in_file = [WATCH, Watch("guild", ROOM, "discord:1", "low", dry_run=True, consent=True), Watch("local", other_room)]
    await store.register(in_file)
    await store.register([Watch("guild", other_room)], source="community")
    await store.register([replace(WATCH, sensitivity="high")])
    found = {(r["community"], r["room"], r["sensitivity"], r["source"]) for r in (await dump(store))["watches"]}
    assert found == {
        ("local", str(ROOM), "high", "file"),
        ("guild", str(other_room), "normal", "community"),
        ("guild", str(ROOM), "low", "former"),
        ("local", str(other_room), "normal", "former"),
    }
    await store.register(in_file)
    assert {(r["room"], r["source"]) for r in (await dump(store))["watches"] if r["community"] == "local"} == {
        (str(ROOM), "file"),
        (str(other_room), "file"),
    }


async def test_a_locked_database_is_said_plainly_and_nothing_is_half_written(store: Store) -> None:
    await store.apply([progress()])
    before = await dump(store)
    other = sqlite3.connect(str(store.path), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for work in (
        store.apply([progress(at=300.0), OpenAlert(body())], [SNAPSHOT]),
        store.register([WATCH]),
        store.expire_evidence(30),
    ):
        with pytest.raises(StoreError) as caught:
            await work
        assert str(caught.value) == f"{store.path}: {LOCKED}"
    other.execute("ROLLBACK")
    other.close()
    assert await dump(store) == before
    await store.apply([OpenAlert(body())], [SNAPSHOT])
    assert len((await dump(store))["alerts"]) == 1


async def test_a_locked_database_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = Store(path, busy_seconds=0.05)
    with pytest.raises(StoreError) as caught:
        await store.open()
    other.execute("ROLLBACK")
    other.close()
    assert str(caught.value) == f"{path}: {LOCKED}"
    await store.open()
    await store.close()


async def test_a_full_disk_is_said_plainly_and_nothing_is_half_written(store: Store) -> None:
    await store.apply([progress()], [SNAPSHOT])
    before = await dump(store)
    pages = await store.run(lambda database: database.execute("PRAGMA page_count").fetchone()[0])
    await execute(store, f"PRAGMA max_page_count = {pages}")
    much = [record(event_id=f"show-1/{i}", quote="much to say " * 300) for i in range(100)]
    with pytest.raises(StoreError) as caught:
        await store.apply([progress(at=300.0), OpenAlert(body()), *much], [replace(SNAPSHOT, numbers={})])
    assert str(caught.value) == (
        f"{store.path}: the disk is full or failing (database or disk is full); nothing was half written; make room"
    )
    assert await dump(store) == before
    await execute(store, "PRAGMA max_page_count = 100000")
    await store.apply([progress(at=300.0), OpenAlert(body()), *much])
    assert len((await dump(store))["observations"]) == 100


async def test_a_file_that_is_no_database_is_said_plainly_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are no database\n" * 100)
    with pytest.raises(StoreError) as caught:
        await Store(path).open()
    assert str(caught.value) == (
        f"{path}: is no Pitchwatch database (file is not a database); name another file with --db"
    )
    assert path.read_text() == "my notes, which are no database\n" * 100


async def test_a_damaged_database_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    store = Store(path)
    await store.open()
    await store.apply([progress(), *(record(event_id=str(i), quote="x" * 500) for i in range(200))])
    await store.close()
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        await Store(path).open()
    assert str(caught.value) == (
        f"{path}: is no Pitchwatch database (database disk image is malformed); name another file with --db"
    )


async def test_a_place_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "such" / "folder.db"):
        with pytest.raises(StoreError) as caught:
            await Store(path).open()
        assert str(caught.value) == f"{path}: the database cannot be used: unable to open database file"


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        await Store(tmp_path / "x.db").apply([progress()])
    assert str(caught.value) == f"{tmp_path / 'x.db'}: the database is not open"


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    store = Store(path)
    await store.open()
    await store.apply([progress(), OpenAlert(body())], [SNAPSHOT])
    written = await dump(store)
    await store.close()
    again = Store(path)
    await again.open()
    assert await dump(again) == written
    await again.close()


async def test_a_store_in_memory_forgets(tmp_path: Path) -> None:
    for _ in range(2):
        store = Store(MEMORY)
        await store.open()
        assert (await dump(store))["shows"] == []
        await store.apply([progress()])
        await store.close()


async def test_whoever_waits_for_changes_is_woken_by_them_only(store: Store) -> None:
    await store.apply([])
    await store.view(WATCH, "show-1", [HOST.account], 90.0)
    assert not store.changed.is_set()
    with pytest.raises(StoreError):
        await store.apply([OpenAlert(body(show="none"))])
    assert not store.changed.is_set()
    await store.apply([progress()])
    assert store.changed.is_set()


def test_the_database_is_set_up_for_one_writer_and_many_readers(tmp_path: Path) -> None:
    database = open_database(tmp_path / "test.db", busy_seconds=2.5)
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    assert [database.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == ["wal", 1, 1, 2500]
    applied = list(database.table("_sqlite_migrations").rows)
    assert len(applied) == newest()
    strict = database.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0"
        " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_%' ESCAPE '\\'"
    ).fetchall()
    assert strict == []
    database.close()
