"""Reviews: one decision each, what it changes and for whom, and the way back. On real SQLite files."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.effects import OpenAlert
from bot.parcels import DecisionRow, Parcel, read_parcel
from bot.policy import History, View, Watch
from bot.reviews import LogRow, Reviewed, Reviews
from bot.store import Store
from config.settings import PolicySettings
from detectors.records import Message
from detectors.signatures import signature
from tests.bot.samples import CLOCKS, HOST, body, progress, quote, tables
from tests.stand_ins import ROOM, person

SETTINGS = PolicySettings(
    threshold_low=0.95,
    threshold_normal=0.8,
    threshold_high=0.6,
    update_seconds=30.0,
    alerts_per_hour=12,
    prior_half_life_days=1e9,
)
GUILD = "77"
IN_GUILD = Watch(GUILD, ROOM, "discord:42")
OFFER = "book a free call with me today, only three seats are left"
OTHER = "my ebook costs forty nine dollars until midnight tonight"
QUOTES = (quote(1, 100.0, OFFER), quote(2, 110.0, "link below"), quote(3, 120.0, OTHER, seat=2))
ALERT = body(community=GUILD, channel="discord:42", evidence=QUOTES)
ANA, BOB = "discord:discord:1", "discord:discord:2"
#: Stands for a moment of the wall clock.
MOMENT = "2026-10-03T19:00:00+00:00"


@pytest.fixture
async def reviews(store: Store) -> Reviews:
    """Reviews of a store with one warning that was shown, and one of the same account elsewhere."""
    await store.register([IN_GUILD])
    await store.apply([progress(), OpenAlert(ALERT), OpenAlert(body(community="local"))])
    await store.run(
        lambda database: database.execute(
            "UPDATE outbox SET state = 'sent', delivered_version = 1, attempted_version = 1, reference = 'message-1'"
        )
    )
    store.changed.clear()
    return Reviews(store, SETTINGS)


def is_recent(moment: str) -> bool:
    return abs(datetime.now(UTC) - datetime.fromisoformat(moment)) < timedelta(minutes=1)


def timeless(row: DecisionRow | None) -> DecisionRow | None:
    """The decision with one moment for all."""
    assert row is None or is_recent(row.decided)
    return row and replace(row, decided=MOMENT)


async def dump(store: Store) -> dict[str, list[dict[str, Any]]]:
    return await store.run(lambda database: tables(database, CLOCKS))


async def changed_rows(store: Store, work: Callable[[], Awaitable[Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the tables that `work` changes, after it."""
    before = await dump(store)
    await work()
    after = await dump(store)
    return {name: rows for name, rows in after.items() if rows != before[name]}


async def shown(store: Store, alert: str = ALERT.id, sink: str = "discord") -> Parcel:
    """What the sink would be handed, with one moment for all."""
    parcel = await store.run(lambda database: read_parcel(database, alert, sink))
    assert is_recent(parcel.raised)
    notes = tuple(replace(note, written=MOMENT) for note in parcel.notes if is_recent(note.written))
    assert len(notes) == len(parcel.notes)
    return replace(parcel, raised=MOMENT, decision=timeless(parcel.decision), notes=notes)


async def versions(store: Store) -> list[tuple[str, int, int, str]]:
    """Of each warning: its community, its version, the version that is wanted, and how its delivery stands."""
    return await store.run(
        lambda database: [
            tuple(row.values())
            for row in database.query(
                "SELECT a.community, a.version, o.desired_version, o.state FROM alerts a"
                " JOIN outbox o ON o.alert = a.id ORDER BY a.rowid"
            )
        ]
    )


async def log_of(reviews: Reviews, alert: str = ALERT.id) -> list[LogRow]:
    """The log with one moment for all; moments within the details are put away too."""
    rows = await reviews.history(alert, GUILD)
    assert all(is_recent(row.done) for row in rows)
    assert [row.done for row in rows] == sorted(row.done for row in rows)
    return [
        replace(row, done=MOMENT, details={**row.details, **({"until": MOMENT} if "until" in row.details else {})})
        for row in rows
    ]


def logged(actor: str, action: str, **details: str) -> LogRow:
    return LogRow(actor, action, ALERT.id, details, MOMENT)


async def view(store: Store, watch: Watch = IN_GUILD, show: str = "show-1") -> View:
    return await store.view(watch, show, [HOST.account], 1e9)


def dismissed_by(reviewer: str) -> DecisionRow:
    """80 % of log-odds 1.386, moved by 0.15 for the kind of room, and by 0.5 more for the account."""
    changes = (
        Message("changed.account", {"name": "@host", "before": 80, "after": 88}),
        Message("changed.kind", {"kind": "replay", "before": 80, "after": 82}),
        Message("changed.similar", {"count": 2}),
    )
    return DecisionRow("dismissed", reviewer, MOMENT, changes)


