"""Snoozes and notes, and what other communities cannot touch."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.effects import OpenAlert
from bot.parcels import NoteRow, Parcel, QuoteRow
from bot.policy import View
from bot.reviews import MAX_NOTE, SNOOZES, Explained, Reviewed, Reviews, SnoozeLength, UnknownAlertError
from bot.reviews import read_explained as explained_from
from bot.store import Store
from detectors.records import Message
from tests.bot.samples import HOST, WATCH
from tests.bot.test_reviews import (
    ALERT,
    ANA,
    BOB,
    GUILD,
    MOMENT,
    QUOTES,
    SETTINGS,
    dismissed_by,
    dump,
    log_of,
    logged,
    reviews,
    shown,
    timeless,
    versions,
    view,
)
from tests.stand_ins import ROOM

__all__ = ["reviews"]


@pytest.mark.parametrize(
    ("length", "this_show", "next_show"),
    [
        ("show", True, False),
        ("day", True, True),
        ("week", True, True),
    ],
)
async def test_a_snooze_and_its_way_back(
    store: Store, reviews: Reviews, length: SnoozeLength, this_show: bool, next_show: bool
) -> None:
    account = frozenset({HOST.account})
    reviewed = await reviews.snooze(ALERT.id, GUILD, ANA, length)
    until = reviewed.snoozed_until
    assert until is not None
    assert abs(datetime.fromisoformat(until) - datetime.now(UTC) - SNOOZES[length]) < timedelta(minutes=1)
    assert reviewed == Reviewed(True, "open", None, until)
    assert store.changed.is_set()
    assert (await shown(store)).snoozed_until == until
    assert await view(store) == View(snoozed=account if this_show else frozenset())
    assert await view(store, show="show-2") == View(snoozed=account if next_show else frozenset())
    assert await view(store, WATCH) == View()

    store.changed.clear()
    assert await reviews.undo(ALERT.id, GUILD, BOB) == Reviewed(True, "open")
    assert store.changed.is_set()
    assert await view(store) == await view(store, show="show-2") == View()
    assert (await shown(store)).snoozed_until is None
    assert (await dump(store))["snoozes"] == []
    assert await versions(store) == [(GUILD, 3, 3, "pending"), ("local", 1, 1, "sent")]
    assert await log_of(reviews) == [
        logged(ANA, "snooze", length=length, until=MOMENT),
        logged(BOB, "undo", was="snoozed", until=MOMENT),
    ]


async def test_a_snooze_of_a_decided_warning_is_undone_after_the_decision(store: Store, reviews: Reviews) -> None:
    await reviews.decide(ALERT.id, GUILD, ANA, "dismissed")
    snoozed = await reviews.snooze(ALERT.id, GUILD, ANA, "day")
    assert (snoozed.done, snoozed.status, timeless(snoozed.decision)) == (True, "dismissed", dismissed_by(ANA))
    done = [await reviews.undo(ALERT.id, GUILD, BOB) for _ in range(3)]
    assert [each.done for each in done] == [True, True, False]
    assert [row.details.get("was") for row in await log_of(reviews)] == [None, None, "dismissed", "snoozed"]
    assert await view(store) == View()


async def test_the_longest_of_two_snoozes_counts_and_both_are_undone(store: Store, reviews: Reviews) -> None:
    await reviews.snooze(ALERT.id, GUILD, ANA, "week")
    for_show = await reviews.snooze(ALERT.id, GUILD, ANA, "show")
    standing = (await shown(store)).snoozed_until
    assert standing is not None and for_show.snoozed_until is not None
    assert standing > for_show.snoozed_until
    assert await reviews.undo(ALERT.id, GUILD, ANA) == Reviewed(True, "open")
    assert await view(store) == View()


async def test_a_snooze_of_the_whole_room_is_not_the_warnings_to_take_back(store: Store, reviews: Reviews) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    row = {"community": GUILD, "subject": str(ROOM), "until": until, "by": ANA}
    await store.run(lambda database: database.table("snoozes").insert(row))
    assert (await shown(store)).snoozed_until == until
    before = await dump(store)
    assert await reviews.undo(ALERT.id, GUILD, ANA) == Reviewed(False, "open", None, until)
    assert await dump(store) == before
    await reviews.snooze(ALERT.id, GUILD, ANA, "day")
    assert await reviews.undo(ALERT.id, GUILD, ANA) == Reviewed(True, "open", None, until)
    assert await view(store) == View(snoozed_room=True)


async def test_a_snooze_that_is_over_is_nothing_to_undo(store: Store, reviews: Reviews) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    row = {"community": GUILD, "subject": str(HOST.account), "until": past, "by": ANA}
    await store.run(lambda database: database.table("snoozes").insert(row))
    assert await reviews.undo(ALERT.id, GUILD, ANA) == Reviewed(False, "open")


async def test_notes_stand_on_the_warning_in_their_order_and_cut(store: Store, reviews: Reviews) -> None:
    long = "x" * (MAX_NOTE + 5)
    await reviews.note(ALERT.id, GUILD, ANA, "known from last year @everyone")
    await reviews.note(ALERT.id, GUILD, BOB, long)
    assert store.changed.is_set()
    parcel = await shown(store)
    assert parcel.notes == (
        NoteRow(ANA, "known from last year @everyone", MOMENT),
        NoteRow(BOB, "x" * MAX_NOTE, MOMENT),
    )
    assert await versions(store) == [(GUILD, 3, 3, "pending"), ("local", 1, 1, "sent")]
    assert await log_of(reviews) == [logged(ANA, "note"), logged(BOB, "note")]
    assert await view(store) == View()
    elsewhere = (await dump(store))["alerts"][1]["id"]
    assert (await shown(store, elsewhere, "console")).notes == ()


async def test_only_the_newest_notes_are_shown(store: Store, reviews: Reviews) -> None:
    for number in range(13):
        await reviews.note(ALERT.id, GUILD, ANA, f"note {number}")
    assert [note.text for note in (await shown(store)).notes] == [f"note {number}" for number in range(3, 13)]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda reviews, alert, community: reviews.decide(alert, community, ANA, "confirmed"),
        lambda reviews, alert, community: reviews.decide(alert, community, ANA, "dismissed"),
        lambda reviews, alert, community: reviews.undo(alert, community, ANA),
        lambda reviews, alert, community: reviews.snooze(alert, community, ANA, "week"),
        lambda reviews, alert, community: reviews.note(alert, community, ANA, "hello"),
        lambda reviews, alert, community: reviews.history(alert, community),
    ],
    ids=["confirm", "dismiss", "undo", "snooze", "note", "history"],
)
@pytest.mark.parametrize(("alert", "community"), [(ALERT.id, "78"), (ALERT.id, "local"), ("0" * 16, GUILD)])
async def test_nobody_touches_what_is_not_their_communitys(
    store: Store, reviews: Reviews, attempt: Callable[..., Awaitable[Any]], alert: str, community: str
) -> None:
    before = await dump(store)
    with pytest.raises(UnknownAlertError):
        await attempt(reviews, alert, community)
    assert await dump(store) == before
    assert not store.changed.is_set()


async def test_what_one_community_decides_moves_nothing_in_another(store: Store, reviews: Reviews) -> None:
    await reviews.decide(ALERT.id, GUILD, ANA, "dismissed")
    await reviews.snooze(ALERT.id, GUILD, ANA, "week")
    assert await view(store, WATCH) == View()


@pytest.mark.parametrize("state", ["pending", "blocked", "unknown", "deleted"])
async def test_a_decision_shows_the_warning_anew_where_it_can_be_shown(
    store: Store, reviews: Reviews, state: str
) -> None:
    await store.run(lambda database: database.execute("UPDATE outbox SET state = ?", [state]))
    await reviews.decide(ALERT.id, GUILD, ANA, "confirmed")
    assert await versions(store) == [(GUILD, 2, 2, state), ("local", 1, 1, state)]


async def read_explained(store: Store, alert: str = ALERT.id, community: str = GUILD) -> Explained:
    found = await store.run(lambda database: explained_from(database, SETTINGS, alert, community))
    log = tuple(replace(row, done=MOMENT) for row in found.log)
    parcel = replace(found.parcel, raised=MOMENT, decision=timeless(found.parcel.decision))
    return replace(found, log=log, parcel=parcel)


def parcel(**changes: Any) -> Parcel:
    rows = tuple(QuoteRow(q.at, q.until, "@host", "speech", q.text, q.event_id, q.seat, 0.97) for q in QUOTES)
    made = Parcel(
        alert=ALERT.id,
        version=1,
        first=False,
        channel="discord:42",
        reference="message-1",
        show="show-1",
        show_title="A show",
        room="replay:show.jsonl",
        account="replay:script:@host",
        name="@host",
        at=106.0,
        since=100.0,
        last_at=106.0,
        score=0.9,
        offers=("coaching",),
        cues=("scarcity",),
        reasons=(Message("why.no_teaching"),),
        fresh=(),
        evidence=rows,
        community=GUILD,
        raised=MOMENT,
        show_seconds=200.0,
    )
    return replace(made, **changes)


async def test_a_warning_explains_itself_before_and_after_a_decision(store: Store, reviews: Reviews) -> None:
    assert await read_explained(store) == Explained(parcel(), threshold=0.8, own=0.8, others=0.8, log=())
    await reviews.decide(ALERT.id, GUILD, ANA, "dismissed")
    assert await read_explained(store) == Explained(
        parcel(version=2, status="dismissed", decision=dismissed_by(ANA)),
        threshold=0.8229,
        own=0.8845,
        others=0.8229,
        log=(logged(ANA, "dismissed"),),
    )
    await reviews.undo(ALERT.id, GUILD, BOB)
    assert await read_explained(store) == Explained(
        parcel(version=3),
        threshold=0.8,
        own=0.8,
        others=0.8,
        log=(logged(ANA, "dismissed"), logged(BOB, "undo", was="dismissed")),
    )


@pytest.mark.parametrize("dry_run", [False, True])
async def test_what_the_cap_held_back_can_be_explained_too(store: Store, reviews: Reviews, dry_run: bool) -> None:
    held = replace(ALERT, id="held", episode=2, dry_run=dry_run)
    await store.apply([OpenAlert(held, held_back=True)])
    fresh = parcel().evidence
    assert await read_explained(store, held.id) == Explained(
        parcel(alert=held.id, first=True, reference=None, fresh=fresh), threshold=0.8, own=0.8, others=0.8, log=()
    )


async def test_what_is_not_a_communitys_is_not_explained_to_it(store: Store, reviews: Reviews) -> None:
    for alert, community in ((ALERT.id, "78"), (ALERT.id, "local"), ("0" * 16, GUILD)):
        with pytest.raises(UnknownAlertError):
            await read_explained(store, alert, community)
