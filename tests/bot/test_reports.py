"""Report card and digest as whole data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from sqlite_utils import Database

from bot import digest_report, store
from bot.cards import digest_card
from bot.digest_report import Digest, Ranked, RoomHours, read_digest
from bot.effects import EndEpisode, OpenAlert, Participation, Record
from bot.policy import Watch
from bot.reports import (
    MAX_OBSERVATIONS,
    AmbiguousHandleError,
    Card,
    ClaimRow,
    ObservationRow,
    find_account,
    listening_since,
    read_card,
)
from bot.store import Store
from detectors.records import Account, Message, Person, RoomKey, ShowInfo
from tests.bot.samples import HOST, WATCH, body, progress
from tests.stand_ins import ROOM, person, show_info

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
OTHER_ROOM = RoomKey("replay", "other.jsonl")
ANA = person("@ana")


class Clock(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return NOW


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (digest_report, store):
        monkeypatch.setattr(module, "datetime", Clock)


def info(number: int = 1, room: RoomKey = ROOM, days_ago: float = 1.0) -> ShowInfo:
    return replace(show_info(), id=f"show-{number}", room=room, started=NOW - timedelta(days=days_ago))


def took_part(who: Person, lines: int = 10, selling: int = 0) -> Participation:
    return Participation(who, lines=lines, selling_lines=selling, words=80, seconds=60.0, seated=True)


async def decided(store: Store, alert: str, status: str, days_ago: float = 0.0, community: str = "local") -> None:
    """Set when an alert was raised, and how it was decided (`open`: not yet)."""

    def work(database: Database) -> None:
        raised = (NOW - timedelta(days=days_ago)).isoformat()
        database.table("alerts").update(alert, {"status": status, "raised": raised})
        if status != "open":
            database.table("reviews").insert(
                {
                    "alert": alert,
                    "community": community,
                    "reviewer": "mod",
                    "decision": status,
                    "note": "",
                    "decided": NOW.isoformat(),
                }
            )

    await store.run(work)


async def card(store: Store, account: Account = HOST.account, community: str = "local") -> Card:
    return await store.run(lambda database: read_card(database, str(account), community))


async def digest(store: Store, community: str = "local", since: timedelta = WEEK, half_life: float = 90.0) -> Digest:
    """The digest without its weeks and times, of which tests of their own tell."""
    whole = await store.run(lambda database: read_digest(database, community, since, half_life))
    return replace(whole, weeks=(), review_seconds=None)


async def account(store: Store, handle: str) -> str | None:
    return await store.run(lambda database: find_account(database, handle))


def claim(show: int, at: float, key: str, **changes: Any) -> Record:
    made = Record(
        "local",
        ROOM,
        f"show-{show}",
        "claims",
        HOST,
        f"e{at}",
        at,
        1.0,
        Message(key, {"words": "w", "n": show}),
        f"q{at}",
    )
    return replace(made, **changes)


async def test_a_card_holds_everything_that_is_known(store: Store) -> None:
    await store.register([WATCH])
    old_name = replace(HOST, name="@TheHost")
    first, second, third = (
        body(show="show-1", person=old_name, offers=("coaching", "ebook")),
        body(show="show-2", offers=("ebook",)),
        body(show="show-2", episode=2, offers=("course",)),
    )
    await store.apply(
        [
            progress(info=info(1, days_ago=20), at=1800.0, people=(took_part(old_name, 30, 6), took_part(ANA, 5))),
            OpenAlert(first),
            progress(info=info(2, days_ago=3), at=5400.0, people=(took_part(HOST, 10, 4), took_part(ANA, 1))),
            OpenAlert(second),
            EndEpisode(second.id, 900.0),
            OpenAlert(third),
            claim(2, 7.0, "claim.income"),
            claim(1, 9.0, "claim.followers"),
            claim(1, 5.0, "claim.title"),
            claim(1, 6.0, "spam.viewer", detector="viewer_advert"),
            claim(1, 5.0, "claim.title", person=ANA),
        ]
    )
    await decided(store, first.id, "confirmed")
    await decided(store, third.id, "dismissed")
    for community, who, text in (("local", HOST, "I said so"), ("b", HOST, "elsewhere"), ("local", ANA, "not me")):
        row = {"community": community, "account": str(who.account), "text": text, "made": NOW.isoformat()}
        await store.run(lambda database, row=row: database.table("statements").insert(row))
    known = await card(store)
    assert known == Card(
        account="replay:script:@host",
        names=("@TheHost", "@host"),
        shows=2,
        hours=2.0,
        episodes={"confirmed": 1, "open": 1, "dismissed": 1},
        offers={"ebook": 2, "coaching": 1},
        claims=(
            ClaimRow("claim.title", {"words": "w", "n": 1}, "show-1", 5.0, "q5.0"),
            ClaimRow("claim.followers", {"words": "w", "n": 1}, "show-1", 9.0, "q9.0"),
            ClaimRow("claim.income", {"words": "w", "n": 2}, "show-2", 7.0, "q7.0"),
        ),
        self_promotion=0.25,
        last_seen=(NOW - timedelta(days=3)).isoformat(),
        listening_since=(NOW - timedelta(days=20)).isoformat(),
        statements=("I said so",),
        observations=(ObservationRow("viewer_advert", "spam.viewer", {"words": "w", "n": 1}, "show-1", 6.0, "q6.0"),),
    )
    assert known.as_json() == {
        "type": "card",
        "account": "replay:script:@host",
        "names": ["@TheHost", "@host"],
        "shows": 2,
        "hours": 2.0,
        "episodes": {"confirmed": 1, "open": 1, "dismissed": 1},
        "offers": {"ebook": 2, "coaching": 1},
        "claims": [
            {"key": "claim.title", "words": "w", "n": 1, "show": "show-1", "at": 5.0, "quote": "q5.0"},
            {"key": "claim.followers", "words": "w", "n": 1, "show": "show-1", "at": 9.0, "quote": "q9.0"},
            {"key": "claim.income", "words": "w", "n": 2, "show": "show-2", "at": 7.0, "quote": "q7.0"},
        ],
        "self_promotion": 0.25,
        "last_seen": (NOW - timedelta(days=3)).isoformat(),
        "listening_since": (NOW - timedelta(days=20)).isoformat(),
        "statements": ["I said so"],
        "observations": [
            {
                "detector": "viewer_advert",
                "key": "spam.viewer",
                "words": "w",
                "n": 1,
                "show": "show-1",
                "at": 6.0,
                "quote": "q6.0",
            },
        ],
    }


async def test_a_card_holds_the_newest_observations(store: Store) -> None:
    await store.register([WATCH])
    noted = [claim(1, float(n), "links.again", detector="links") for n in range(MAX_OBSERVATIONS + 5)]
    await store.apply([progress(info=info(1)), *noted, claim(1, 99.0, "claim.title"), claim(1, 5.5, "x", person=ANA)])
    known = await card(store)
    assert [row.at for row in known.observations] == [float(n) for n in range(MAX_OBSERVATIONS + 4, 4, -1)]
    assert [row.at for row in known.claims] == [99.0]


async def test_the_card_of_somebody_who_only_listened_is_empty(store: Store) -> None:
    await store.register([WATCH])
    quiet = replace(took_part(ANA, lines=0), words=0, seconds=0.0)
    await store.apply([progress(info=info(), at=3600.0, people=(quiet,))])
    yesterday = (NOW - timedelta(days=1)).isoformat()
    none = {"confirmed": 0, "open": 0, "dismissed": 0}
    assert await card(store, ANA.account) == Card(
        str(ANA.account), ("@ana",), 1, 1.0, none, {}, (), 0.0, yesterday, yesterday, ()
    )


async def test_a_card_shows_a_community_nothing_of_another(store: Store) -> None:
    await store.register([Watch("a", ROOM), Watch("b", OTHER_ROOM)])
    theirs = body(community="b", room=OTHER_ROOM, show="show-2", offers=("merch",))
    await store.apply(
        [
            progress(info=info(1, ROOM, days_ago=2), at=3600.0, people=(took_part(HOST, 10, 0),)),
            progress(info=info(2, OTHER_ROOM, days_ago=9), at=7200.0, people=(took_part(HOST, 10, 10),)),
            OpenAlert(theirs),
            claim(2, 5.0, "claim.title", community="b", room=OTHER_ROOM),
        ]
    )
    none = {"confirmed": 0, "open": 0, "dismissed": 0}
    two_days, nine_days = ((NOW - timedelta(days=days)).isoformat() for days in (2, 9))
    assert await card(store, community="a") == Card(
        str(HOST.account), ("@host",), 1, 1.0, none, {}, (), 0.0, two_days, two_days, ()
    )
    assert await card(store, community="b") == Card(
        *(str(HOST.account), ("@host",), 1, 2.0, none | {"open": 1}, {"merch": 1}),
        (ClaimRow("claim.title", {"words": "w", "n": 2}, "show-2", 5.0, "q5.0"),),
        *(1.0, nine_days, nine_days, ()),
    )


async def test_a_room_that_two_communities_watch_counts_for_both(store: Store) -> None:
    await store.register([Watch("a", ROOM), Watch("b", ROOM)])
    await store.apply([progress(info=info(), at=3600.0)])
    assert [(await card(store, community=name)).shows for name in ("a", "b", "c")] == [1, 1, 0]


async def test_listening_began_with_the_first_show(store: Store) -> None:
    await store.register([Watch("a", ROOM), Watch("b", OTHER_ROOM)])

    async def since(community: str) -> str | None:
        return await store.run(lambda database: listening_since(database, community))

    assert await since("a") is None
    await store.apply([progress(info=info(1, ROOM, 3)), progress(info=info(2, ROOM, 5))])
    assert [await since("a"), await since("b")] == [(NOW - timedelta(days=5)).isoformat(), None]


HANDLES = {
    "@Host": Account("replay", "script", "@host"),
    "@ana": Account("replay", "script", "@ana"),
    "ANA": Account("irc", "libera", "ana"),
    "@Élodie": Account("replay", "script", "@élodie"),
    "@a:b": Account("irc", "oftc", "a:b"),
}


@pytest.fixture
async def crowd(store: Store) -> Store:
    people = tuple(took_part(Person(account, name)) for name, account in HANDLES.items())
    await store.apply([progress(info=info(), people=people)])
    return store


@pytest.mark.parametrize(
    ("handle", "found"),
    [
        ("@host", "replay:script:@host"),
        ("host", "replay:script:@host"),
        ("HOST", "replay:script:@host"),
        ("replay:@host", "replay:script:@host"),
        ("irc:@host", None),
        ("replay:script:@host", "replay:script:@host"),
        ("replay:ana", "replay:script:@ana"),
        ("irc:ana", "irc:libera:ana"),
        ("irc:libera:ana", "irc:libera:ana"),
        ("@élodie", "replay:script:@élodie"),
        ("ÉLODIE", "replay:script:@élodie"),
        ("irc:oftc:a:b", "irc:oftc:a:b"),
        ("@ho", None),
        ("@ho%", None),
        ("", None),
        ("@nobody", None),
    ],
)
async def test_a_handle_finds_its_account(crowd: Store, handle: str, found: str | None) -> None:
    assert await account(crowd, handle) == found


async def test_an_ambiguous_handle_lists_its_candidates(crowd: Store) -> None:
    for handle in ("@ana", "Ana"):
        with pytest.raises(AmbiguousHandleError) as caught:
            await account(crowd, handle)
        assert caught.value.candidates == ("irc:libera:ana", "replay:script:@ana")
        assert str(caught.value) == f"{handle} is ambiguous: irc:libera:ana, replay:script:@ana"


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
