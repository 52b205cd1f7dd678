"""The outbox: brings stored alerts to their sinks, each newest version once, also across crashes."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from sqlite_utils import Database

from bot.parcels import Parcel, read_parcel
from bot.store import Store, StoreError

log = logging.getLogger(__name__)

#: The waits between tries, in seconds (the last one repeats).
WAITS: Final = (1.0, 5.0, 30.0, 120.0, 600.0)

Outcome = Literal["sent", "not_sent", "unknown"]
#: A sink and what it calls the place.
Channel = tuple[str, str]

_DUE: Final = (
    "FROM outbox o JOIN alerts a ON a.id = o.alert WHERE o.state IN ('pending', 'blocked')"
    " AND o.desired_version > o.delivered_version AND o.next_try <= :now AND (:room IS NULL OR a.room = :room)"
)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of an attempt; `reference` finds the message when it was sent after all.

    Not `certain`: it may be sent again because the receiver then gives back the first message, if there is one.
    """

    outcome: Outcome
    reference: str | None = None
    certain: bool = True


class OutcomeUnknownError(Exception):
    """The message may have been shown or not: to be found out before it is sent again."""


class DeletedError(Exception):
    """Somebody deleted the message by hand. It is not shown again."""


class BlockedError(Exception):
    """The channel is gone or may not be written to. The text says what to do."""


class Sink(Protocol):
    """A face to people. `deliver` returns what the message can be found by; it raises when nothing was sent."""

    @property
    def name(self) -> str:
        """What channels call it."""
        ...

    async def deliver(self, parcel: Parcel) -> str | None:
        """Show the parcel. Raises Exception when it was not shown, and one of those above when more is known."""
        ...

    async def reconcile(self, parcel: Parcel) -> Reconciled:
        """Say whether an earlier attempt of which nothing is known did show the alert. Raises to be asked later."""
        ...

    async def blocked(self, parcel: Parcel, reason: str) -> None:
        """Tell whoever looks after the bot, once, that nothing can be shown in the parcel's channel."""
        ...


