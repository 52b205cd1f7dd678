"""What a digest is reckoned from: links, decay, weeks, times to a review, and hours of shows that go on and on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.digest_report import Digest, RoomHours, Waiting, Week, read_period, read_waiting
from bot.effects import OpenAlert
from bot.policy import Watch
from bot.schedule import Period
from bot.store import Store
from detectors.records import RoomKey
from tests.bot.samples import HOST, body, progress
from tests.stand_ins import ROOM, person

UNTIL = datetime(2026, 11, 2, 8, tzinfo=UTC)
WEEK = timedelta(days=7)
PERIOD = Period(UNTIL - 2 * WEEK, UNTIL - WEEK, UNTIL)


async def raised(store: Store, days_ago: float, status: str = "open", **changes: Any) -> str:
    """Store a warning that was raised so long before the end of the period."""
    alert = body(community="1", **changes)
    await store.apply([OpenAlert(alert)])
    row = {"raised": (UNTIL - timedelta(days=days_ago)).isoformat(), "status": status}
    await store.run(lambda database: database.table("alerts").update(alert.id, row))
    return alert.id


async def digest(store: Store, half_life: float = 90.0, period: Period = PERIOD) -> Digest:
    return await store.run(lambda database: read_period(database, "1", period, half_life))


async def watched(store: Store) -> None:
    await always(store, Watch("1", ROOM))
    await store.apply([progress()])


async def always(store: Store, *watches: Watch) -> None:
    """Let rooms have been watched since long ago."""
    await store.register(watches)
    await store.run(lambda database: database.execute("UPDATE watch_periods SET since = '2020-01-01T00:00:00+00:00'"))


async def test_earlier_confirmed_episodes_count_half_after_each_half_life(store: Store) -> None:
    await watched(store)
    repeats, new = HOST, person("@new")
    for number, days in enumerate((90, 180, 270), 1):
        await raised(store, days, "confirmed", person=repeats, episode=number)
    await raised(store, 1, "open", person=repeats, episode=4)
    await raised(store, 0.5, "confirmed", person=new)
    await raised(store, 100, "confirmed", person=person("@gone"))
    known = await digest(store)
    assert [(row.name, row.confirmed, row.open, round(row.score, 2)) for row in known.ranking] == [
        ("@new", 1, 0, 1.0),
        ("@host", 0, 1, 0.88),
    ]


async def test_periods_do_not_overlap(store: Store) -> None:
    await watched(store)
    for number, days in enumerate((0, 6.999, 7, 13.999, 14, -1), 1):
        await raised(store, days, "confirmed", episode=number)
    known = await digest(store)
    assert (known.episodes, known.before, known.ranking[0].trend) == (2, 2, 0)
    (before,) = (await digest(store, period=Period(UNTIL - 3 * WEEK, UNTIL - 2 * WEEK, UNTIL - WEEK))).ranking
    assert (before.confirmed, before.trend) == (2, 1)


async def test_weeks_are_counted_back_from_the_end(store: Store) -> None:
    await watched(store)
    plan = [(0.0, "confirmed"), (6.9, "open"), (7.1, "open"), (8.0, "dismissed"), (55.9, "confirmed"), (56.1, "open")]
    for number, (days, status) in enumerate(plan, 1):
        await raised(store, days, status, episode=number)
    weeks = (await digest(store)).weeks
    assert (weeks[0], weeks[-2], weeks[-1]) == (
        Week("2026-09-07", 1, 0),
        Week("2026-10-19", 0, 1),
        Week("2026-10-26", 1, 1),
    )
    assert sum(week.confirmed + week.open for week in weeks) == 4


async def test_links_lead_to_the_messages_of_warnings(store: Store) -> None:
    await watched(store)
    for number in range(1, 8):
        alert = await raised(store, 7 - number, episode=number, channel="discord:42", dry_run=number == 1)
        if number > 1:
            await store.run(
                lambda database, alert=alert, number=number: database.execute(
                    "UPDATE outbox SET reference = ? WHERE alert = ?", [f"90{number}", alert]
                )
            )
    (row,) = (await digest(store)).ranking
    assert row.links == tuple(f"https://discord.com/channels/1/42/90{number}" for number in range(3, 8))
    first, second, *_ = await store.run(lambda database: read_waiting(database, "1"))
    assert (first.link, second.link) == (None, "https://discord.com/channels/1/42/902")
    assert isinstance(first, Waiting) and first.raised < second.raised
    assert await store.run(lambda database: read_waiting(database, "2")) == []


async def test_the_median_time_to_a_review(store: Store) -> None:
    await watched(store)
    assert (await digest(store)).review_seconds is None
    for number, (hours, undone) in enumerate(((1, None), (2, None), (30, None), (99, "2026-11-01")), 1):
        alert = await raised(store, 6, "confirmed", episode=number)
        decided = (UNTIL - timedelta(days=6) + timedelta(hours=hours)).isoformat()
        row = {"alert": alert, "community": "1", "reviewer": "mod", "decision": "confirmed", "note": ""}
        await store.run(
            lambda database, row=row, decided=decided, undone=undone: database.table("reviews").insert(
                {**row, "decided": decided, "undone": undone}
            )
        )
    known = await digest(store)
    assert (known.reviews, known.review_seconds) == ({"done": 3, "waiting": 0}, 7200.0)
    assert known.as_json()["reviews"] == {"done": 3, "waiting": 0, "median_seconds": 7200.0}


async def _show(store: Store, updated: datetime, **changes: Any) -> None:
    await store.apply([progress(**changes)])
    began = updated - timedelta(seconds=changes["at"])
    moments = [updated.isoformat(), began.isoformat()]
    await store.run(lambda database: database.execute("UPDATE shows SET updated = ?, first_heard = ?", moments))


async def test_of_a_show_that_goes_on_for_weeks_only_the_hours_in_the_period_count(store: Store) -> None:
    await always(store, Watch("1", ROOM))
    month = timedelta(days=28).total_seconds()
    await _show(store, UNTIL + timedelta(days=1), at=month, lost_seconds=month / 4, unread=40)
    assert (await digest(store)).rooms == (RoomHours(str(ROOM), 126.0, 42.0, 10),)
    await _show(store, UNTIL - timedelta(days=8), at=3600.0)
    assert (await digest(store)).rooms == (RoomHours(str(ROOM), 0.0, 0.0, 0),)


async def test_outages_of_rooms_and_of_the_bot_count_within_the_period(store: Store) -> None:
    await always(store, Watch("1", ROOM), Watch("2", ROOM))

    def work(database: Database) -> None:
        for room, since, until in ((str(ROOM), -200, -160), (str(ROOM), -2, 5), ("", -170, -165), ("", 1, 2)):
            moments = [(UNTIL + timedelta(hours=hours)).isoformat() for hours in (since, until)]
            database.table("outages").insert({"room": room, "since": moments[0], "until": moments[1]})

    await store.run(work)
    known = await digest(store)
    (room,) = known.rooms
    assert (room.down_hours, room.unheard, room.quiet, known.off_hours) == (10.0, True, False, 3.0)
    assert known.unheard and not known.heard
    (told,) = known.as_json()["rooms"]
    assert told["down_hours"] == 10.0


async def test_a_paused_room_is_listed_only_while_it_was_heard(store: Store) -> None:
    await always(store, Watch("1", ROOM))
    await store.run(lambda database: database.execute("UPDATE watches SET paused = 1"))
    assert (await digest(store)).rooms == ()
    await _show(store, UNTIL, at=3600.0)
    assert [room.heard_hours for room in (await digest(store)).rooms] == [1.0]


async def test_any_half_life_will_do(store: Store) -> None:
    await watched(store)
    await raised(store, 1, "confirmed")
    assert [round((await digest(store, half_life)).ranking[0].score, 3) for half_life in (1e-3, 1.0, 1e9)] == [
        *(0.0, 0.5, 1.0),
    ]


async def test_threads_that_are_not_listened_to_any_more_are_no_quiet_rooms(store: Store) -> None:
    rooms = [RoomKey("discord", f"1/{number}") for number in range(3)]
    await store.register([Watch("1", room) for room in rooms], "thread")
    await store.end_threads(rooms[:2])
    await store.run(lambda database: database.execute("UPDATE watch_periods SET since = '2020-01-01T00:00:00+00:00'"))
    assert [row.room for row in (await digest(store)).rooms] == [str(rooms[2])]