def confirmed_by(reviewer: str) -> DecisionRow:
    changes = (Message("changed.account", {"name": "@host", "before": 80, "after": 71}),)
    return DecisionRow("confirmed", reviewer, MOMENT, changes)


def signatures(*texts: str) -> frozenset[int]:
    return frozenset(found for text in texts if (found := signature(text)) is not None)


async def test_confirming_changes_what_is_needed_for_the_account_and_nothing_else(
    store: Store, reviews: Reviews
) -> None:
    reviewed = await reviews.decide(ALERT.id, GUILD, ANA, "confirmed")
    assert replace(reviewed, decision=timeless(reviewed.decision)) == Reviewed(True, "confirmed", confirmed_by(ANA))
    assert store.changed.is_set()
    assert await view(store) == View(
        history={HOST.account: History(1.0, 0.0, 1, 0)}, kind_history=History(1.0, 0.0, 1, 0)
    )
    assert await versions(store) == [(GUILD, 2, 2, "pending"), ("local", 1, 1, "sent")]
    assert await log_of(reviews) == [logged(ANA, "confirmed")]


async def test_dismissing_changes_the_account_the_kind_of_room_and_texts_like_these(
    store: Store, reviews: Reviews
) -> None:
    reviewed = await reviews.decide(ALERT.id, GUILD, ANA, "dismissed")
    assert replace(reviewed, decision=timeless(reviewed.decision)) == Reviewed(True, "dismissed", dismissed_by(ANA))
    assert store.changed.is_set()
    assert await view(store) == View(
        history={HOST.account: History(0.0, 1.0, 0, 1)},
        kind_history=History(0.0, 1.0, 0, 1),
        dismissed=signatures(OFFER, OTHER),
    )
    assert await versions(store) == [(GUILD, 2, 2, "pending"), ("local", 1, 1, "sent")]
    assert await log_of(reviews) == [logged(ANA, "dismissed")]


async def test_everything_that_a_decision_writes(store: Store, reviews: Reviews) -> None:
    changed = await changed_rows(store, lambda: reviews.decide(ALERT.id, GUILD, ANA, "dismissed"))
    before = await dump(store)
    of_alert, elsewhere = before["alerts"]
    outbox = before["outbox"]
    changes = json.dumps([[message.key, dict(message.params)] for message in dismissed_by(ANA).changes])
    assert changed == {
        "alerts": [of_alert | {"status": "dismissed", "version": 2}, elsewhere | {"status": "open", "version": 1}],
        "outbox": [outbox[0] | {"desired_version": 2, "delivered_version": 1, "state": "pending"}, outbox[1]],
        "reviews": [
            {
                "id": 1,
                "alert": ALERT.id,
                "community": GUILD,
                "reviewer": ANA,
                "decision": "dismissed",
                "note": "",
                "undone": None,
                "changes": changes,
            }
        ],
        "dismissed_texts": [
            {"community": GUILD, "signature": f"{found:016x}", "review": 1}
            for found in sorted(signatures(OFFER, OTHER))
        ],
        "audit": [
            {"id": 1, "community": GUILD, "actor": ANA, "action": "dismissed", "subject": ALERT.id, "details": "{}"}
        ],
    }


async def test_the_sensitivity_of_the_watch_is_what_is_moved(store: Store, reviews: Reviews) -> None:
    await store.register([replace(IN_GUILD, sensitivity="high")])
    reviewed = await reviews.decide(ALERT.id, GUILD, ANA, "confirmed")
    assert reviewed.decision is not None
    assert reviewed.decision.changes == (Message("changed.account", {"name": "@host", "before": 60, "after": 48}),)


async def test_a_confirmed_warning_takes_back_half_of_what_a_dismissed_one_did_to_the_kind(
    store: Store, reviews: Reviews
) -> None:
    others = [body(community=GUILD, channel="discord:42", person=person(f"@p{i}")) for i in range(3)]
    await store.apply([OpenAlert(other) for other in others])
    for other in others[:2]:
        await reviews.decide(other.id, GUILD, ANA, "dismissed")
    reviewed = await reviews.decide(others[2].id, GUILD, ANA, "confirmed")
    assert reviewed.decision is not None
    assert reviewed.decision.changes == (
        Message("changed.account", {"name": "@p2", "before": 84, "after": 75}),
        Message("changed.kind", {"kind": "replay", "before": 84, "after": 83}),
    )


