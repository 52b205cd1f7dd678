"""What a community heard of a show that it joined or left in the middle: its own part of every count, and no more."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from bot.effects import OpenAlert, Participation, ShowProgress, UpdateAlert
from bot.history import export_community
from bot.migrations import migrations
from bot.parcels import read_parcel
from bot.policy import Watch
from bot.reports import find_account, read_card
from bot.store import Store, open_database
from bot.watches import add_watch, pause_watch, remove_watch
from config.settings import StreamSettings
from detectors.records import PhaseSpan, RoomKey, ShowInfo
from tests.bot.samples import body
from tests.stand_ins import person

STREAMS = StreamSettings(hosts=["live.example"])
ROOM = RoomKey("media", "https://live.example/a.m3u8")
MOD = "discord:discord:1"
HOST, GUEST = person("@host"), person("@guest")
PHASES = (PhaseSpan(0.0, 100.0, "teach"), PhaseSpan(100.0, 400.0, "pitch"))


async def watch(store: Store, community: str, **options: str) -> None:
    await add_watch(store, Watch(community, ROOM, "discord:9", consent=True), MOD, options, STREAMS)


async def stands(
    store: Store, at: float, *people: tuple[Any, int, int], lost: float = 0.0, ended: bool = False
) -> None:
    """Write down where the show stands at a second of it: who said how many lines, and how many of them sold."""
    parts = tuple(Participation(who, lines, sold, 10 * lines, 5.0 * lines, who is GUEST) for who, lines, sold in people)
    phases = tuple(PhaseSpan(one.at, min(one.until, at), one.phase) for one in PHASES if one.at < at)
    info = ShowInfo("show-1", ROOM, "A show", HOST, "en", None)
    await store.apply([ShowProgress(info, at, round(at / 10), 2 * (lost > 0), 0, lost, parts, phases, ended)])


async def exported(store: Store, community: str, table: str) -> list[dict[str, Any]]:
    data = await store.run(lambda database: export_community(database, community, MOD, 10**6))
    rows = [json.loads(line) for line in data.decode().splitlines()]
    return [row for row in rows if row["type"] == table]


async def counts(store: Store, community: str) -> dict[str, tuple[int, int, int, float]]:
    """Return lines, selling lines, words and seconds of talk that a community is told of everybody, by name."""
    rows = await exported(store, community, "participations")
    return {row["name"]: (row["lines"], row["selling_lines"], row["words"], row["seconds"]) for row in rows}


async def card(store: Store, community: str) -> tuple[int, float, float]:
    """Return the shows, the minutes and the share of selling lines on the host's card."""
    found = await store.run(lambda database: read_card(database, str(HOST.account), community))
    return found.shows, round(found.hours * 60, 2), found.self_promotion


async def left_and_late(store: Store) -> None:
    """One community leaves after 100 seconds of teaching; the other comes then, hears selling, and a guest."""
    await watch(store, "one")
    await watch(store, "both")
    await stands(store, 100.0, (HOST, 10, 0), lost=5.0)
    await remove_watch(store, "one", ROOM, MOD)
    await watch(store, "late")
    await stands(store, 400.0, (HOST, 40, 30), (GUEST, 3, 0), lost=25.0)


async def test_whoever_leaves_or_comes_in_the_middle_is_told_of_its_own_part(store: Store) -> None:
    await left_and_late(store)
    assert await counts(store, "one") == {"@host": (10, 0, 100, 50.0)}
    assert await counts(store, "late") == {"@host": (30, 30, 300, 150.0), "@guest": (3, 0, 30, 15.0)}
    assert await counts(store, "both") == {"@host": (40, 30, 400, 200.0), "@guest": (3, 0, 30, 15.0)}
    assert await card(store, "one") == (1, 1.67, 0.0)
    assert await card(store, "late") == (1, 5.0, 1.0)
    assert await card(store, "both") == (1, 6.67, 0.75)
    assert await store.run(lambda database: find_account(database, "@guest", "one")) is None


