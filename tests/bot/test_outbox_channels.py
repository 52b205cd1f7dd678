"""A running outbox; channels that are blocked or slow; sends of which nobody knows what became."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.effects import OpenAlert, UpdateAlert
from bot.outbox import (
    WAITS,
    BlockedError,
    DeletedError,
    Outbox,
    Outcome,
    OutcomeUnknownError,
    read_blocked,
)
from bot.parcels import Parcel
from bot.store import Store
from tests.bot.samples import body, progress
from tests.bot.test_outbox import (
    ALERT,
    BIGGER,
    GROWN,
    MOMENT,
    QUOTES,
    NotingSink,
    _crash_while_sending,
    make_due,
    outbox,
    parcel,
    row,
    rows,
    sent,
)
from tests.stand_ins import person


async def test_two_drains_at_once_deliver_once(store: Store) -> None:
    sink = NotingSink()
    letters = outbox(store, sink)
    others = [body(person=person(f"@p{i}")) for i in range(5)]
    await store.apply([progress(), *(OpenAlert(other) for other in others)])
    await asyncio.gather(letters.drain(), letters.drain())
    assert [p.alert for p in sink.delivered] == [other.id for other in others]


async def test_more_than_one_handful_is_delivered_in_order(store: Store) -> None:
    sink = NotingSink()
    others = [body(person=person(f"@p{i}")) for i in range(101)]
    await store.apply([progress(), *(OpenAlert(other) for other in others)])
    await outbox(store, sink).drain()
    assert [p.alert for p in sink.delivered] == [other.id for other in others]


class WakingSink(NotingSink):
    """Says when something was delivered."""

    def __init__(self, *errors: BaseException) -> None:
        super().__init__(*errors)
        self.got_one = asyncio.Event()

    async def deliver(self, parcel: Parcel) -> str | None:
        reference = await super().deliver(parcel)
        self.got_one.set()
        return reference


async def test_a_running_outbox_delivers_what_is_stored_while_it_waits(store: Store) -> None:
    sink = WakingSink()
    running = asyncio.create_task(outbox(store, sink).run())
    for effects in ([progress(), OpenAlert(ALERT)], [UpdateAlert(GROWN)]):
        await store.apply(effects)
        async with asyncio.timeout(20):
            await sink.got_one.wait()
        sink.got_one.clear()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert [p.version for p in sink.delivered] == [1, 2]


async def test_a_running_outbox_tries_again_when_the_wait_is_over(store: Store) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.05)).isoformat()
    await store.apply([progress(), OpenAlert(ALERT)])
    await store.run(lambda database: database.execute("UPDATE outbox SET next_try = ?", [soon]))
    sink = WakingSink()
    running = asyncio.create_task(outbox(store, sink).run())
    async with asyncio.timeout(20):
        await sink.got_one.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert datetime.now(UTC).isoformat() >= soon
    assert sink.delivered == [parcel()]


async def _send_and_change(store: Store, sink: NotingSink, error: Exception) -> Outbox:
    """Show a warning, then have its sink refuse the next version."""
    letters = outbox(store, sink)
    await store.apply([progress(), OpenAlert(ALERT)])
    await letters.drain()
    sink._errors.append(error)
    await store.apply([UpdateAlert(GROWN)])
    await letters.drain()
    return letters


async def test_a_message_that_was_deleted_by_hand_is_not_shown_again_whatever_comes_later(store: Store) -> None:
    sink = NotingSink()
    letters = await _send_and_change(store, sink, DeletedError())
    deleted = row(
        desired_version=2,
        delivered_version=1,
        attempted_version=1,
        state="deleted",
        attempts=1,
        reference="message-1",
        error="the message was deleted by hand",
    )
    assert await rows(store) == [deleted]
    assert await letters.undelivered() == 0
    await store.apply([UpdateAlert(BIGGER)])
    await make_due(store)
    await letters.drain()
    assert await rows(store) == [deleted | {"desired_version": 3}]
    assert (sink.delivered, sink.asked, sink.told) == ([parcel()], [], [])


CHANNEL = "discord:42"


OTHERS = [body(person=person(f"@p{i}"), channel=CHANNEL) for i in range(3)]


WHY = "needs the permission Send Messages"


def waits_blocked(alert: str, **changes: Any) -> dict[str, Any]:
    return row(alert=alert, sink="discord", state="blocked", attempts=1, error=WHY, told=1) | changes


async def test_a_channel_that_is_blocked_keeps_its_warnings_and_is_told_of_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    sink = NotingSink(*(BlockedError(WHY) for _ in range(5)), name="discord")
    letters = outbox(store, sink)
    await store.apply([progress(), *(OpenAlert(other) for other in OTHERS[:2])])
    await letters.drain()
    assert sink.told == [WHY]
    assert await rows(store) == [waits_blocked(other.id) for other in OTHERS[:2]]
    assert (await letters.undelivered(), await store.run(read_blocked)) == (2, [(CHANNEL, 2, WHY)])
    await letters.drain()
    assert len(sink._errors) == 3
    await store.apply([OpenAlert(OTHERS[2])])
    await letters.drain()
    assert len(sink._errors) == 2
    assert await make_due(store) == pytest.approx(WAITS[-1], abs=5.0)
    sink._errors.append(BlockedError(WHY))
    await letters.drain()
    attempts = zip(OTHERS, (2, 2, 2), strict=True)
    assert await rows(store) == [waits_blocked(other.id, attempts=tried) for other, tried in attempts]
    assert (sink.told, sink.delivered, sink.asked) == ([WHY], [], [])
    assert caplog.messages == [f"warnings for {CHANNEL} cannot be shown: {WHY}"]


async def test_what_was_blocked_is_shown_in_its_order_when_it_can_be(store: Store) -> None:
    sink = NotingSink(*(BlockedError(WHY) for _ in OTHERS), name="discord")
    letters = outbox(store, sink)
    await store.apply([progress(), *map(OpenAlert, OTHERS)])
    await letters.drain()
    await make_due(store)
    await letters.drain()
    assert [each.alert for each in sink.delivered] == [other.id for other in OTHERS]
    references = [f"message-{i}" for i in (1, 2, 3)]
    assert await rows(store) == [
        sent(1, reference) | {"alert": other.id, "sink": "discord"}
        for other, reference in zip(OTHERS, references, strict=True)
    ]
    assert (await letters.undelivered(), await store.run(read_blocked)) == (0, [])
    assert sink.asked == []


async def test_a_channel_that_is_blocked_again_after_a_success_is_told_of_again(store: Store) -> None:
    sink = NotingSink(BlockedError("first"), name="discord")
    letters = outbox(store, sink)
    await store.apply([progress(), OpenAlert(OTHERS[0])])
    await letters.drain()
    await make_due(store)
    await letters.drain()
    sink._errors += [BlockedError("second"), BlockedError("third")]
    await store.apply([OpenAlert(OTHERS[1]), OpenAlert(OTHERS[2])])
    await letters.drain()
    assert sink.told == ["first", "second"]
    assert [(each["state"], each["told"]) for each in await rows(store)] == [
        ("sent", 1),
        ("blocked", 1),
        ("blocked", 1),
    ]


async def test_each_blocked_channel_is_told_of(store: Store) -> None:
    sink = NotingSink(*(BlockedError(WHY) for _ in range(4)), name="discord")
    here = [replace(other, channel=f"discord:{i % 2}") for i, other in enumerate(OTHERS)]
    await store.apply([progress(), *map(OpenAlert, here)])
    await outbox(store, sink).drain()
    assert sink.told == [WHY, WHY]
    assert await store.run(read_blocked) == [("discord:0", 2, WHY), ("discord:1", 1, WHY)]


async def test_an_update_of_a_shown_warning_may_be_blocked_too(store: Store) -> None:
    sink = NotingSink()
    letters = await _send_and_change(store, sink, BlockedError(WHY))
    assert await rows(store) == [
        row(
            desired_version=2,
            delivered_version=1,
            attempted_version=1,
            state="blocked",
            attempts=1,
            reference="message-1",
            error=WHY,
            told=1,
        )
    ]
    await make_due(store)
    await letters.drain()
    assert await rows(store) == [sent(2, "message-2")]


async def test_nobody_who_can_be_told_of_a_blocked_channel_stops_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    class Unheard(NotingSink):
        async def blocked(self, parcel: Parcel, reason: str) -> None:
            raise OSError("no line")

    sink = Unheard(BlockedError(WHY), name="discord")
    await store.apply([progress(), *map(OpenAlert, OTHERS[:2])])
    await outbox(store, sink).drain()
    assert [each["state"] for each in await rows(store)] == ["blocked", "sent"]
    assert caplog.messages[-1] == f"nobody could be told that {CHANNEL} is blocked: no line"


@pytest.mark.parametrize("outcome", ["not_sent", "sent", "unknown"])
async def test_what_a_sink_cannot_say_is_found_out_before_anything_is_sent_again(
    store: Store, outcome: Outcome
) -> None:
    sink = NotingSink(OutcomeUnknownError("timed out"), outcome=outcome, reference="found-1")
    letters = outbox(store, sink)
    await store.apply([progress(), OpenAlert(ALERT)])
    await letters.drain()
    assert await rows(store) == [row(attempted_version=1, attempts=1, error="timed out")]
    assert (sink.delivered, sink.asked) == ([], [])
    assert await make_due(store) == pytest.approx(WAITS[0], abs=0.9)
    await letters.drain()
    assert sink.asked == [parcel(attempted=MOMENT)]
    not_known = row(state="unknown", attempts=2, error="outcome of the last attempt is not known")
    expected: dict[str, tuple[list[Parcel], dict[str, Any]]] = {
        "not_sent": ([parcel(attempted=MOMENT)], sent(1, "message-1")),
        "sent": ([], sent(1, "found-1")),
        "unknown": ([], not_known),
    }
    assert (sink.delivered, (await rows(store))[0]) == expected[outcome]


async def test_an_edit_of_unknown_outcome_is_found_out_too_and_its_message_stays_known(store: Store) -> None:
    sink = NotingSink(outcome="sent")
    letters = await _send_and_change(store, sink, OutcomeUnknownError("timed out"))
    assert await rows(store) == [
        row(
            desired_version=2,
            delivered_version=1,
            attempted_version=2,
            attempts=1,
            reference="message-1",
            error="timed out",
        )
    ]
    await store.apply([UpdateAlert(BIGGER)])
    await make_due(store)
    await letters.drain()
    assert [(each.version, each.reference) for each in sink.asked] == [(3, "message-1")]
    assert [(each.version, each.reference) for each in sink.delivered] == [(1, None), (3, "message-1")]
    assert sink.delivered[1].fresh == QUOTES[2:]
    assert await rows(store) == [sent(3, "message-2")]


async def test_the_reference_that_was_found_is_what_the_next_edit_names(store: Store) -> None:
    await _crash_while_sending(store)
    sink = NotingSink(outcome="sent", reference="found-1")
    letters = outbox(store, sink)
    await letters.drain()
    assert await rows(store) == [sent(1, "found-1")]
    await store.apply([UpdateAlert(GROWN)])
    await letters.drain()
    assert [(each.version, each.first, each.reference) for each in sink.delivered] == [(2, False, "found-1")]


async def test_a_slow_channel_holds_up_no_other_and_keeps_its_order(store: Store) -> None:
    class Gate(NotingSink):
        """Is held up in one channel until the other one has everything."""

        def __init__(self) -> None:
            super().__init__(name="discord")
            self.other_done = asyncio.Event()

        async def deliver(self, parcel: Parcel) -> str | None:
            if parcel.channel == "discord:1":
                await self.other_done.wait()
            reference = await super().deliver(parcel)
            if sum(each.channel == "discord:2" for each in self.delivered) == 5:
                self.other_done.set()
            return reference

    sink = Gate()
    bodies = [body(person=person(f"@p{i}"), channel=f"discord:{1 + i % 2}") for i in range(10)]
    await store.apply([progress(), *map(OpenAlert, bodies)])
    async with asyncio.timeout(20):
        await outbox(store, sink).drain()
    slow, fast = bodies[::2], bodies[1::2]
    assert [each.alert for each in sink.delivered] == [each.id for each in (*fast, *slow)]
    assert [(each["state"], each["delivered_version"]) for each in await rows(store)] == [("sent", 1)] * 10


async def test_whoever_reads_no_more_ends_the_outbox_and_the_other_channels_are_served(store: Store) -> None:
    gone = NotingSink(BrokenPipeError())
    there = NotingSink(name="discord")
    await store.apply([progress(), OpenAlert(ALERT), *map(OpenAlert, OTHERS)])
    with pytest.raises(BrokenPipeError):
        await outbox(store, gone, there).drain()
    assert [each.alert for each in there.delivered] == [other.id for other in OTHERS]


class HeldSink(NotingSink):
    """Holds what goes to one channel until it is let go."""

    def __init__(self, held: str) -> None:
        super().__init__(name="discord")
        self.held = held
        self.reached, self.let_go, self.got_one = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def deliver(self, parcel: Parcel) -> str | None:
        if parcel.channel == self.held:
            self.reached.set()
            await self.let_go.wait()
        reference = await super().deliver(parcel)
        self.got_one.set()
        return reference


async def test_a_slow_channel_holds_up_nothing_elsewhere_also_not_what_comes_later(store: Store) -> None:
    sink = HeldSink("discord:1")
    letters = outbox(store, sink)
    running = asyncio.create_task(letters.run())
    async with asyncio.timeout(10):
        await store.apply([progress(), OpenAlert(body(channel="discord:1"))])
        await sink.reached.wait()
        later = body(channel="discord:2", person=person("@later"))
        await store.apply([OpenAlert(later)])
        await sink.got_one.wait()
        assert [p.alert for p in sink.delivered] == [later.id]
        stopping = asyncio.create_task(letters.stop())
        await asyncio.sleep(0)
        assert not stopping.done()  # what is under way is not cut off
        sink.let_go.set()
        await stopping
    assert [p.channel for p in sink.delivered] == ["discord:2", "discord:1"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await letters.undelivered() == 0
