"""The digest as data."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

from rich.console import Console
from sqlite_utils import Database

from bot.cards import digest_card
from bot.digest_report import Digest, Ranked, RoomHours
from bot.effects import OpenAlert
from bot.policy import Watch
from bot.store import Store
from detectors.records import RoomKey
from tests.bot.samples import HOST, WATCH, body, progress
from tests.bot.test_reports import ANA, NOW, OTHER_ROOM, WEEK, _still, decided, digest, info
from tests.stand_ins import ROOM, person

__all__ = ["_still"]


async def test_a_digest_ranks_by_what_was_confirmed_lately(store: Store) -> None:
    await store.register([WATCH, Watch("local", OTHER_ROOM)])
    await store.apply(
        [
            progress(info=info(1), at=7200.0, lost_seconds=1800.0, unread=3, dropped=2),
            progress(info=info(2), at=3600.0),
            progress(info=info(3, OTHER_ROOM), at=1800.0, lost_seconds=1800.0),
        ]
    )
    bob, cleo = person("@bob"), person("@cleo")
    plan = [
        (body(offers=("ebook",)), "confirmed", 0.0),
        (body(episode=2, offers=("coaching",)), "open", 2.0),
        (body(room=OTHER_ROOM, show="show-3", offers=("ebook",)), "dismissed", 0.0),
        (body(episode=3), "confirmed", 8.0),
        (body(person=ANA, room=OTHER_ROOM, show="show-3", offers=("course",)), "confirmed", 4.0),
        (body(person=ANA, show="show-2", offers=()), "confirmed", 6.0),
        (body(person=bob), "open", 0.0),
        (body(person=bob, show="show-2"), "dismissed", 0.0),
        (body(person=cleo), "dismissed", 0.0),
        (body(person=cleo, show="show-2"), "confirmed", 10.0),
        (body(person=person("@dan")), "confirmed", 15.0),
    ]
    await store.apply([OpenAlert(warning, held_back=warning.person == bob) for warning, _, _ in plan])
    for warning, status, days in plan:
        await decided(store, warning.id, status, days)
    known = await digest(store, half_life=2.0)
    assert known == Digest(
        community="local",
        since=(NOW - WEEK).isoformat(),
        until=NOW.isoformat(),
        ranking=(
            # What was confirmed eight days ago, four half-lives, counts a sixteenth; what is open counts nothing.
            Ranked(str(HOST.account), "@host", 1, 1, 1.0625, 1, ("coaching", "ebook"), (str(ROOM),)),
            Ranked(str(ANA.account), "@ana", 2, 0, 0.375, 2, ("course",), (str(OTHER_ROOM), str(ROOM))),
            Ranked(str(bob.account), "@bob", 0, 1, 0.0, 1, ("coaching",), (str(ROOM),)),
        ),
        reviews={"done": 9, "waiting": 2},
        held_back=1,
        rooms=(RoomHours(str(OTHER_ROOM), 0.0, 0.5, 0), RoomHours(str(ROOM), 2.5, 0.5, 5)),
        before=2,
    )
    assert known.as_json() == {
        "type": "digest",
        "community": "local",
        "since": "2026-10-26T12:00:00+00:00",
        "until": "2026-11-02T12:00:00+00:00",
        "ranking": [
            {
                "account": "replay:script:@host",
                "name": "@host",
                "confirmed": 1,
                "open": 1,
                "score": 1.062,
                "trend": 1,
                "offers": ["coaching", "ebook"],
                "rooms": ["replay:show.jsonl"],
                "links": [],
            },
            {
                "account": "replay:script:@ana",
                "name": "@ana",
                "confirmed": 2,
                "open": 0,
                "score": 0.375,
                "trend": 2,
                "offers": ["course"],
                "rooms": ["replay:other.jsonl", "replay:show.jsonl"],
                "links": [],
            },
            {
                "account": "replay:script:@bob",
                "name": "@bob",
                "confirmed": 0,
                "open": 1,
                "score": 0.0,
                "trend": 1,
                "offers": ["coaching"],
                "rooms": ["replay:show.jsonl"],
                "links": [],
            },
        ],
        "reviews": {"done": 9, "waiting": 2, "median_seconds": None},
        "held_back": 1,
        "rooms": [
            {"room": "replay:other.jsonl", "heard_hours": 0.0, "lost_hours": 0.5, "dropped": 0, "down_hours": 0.0},
            {"room": "replay:show.jsonl", "heard_hours": 2.5, "lost_hours": 0.5, "dropped": 5, "down_hours": 0.0},
        ],
        "before": 2,
        "off_hours": 0.0,
        "weeks": [],
    }


async def test_a_trend_goes_down_as_well(store: Store) -> None:
    await store.apply([progress(info=info())])
    plan = [(1, 1.0), (2, 8.0), (3, 9.0), (4, 13.9), (5, 14.1)]
    for number, days in plan:
        warning = body(episode=number)
        await store.apply([OpenAlert(warning)])
        await decided(store, warning.id, "open", days)
    assert [row.trend for row in (await digest(store)).ranking] == [-2]


async def test_those_with_the_same_score_have_a_settled_order(store: Store) -> None:
    await store.apply([progress(info=info())])
    names = ["@m", "@z", "@a"]
    await store.apply([OpenAlert(body(person=person(name))) for name in names])
    for name in names:
        await decided(store, body(person=person(name)).id, "open")
    assert [row.name for row in (await digest(store)).ranking] == sorted(names)


async def test_a_digest_shows_a_community_nothing_of_another(store: Store) -> None:
    await store.register([Watch("a", ROOM), Watch("b", OTHER_ROOM)])
    ours, theirs = body(community="a"), body(community="b", room=OTHER_ROOM, show="show-2", offers=("merch",))
    await store.apply(
        [
            progress(info=info(1, ROOM), at=3600.0),
            progress(info=info(2, OTHER_ROOM), at=7200.0),
            OpenAlert(ours),
            OpenAlert(theirs, held_back=True),
        ]
    )
    await decided(store, theirs.id, "confirmed", community="b")
    since, until = (NOW - WEEK).isoformat(), NOW.isoformat()
    of_host = (str(HOST.account), "@host")
    assert [await digest(store, name) for name in ("a", "b", "c")] == [
        Digest(
            *("a", since, until, (Ranked(*of_host, 0, 1, 0.0, 1, ("coaching",), (str(ROOM),)),)),
            *({"done": 0, "waiting": 1}, 0, (RoomHours(str(ROOM), 1.0, 0.0, 0),)),
        ),
        Digest(
            *("b", since, until, (Ranked(*of_host, 1, 0, 1.0, 1, ("merch",), (str(OTHER_ROOM),)),)),
            *({"done": 1, "waiting": 0}, 1, (RoomHours(str(OTHER_ROOM), 2.0, 0.0, 0),)),
        ),
        Digest("c", since, until, (), {"done": 0, "waiting": 0}, 0, ()),
    ]


async def _updated(store: Store, show: str, days_ago: float) -> None:
    when = (NOW - timedelta(days=days_ago)).isoformat()
    await store.run(lambda database: database.execute("UPDATE shows SET updated = ? WHERE id = ?", [when, show]))


async def test_a_watched_room_that_was_not_heard_is_listed_as_such(store: Store) -> None:
    replayed = RoomKey("replay", "sample.jsonl")
    await store.register([WATCH, Watch("local", OTHER_ROOM)])
    await store.register([Watch("local", replayed)], source="replay")
    await store.apply([progress(info=info(1), at=3600.0), progress(info=info(2, replayed), at=3600.0)])
    await _updated(store, "show-1", 8.0)
    assert (await digest(store)).rooms == (
        RoomHours(str(OTHER_ROOM), 0.0, 0.0, 0),
        RoomHours(str(replayed), 1.0, 0.0, 0),
        RoomHours(str(ROOM), 0.0, 0.0, 0),
    )
    await _updated(store, "show-2", 8.0)
    silent = await digest(store)
    assert silent.rooms == (RoomHours(str(OTHER_ROOM), 0.0, 0.0, 0), RoomHours(str(ROOM), 0.0, 0.0, 0))
    assert _printed(silent) == [
        *_printed(replace(silent, rooms=())),
        "│ replay:other.jsonl: heard 0.0 h, could not hear 0.0 h, dropped 0 lines",
        "│ replay:show.jsonl: heard 0.0 h, could not hear 0.0 h, dropped 0 lines",
    ]
    assert "│ No room was heard in this time. This is not the same as clean." in _printed(silent)


def _printed(known: Digest) -> list[str]:
    """The lines of the digest's card, in the order of their kind: first what stands in every card."""
    out = StringIO()
    Console(file=out, width=100).print(digest_card(known, "en"))
    lines = [line.rstrip("│ ") for line in out.getvalue().splitlines()]
    return sorted(lines, key=lambda line: "could not hear" in line)