async def test_an_exported_show_is_cut_to_what_was_listened_to(store: Store) -> None:
    await left_and_late(store)
    await stands(store, 410.0, (HOST, 40, 30), lost=25.0, ended=True)
    of_show = ("seconds", "events", "unread", "lost_seconds", "ended")
    found = {one: (await exported(store, one, "shows"))[0] for one in ("one", "late", "both")}
    assert {one: tuple(row[name] for name in of_show) for one, row in found.items()} == {
        "one": (100.0, 10, 2, 5.0, 0),
        "late": (310.0, 31, 0, 20.0, 1),
        "both": (410.0, 41, 2, 25.0, 1),
    }
    phases = {one: json.loads(row["phases"]) for one, row in found.items()}
    teach, pitch = [0.0, 100.0, "teach"], [100.0, 400.0, "pitch"]
    assert phases == {"one": [teach], "late": [pitch], "both": [teach, pitch]}
    (period,) = await exported(store, "one", "watch_periods")
    assert found["one"]["updated"] <= period["until"]
    (period,) = await exported(store, "late", "watch_periods")
    assert found["late"]["first_heard"] >= period["since"]


async def test_a_pause_in_the_middle_of_a_show_counts_for_nothing(store: Store) -> None:
    await watch(store, "one")
    await watch(store, "other")
    await stands(store, 100.0, (HOST, 10, 0))
    await pause_watch(store, "one", ROOM, MOD, True)
    await stands(store, 300.0, (HOST, 30, 15))
    await pause_watch(store, "one", ROOM, MOD, False)
    await stands(store, 350.0, (HOST, 35, 16))
    assert await counts(store, "one") == {"@host": (15, 1, 150, 75.0)}
    assert await card(store, "one") == (1, 2.5, 1 / 15)
    (row,) = await exported(store, "one", "shows")
    assert json.loads(row["phases"]) == [[0.0, 100.0, "teach"], [300.0, 350.0, "pitch"]]


async def test_whoever_speaks_has_what_was_heard_since_it_was_said_so(store: Store) -> None:
    await watch(store, "one", host="@kay")
    await stands(store, 100.0, (HOST, 10, 0))
    await watch(store, "one", host="@kim")
    await stands(store, 300.0, (HOST, 30, 15))
    assert await counts(store, "one") == {"@kay": (10, 0, 100, 50.0), "@kim": (20, 15, 200, 100.0)}
    shows = await exported(store, "one", "shows")
    assert [(row["host"], row["seconds"]) for row in shows] == [
        ("media:stream:@kay", 100.0),
        ("media:stream:@kim", 200.0),
    ]


async def test_a_warning_of_whoever_left_shows_the_show_up_to_there_and_is_not_told_of_its_end(store: Store) -> None:
    opened = {one: body(community=one, room=ROOM, channel="discord:9") for one in ("one", "both")}
    await watch(store, "one")
    await watch(store, "both")
    await stands(store, 110.0, (HOST, 11, 1), lost=5.0)
    await store.apply([OpenAlert(each) for each in opened.values()])
    await remove_watch(store, "one", ROOM, MOD)

    async def versions() -> dict[str, tuple[int, int]]:
        query = "SELECT community, version, running FROM alerts"
        return await store.run(lambda db: {c: (v, running) for c, v, running in db.execute(query).fetchall()})

    assert await versions() == {"one": (2, 0), "both": (1, 1)}  # it says that nobody listens any more
    await stands(store, 400.0, (HOST, 40, 30), lost=25.0, ended=True)
    assert await versions() == {"one": (2, 0), "both": (2, 1)}
    found = {
        one: await store.run(lambda db, one=one: read_parcel(db, opened[one].id, "discord")) for one in ("one", "both")
    }
    told = {one: (p.show_seconds, p.phases, p.lost_seconds, p.unread, p.ended, p.away) for one, p in found.items()}
    assert told == {
        "one": (110.0, (PHASES[0], PhaseSpan(100.0, 110.0, "pitch")), 5.0, 2, False, True),
        "both": (400.0, PHASES, 25.0, 2, True, False),
    }


