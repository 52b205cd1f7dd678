"""Digests that are due: what is due stands in the database and is sent once, also across crashes.

The scheduler only ticks. A tick turns what is due into one run per community, however many were missed, and moves the
next one on, in one transaction; then every run that waits is delivered.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfoNotFoundError

from sqlite_utils import Database

from bot.digest_report import Digest, read_period
from bot.digest_settings import digest_settings, read_digest_settings
from bot.outages import note_outages
from bot.outbox import WAITS, BlockedError, OutcomeUnknownError, Reconciled
from bot.schedule import Period, Schedule, newest_due, next_due, period_before, period_to_now
from bot.store import Store, StoreError

log = logging.getLogger(__name__)

#: Runs taken at once, and how many of them are sent at the same time.
BATCH: Final = 50
AT_ONCE: Final = 4
#: Runs are kept so long.
KEPT: Final = timedelta(days=400)
#: What a digest out of turn is about where none is set: a week.
USUAL: Final = Schedule("week", 0, 9, "UTC")


@dataclass(frozen=True, slots=True)
class Run:
    """One digest of one community that is to be sent, or was. Moments are ISO times."""

    community: str
    due: str
    since: str
    before: str
    channel: str
    least: int
    state: str
    attempted: str | None = None
    reference: str | None = None
    error: str | None = None
    attempts: int = 0

    @property
    def key(self) -> str:
        """What the message is found by: the same for the same run, whoever computes it."""
        return hashlib.sha256(f"digest\x1f{self.community}\x1f{self.due}".encode()).hexdigest()[:16]

    @property
    def period(self) -> Period:
        """What it is about."""
        return Period(*(datetime.fromisoformat(moment) for moment in (self.before, self.since, self.due)))


class DigestSink(Protocol):
    """A face to people."""

    def ready(self) -> bool:
        """Whether anything can be shown now."""
        ...

    async def deliver(self, run: Run, digest: Digest) -> str:
        """Show the digest; return what its message is found by. Raises as `bot.outbox.Sink` does."""
        ...

    async def reconcile(self, run: Run) -> Reconciled:
        """Say whether an earlier attempt of which nothing is known did show it. Raises to be asked later."""
        ...

    async def blocked(self, run: Run, reason: str) -> None:
        """Tell whoever looks after the bot, once, that digests cannot be shown in the run's channel."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class Digests:
    """Makes digests due and sends them. `tick` once a minute, and whenever Discord is there again."""

    def __init__(
        self,
        store: Store,
        sink: DigestSink,
        half_life_days: float,
        rooms: Callable[[], Mapping[str, bool]] | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`rooms` names the rooms that run, and whether each can be heard now; without it no outage is noted."""
        self._store = store
        self._sink = sink
        self._half_life = half_life_days
        self._rooms = rooms
        self._clock = clock
        #: Held while something is being sent.
        self.sending = asyncio.Lock()

    async def tick(self) -> None:
        """Make due what is due, and send what waits. A database that is busy now is asked again at the next tick."""
        now, rooms = self._clock(), self._rooms() if self._rooms else None
        try:
            async with self.sending:
                await self._store.run(lambda database: make_due(database, now, rooms))
                if not self._sink.ready():  # whoever connects it ticks as well
                    return
                runs = await self._store.run(lambda database: _waiting(database, self._clock()))
                gate = asyncio.Semaphore(AT_ONCE)

                async def one(run: Run) -> None:
                    async with gate:
                        await self._send(run)

                for failed in await asyncio.gather(*map(one, runs), return_exceptions=True):
                    if isinstance(failed, Exception):
                        log.error("a digest failed", exc_info=failed)
                    elif failed is not None:
                        raise failed
        except StoreError as error:
            log.warning("digests wait: %s", error)

    async def send_now(self, community: str, channel: str) -> Run:
        """Send a digest out of turn, of the time up to now; return what became of it. Raises StoreError."""
        now = self._clock()

        def work(database: Database) -> Run:
            known = read_digest_settings(database, community)
            period = period_to_now(known.schedule if known else USUAL, now)
            with database.atomic():
                return _add(database, community, period, channel, 0, now)  # what else waits goes on waiting

        added = await self._store.run(work)
        async with self.sending:
            run = await self._store.run(lambda database: _read(database, added))
            if run.state in ("pending", "blocked"):
                await self._send(run)
        return await self._store.run(lambda database: _read(database, added))

    async def _send(self, run: Run) -> None:
        """Send a run, unless it turns out that it was sent, or that there is too little to tell."""
        settled = await self._settle(run)
        if settled is None:
            return
        digest = await self._store.run(
            lambda database: read_period(database, run.community, run.period, self._half_life)
        )
        if settled.attempted is None and digest.episodes < run.least and not digest.unheard:
            await self._mark(run, "empty")
            return
        started = replace(settled, attempted=settled.attempted or self._clock().isoformat())
        await self._mark(started, "pending")
        try:
            reference = await self._sink.deliver(started, digest)
        except BlockedError as error:
            await self._block(settled, str(error))
        except OutcomeUnknownError as error:
            log.warning("digest of %s: it is not known whether it was shown: %s", run.community, error)
            await self._retry(started, str(error))
        except Exception as error:
            log.warning("digest of %s was not sent: %s", run.community, error)
            await self._retry(settled, str(error) or type(error).__name__)
        else:
            await self._mark(replace(started, reference=reference), "sent")

    async def _settle(self, run: Run) -> Run | None:
        """Find out what became of an attempt that was cut off. Return the run if it is to be sent now."""
        if run.attempted is None:
            return run
        try:
            found = await self._sink.reconcile(run)
        except Exception as error:
            log.warning("digest of %s: it cannot be said now whether it was sent: %s", run.community, error)
            await self._retry(run, str(error) or type(error).__name__)
            return None
        if found.outcome == "not_sent":
            return replace(run, attempted=None) if found.certain else run
        if found.outcome == "unknown":
            log.error("digest of %s: it is not known whether it was sent; it is not sent again", run.community)
            await self._mark(replace(run, error="outcome of the last attempt is not known"), "unknown")
        else:
            await self._mark(replace(run, reference=found.reference), "sent")
        return None

    async def _block(self, run: Run, reason: str) -> None:
        """Keep a digest that can be shown nowhere now, and tell whoever looks after the bot, once for a channel."""
        await self._retry(run, reason, "blocked", WAITS[-1])
        if await self._store.run(lambda database: _first_blocked(database, run)):
            log.error("digests for %s cannot be shown: %s", run.channel, reason)
            try:
                await self._sink.blocked(run, reason)
            except Exception as error:
                log.error("nobody could be told that %s is blocked: %s", run.channel, error)

    async def _retry(self, run: Run, error: str, state: str = "pending", wait: float | None = None) -> None:
        seconds = WAITS[min(run.attempts, len(WAITS) - 1)] if wait is None else wait
        await self._mark(replace(run, error=error[:300], attempts=run.attempts + 1), state, seconds)

    async def _mark(self, run: Run, state: str, wait: float = 0.0) -> None:
        next_try = (self._clock() + timedelta(seconds=wait)).isoformat()
        values = [state, run.attempted, run.reference, run.error, run.attempts, next_try, run.community, run.due]

        def work(database: Database) -> None:
            with database.atomic():
                # One that was called off meanwhile stays so, unless it turned out to be there.
                database.execute(
                    "UPDATE digest_runs SET state = ?1, attempted = ?2, reference = ?3, error = ?4, attempts = ?5,"
                    " next_try = ?6 WHERE community = ?7 AND due = ?8 AND (state != 'dropped' OR ?1 = 'sent')",
                    values,
                )
                if state == "sent":  # it can be written to again: should it be blocked once more, that is news
                    database.execute("UPDATE digest_runs SET told = 0 WHERE told AND channel = ?", [run.channel])

        await self._store.run(work)


def make_due(database: Database, now: datetime, rooms: Mapping[str, bool] | None = None) -> None:
    """Turn what is due into runs, one per community, and move the next ones on; note which rooms cannot be heard."""
    with database.atomic():
        if rooms is not None:
            note_outages(database, rooms, now)
        database.execute("DELETE FROM digest_runs WHERE due < ?", [(now - KEPT).isoformat()])
        for row in list(database.table("digests").rows_where("next_due <= ?", [now.isoformat()])):
            settings = digest_settings(row)
            schedule = settings.schedule
            try:
                period = period_before(schedule, newest_due(schedule, now))
            except (ZoneInfoNotFoundError, ValueError):
                log.error("digest of %s: there is no zone %s here; UTC is used", row["community"], schedule.zone)
                schedule = replace(schedule, zone="UTC")
                period = period_before(schedule, newest_due(schedule, now))
            told = _drop(database, row["community"], period.until, settings.channel)
            _add(database, row["community"], period, settings.channel, settings.least, now, told)
            database.execute(
                "UPDATE digests SET next_due = ? WHERE community = ?",
                [next_due(schedule, now).isoformat(), row["community"]],
            )


def _drop(database: Database, community: str, due: datetime, channel: str) -> bool:
    """Call off what could not be sent before a newer one is due; return whether somebody was told of a block."""
    told = database.execute(
        "SELECT MAX(told) FROM digest_runs WHERE community = ? AND channel = ? AND state = 'blocked'",
        [community, channel],
    ).fetchone()[0]
    database.execute(
        "UPDATE digest_runs SET state = 'dropped' WHERE community = ? AND due < ? AND state IN ('pending', 'blocked')",
        [community, due.isoformat()],
    )
    return bool(told)


def _add(
    database: Database, community: str, period: Period, channel: str, least: int, now: datetime, told: bool = False
) -> Run:
    """Add a run. Part of the caller's transaction."""
    row: dict[str, Any] = {
        "community": community,
        "due": period.until.isoformat(),
        "since": period.since.isoformat(),
        "before": period.before.isoformat(),
        "channel": channel,
        "least": least,
        "state": "pending",
    }
    database.table("digest_runs").insert({**row, "told": int(told), "next_try": now.isoformat()}, ignore=True)
    return Run(**row)


def _waiting(database: Database, now: datetime) -> list[Run]:
    rows = database.query(
        "SELECT * FROM digest_runs WHERE state IN ('pending', 'blocked') AND next_try <= ? ORDER BY due LIMIT ?",
        [now.isoformat(), BATCH],
    )
    return [_run(row) for row in rows]


def _read(database: Database, run: Run) -> Run:
    found = database.table("digest_runs").rows_where("community = ? AND due = ?", [run.community, run.due])
    return _run(next(iter(found)))


def _run(row: dict[str, Any]) -> Run:
    names = ("community", "due", "since", "before", "channel", "least", "state", "attempted", "reference", "error")
    return Run(**{name: row[name] for name in names}, attempts=row["attempts"])


def _first_blocked(database: Database, run: Run) -> bool:
    """Note that the channel is blocked; return whether that is news."""
    with database.atomic():
        known = database.execute(
            "SELECT COUNT(*) FROM digest_runs WHERE channel = ? AND told", [run.channel]
        ).fetchone()[0]
        database.execute(
            "UPDATE digest_runs SET told = 1 WHERE channel = ? AND community = ? AND due = ?",
            [run.channel, run.community, run.due],
        )
    return not known
