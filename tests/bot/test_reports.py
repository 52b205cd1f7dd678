"""Report card and digest as whole data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from sqlite_utils import Database

from bot import digest_report, periods, store
from bot.digest_report import Digest, read_digest
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
    for module in (digest_report, periods, store):
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
