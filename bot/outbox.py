"""The outbox: brings stored alerts to their sinks, each newest version once, also across crashes."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from sqlite_utils import Database

from bot.store import Store, StoreError
from detectors.records import Message

log = logging.getLogger(__name__)

#: Deliveries taken at once, and the waits between tries in seconds (the last one repeats).
BATCH: Final = 50
WAITS: Final = (1.0, 5.0, 30.0, 120.0, 600.0)

Outcome = Literal["sent", "not_sent", "unknown"]


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """A stored quote. Times in seconds of the show."""

    at: float
    until: float
    who: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """One alert as it is to be shown: everything a sink needs. `fresh` holds the quotes not shown before."""

    alert: str
    version: int
    first: bool
    channel: str
    reference: str | None
    show: str
    show_title: str
    room: str
    account: str
    name: str
    at: float
    since: float
    last_at: float
    score: float
    offers: tuple[str, ...]
    cues: tuple[str, ...]
    reasons: tuple[Message, ...]
    fresh: tuple[QuoteRow, ...]
    evidence: tuple[QuoteRow, ...]


class Sink(Protocol):
    """A face to people. `deliver` returns what the message can be found by; it raises when nothing was sent."""

    @property
    def name(self) -> str:
        """What channels call it."""
        ...

    async def deliver(self, parcel: Parcel) -> str | None:
        """Show the parcel. Raises Exception when it was not shown."""
        ...

    async def reconcile(self, parcel: Parcel) -> Outcome:
        """Say whether an earlier attempt of which nothing is known did show the alert. Raises to be asked later."""
        ...


class Outbox:
    """Delivers what waits. `run` for a service; `drain` where the order must not depend on time."""

    def __init__(self, store: Store, sinks: Mapping[str, Sink], room: str | None = None) -> None:
        """Deliver alerts of all rooms, or of one `room` alone."""
        self._store = store
        self._sinks = sinks
        self._room = room
        #: Held while something is being sent; whoever stops the outbox takes it first.
        self.sending = asyncio.Lock()

    async def run(self) -> None:
        """Deliver whenever something changed or a wait is over. Ends only by cancellation."""
        while True:
            self._store.changed.clear()
            try:
                await self.drain()
                wait = await self._store.run(_seconds_to_next)
            except StoreError as error:
                log.warning("%s; tried again in %.0f s", error, WAITS[1])
                wait = WAITS[1]
            try:
                async with asyncio.timeout(wait):
                    await self._store.changed.wait()
            except TimeoutError:
                continue

    async def drain(self) -> None:
        """Deliver everything that is due now."""
        async with self.sending:
            while waiting := await self._store.run(self._due):
                for row in waiting:
                    await self._send(row)

    async def undelivered(self) -> int:
        """Return how many alerts wait or could not be delivered."""
        return await self._store.run(
            lambda database: int(
                database.execute(
                    "SELECT COUNT(*) FROM outbox o JOIN alerts a ON a.id = o.alert"
                    " WHERE o.state != 'sent' AND (? IS NULL OR a.room = ?)",
                    [self._room, self._room],
                ).fetchone()[0]
            )
        )

    def _due(self, database: Database) -> list[dict[str, Any]]:
        now = datetime.now(UTC).isoformat()
        return list(
            database.query(
                "SELECT o.* FROM outbox o JOIN alerts a ON a.id = o.alert WHERE o.state = 'pending'"
                " AND o.desired_version > o.delivered_version AND o.next_try <= ? AND (? IS NULL OR a.room = ?)"
                " ORDER BY o.rowid LIMIT ?",
                [now, self._room, self._room, BATCH],
            )
        )

    async def _send(self, row: dict[str, Any]) -> None:
        alert, sink_name = row["alert"], row["sink"]
        sink = self._sinks.get(sink_name)
        if sink is None:
            log.error("alert %s waits: there is no sink %s here", alert, sink_name)
            await self._mark(row, "pending", error=f"there is no sink {sink_name}", wait=WAITS[-1])
            return
        parcel = await self._store.run(lambda database: read_parcel(database, alert, sink_name))
        if row["attempted_version"] > row["delivered_version"] and not await self._settle(row, sink, parcel):
            return
        await self._store.run(lambda database: _attempt(database, alert, sink_name, parcel.version))
        try:
            reference = await sink.deliver(parcel)
        except BrokenPipeError:
            raise  # nobody reads any more: a matter for whoever started us
        except Exception as error:
            wait = _wait(row)
            log.warning("alert %s was not sent to %s: %s; next try in %.0f s", alert, sink_name, error, wait)
            await self._mark(row, "pending", error=str(error), wait=wait)
            return
        await self._store.run(lambda database: _delivered(database, alert, sink_name, parcel.version, reference))

    async def _settle(self, row: dict[str, Any], sink: Sink, parcel: Parcel) -> bool:
        """Find out what became of an attempt that a crash cut off. Return whether to send now."""
        try:
            outcome = await sink.reconcile(parcel)
        except Exception as error:
            wait = _wait(row)
            log.warning("%s cannot say now whether alert %s was sent: %s", row["sink"], row["alert"], error)
            await self._mark(row, "pending", error=str(error), wait=wait, settled=False)
            return False
        if outcome == "not_sent":
            return True
        if outcome == "unknown":
            log.error("alert %s: it is not known whether it was sent; it is not sent again", row["alert"])
            await self._mark(row, "unknown", error="outcome of the last attempt is not known")
            return False
        version = row["attempted_version"]
        await self._store.run(
            lambda database: _delivered(database, row["alert"], row["sink"], version, parcel.reference)
        )
        return False

    async def _mark(self, row: dict[str, Any], state: str, error: str, wait: float = 0.0, settled: bool = True) -> None:
        """Note how a delivery stands; one that is not `settled` is asked after again before anything is sent."""
        attempted = row["delivered_version"] if settled else row["attempted_version"]
        next_try = (datetime.now(UTC) + timedelta(seconds=wait)).isoformat()

        def work(database: Database) -> None:
            with database.atomic():
                database.execute(
                    "UPDATE outbox SET state = ?, error = ?, next_try = ?, attempts = attempts + 1,"
                    " attempted_version = ? WHERE alert = ? AND sink = ?",
                    [state, error, next_try, attempted, row["alert"], row["sink"]],
                )

        await self._store.run(work)


def _wait(row: dict[str, Any]) -> float:
    """Return how long to wait after a failure, in seconds."""
    return WAITS[min(row["attempts"], len(WAITS) - 1)]


def _seconds_to_next(database: Database) -> float | None:
    row = database.execute(
        "SELECT MIN(next_try) FROM outbox WHERE state = 'pending' AND desired_version > delivered_version"
    ).fetchone()
    if row[0] is None:
        return None
    return max(0.0, (datetime.fromisoformat(row[0]) - datetime.now(UTC)).total_seconds())


def _attempt(database: Database, alert: str, sink: str, version: int) -> None:
    with database.atomic():
        database.execute("UPDATE outbox SET attempted_version = ? WHERE alert = ? AND sink = ?", [version, alert, sink])


def _delivered(database: Database, alert: str, sink: str, version: int, reference: str | None) -> None:
    with database.atomic():
        database.execute(
            "UPDATE outbox SET delivered_version = ?, attempted_version = ?, attempts = 0, error = NULL, reference = ?,"
            " state = CASE WHEN desired_version > ? THEN 'pending' ELSE 'sent' END WHERE alert = ? AND sink = ?",
            [version, version, reference, version, alert, sink],
        )


def read_parcel(database: Database, alert: str, sink: str) -> Parcel:
    """Read everything about an alert that `sink` is to show now."""
    row = next(
        iter(
            database.query(
                "SELECT a.*, o.delivered_version, o.reference, o.channel, s.title FROM alerts a"
                " JOIN outbox o ON o.alert = a.id AND o.sink = ?"
                " JOIN shows s ON s.room = a.room AND s.id = a.show WHERE a.id = ?",
                [sink, alert],
            )
        )
    )
    quotes = list(database.table("evidence").rows_where("alert = ?", [alert], order_by="at, event_id"))
    return Parcel(
        alert=alert,
        version=row["version"],
        first=row["delivered_version"] == 0,
        channel=row["channel"],
        reference=row["reference"],
        show=row["show"],
        show_title=row["title"],
        room=row["room"],
        account=row["account"],
        name=row["name"],
        at=row["at"],
        since=row["since"],
        last_at=row["last_at"],
        score=row["score"],
        offers=tuple(json.loads(row["offers"])),
        cues=tuple(json.loads(row["cues"])),
        reasons=tuple(Message(key, params) for key, params in json.loads(row["reasons"])),
        fresh=tuple(_quote(q) for q in quotes if q["version"] > row["delivered_version"]),
        evidence=tuple(_quote(q) for q in quotes),
    )


def _quote(row: dict[str, Any]) -> QuoteRow:
    return QuoteRow(row["at"], row["until"], row["who"], row["kind"], row["text"])