async def test_what_does_not_move_is_not_told(store: Store, reviews: Reviews) -> None:
    """An account that is as far down as decisions go, in a kind of room that is so too."""
    alerts = [body(community=GUILD, episode=i, evidence=(quote(i, 1.0, "link below"),)) for i in range(2, 10)]
    await store.apply([OpenAlert(each) for each in alerts])
    told = []
    for each in alerts:
        decision = (await reviews.decide(each.id, GUILD, ANA, "dismissed")).decision
        assert decision is not None
        told.append({change.key: (change.params["before"], change.params["after"]) for change in decision.changes})
    assert told == [
        {"changed.account": (80, 88), "changed.kind": (80, 82)},
        {"changed.account": (88, 94), "changed.kind": (82, 84)},
        {"changed.account": (94, 97), "changed.kind": (84, 86)},
        {"changed.kind": (86, 88)},
        {"changed.kind": (88, 89)},
        {"changed.account": (97, 98), "changed.kind": (89, 91)},
        {},
        {},
    ]


@pytest.mark.parametrize("decision", ["confirmed", "dismissed"])
async def test_of_several_who_decide_at_once_exactly_one_does(store: Store, reviews: Reviews, decision: Any) -> None:
    reviewers = [f"discord:discord:{i}" for i in range(8)]
    other = {"confirmed": "dismissed", "dismissed": "confirmed"}[decision]
    choices = [decision if i % 2 == 0 else other for i in range(8)]
    found = await asyncio.gather(
        *(
            reviews.decide(ALERT.id, GUILD, who, choice)  # type: ignore[arg-type]
            for who, choice in zip(reviewers, choices, strict=True)
        )
    )
    winner = [i for i, each in enumerate(found) if each.done]
    assert len(winner) == 1
    stands = found[winner[0]].decision
    assert stands is not None
    assert (stands.by, stands.decision) == (reviewers[winner[0]], choices[winner[0]])
    losers = [each for i, each in enumerate(found) if i not in winner]
    assert losers == [Reviewed(False, stands.decision, stands)] * 7
    assert [row.action for row in await log_of(reviews)] == [stands.decision]
    assert await versions(store) == [(GUILD, 2, 2, "pending"), ("local", 1, 1, "sent")]
    assert len((await dump(store))["reviews"]) == 1


@pytest.mark.parametrize("decision", ["confirmed", "dismissed"])
async def test_undoing_a_decision_leaves_the_community_as_it_was(store: Store, reviews: Reviews, decision: Any) -> None:
    unmoved = await view(store)
    await reviews.decide(ALERT.id, GUILD, ANA, decision)
    store.changed.clear()
    assert await reviews.undo(ALERT.id, GUILD, BOB) == Reviewed(True, "open")
    assert store.changed.is_set()
    assert await view(store) == unmoved == View()
    assert await versions(store) == [(GUILD, 3, 3, "pending"), ("local", 1, 1, "sent")]
    parcel = await shown(store)
    assert (parcel.status, parcel.decision) == ("open", None)
    assert await log_of(reviews) == [logged(ANA, decision), logged(BOB, "undo", was=decision)]
    (row,) = (await dump(store))["reviews"]
    assert is_recent(row["undone"])


async def test_what_was_undone_can_be_decided_anew(store: Store, reviews: Reviews) -> None:
    await reviews.decide(ALERT.id, GUILD, ANA, "confirmed")
    await reviews.undo(ALERT.id, GUILD, ANA)
    reviewed = await reviews.decide(ALERT.id, GUILD, BOB, "dismissed")
    assert replace(reviewed, decision=timeless(reviewed.decision)) == Reviewed(True, "dismissed", dismissed_by(BOB))
    assert (await shown(store)).decision == dismissed_by(BOB)
    assert (await view(store)).history == {HOST.account: History(0.0, 1.0, 0, 1)}
    await reviews.undo(ALERT.id, GUILD, BOB)
    assert await view(store) == View()


async def test_nothing_to_undo_changes_nothing(store: Store, reviews: Reviews) -> None:
    found: list[Reviewed] = []

    async def undo() -> None:
        found.append(await reviews.undo(ALERT.id, GUILD, ANA))

    assert await changed_rows(store, undo) == {}
    assert found == [Reviewed(False, "open")]


async def test_of_two_who_undo_at_once_one_does(store: Store, reviews: Reviews) -> None:
    await reviews.decide(ALERT.id, GUILD, ANA, "dismissed")
    found = await asyncio.gather(reviews.undo(ALERT.id, GUILD, ANA), reviews.undo(ALERT.id, GUILD, BOB))
    assert sorted(found, key=lambda each: each.done) == [Reviewed(False, "open"), Reviewed(True, "open")]
    assert [row.action for row in await log_of(reviews)] == ["dismissed", "undo"]