class Outbox:
    """Delivers what waits. `run` for a service; `drain` where the order must not depend on time.

    Each channel has one sender: within a channel the order stays, and a channel that is slow holds up no other one.
    """

    def __init__(self, store: Store, sinks: Mapping[str, Sink], room: str | None = None) -> None:
        """Deliver alerts of all rooms, or of one `room` alone."""
        self._store = store
        self._sinks = sinks
        self._room = room
        self._senders: dict[Channel, asyncio.Task[None]] = {}
        self._stopping = False

    async def run(self) -> None:
        """Deliver whenever something changed or a wait is over. Ends by cancellation, or after `stop`."""
        try:
            while not self._stopping:
                self._store.changed.clear()
                await self._sleep(await self._serve())
        except BaseException:
            for task in self._senders.values():
                task.cancel()
            raise

    async def _serve(self) -> float | None:
        """Start what is due; return how long nothing else will be, in seconds."""
        try:
            await self._start_senders()
            wait = await self._store.run(_seconds_to_next)
        except StoreError as error:
            log.warning("%s; tried again in %.0f s", error, WAITS[1])
            return WAITS[1]
        # What is due in a channel that is being served is seen to when its sender is done.
        return None if wait == 0.0 and self._senders else wait

    async def drain(self) -> None:
        """Deliver everything that is due now, in all channels at once."""
        while not self._stopping and await self._start_senders():
            await asyncio.wait(list(self._senders.values()))
            self._collect()

    async def stop(self) -> None:
        """Begin nothing new and wait for what is being shown: it is not cut off before it is marked so.

        `drain` works again afterwards.
        """
        self._stopping = True
        if self._senders:
            await asyncio.wait(list(self._senders.values()))
        self._collect()
        self._stopping = False

    async def _start_senders(self) -> bool:
        """Give every channel in which something is due a sender; return whether any is at work."""
        for channel in await self._store.run(self._due_channels):
            if channel not in self._senders:
                self._senders[channel] = asyncio.create_task(self._send_all(channel))
        return bool(self._senders)

    async def _sleep(self, seconds: float | None) -> None:
        """Wait until something changed, a sender is done, or `seconds` are over."""
        changed = asyncio.create_task(self._store.changed.wait())
        try:
            await asyncio.wait([changed, *self._senders.values()], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        self._collect()

    def _collect(self) -> None:
        """Let go of senders that are done. Raises what one of them raised, but for a database that is busy."""
        for channel, task in list(self._senders.items()):
            if not task.done():
                continue
            del self._senders[channel]
            error = None if task.cancelled() else task.exception()
            if isinstance(error, StoreError) and not self._room:
                log.warning("%s; warnings for %s are tried again", error, channel[1])
            elif error is not None:
                raise error

    async def _send_all(self, channel: Channel) -> None:
        """Deliver what is due in one channel, the oldest first."""
        while not self._stopping and (row := await self._store.run(lambda database: self._next(database, channel))):
            await self._send(row)

    async def undelivered(self) -> int:
        """Return how many alerts wait or could not be delivered."""
        return await self._store.run(
            lambda database: int(
                database.execute(
                    "SELECT COUNT(*) FROM outbox o JOIN alerts a ON a.id = o.alert"
                    " WHERE o.state NOT IN ('sent', 'deleted') AND (? IS NULL OR a.room = ?)",
                    [self._room, self._room],
                ).fetchone()[0]
            )
        )

    def _due_channels(self, database: Database) -> list[Channel]:
        rows = database.query(f"SELECT DISTINCT o.sink, o.channel {_DUE} ORDER BY o.rowid", self._which())
        return [(row["sink"], row["channel"]) for row in rows]

    def _next(self, database: Database, channel: Channel) -> dict[str, Any] | None:
        query = f"SELECT o.* {_DUE} AND o.sink = :sink AND o.channel = :channel ORDER BY o.rowid LIMIT 1"
        values = {**self._which(), "sink": channel[0], "channel": channel[1]}
        return next(iter(database.query(query, values)), None)

    def _which(self) -> dict[str, Any]:
        return {"now": datetime.now(UTC).isoformat(), "room": self._room}

    async def _send(self, row: dict[str, Any]) -> None:
        alert, sink_name = row["alert"], row["sink"]
        sink = self._sinks.get(sink_name)
        if sink is None:
            log.error("alert %s waits: there is no sink %s here", alert, sink_name)
            await self._mark(row, "pending", error=f"there is no sink {sink_name}", wait=WAITS[-1])
            return
        parcel = await self._store.run(lambda database: read_parcel(database, alert, sink_name))
        known = True
        if row["attempted_version"] > row["delivered_version"]:
            found = await self._settle(row, sink, parcel)
            if found is None:
                return
            known = found.certain
        await self._store.run(lambda database: _attempt(database, alert, sink_name, parcel.version, fresh=known))
        try:
            reference = await sink.deliver(parcel)
        except BrokenPipeError:
            raise  # nobody reads any more: a matter for whoever started us
        except DeletedError:
            await self._mark(row, "deleted", error="the message was deleted by hand")
            return
        except BlockedError as error:
            await self._block(row, sink, parcel, str(error), known)
            return
        except OutcomeUnknownError as error:
            wait = _wait(row)
            log.warning("alert %s: %s cannot say whether it was shown: %s", alert, sink_name, error)
            await self._mark(row, "pending", error=str(error), wait=wait, settled=False)
            return
        except Exception as error:
            wait = _wait(row)
            log.warning("alert %s was not sent to %s: %s; next try in %.0f s", alert, sink_name, error, wait)
            await self._mark(row, "pending", error=str(error), wait=wait, settled=known)
            return
        await self._store.run(lambda database: _delivered(database, alert, sink_name, parcel.version, reference))

    async def _settle(self, row: dict[str, Any], sink: Sink, parcel: Parcel) -> Reconciled | None:
        """Find out what became of an attempt that a crash cut off. Return what is known if it is to be sent now."""
        try:
            found = await sink.reconcile(parcel)
        except Exception as error:
            wait = _wait(row)
            log.warning("%s cannot say now whether alert %s was sent: %s", row["sink"], row["alert"], error)
            await self._mark(row, "pending", error=str(error), wait=wait, settled=False)
            return None
        if found.outcome == "not_sent":
            return found
        if found.outcome == "unknown":
            log.error("alert %s: it is not known whether it was sent; it is not sent again", row["alert"])
            await self._mark(row, "unknown", error="outcome of the last attempt is not known")
            return None
        version, reference = row["attempted_version"], found.reference or parcel.reference
        await self._store.run(lambda database: _delivered(database, row["alert"], row["sink"], version, reference))
        return None

    async def _block(self, row: dict[str, Any], sink: Sink, parcel: Parcel, reason: str, known: bool) -> None:
        """Keep a warning that can be shown nowhere now, and tell whoever looks after the bot, once for a channel."""
        await self._mark(row, "blocked", error=reason, wait=WAITS[-1], settled=known)
        if await self._store.run(lambda database: _first_blocked(database, row)):
            log.error("warnings for %s cannot be shown: %s", row["channel"], reason)
            try:
                await sink.blocked(parcel, reason)
            except Exception as error:
                log.error("nobody could be told that %s is blocked: %s", row["channel"], error)

    async def _mark(self, row: dict[str, Any], state: str, error: str, wait: float = 0.0, settled: bool = True) -> None:
        """Note how a delivery stands; one that is not `settled` is asked after again before anything is sent."""
        next_try = (datetime.now(UTC) + timedelta(seconds=wait)).isoformat()

        def work(database: Database) -> None:
            with database.atomic():
                database.execute(
                    "UPDATE outbox SET state = ?, error = ?, next_try = ?, attempts = attempts + 1,"
                    " attempted_version = CASE WHEN ? THEN delivered_version ELSE attempted_version END"
                    " WHERE alert = ? AND sink = ?",
                    [state, error, next_try, settled, row["alert"], row["sink"]],
                )

        await self._store.run(work)


def _wait(row: dict[str, Any]) -> float:
    """Return how long to wait after a failure, in seconds."""
    return WAITS[min(row["attempts"], len(WAITS) - 1)]


def _seconds_to_next(database: Database) -> float | None:
    row = database.execute(
        "SELECT MIN(next_try) FROM outbox WHERE state IN ('pending', 'blocked') AND desired_version > delivered_version"
    ).fetchone()
    if row[0] is None:
        return None
    return max(0.0, (datetime.fromisoformat(row[0]) - datetime.now(UTC)).total_seconds())


def _attempt(database: Database, alert: str, sink: str, version: int, fresh: bool) -> None:
    """Note an attempt. One that is not `fresh` goes on with an earlier one: that is when a search begins."""
    with database.atomic():
        database.execute(
            "UPDATE outbox SET attempted_version = ?, attempted = CASE WHEN ? THEN ? ELSE attempted END"
            " WHERE alert = ? AND sink = ?",
            [version, fresh, datetime.now(UTC).isoformat(), alert, sink],
        )


def _first_blocked(database: Database, row: dict[str, Any]) -> bool:
    """Note that the channel is blocked; return whether that is news."""
    with database.atomic():
        known = database.execute(
            "SELECT COUNT(*) FROM outbox WHERE sink = ? AND channel = ? AND told", [row["sink"], row["channel"]]
        ).fetchone()[0]
        database.execute("UPDATE outbox SET told = 1 WHERE sink = ? AND channel = ?", [row["sink"], row["channel"]])
    return not known


def _delivered(database: Database, alert: str, sink: str, version: int, reference: str | None) -> None:
    with database.atomic():
        database.execute(
            "UPDATE outbox SET delivered_version = ?, attempted_version = ?, attempts = 0, error = NULL, reference = ?,"
            " state = CASE WHEN desired_version > ? THEN 'pending' ELSE 'sent' END WHERE alert = ? AND sink = ?",
            [version, version, reference, version, alert, sink],
        )
        # It can be written to again: should it be blocked once more, that is news.
        database.execute(
            "UPDATE outbox SET told = 0 WHERE told AND sink = ?"
            " AND channel = (SELECT channel FROM outbox WHERE alert = ? AND sink = ?)",
            [sink, alert, sink],
        )


def read_blocked(database: Database) -> list[tuple[str, int, str]]:
    """Return the channels in which nothing can be shown: the channel, how many warnings wait, and why."""
    rows = database.query(
        "SELECT channel, COUNT(*) AS waiting, MAX(error) AS why FROM outbox WHERE state IN ('blocked', 'unknown')"
        " GROUP BY channel ORDER BY channel"
    )
    return [(row["channel"], row["waiting"], row["why"] or "") for row in rows]
