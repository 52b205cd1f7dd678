"""Digests that are due: once each, whatever fails when, and only the newest of those that were missed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlite_utils import Database

from bot.digest_report import Digest
from bot.digest_settings import read_digest_settings, remove_digest_settings, save_digest_settings
from bot.digests import Digests, Run, make_due
from bot.effects import OpenAlert
from bot.outages import APART, note_outages, outage_hours
from bot.outbox import BlockedError, OutcomeUnknownError, Reconciled
from bot.policy import Watch
from bot.schedule import Period, Schedule
from bot.store import Store
from detectors.records import RoomKey
from tests.bot.samples import body, progress
from tests.stand_ins import ROOM

PARIS = Schedule("day", 0, 9, "Europe/Paris")
#: A Monday, 08:30 in Paris.
MORNING = datetime(2026, 10, 26, 7, 30, tzinfo=UTC)
DUE = datetime(2026, 10, 26, 8, tzinfo=UTC)


@dataclass
class Face:
    """Stands in for Discord: keeps what was shown, and fails as a test says, before or after showing."""

    shown: list[str] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    before: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    remembers: bool = False
    asked: int = 0
    found: Reconciled | None = None

    there: bool = True

    def ready(self) -> bool:
        return self.there

    async def deliver(self, run: Run, digest: Digest) -> str:
        if self.before:
            raise self.before.pop(0)
        if not (self.remembers and run.key in self.shown):
            self.shown.append(run.key)
            self.digests.append(digest)
        if self.after:
            raise self.after.pop(0)
        return run.key

    async def reconcile(self, run: Run) -> Reconciled:
        self.asked += 1
        if self.found is not None:
            return self.found
        if self.remembers:
            return Reconciled("not_sent", certain=False)
        return Reconciled("sent", run.key) if run.key in self.shown else Reconciled("not_sent")

    async def blocked(self, run: Run, reason: str) -> None:
        self.told.append(f"{run.channel}: {reason}")


@dataclass
class Desk:
    """A store with its digests, a clock that is set by hand, and a face."""

    store: Store
    face: Face = field(default_factory=Face)
    now: datetime = MORNING

    def digests(self, **more: Any) -> Digests:
        return Digests(self.store, self.face, 90.0, clock=lambda: self.now, **more)

    async def want(self, community: str = "1", schedule: Schedule = PARIS, channel: str = "7", least: int = 0) -> None:
        await self.store.run(
            lambda db: save_digest_settings(db, community, "mod", schedule, f"discord:{channel}", least, self.now)
        )

    async def at(self, moment: datetime) -> None:
        """Let it be a moment, and tick."""
        self.now = moment
        await self.digests().tick()

    async def runs(self) -> list[dict[str, Any]]:
        return await self.store.run(lambda db: list(db.query("SELECT * FROM digest_runs ORDER BY due, community")))

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.runs()]


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


async def test_it_is_sent_when_it_is_due_and_once(desk: Desk) -> None:
    await desk.want()
    await desk.at(DUE - timedelta(minutes=1))
    assert await desk.runs() == []
    for minute in range(3):
        await desk.at(DUE + timedelta(minutes=minute))
    (run,) = await desk.runs()
    assert (run["due"], run["since"], run["before"]) == tuple(
        (DUE - timedelta(days=days) - timedelta(hours=hours)).isoformat() for days, hours in ((0, 0), (1, 0), (2, 1))
    )
    assert (run["state"], run["reference"]) == ("sent", desk.face.shown[0])
    assert len(desk.face.shown) == 1
    await desk.at(DUE + timedelta(days=1))
    assert len(desk.face.shown) == 2


@pytest.mark.parametrize("days", [1, 3, 400])
async def test_of_those_missed_while_the_bot_was_down_the_newest_comes_at_the_start(desk: Desk, days: int) -> None:
    await desk.want()
    now = DUE + timedelta(days=days, hours=5)
    await desk.at(now)
    (run,) = await desk.runs()
    assert run["state"] == "sent"
    assert now - datetime.fromisoformat(run["due"]) < timedelta(days=1)
    await desk.at(now + timedelta(minutes=1))
    assert len(desk.face.shown) == 1
    settings = await desk.store.run(lambda db: read_digest_settings(db, "1"))
    assert settings is not None
    assert timedelta(0) < settings.next_due - now <= timedelta(days=1)


@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)], ids=["spring", "autumn"]
)
async def test_in_both_changes_of_the_clocks_it_comes_once_a_day(desk: Desk, day: datetime) -> None:
    desk.now = day - timedelta(hours=12)
    await desk.want(schedule=Schedule("day", 0, 2, "Europe/Paris"))
    for quarter in range(4 * 60):
        await desk.at(day - timedelta(hours=12) + timedelta(minutes=15 * quarter))
    assert len(desk.face.shown) == len(set(desk.face.shown)) == 2


async def test_two_communities_get_their_own(desk: Desk) -> None:
    await desk.store.register([Watch("1", ROOM), Watch("2", ROOM)])
    await desk.store.apply([progress(), OpenAlert(body(community="1")), OpenAlert(body(community="2", episode=2))])
    await desk.store.run(lambda db: db.execute("UPDATE alerts SET raised = ?", [MORNING.isoformat()]))
    await desk.want("1")
    await desk.want("2", channel="8")
    await desk.at(DUE)
    assert sorted((one.community, one.episodes) for one in desk.face.digests) == [("1", 1), ("2", 1)]


async def test_without_a_connection_it_waits(desk: Desk) -> None:
    await desk.want()
    desk.face.there = False
    await desk.at(DUE)
    desk.face.there = True
    await desk.at(DUE)
    assert [(row["state"], row["attempts"]) for row in await desk.runs()] == [("sent", 0)]


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("shown", [True, False], ids=["after it was shown", "before it was shown"])
async def test_killed_while_sending_it_comes_once(desk: Desk, shown: bool) -> None:
    await desk.want()
    (desk.face.after if shown else desk.face.before).append(KilledError())  # type: ignore[arg-type]
    digests = desk.digests()
    desk.now = DUE
    with pytest.raises(KilledError):
        await digests.tick()
    for minute in range(1, 4):
        await desk.at(DUE + timedelta(minutes=minute))
    assert len(desk.face.shown) == 1
    assert await desk.states() == ["sent"]


async def test_while_the_nonce_is_remembered_a_failure_does_not_make_it_forgotten(desk: Desk) -> None:
    """No answer at first, then no connection: it is still not known whether it was shown."""
    await desk.want()
    desk.face.remembers = True
    desk.face.after.append(OutcomeUnknownError("no answer"))
    await desk.at(DUE)
    desk.face.before.append(ConnectionError("there is no connection"))
    await desk.at(DUE + timedelta(minutes=1))
    (run,) = await desk.runs()
    assert (run["state"], run["attempted"]) == ("pending", DUE.isoformat())
    desk.face.remembers = False
    await desk.at(DUE + timedelta(hours=1))
    assert len(desk.face.shown) == 1
    assert await desk.states() == ["sent"]


async def test_when_it_cannot_be_found_out_it_is_not_sent_again(desk: Desk) -> None:
    await desk.want()
    desk.face.after.append(OutcomeUnknownError("no answer"))
    desk.face.found = Reconciled("unknown")
    for minute in range(3):
        await desk.at(DUE + timedelta(minutes=minute))
    assert await desk.states() == ["unknown"]
    assert len(desk.face.shown) == 1


async def test_failures_are_waited_out_and_a_newer_one_takes_the_place(desk: Desk) -> None:
    await desk.want()
    desk.face.before = [ConnectionError("down")] * 4
    for minute in range(0, 50, 10):
        await desk.at(DUE + timedelta(minutes=minute))
    assert await desk.states() == ["sent"]
    desk.face.before = [ConnectionError("down")] * 20
    await desk.at(DUE + timedelta(days=1))
    desk.face.before = []
    await desk.at(DUE + timedelta(days=2))
    assert await desk.states() == ["sent", "dropped", "sent"]
    assert len(desk.face.shown) == 2


async def test_a_closed_channel_is_told_once_and_the_digest_kept(desk: Desk) -> None:
    await desk.want()
    gone = BlockedError("the channel is gone: choose another one")
    desk.face.before = [gone] * 4
    for moment in (DUE, DUE + timedelta(minutes=11), DUE + timedelta(days=1), DUE + timedelta(days=1, minutes=11)):
        await desk.at(moment)
    assert desk.face.told == ["discord:7: the channel is gone: choose another one"]
    assert await desk.states() == ["dropped", "blocked"]
    await desk.want(channel="8")
    await desk.at(DUE + timedelta(days=1, minutes=12))
    assert await desk.states() == ["dropped", "sent"]
    # It could be written to in between: that it is blocked again is news.
    desk.face.before = [gone]
    await desk.at(DUE + timedelta(days=2))
    assert len(desk.face.told) == 2


async def test_too_little_is_not_sent_unless_something_could_not_be_heard(desk: Desk) -> None:
    await desk.store.register([Watch("1", ROOM)])
    await desk.store.run(lambda db: db.execute("UPDATE watch_periods SET since = ?", [DUE.isoformat()]))
    await desk.want(least=1)
    await desk.at(DUE)
    assert await desk.states() == ["empty"]
    lost = Period(DUE, DUE + timedelta(hours=3), DUE + timedelta(days=1))
    row = {"room": str(ROOM), "since": lost.since.isoformat(), "until": (DUE + timedelta(hours=9)).isoformat()}
    await desk.store.run(lambda db: db.table("outages").insert(row))
    await desk.at(DUE + timedelta(days=1))
    assert await desk.states() == ["empty", "sent"]
    assert [room.unheard for room in desk.face.digests[0].rooms] == [True]


async def test_switched_off_nothing_comes_and_both_are_logged(desk: Desk) -> None:
    await desk.want()
    desk.face.before = [BlockedError("gone")]
    await desk.at(DUE)
    assert await desk.store.run(lambda db: remove_digest_settings(db, "1", "mod"))
    assert not await desk.store.run(lambda db: remove_digest_settings(db, "1", "mod"))
    await desk.at(DUE + timedelta(days=3))
    assert desk.face.shown == []
    assert await desk.states() == ["dropped"]
    log = await desk.store.run(lambda db: [row["action"] for row in db.query("SELECT * FROM audit ORDER BY id")])
    assert log == ["digest_set", "digest_off"]


async def test_out_of_turn_it_is_sent_at_once_and_what_waits_goes_on_waiting(desk: Desk) -> None:
    await desk.want(least=5)
    desk.face.before = [ConnectionError("down")]
    await desk.store.run(lambda db: db.execute("UPDATE digests SET least = 0"))
    await desk.at(DUE)
    desk.now = DUE + timedelta(seconds=30)
    run = await desk.digests().send_now("1", "discord:7")
    assert run.state == "sent"
    await desk.at(DUE + timedelta(minutes=5))
    assert sorted(await desk.states()) == ["sent", "sent"]
    assert len(desk.face.shown) == 2


async def test_out_of_turn_at_the_very_moment_it_is_due_it_comes_once(desk: Desk) -> None:
    await desk.want()
    await desk.at(DUE)
    assert (await desk.digests().send_now("1", "discord:7")).state == "sent"
    assert len(desk.face.shown) == 1


async def test_a_zone_that_is_not_known_any_more_holds_nobody_up(desk: Desk) -> None:
    await desk.want("1")
    await desk.want("2", channel="8")
    await desk.store.run(lambda db: db.execute("UPDATE digests SET zone = 'Europe/Nowhere' WHERE community = '1'"))
    await desk.at(DUE + timedelta(hours=2))
    assert await desk.states() == ["sent", "sent"]


async def test_a_database_that_is_busy_is_asked_again(desk: Desk) -> None:
    await desk.want()
    store = desk.store
    closed = Store(":memory:")
    desk.store = closed
    await desk.at(DUE)
    desk.store = store
    await desk.at(DUE + timedelta(minutes=1))
    assert await desk.states() == ["sent"]


async def test_old_runs_are_forgotten(desk: Desk) -> None:
    await desk.want()
    await desk.at(DUE)
    await desk.at(DUE + timedelta(days=401))
    assert len(await desk.runs()) == 1


OTHER = RoomKey("janus", "wss://live.example/janus#1")


async def test_outages_are_noted_while_they_last(store: Store) -> None:
    await store.register([Watch("1", ROOM), Watch("1", OTHER)])

    def look(minutes: float, **rooms: bool) -> Callable[[Database], None]:
        named = {{"a": str(ROOM), "b": str(OTHER)}[name]: heard for name, heard in rooms.items()}
        return lambda database: make_due(database, DUE + timedelta(minutes=minutes), named)

    looks = [look(0, a=True, b=True), look(1, a=False, b=True), look(2, a=False, b=True), look(3, a=True)]
    # A replay that is over is not waited for; a room on Janus that does not run is.
    looks += [look(4), look(5, b=True), look(65, a=True, b=True), look(66, a=False, b=True)]
    for one in looks:
        await store.run(one)
    day = Period(DUE, DUE, DUE + timedelta(days=1))

    def hours(database: Database) -> list[float]:
        return [round(60 * outage_hours(database, room, day)) for room in (str(ROOM), str(OTHER), "")]

    assert await store.run(hours) == [3, 2, 60]
    half = replace(day, since=DUE + timedelta(minutes=35))
    assert await store.run(lambda db: round(60 * outage_hours(db, "", half))) == 30
    assert await store.run(lambda db: db.execute("SELECT COUNT(*) FROM outages").fetchone()[0]) == 4


async def test_old_outages_are_forgotten_and_a_short_restart_is_none(store: Store) -> None:
    def look(at: datetime) -> None:
        return store.run(lambda db: note_outages(db, {}, at))  # type: ignore[return-value]

    await look(DUE)
    await look(DUE + APART)
    assert await store.run(lambda db: list(db.query("SELECT * FROM outages"))) == []
    await look(DUE + timedelta(days=2))
    await look(DUE + timedelta(days=150))
    assert await store.run(lambda db: db.execute("SELECT COUNT(*) FROM outages").fetchone()[0]) == 1
