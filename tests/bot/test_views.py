"""What a community knows and wants, as policy is told it. On real SQLite files."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.effects import OpenAlert
from bot.parcels import snoozed_show
from bot.policy import History, View, Watch
from bot.store import Store
from bot.views import MAX_DISMISSED
from detectors.records import Account, RoomKey
from tests.bot.samples import HOST, body, progress
from tests.stand_ins import ROOM, person, show_info

GUILD = Watch("77", ROOM, "discord:42")
JANUS = RoomKey("janus", "wss://x.example/janus#1")
ANA = person("@ana")


async def view(store: Store, watch: Watch = GUILD, show: str = "show-1", half_life: float = 1e9) -> View:
    return await store.view(watch, show, [HOST.account, ANA.account], half_life)


async def insert(store: Store, table: str, **row: Any) -> None:
    await store.run(lambda database: database.table(table).insert(row))


async def review(store: Store, warning: str, decision: str, days: float = 0.0, **more: Any) -> None:
    decided = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    row = {"alert": warning, "community": "77", "reviewer": "mod", "decision": decision, "note": ""}
    await insert(store, "reviews", **{**row, "decided": decided, **more})


async def snooze(store: Store, subject: str, hours: float = 1.0, community: str = "77") -> None:
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    await insert(store, "snoozes", community=community, subject=subject, until=until, by="mod")


async def open_alerts(store: Store, *rooms: RoomKey, **changes: Any) -> list[str]:
    """Open a warning in each room; return their ids."""
    bodies = [body(community="77", room=room, **changes) for room in rooms]
    shows = [progress(info=replace(show_info(), room=room)) for room in rooms]
    await store.apply([*shows, *map(OpenAlert, bodies)])
    return [each.id for each in bodies]


async def test_of_an_empty_store_nothing_is_known(store: Store) -> None:
    assert await view(store) == View()


async def test_the_history_of_a_kind_counts_all_accounts_of_such_rooms_by_the_age_of_decisions(store: Store) -> None:
    second = RoomKey("replay", "second.jsonl")
    here, there, elsewhere = await open_alerts(store, ROOM, second, JANUS, person=ANA)
    await review(store, here, "dismissed")
    await review(store, there, "dismissed", days=10.0)
    await review(store, there, "confirmed", days=20.0)
    await review(store, elsewhere, "dismissed", days=30.0)
    replayed = (await view(store, half_life=10.0)).kind_history
    assert (replayed.confirmed, replayed.dismissed) == pytest.approx((0.25, 1.5), abs=1e-3)
    seated = (await view(store, replace(GUILD, room=JANUS), half_life=10.0)).kind_history
    assert (seated.confirmed, seated.dismissed) == pytest.approx((0.0, 0.125), abs=1e-3)
    assert (await view(store, Watch("77", RoomKey("discord", "77/5")))).kind_history == History()


async def test_a_kind_remembers_its_newest_decisions_only(store: Store) -> None:
    (alert,) = await open_alerts(store, ROOM)
    for decision in ["confirmed"] * 5 + ["dismissed"] * 200:
        await review(store, alert, decision)
    assert (await view(store)).kind_history.confirmed == 0.0
    assert (await view(store)).kind_history.dismissed == pytest.approx(200.0)
    assert (await view(store)).history[HOST.account].confirmed == pytest.approx(5.0)


async def test_decisions_of_others_count_nothing(store: Store) -> None:
    (alert,) = await open_alerts(store, ROOM)
    await review(store, alert, "dismissed", community="78")
    await insert(store, "dismissed_texts", community="78", signature=f"{5:016x}", review=1, noted="2026-01-01")
    assert await view(store) == View()
    other = await view(store, replace(GUILD, community="78"))
    assert other == View(
        history={HOST.account: History(0.0, 1.0, 0, 1)}, kind_history=History(0.0, 1.0, 0, 1), dismissed=frozenset({5})
    )


async def test_what_was_undone_counts_nothing(store: Store) -> None:
    (alert,) = await open_alerts(store, ROOM)
    for number, (decision, undone) in enumerate(
        [("dismissed", "2026-01-01"), ("confirmed", "2026-01-01"), ("dismissed", None)], start=1
    ):
        await review(store, alert, decision, undone=undone)
        await insert(
            store, "dismissed_texts", community="77", signature=f"{number:016x}", review=number, noted="2026-01-01"
        )
    assert await view(store) == View(
        history={HOST.account: History(0.0, 1.0, 0, 1)}, kind_history=History(0.0, 1.0, 0, 1), dismissed=frozenset({3})
    )


async def test_signatures_come_back_as_they_were_written_the_newest_ones(store: Store) -> None:
    (alert,) = await open_alerts(store, ROOM)
    await review(store, alert, "dismissed")
    highest = 2**64 - 1
    signed = [highest - i for i in range(MAX_DISMISSED + 20)]
    rows = [
        {"community": "77", "signature": f"{one:016x}", "review": 1, "noted": f"2026-01-01T00:{i:04}"}
        for i, one in enumerate(signed)
    ]
    await store.run(lambda database: database.table("dismissed_texts").insert_all(rows))
    assert (await view(store)).dismissed == frozenset(signed[20:])


@pytest.mark.parametrize(
    ("subject", "of_show", "expected"),
    [
        ("account", "show-1", View(snoozed=frozenset({HOST.account}))),
        ("account", "show-2", View(snoozed=frozenset({HOST.account}))),
        ("show", "show-1", View(snoozed=frozenset({HOST.account}))),
        ("show", "show-2", View()),
        ("room", "show-1", View(snoozed_room=True)),
        ("room", "show-2", View(snoozed_room=True)),
    ],
)
async def test_what_is_snoozed(store: Store, subject: str, of_show: str, expected: View) -> None:
    account = str(HOST.account)
    names = {"account": account, "show": snoozed_show(account, str(ROOM), "show-1"), "room": str(ROOM)}
    await snooze(store, names[subject])
    assert await view(store, show=of_show) == expected
    assert await view(store, replace(GUILD, community="78"), of_show) == View()
    in_other_room = await view(store, replace(GUILD, room=JANUS), of_show)
    assert in_other_room == (expected if subject == "account" else View())


@pytest.mark.parametrize("hours", [-0.001, -48.0])
async def test_a_snooze_that_is_over_is_none(store: Store, hours: float) -> None:
    for subject in (str(HOST.account), snoozed_show(str(HOST.account), str(ROOM), "show-1"), str(ROOM)):
        await snooze(store, subject, hours)
    assert await view(store) == View()


async def test_exemptions_are_told_for_the_accounts_that_were_asked_about(store: Store) -> None:
    for account in (HOST.account, Account("discord", "discord", "5")):
        await insert(store, "exemptions", community="77", account=str(account), by="mod", since="2026-01-01")
    assert await view(store) == View(exempt=frozenset({HOST.account}))
    assert await view(store, replace(GUILD, community="78")) == View()
