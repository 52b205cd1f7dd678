"""The store, on real SQLite files."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.effects import EndEpisode, OpenAlert, Participation, Record, UpdateAlert
from bot.policy import History, View
from bot.store import Snapshot, Store, StoreError
from detectors.records import Message, PhaseSpan, RoomKey
from tests.bot.samples import CLOCKS, HOST, WATCH, body, progress, quote, tables
from tests.stand_ins import ROOM, person, show_info

SNAPSHOT = Snapshot(ROOM, "show-1", {"at": 200.0})
ANA = person("@ana")
LOCKED = "the database is locked by another program; stop it or wait, then start again"


async def dump(store: Store, but: dict[str, frozenset[str]] | None = None) -> dict[str, list[dict[str, Any]]]:
    return await store.run(lambda database: tables(database, but))


async def execute(store: Store, statement: str, parameters: list[Any] | None = None) -> None:
    await store.run(lambda database: database.execute(statement, parameters or []))


def record(**changes: Any) -> Record:
    made = Record(
        community="local",
        room=ROOM,
        show="show-1",
        detector="claims",
        person=HOST,
        event_id="show-1/4",
        at=50.0,
        score=1.0,
        message=Message("claim.title", {"words": "roi des réels"}),
        quote="je suis le roi des réels",
    )
    return replace(made, **changes)


async def test_everything_that_an_alert_needs_is_written(store: Store) -> None:
    watch = replace(WATCH, channel="discord:42", dry_run=False)
    await store.register([watch])
    phases = (PhaseSpan(0.0, 100.0, "teach"), PhaseSpan(100.0, 200.0, "pitch"))
    warning = body(
        channel="discord:42", presenter=ANA, evidence=(quote(1, 100.0), quote(2, 110.0, "bientôt « plein »", seat=3))
    )
    await store.apply(
        [progress(phases=phases, lost_seconds=12.0, unread=2, dropped=3), OpenAlert(warning), record()], [SNAPSHOT]
    )
    found = await dump(store, {**CLOCKS, "_": frozenset()})
    expected_evidence = [
        {
            "alert": warning.id,
            "event_id": f"show-1/{number}",
            "version": 1,
            "at": at,
            "until": at + 6.0,
            "who": "@host",
            "kind": "speech",
            "text": text,
            "pitch": 0.97,
            "seat": seat,
            "deleted": 0,
        }
        for number, at, text, seat in ((1, 100.0, "book a call $", None), (2, 110.0, "bientôt « plein »", 3))
    ]
    assert {name: rows for name, rows in found.items() if rows} == {
        "rooms": [{"id": "replay:show.jsonl", "kind": "replay", "address": "show.jsonl"}],
        "watches": [
            {
                "community": "local",
                "room": "replay:show.jsonl",
                "channel": "discord:42",
                "sensitivity": "normal",
                "dry_run": 0,
                "consent": 0,
                "source": "file",
                "paused": 0,
                "options": "{}",
                "added_by": None,
            }
        ],
        "watch_periods": [
            {"id": 1, "community": "local", "room": "replay:show.jsonl", "host": None, "host_name": None},
        ],
        "accounts": [{"id": "replay:script:@host", "platform": "replay", "server": "script", "name": "@host"}],
        "shows": [
            {
                "id": "show-1",
                "room": "replay:show.jsonl",
                "title": "A show",
                "host": "replay:script:@host",
                "host_name": "@host",
                "started": "2026-10-03T19:00:00+00:00",
                "seconds": 200.0,
                "events": 11,
                "unread": 2,
                "dropped": 3,
                "lost_seconds": 12.0,
                "ended": 0,
                "phases": '[[0.0, 100.0, "teach"], [100.0, 200.0, "pitch"]]',
            }
        ],
        "participations": [
            {
                "room": "replay:show.jsonl",
                "show": "show-1",
                "account": "replay:script:@host",
                "name": "@host",
                "lines": 10,
                "selling_lines": 2,
                "words": 80,
                "seconds": 60.0,
                "seated": 1,
            }
        ],
        "alerts": [
            {
                "id": warning.id,
                "community": "local",
                "room": "replay:show.jsonl",
                "show": "show-1",
                "account": "replay:script:@host",
                "name": "@host",
                "episode": 1,
                "presenter": "replay:script:@ana",
                "since": 100.0,
                "at": 106.0,
                "last_at": 106.0,
                "score": 0.9,
                "offers": '["coaching"]',
                "cues": '["scarcity"]',
                "reasons": '[["why.no_teaching", {}]]',
                "status": "open",
                "running": 1,
                "held_back": 0,
                "version": 1,
                "channel": "discord:42",
            }
        ],
        "evidence": expected_evidence,
        "outbox": [
            {
                "alert": warning.id,
                "sink": "discord",
                "channel": "discord:42",
                "desired_version": 1,
                "delivered_version": 0,
                "attempted_version": 0,
                "state": "pending",
                "attempts": 0,
                "reference": None,
                "error": None,
                "told": 0,
            }
        ],
        "observations": [
            {
                "community": "local",
                "room": "replay:show.jsonl",
                "show": "show-1",
                "detector": "claims",
                "account": "replay:script:@host",
                "event_id": "show-1/4",
                "at": 50.0,
                "score": 1.0,
                "key": "claim.title",
                "params": '{"words": "roi des réels"}',
                "quote": "je suis le roi des réels",
            }
        ],
        "snapshots": [{"room": "replay:show.jsonl", "show": "show-1", "numbers": '{"at": 200.0}'}],
    }


async def test_effects_and_snapshots_are_written_together_or_not_at_all(store: Store) -> None:
    await store.apply([progress()], [SNAPSHOT])
    before = await dump(store)
    homeless = OpenAlert(body(show="a show that nobody wrote down"))
    changed = replace(SNAPSHOT, numbers={"at": 300.0})
    good = [progress(at=300.0, events=20), record(), OpenAlert(body())]
    for effects in ([*good, homeless], [homeless, *good]):
        with pytest.raises(StoreError) as caught:
            await store.apply(effects, [changed])
        assert str(caught.value) == f"{store.path}: the database cannot be used: FOREIGN KEY constraint failed"
        assert await dump(store) == before
    await store.apply(good, [changed])
    assert await store.snapshot(ROOM, "show-1") == {"at": 300.0}
    assert len((await dump(store))["alerts"]) == 1


async def test_a_snapshot_that_cannot_be_written_takes_the_effects_with_it(store: Store) -> None:
    await execute(store, "CREATE TRIGGER no BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = await dump(store)
    with pytest.raises(StoreError):
        await store.apply([progress(), OpenAlert(body())], [SNAPSHOT])
    assert await dump(store) == before


async def test_the_same_effects_twice_change_nothing(store: Store) -> None:
    opened = OpenAlert(body())
    update = UpdateAlert(body(at=150.0, score=0.97, evidence=(quote(1, 100.0), quote(2, 144.0))))
    end = EndEpisode(opened.body.id, 800.0)
    await store.apply([progress(), opened, record()])
    await store.apply([update])
    once = await dump(store, CLOCKS)
    await store.apply([progress(), opened, record()])
    await store.apply([update, opened, update])
    assert await dump(store, CLOCKS) == once
    await store.apply([end])
    ended = await dump(store, CLOCKS)
    await store.apply([opened, update, end])
    assert await dump(store, CLOCKS) == ended


async def test_an_update_makes_a_new_version_that_wants_to_be_shown(store: Store) -> None:
    first = body()
    grown = body(at=150.0, score=0.97, offers=("ebook", "coaching"), evidence=(quote(1, 100.0), quote(2, 144.0)))
    await store.apply([progress(), OpenAlert(first)])
    await execute(store, "UPDATE outbox SET state = 'sent', delivered_version = 1, attempted_version = 1")
    await store.apply([UpdateAlert(grown)])
    found = await dump(store)
    assert [(r["event_id"], r["version"]) for r in found["evidence"]] == [("show-1/1", 1), ("show-1/2", 2)]
    alert, waiting = found["alerts"][0], found["outbox"][0]
    assert (alert["at"], alert["last_at"], alert["score"], alert["version"]) == (106.0, 150.0, 0.97, 2)
    assert alert["offers"] == '["ebook", "coaching"]'
    assert (waiting["desired_version"], waiting["delivered_version"], waiting["state"]) == (2, 1, "pending")


@pytest.mark.parametrize("state", ["unknown", "failed"])
async def test_an_update_does_not_revive_what_was_given_up(store: Store, state: str) -> None:
    await store.apply([progress(), OpenAlert(body())])
    await execute(store, "UPDATE outbox SET state = ?", [state])
    await store.apply([UpdateAlert(body(at=150.0))])
    assert [(r["desired_version"], r["state"]) for r in (await dump(store))["outbox"]] == [(2, state)]


async def test_an_update_of_an_alert_that_nobody_knows_changes_nothing(store: Store) -> None:
    await store.apply([progress()])
    before = await dump(store)
    await store.apply([UpdateAlert(body()), EndEpisode("0123456789abcdef", 5.0)])
    assert await dump(store) == before


async def test_an_ended_episode_keeps_its_alert(store: Store) -> None:
    warning = body()
    await store.apply([progress(), OpenAlert(warning), EndEpisode(warning.id, 800.0)])
    found = (await dump(store))["alerts"][0]
    assert (found["status"], found["running"], found["last_at"], found["version"]) == ("open", 0, 800.0, 1)


async def test_what_is_held_back_is_stored_and_counted_and_not_sent(store: Store) -> None:
    await store.apply([progress(), OpenAlert(body(), held_back=True), UpdateAlert(body(at=200.0))])
    found = await dump(store)
    assert [(r["held_back"], r["version"]) for r in found["alerts"]] == [(1, 2)]
    assert found["outbox"] == []


async def test_a_dry_run_goes_to_its_own_sink(store: Store) -> None:
    await store.apply([progress(), OpenAlert(body(channel="discord:42", dry_run=True))])
    assert [(r["sink"], r["channel"]) for r in (await dump(store))["outbox"]] == [("dry_run", "discord:42")]


async def test_a_show_without_a_start_began_when_it_was_first_heard(store: Store) -> None:
    unsaid = replace(show_info(), started=None)
    before = datetime.now(UTC).isoformat()
    await store.apply([progress(info=unsaid, at=10.0)])
    first = (await dump(store))["shows"][0]
    await store.apply([progress(info=unsaid, at=40.0)])
    second = (await dump(store))["shows"][0]
    assert before <= first["started"] < second["updated"]
    assert (second["started"], second["seconds"]) == (first["started"], 40.0)


async def test_a_show_and_its_people_are_brought_up_to_date(store: Store) -> None:
    guest = Participation(ANA, lines=1, selling_lines=0, words=3, seconds=0.0, seated=False)
    await store.apply([progress(people=(guest,))])
    renamed = replace(guest, person=replace(ANA, name="@Ana_M"), lines=2)
    host = Participation(HOST, lines=12, selling_lines=3, words=90, seconds=70.0, seated=True)
    await store.apply([progress(at=400.0, events=30, people=(host, renamed), ended=True)])
    found = await dump(store)
    assert [(r["account"], r["lines"], r["selling_lines"]) for r in found["participations"]] == [
        ("replay:script:@ana", 2, 0),
        ("replay:script:@host", 12, 3),
    ]
    assert {r["id"]: r["name"] for r in found["accounts"]} == {
        "replay:script:@ana": "@Ana_M",
        "replay:script:@host": "@host",
    }
    assert [(r["seconds"], r["events"], r["ended"]) for r in found["shows"]] == [(400.0, 30, 1)]


async def test_shows_of_two_rooms_may_have_the_same_id(store: Store) -> None:
    elsewhere = replace(show_info(), room=RoomKey("replay", "other.jsonl"))
    await store.apply([progress(), OpenAlert(body()), progress(info=elsewhere), OpenAlert(body(room=elsewhere.room))])
    await store.apply((), [SNAPSHOT, Snapshot(elsewhere.room, "show-1", {"at": 1.0})])
    found = await dump(store)
    assert [r["room"] for r in found["shows"]] == ["replay:show.jsonl", "replay:other.jsonl"]
    assert len({r["id"] for r in found["alerts"]}) == 2
    assert await store.snapshot(ROOM, "show-1") == {"at": 200.0}
    assert await store.snapshot(elsewhere.room, "show-1") == {"at": 1.0}


async def test_the_newest_snapshot_counts(store: Store) -> None:
    assert await store.snapshot(ROOM, "show-1") is None
    await store.apply([], [SNAPSHOT])
    await store.apply([], [replace(SNAPSHOT, numbers={"at": 230.0, "names": ["é"]})])
    assert await store.snapshot(ROOM, "show-1") == {"at": 230.0, "names": ["é"]}
    assert len((await dump(store))["snapshots"]) == 1


async def test_old_quotes_are_deleted_and_the_alert_stays(store: Store) -> None:
    await store.apply([progress(), OpenAlert(body(evidence=(quote(1, 1.0), quote(2, 9.0), quote(3, 20.0))))])
    await store.apply([record(), record(event_id="show-1/5", quote="I am the king")])
    long_ago, lately = ((datetime.now(UTC) - timedelta(days=days)).isoformat() for days in (30.01, 29.99))
    await execute(store, "UPDATE evidence SET noted = ? WHERE event_id = 'show-1/1'", [lately])
    await execute(store, "UPDATE evidence SET noted = ? WHERE event_id = 'show-1/2'", [long_ago])
    await execute(store, "UPDATE observations SET noted = ? WHERE event_id = 'show-1/4'", [long_ago])
    before = await dump(store)
    assert await store.expire_evidence(30) == 2
    after = await dump(store)
    assert [r["event_id"] for r in after["evidence"]] == ["show-1/1", "show-1/3"]
    assert [(r["event_id"], r["quote"]) for r in after["observations"]] == [
        ("show-1/4", ""),
        ("show-1/5", "I am the king"),
    ]
    assert {**after, "evidence": 0, "observations": 0} == {**before, "evidence": 0, "observations": 0}
    assert await store.expire_evidence(30) == 0


async def test_expired_quotes_do_not_come_back_with_an_old_update(store: Store) -> None:
    update = UpdateAlert(body(at=150.0, evidence=(quote(1, 100.0), quote(2, 144.0))))
    await store.apply([progress(), OpenAlert(body()), update])
    await execute(store, "UPDATE evidence SET noted = '2020-01-01T00:00:00+00:00'")
    assert await store.expire_evidence(30) == 2
    await store.apply([OpenAlert(body()), update])
    assert (await dump(store))["evidence"] == []


async def _review(store: Store, warning: str, decision: str, days: float, community: str = "local") -> None:
    decided = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    await execute(
        store,
        "INSERT INTO reviews (alert, community, reviewer, decision, note, decided) VALUES (?, ?, 'mod', ?, '', ?)",
        [warning, community, decision, decided],
    )


async def test_a_view_weighs_decisions_by_their_age(store: Store) -> None:
    host, ana = OpenAlert(body()), OpenAlert(body(person=ANA))
    await store.apply([progress(), host, ana])
    await _review(store, host.body.id, "confirmed", 0.0)
    await _review(store, host.body.id, "confirmed", 10.0)
    await _review(store, host.body.id, "dismissed", 20.0)
    await _review(store, host.body.id, "dismissed", -5.0)
    await _review(store, ana.body.id, "confirmed", 30.0)
    view = await store.view(WATCH, "show-1", [HOST.account, ANA.account, person("@new").account], half_life_days=10.0)
    assert set(view.history) == {HOST.account, ANA.account}
    of_host, of_ana = view.history[HOST.account], view.history[ANA.account]
    assert (of_host.confirmed, of_host.dismissed) == pytest.approx((1.5, 1.25), abs=1e-3)
    assert (of_ana.confirmed, of_ana.dismissed) == pytest.approx((0.125, 0.0), abs=1e-3)


async def test_a_view_leaves_out_what_was_undone_what_is_over_and_what_is_others(store: Store) -> None:
    watch, other = replace(WATCH, community="a"), replace(WATCH, community="b")
    mine, theirs = OpenAlert(body(community="a")), OpenAlert(body(community="b"))
    await store.apply([progress(), mine, theirs])
    await _review(store, mine.body.id, "confirmed", 0.0, "a")
    await execute(store, "UPDATE reviews SET undone = decided")
    await _review(store, theirs.body.id, "dismissed", 0.0, "b")
    soon, past = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in (1, -1))
    for community, subject, until in (
        ("a", str(HOST.account), past),
        ("a", str(ANA.account), soon),
        ("a", str(ROOM), past),
        ("b", str(HOST.account), soon),
        ("b", str(ROOM), soon),
    ):
        await execute(store, "INSERT INTO snoozes VALUES (?, ?, ?, 'mod')", [community, subject, until])
    await execute(store, "INSERT INTO exemptions VALUES ('b', ?, 'mod', ?)", [str(HOST.account), past])
    accounts = [HOST.account, ANA.account]
    assert await store.view(watch, "show-1", accounts, 90.0) == View(snoozed=frozenset({ANA.account}))
    assert await store.view(other, "show-1", accounts, 1e9) == View(
        exempt=frozenset({HOST.account}),
        snoozed=frozenset({HOST.account}),
        snoozed_room=True,
        history={HOST.account: History(0.0, 1.0, 0, 1)},
        kind_history=History(0.0, 1.0, 0, 1),
    )
    assert await store.view(other, "show-1", [], 1e9) == View(snoozed_room=True, kind_history=History(0.0, 1.0, 0, 1))
