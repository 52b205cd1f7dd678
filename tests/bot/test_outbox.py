"""The outbox: each newest version once, also across failures and crashes."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.effects import OpenAlert, UpdateAlert
from bot.outbox import (
    WAITS,
    Outbox,
    Outcome,
    Reconciled,
    Sink,
)
from bot.parcels import Parcel, QuoteRow
from bot.store import Store
from detectors.records import Message
from tests.bot.samples import body, progress, quote
from tests.stand_ins import person

ALERT = body()
GROWN = body(at=150.0, score=0.97, evidence=(quote(1, 100.0), quote(2, 144.0, "only two seats $", seat=2)))
BIGGER = body(
    at=200.0, score=0.99, evidence=(quote(2, 144.0, "only two seats $", seat=2), quote(3, 190.0, "link below $"))
)
#: Stands in parcels and rows for a moment of the wall clock.
MOMENT = "2026-10-03T19:00:00+00:00"
QUOTES = (
    QuoteRow(100.0, 106.0, "@host", "speech", "book a call $", "show-1/1", None, 0.97),
    QuoteRow(144.0, 150.0, "@host", "speech", "only two seats $", "show-1/2", 2, 0.97),
    QuoteRow(190.0, 196.0, "@host", "speech", "link below $", "show-1/3", None, 0.97),
)


class Crash(BaseException):
    """The process ends here."""


def without_clock(parcel: Parcel) -> Parcel:
    """The parcel with one moment for all: that there is one is compared, which one it is is not."""
    datetime.fromisoformat(parcel.raised)
    return replace(parcel, raised=MOMENT, attempted=parcel.attempted and MOMENT)


class NotingSink:
    """Notes what it is given. Fails with `errors`, in order, before it works."""

    def __init__(
        self,
        *errors: BaseException,
        outcome: Outcome | Exception = "unknown",
        name: str = "console",
        reference: str | None = None,
    ) -> None:
        self.name = name
        self._reference = reference
        self.delivered: list[Parcel] = []
        self.asked: list[Parcel] = []
        self.told: list[str] = []
        self._errors = list(errors)
        self._outcome = outcome

    async def deliver(self, parcel: Parcel) -> str | None:
        await asyncio.sleep(0)
        if self._errors:
            raise self._errors.pop(0)
        self.delivered.append(without_clock(parcel))
        return f"message-{len(self.delivered)}"

    async def reconcile(self, parcel: Parcel) -> Reconciled:
        self.asked.append(without_clock(parcel))
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return Reconciled(self._outcome, self._reference)

    async def blocked(self, parcel: Parcel, reason: str) -> None:
        self.told.append(reason)


def outbox(store: Store, *sinks: Sink) -> Outbox:
    named: Mapping[str, Sink] = {sink.name: sink for sink in sinks}
    return Outbox(store, named)


async def rows(store: Store) -> list[dict[str, Any]]:
    found = await store.run(lambda database: list(database.query("SELECT * FROM outbox ORDER BY rowid")))
    return [
        {name: value for name, value in row.items() if name not in ("next_try", "channel")}
        | {"attempted": row["attempted"] and MOMENT}
        for row in found
    ]


def row(**changes: Any) -> dict[str, Any]:
    made = {
        "alert": ALERT.id,
        "sink": "console",
        "desired_version": 1,
        "delivered_version": 0,
        "attempted_version": 0,
        "state": "pending",
        "attempts": 0,
        "reference": None,
        "error": None,
        "attempted": MOMENT,
        "told": 0,
    }
    return made | changes


def sent(version: int, reference: str | None) -> dict[str, Any]:
    versions = dict.fromkeys(("desired_version", "delivered_version", "attempted_version"), version)
    return row(**versions, state="sent", reference=reference)


def parcel(**changes: Any) -> Parcel:
    made = Parcel(
        alert=ALERT.id,
        version=1,
        first=True,
        channel="console",
        reference=None,
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
        fresh=QUOTES[:1],
        evidence=QUOTES[:1],
        community="local",
        raised=MOMENT,
        phases=(),
        show_seconds=200.0,
        lost_seconds=0.0,
        unread=0,
        ended=False,
        status="open",
        decision=None,
        notes=(),
        snoozed_until=None,
        more=0,
        attempted=None,
    )
    return replace(made, **changes)


async def make_due(store: Store) -> float:
    """End all waits; return the longest that was left, in seconds."""

    def work(database: Any) -> str:
        latest = str(database.execute("SELECT MAX(next_try) FROM outbox").fetchone()[0])
        database.execute("UPDATE outbox SET next_try = ?", [datetime.now(UTC).isoformat()])
        return latest

    latest = await store.run(work)
    return (datetime.fromisoformat(latest) - datetime.now(UTC)).total_seconds()


async def test_a_parcel_holds_everything_that_is_to_be_shown(store: Store) -> None:
    sink = NotingSink()
    await store.apply([progress(), OpenAlert(ALERT)])
    await outbox(store, sink).drain()
    assert sink.delivered == [parcel()]
    assert await rows(store) == [sent(1, "message-1")]


async def test_an_update_names_the_message_and_brings_the_new_quotes(store: Store) -> None:
    sink = NotingSink()
    letters = outbox(store, sink)
    await store.apply([progress(), OpenAlert(ALERT)])
    await letters.drain()
    await store.apply([UpdateAlert(GROWN)])
    await letters.drain()
    grown = parcel(
        version=2,
        first=False,
        reference="message-1",
        last_at=150.0,
        score=0.97,
        fresh=QUOTES[1:2],
        evidence=QUOTES[:2],
    )
    assert sink.delivered == [parcel(), grown]
    assert await rows(store) == [sent(2, "message-2")]
    await letters.drain()
    assert len(sink.delivered) == 2


async def test_the_newest_version_is_sent_and_the_edits_in_between_are_not(store: Store) -> None:
    sink = NotingSink()
    await store.apply([progress(), OpenAlert(ALERT)])
    await store.apply([UpdateAlert(GROWN)])
    await store.apply([UpdateAlert(BIGGER)])
    await outbox(store, sink).drain()
    newest = parcel(version=3, last_at=200.0, score=0.99, fresh=QUOTES, evidence=QUOTES)
    assert sink.delivered == [newest]
    assert await rows(store) == [sent(3, "message-1")]


async def test_what_changes_while_it_is_sent_is_sent_again(store: Store) -> None:
    class SlowSink(NotingSink):
        async def deliver(self, parcel: Parcel) -> str | None:
            reference = await super().deliver(parcel)
            if parcel.version == 1:
                await store.apply([UpdateAlert(GROWN)])
            return reference

    sink = SlowSink()
    await store.apply([progress(), OpenAlert(ALERT)])
    await outbox(store, sink).drain()
    assert [(p.version, p.first, p.reference) for p in sink.delivered] == [(1, True, None), (2, False, "message-1")]
    assert await rows(store) == [sent(2, "message-2")]


async def test_a_sink_that_fails_is_tried_again_after_longer_and_longer_waits(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    failures = len(WAITS) + 2
    sink = NotingSink(*(OSError(f"no line {i}") for i in range(failures)))
    letters = outbox(store, sink)
    await store.apply([progress(), OpenAlert(ALERT)])
    waits = []
    for i in range(failures):
        await letters.drain()
        assert await rows(store) == [row(attempts=i + 1, error=f"no line {i}")]
        await letters.drain()
        waits.append(await make_due(store))
    assert waits == pytest.approx([*WAITS, WAITS[-1], WAITS[-1]], abs=0.9)
    await letters.drain()
    assert sink.delivered == [parcel()]
    assert await rows(store) == [sent(1, "message-1")]
    assert caplog.messages[0] == f"alert {ALERT.id} was not sent to console: no line 0; next try in 1 s"
    assert sink.asked == []


async def test_a_failed_update_leaves_the_earlier_message_known(store: Store) -> None:
    sink = NotingSink()
    letters = outbox(store, sink)
    await store.apply([progress(), OpenAlert(ALERT)])
    await letters.drain()
    sink._errors.append(OSError("no line"))
    await store.apply([UpdateAlert(GROWN)])
    await letters.drain()
    assert await rows(store) == [
        row(
            desired_version=2,
            delivered_version=1,
            attempted_version=1,
            attempts=1,
            reference="message-1",
            error="no line",
        )
    ]
    await make_due(store)
    await letters.drain()
    assert [(p.version, p.first, p.reference) for p in sink.delivered] == [(1, True, None), (2, False, "message-1")]
    assert sink.asked == []


async def test_one_sink_that_fails_does_not_hold_up_the_others(store: Store) -> None:
    failing, working = NotingSink(OSError("no line"), name="discord"), NotingSink()
    other = body(person=person("@guest"))
    await store.apply([progress(), OpenAlert(replace(ALERT, channel="discord:42")), OpenAlert(other)])
    await outbox(store, failing, working).drain()
    assert [p.alert for p in working.delivered] == [other.id]
    assert [(r["sink"], r["state"]) for r in await rows(store)] == [("discord", "pending"), ("console", "sent")]


async def test_a_sink_that_is_not_there_is_noted_and_waited_for(store: Store) -> None:
    await store.apply([progress(), OpenAlert(replace(ALERT, channel="pager:1"))])
    letters = outbox(store, NotingSink())
    await letters.drain()
    await letters.drain()
    assert await rows(store) == [
        row(sink="pager", state="pending", attempts=1, error="there is no sink pager", attempted=None)
    ]


async def _crash_while_sending(store: Store) -> None:
    """Leave a delivery whose outcome nobody knows."""
    await store.apply([progress(), OpenAlert(ALERT)])
    with pytest.raises(Crash):
        await outbox(store, NotingSink(Crash())).drain()
    assert await rows(store) == [row(attempted_version=1)]


@pytest.mark.parametrize("outcome", ["not_sent", "sent", "unknown"])
async def test_after_a_crash_the_sink_is_asked_what_became_of_it(
    store: Store, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    await _crash_while_sending(store)
    sink = NotingSink(outcome=outcome)
    with caplog.at_level(logging.ERROR):
        await outbox(store, sink).drain()
        await make_due(store)
        await outbox(store, sink).drain()
    assert sink.asked == [parcel(attempted=MOMENT)]
    not_known = row(state="unknown", attempts=1, error="outcome of the last attempt is not known")
    told = f"alert {ALERT.id}: it is not known whether it was sent; it is not sent again"
    expected: dict[str, tuple[list[Parcel], dict[str, Any], list[str]]] = {
        "not_sent": ([parcel(attempted=MOMENT)], sent(1, "message-1"), []),
        "sent": ([], sent(1, None), []),
        "unknown": ([], not_known, [told]),
    }
    assert (sink.delivered, (await rows(store))[0], caplog.messages) == expected[outcome]


async def test_what_was_sent_before_the_crash_is_updated_with_what_came_after_it(store: Store) -> None:
    await _crash_while_sending(store)
    await store.apply([UpdateAlert(GROWN)])
    sink = NotingSink(outcome="sent")
    await outbox(store, sink).drain()
    assert [(p.version, p.first, p.fresh) for p in sink.delivered] == [(2, False, QUOTES[1:2])]
    assert await rows(store) == [sent(2, "message-1")]


async def test_what_is_unknown_is_never_sent_again_whatever_comes_later(store: Store) -> None:
    await _crash_while_sending(store)
    sink = NotingSink(outcome="unknown")
    letters = outbox(store, sink)
    await letters.drain()
    await store.apply([UpdateAlert(GROWN)])
    await make_due(store)
    await letters.drain()
    assert (sink.delivered, len(sink.asked)) == ([], 1)
    assert [(r["state"], r["desired_version"], r["delivered_version"]) for r in await rows(store)] == [
        ("unknown", 2, 0)
    ]


async def test_a_sink_that_cannot_be_asked_now_is_asked_later_and_nothing_is_sent_twice(store: Store) -> None:
    await _crash_while_sending(store)
    await store.apply([OpenAlert(body(person=person("@guest")))])
    unreachable = NotingSink(outcome=OSError("no line"))
    await outbox(store, unreachable).drain()
    assert [p.name for p in unreachable.delivered] == ["@guest"]
    assert (await rows(store))[0] == row(attempted_version=1, attempts=1, error="no line")
    await outbox(store, unreachable).drain()
    assert len(unreachable.asked) == 1
    await make_due(store)
    back = NotingSink(outcome="sent")
    await outbox(store, back).drain()
    assert (back.asked, back.delivered) == ([parcel(attempted=MOMENT)], [])
    assert (await rows(store))[0] == sent(1, None)