async def test_a_room_that_was_lost_all_the_time_was_not_heard(store: Store) -> None:
    await store.register([WATCH])
    await store.apply([progress(info=info(1), at=3600.0, lost_seconds=3600.0)])
    lost = await digest(store)
    assert lost.rooms == (RoomHours(str(ROOM), 0.0, 1.0, 0),)
    assert "│ No room was heard in this time. This is not the same as clean." in _printed(lost)


async def test_reviews_that_were_undone_or_are_old_do_not_count(store: Store) -> None:
    await store.apply(
        [progress(info=info()), OpenAlert(body()), OpenAlert(body(episode=2)), OpenAlert(body(episode=3))]
    )
    for number in (1, 2, 3):
        await decided(store, body(episode=number).id, "confirmed")
    long_ago = (NOW - timedelta(days=8)).isoformat()

    def work(database: Database) -> None:
        database.execute("UPDATE reviews SET undone = ? WHERE alert = ?", [NOW.isoformat(), body(episode=1).id])
        database.execute("UPDATE reviews SET decided = ? WHERE alert = ?", [long_ago, body(episode=2).id])
        database.execute("UPDATE alerts SET status = 'open' WHERE id = ?", [body(episode=1).id])

    await store.run(work)
    assert (await digest(store)).reviews == {"done": 1, "waiting": 1}


async def test_an_empty_store_has_an_empty_digest(store: Store) -> None:
    assert await digest(store, since=timedelta(days=3650)) == Digest(
        "local",
        (NOW - timedelta(days=3650)).isoformat(),
        NOW.isoformat(),
        (),
        {"done": 0, "waiting": 0},
        0,
        (),
    )
