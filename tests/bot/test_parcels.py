"""What is handed to a sink, the cap of a channel over all shows, and shows under way. On real SQLite files."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.effects import OpenAlert, ShowProgress, UpdateAlert
from bot.parcels import Parcel, QuoteRow, bump, newest_sent, read_left, read_parcel
from bot.rooms import Left
from bot.store import Store
from detectors.records import Account, Message, Person, PhaseSpan, RoomKey
from tests.bot.samples import HOST, body, progress, quote
from tests.stand_ins import ROOM, person, show_info

CHANNEL = "discord:42"
#: Stands for a moment of the wall clock.
MOMENT = "2026-10-03T19:00:00+00:00"


def show(number: int) -> ShowProgress:
    info = replace(show_info(), id=f"show-{number}", room=RoomKey("replay", f"{number}.jsonl"))
    return progress(info=info)


def warning(number: int, **changes: Any) -> OpenAlert:
    """A warning of one community in one channel, each in a show of its own."""
    values = {"community": "77", "channel": CHANNEL, "room": RoomKey("replay", f"{number}.jsonl")} | changes
    return OpenAlert(body(show=f"show-{number}", **values), most_per_hour=2)


async def raise_all(store: Store, *warnings: OpenAlert) -> list[str]:
    """Raise warnings one after the other; return their ids."""
    for number in sorted({int(one.body.show.removeprefix("show-")) for one in warnings}):
        await store.apply([show(number)])
    for one in warnings:
        await store.apply([one])
    return [one.body.id for one in warnings]


async def alerts(store: Store) -> dict[str, tuple[int, int]]:
    """Of each alert: whether it is held back, and its version."""
    return await store.run(
        lambda database: {
            row["id"]: (row["held_back"], row["version"])
            for row in database.query("SELECT id, held_back, version FROM alerts ORDER BY rowid")
        }
    )


async def more(store: Store) -> dict[str, int]:
    """How many more each warning that is shown tells of."""

    def work(database: Any) -> dict[str, int]:
        rows = list(database.query("SELECT alert, sink FROM outbox ORDER BY rowid"))
        return {row["alert"]: read_parcel(database, row["alert"], row["sink"]).more for row in rows}

    return await store.run(work)


async def raised_earlier(store: Store, alert: str, hours: float) -> None:
    then = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    await store.run(lambda database: database.execute("UPDATE alerts SET raised = ? WHERE id = ?", [then, alert]))


async def test_a_channel_gets_its_most_of_all_shows_together_and_its_newest_warning_says_so(store: Store) -> None:
    a, b, c, d = await raise_all(store, *(warning(i) for i in range(4)))
    assert await alerts(store) == {a: (0, 1), b: (0, 3), c: (1, 1), d: (1, 1)}
    assert await more(store) == {a: 0, b: 2}
    wanted = await store.run(
        lambda database: [tuple(r.values()) for r in database.query("SELECT alert, desired_version FROM outbox")]
    )
    assert sorted(wanted) == sorted([(a, 1), (b, 3)])


async def test_after_an_hour_the_channel_is_free_again_and_the_count_begins_anew(store: Store) -> None:
    a, b, c = await raise_all(store, *(warning(i) for i in range(3)))
    await raised_earlier(store, a, 1.01)
    await raised_earlier(store, b, 0.9)
    await raised_earlier(store, c, 0.8)
    assert await more(store) == {a: 0, b: 1}
    d, e = await raise_all(store, warning(3), warning(4))
    assert await alerts(store) == {a: (0, 1), b: (0, 2), c: (1, 1), d: (0, 2), e: (1, 1)}
    assert await more(store) == {a: 0, b: 0, d: 1}


async def test_each_channel_has_its_own_most(store: Store) -> None:
    here = await raise_all(store, warning(0), warning(1), warning(2))
    there = await raise_all(store, warning(3, channel="discord:43"), warning(4, channel="discord:43"))
    assert [await alerts(store)][0] == {
        **{here[0]: (0, 1), here[1]: (0, 2), here[2]: (1, 1)},
        **dict.fromkeys(there, (0, 1)),
    }
    assert await more(store) == {here[0]: 0, here[1]: 1, **dict.fromkeys(there, 0)}


@pytest.mark.parametrize("changes", [{"channel": "console"}, {"dry_run": True}], ids=["console", "dry run"])
async def test_only_channels_of_people_have_a_most(store: Store, changes: dict[str, Any]) -> None:
    ids = await raise_all(store, *(warning(i, **changes) for i in range(5)))
    assert await alerts(store) == dict.fromkeys(ids, (0, 1))
    assert await more(store) == dict.fromkeys(ids, 0)


async def test_dry_runs_take_nothing_from_what_people_are_sent(store: Store) -> None:
    dry = await raise_all(store, *(warning(i, dry_run=True) for i in range(3)))
    a, b, c = await raise_all(store, *(warning(i) for i in range(3, 6)))
    held = replace(warning(6, dry_run=True), held_back=True)
    (d,) = await raise_all(store, held)
    found = await alerts(store)
    assert found == {dry[0]: (0, 1), dry[1]: (0, 1), dry[2]: (0, 2), a: (0, 1), b: (0, 2), c: (1, 1), d: (1, 1)}
    assert await more(store) == {dry[0]: 0, dry[1]: 0, dry[2]: 1, a: 0, b: 1}


async def test_what_a_shows_own_cap_held_back_is_told_of_too(store: Store) -> None:
    a, b = await raise_all(store, warning(0), replace(warning(1), held_back=True))
    assert await alerts(store) == {a: (0, 2), b: (1, 1)}
    assert await more(store) == {a: 1}


async def test_of_warnings_raised_at_once_the_last_one_tells_of_more(store: Store) -> None:
    opened = [warning(0, person=person(f"@p{i}")) for i in range(4)]
    await store.apply([show(0), *opened])
    a, b, c, d = (one.body.id for one in opened)
    assert await alerts(store) == {a: (0, 1), b: (0, 3), c: (1, 1), d: (1, 1)}
    assert await more(store) == {a: 0, b: 2}
    assert await store.run(lambda database: newest_sent(database, "77", CHANNEL)) == b
    assert await store.run(lambda database: newest_sent(database, "78", CHANNEL)) is None


async def test_the_same_warning_again_after_a_restart_takes_no_place(store: Store) -> None:
    a = warning(0)
    b, c = warning(1), warning(2)
    await raise_all(store, a, b, c)
    before = await alerts(store)
    for _ in range(3):
        await store.apply([a, b, c])
    assert await alerts(store) == before
    assert await more(store) == {a.body.id: 0, b.body.id: 1}


async def test_a_parcel_holds_the_whole_warning(store: Store) -> None:
    phases = (PhaseSpan(0.0, 100.0, "teach"), PhaseSpan(100.0, 200.0, "pitch"))
    ana = Person(Account("discord", "discord", "5"), "Ana")
    opened = body(
        community="77",
        channel=CHANNEL,
        person=ana,
        reasons=(Message("why.after_teaching", {"minutes": 5}),),
        evidence=(quote(2, 110.0, "« link »", ana), quote(1, 100.0, "book a call", ana, 0.6, seat=3)),
    )
    grown = replace(opened, at=150.0, score=0.97, evidence=(quote(3, 144.0, "only two seats", ana),))
    await store.apply([progress(phases=phases, lost_seconds=12.0, unread=2, ended=True), OpenAlert(opened)])
    await store.run(lambda database: database.execute("UPDATE outbox SET delivered_version = 1, reference = '9'"))
    await store.apply([UpdateAlert(grown)])
    tried = "UPDATE outbox SET attempted_version = 2, attempted = ?"
    await store.run(lambda database: database.execute(tried, [MOMENT]))
    await store.run(lambda database: database.execute("UPDATE alerts SET raised = ?", [MOMENT]))
    quotes = (
        QuoteRow(100.0, 106.0, "Ana", "speech", "book a call", "show-1/1", 3, 0.6),
        QuoteRow(110.0, 116.0, "Ana", "speech", "« link »", "show-1/2", None, 0.97),
        QuoteRow(144.0, 150.0, "Ana", "speech", "only two seats", "show-1/3", None, 0.97),
    )
    found = await store.run(lambda database: read_parcel(database, opened.id, "discord"))
    assert found == Parcel(
        alert=opened.id,
        version=2,
        first=False,
        channel=CHANNEL,
        reference="9",
        show="show-1",
        show_title="A show",
        room="replay:show.jsonl",
        account="discord:discord:5",
        name="Ana",
        at=106.0,
        since=100.0,
        last_at=150.0,
        score=0.97,
        offers=("coaching",),
        cues=("scarcity",),
        reasons=(Message("why.after_teaching", {"minutes": 5}),),
        fresh=quotes[2:],
        evidence=quotes,
        community="77",
        raised=MOMENT,
        phases=phases,
        show_seconds=200.0,
        lost_seconds=12.0,
        unread=2,
        ended=True,
        attempted=MOMENT,
    )
    assert (found.verified, found.seat) == (True, 3)
    await store.run(lambda database: database.execute("UPDATE outbox SET delivered_version = 2"))
    settled = await store.run(lambda database: read_parcel(database, opened.id, "discord"))
    assert settled == replace(found, fresh=(), attempted=None)


@pytest.mark.parametrize("platform", ["replay", "janus", "media"])
async def test_a_name_from_elsewhere_proves_nothing(store: Store, platform: str) -> None:
    someone = Person(Account(platform, "server", "5"), "Ana")
    opened = body(person=someone)
    await store.apply([progress(), OpenAlert(opened)])
    found = await store.run(lambda database: read_parcel(database, opened.id, "console"))
    assert (found.verified, found.seat) == (False, None)


async def test_a_bump_asks_for_the_newest_version_wherever_it_was_shown(store: Store) -> None:
    (alert,) = await raise_all(store, warning(0))
    states = ["sent", "pending", "blocked", "unknown", "deleted"]
    rows = [
        {"alert": alert, "sink": f"s{i}", "channel": "c", "desired_version": 1, "delivered_version": 1}
        | {"attempted_version": 1, "state": state, "attempts": 0, "next_try": MOMENT}
        for i, state in enumerate(states)
    ]
    await store.run(lambda database: database.table("outbox").insert_all(rows))
    assert await store.run(lambda database: bump(database, alert)) == 2
    found = await store.run(
        lambda database: [
            (row["state"], row["desired_version"]) for row in database.query("SELECT * FROM outbox ORDER BY rowid")
        ]
    )
    assert found == [(state, 2) for state in ("pending", "pending", "pending", "blocked", "unknown", "deleted")]


async def test_a_room_was_left_in_its_newest_show_or_after_it(store: Store) -> None:
    async def left() -> Any:
        return await store.run(lambda database: read_left(database, ROOM))

    assert await left() is None
    first = replace(show_info(), lang=None)
    assert first.started is not None
    began = first.started
    await store.apply([progress(info=first, at=42.5)])
    assert await left() == Left(first, 42.5, began + timedelta(seconds=42.5))
    second = replace(first, id="show-2", host=None, started=began + timedelta(seconds=0.5))
    await store.apply([progress(info=second, at=7.0)])
    assert await left() == Left(second, 7.0, began + timedelta(seconds=7.5))
    await store.apply([progress(info=second, at=9.0, ended=True)])
    assert await left() == Left(None, 0.0, began + timedelta(seconds=9.5))
    elsewhere = RoomKey("replay", "other.jsonl")
    assert await store.run(lambda database: read_left(database, elsewhere)) is None


async def test_a_show_that_did_not_say_when_it_began_goes_on_from_when_it_was_first_heard(store: Store) -> None:
    before = datetime.now(UTC)
    unsaid = replace(show_info(), started=None)
    await store.apply([progress(info=unsaid, at=10.0)])
    found = await store.run(lambda database: read_left(database, ROOM))
    assert found is not None and found.show is not None and found.show.started is not None
    began = found.show.started
    assert before <= began <= datetime.now(UTC)
    assert found == Left(replace(unsaid, lang=None, started=began), 10.0, began + timedelta(seconds=10))
    renamed = replace(HOST, name="@Host")
    await store.apply([progress(info=replace(unsaid, host=renamed), people=())])
    again = await store.run(lambda database: read_left(database, ROOM))
    assert again == Left(replace(found.show, host=renamed), 200.0, began + timedelta(seconds=200))


async def test_a_host_is_called_as_in_the_room_and_not_as_elsewhere(store: Store) -> None:
    account = Account("discord", "discord", "5")
    here, elsewhere = Person(account, "@Kay of the lounge"), Person(account, "@other nickname")
    await store.apply([progress(info=replace(show_info(), host=here), people=())])
    other = replace(show_info(), id="show-9", room=RoomKey("discord", "8/9"), host=elsewhere)
    await store.apply([progress(info=other, people=())])
    left = await store.run(lambda database: read_left(database, ROOM))
    assert left is not None and left.show is not None
    assert left.show.host == here