async def test_a_warning_that_is_followed_again_keeps_what_it_said(store: Store) -> None:
    opened = body(community="one", room=ROOM, channel="discord:9")
    await watch(store, "one")
    await stands(store, 110.0, (HOST, 11, 1))
    await store.apply([OpenAlert(opened)])
    bare = body(community="one", room=ROOM, channel="discord:9", at=200.0, score=0.95, offers=(), cues=(), reasons=())
    await store.apply([UpdateAlert(bare)])
    found = await store.run(lambda database: read_parcel(database, opened.id, "discord"))
    assert (found.score, found.offers, found.cues, found.reasons) == (
        0.95,
        opened.offers,
        opened.cues,
        opened.reasons,
    )


@pytest.fixture
def upgraded(tmp_path: Path) -> Database:
    """Two rooms with a show each, cut by a period, from before marks were kept; in the second room others listened."""
    path = tmp_path / "old.db"
    old = Database(path)
    migrations.apply(old, stop_before=["hosts_are_accounts", "shows_are_heard_in_stretches"])
    account = {"id": str(HOST.account), "platform": "replay", "server": "script", "name": "@host"}
    old.table("accounts").insert(account | {"first_seen": "1", "last_seen": "1"})
    for room in ("own", "shared"):
        old.table("rooms").insert({"id": room, "kind": "media", "address": room})
        counted = {"seconds": 60.0, "events": 6, "unread": 0, "dropped": 0, "lost_seconds": 0.0, "phases": "[]"}
        show = {"id": "s", "room": room, "title": "", "host": str(HOST.account), "started": "2026-01-01T10:00:00+00:00"}
        show |= {"first_heard": show["started"], "updated": "2026-01-01T12:00:00+00:00", "ended": 0, "host_name": "h"}
        old.table("shows").insert(show | counted)
        part = {"room": room, "show": "s", "account": str(HOST.account), "name": "@host", "seated": 1}
        part |= {"first_heard": show["started"], "last_heard": show["updated"]}
        old.table("participations").insert(part | {"lines": 8, "selling_lines": 4, "words": 80, "seconds": 40.0})
        period = {"community": "1", "room": room, "since": "2026-01-01T09:00:00+00:00", "host": None, "host_name": None}
        old.table("watch_periods").insert(period | {"until": "2026-01-01T11:00:00+00:00"})
    named = {"since": "0001-01-01T00:00:00+00:00", "until": None, "host": "media:stream:@kay", "host_name": "@Kay"}
    old.table("watch_periods").insert({"community": "2", "room": "shared", **named})
    old.close()
    return open_database(path)


def test_what_was_cut_before_marks_were_kept_is_told_only_where_nobody_else_listened(upgraded: Database) -> None:
    query = "SELECT community, room, account, lines, seconds FROM heard_participations ORDER BY community, room"
    assert upgraded.execute(query).fetchall() == [
        ("1", "own", str(HOST.account), 8, 40.0),
        ("2", "shared", "media:stream:@kay", 8, 40.0),
    ]
    upgraded.execute("UPDATE participations SET lines = 20, seconds = 100.0")
    assert [row[3] for row in upgraded.execute(query).fetchall()] == [8, 20]


def test_whoever_is_said_to_speak_is_an_account_after_an_upgrade(upgraded: Database) -> None:
    (found,) = upgraded.query("SELECT * FROM accounts WHERE id = 'media:stream:@kay'")
    assert (found["platform"], found["server"], found["name"]) == ("media", "stream", "@Kay")
    assert found["first_seen"] == found["last_seen"] > "2026"
