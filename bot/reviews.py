"""Reviews: what moderators decide about warnings, each decision once, logged, and undoable.

A decision changes this community's view of the account and of the kind of room (policy reads both from here), and of
texts like the quoted ones. It never changes a model.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlite_utils import Database

from bot.parcels import DecisionRow, Parcel, bump, read_decision, read_parcel, read_snooze, snoozed_show
from bot.policy import History, needed, threshold
from bot.store import Store
from bot.views import read_histories, read_kind_history
from config.settings import PolicySettings
from detectors.records import Account, Message
from detectors.signatures import signature

Decision = Literal["confirmed", "dismissed"]
SnoozeLength = Literal["show", "day", "week"]

#: How long a snooze lasts. That of a show ends with it; no show lasts longer than this.
SNOOZES: Final = {"show": timedelta(days=2), "day": timedelta(days=1), "week": timedelta(days=7)}
#: Longest note, in characters.
MAX_NOTE: Final = 1_000


class UnknownAlertError(Exception):
    """There is no such warning in this community."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of a click: whether it was this one that decided, and what stands now."""

    done: bool
    status: str
    decision: DecisionRow | None = None
    snoozed_until: str | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """One thing that somebody did: who, what, to what, and when (ISO time)."""

    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    done: str


class Reviews:
    """Writes decisions into the store. Every method raises StoreError when it cannot."""

    def __init__(self, store: Store, settings: PolicySettings) -> None:
        self._store = store
        self._settings = settings

    async def decide(self, alert: str, community: str, reviewer: str, decision: Decision) -> Reviewed:
        """Confirm or dismiss an open warning. Of two who click at once, the first decides.

        Raises:
            UnknownAlertError: the community has no such warning.
        """

        def work(database: Database) -> Reviewed:
            with database.atomic():
                return _decide(database, self._settings, alert, community, reviewer, decision)

        return await self._change(work)

    async def undo(self, alert: str, community: str, reviewer: str) -> Reviewed:
        """Take back the decision that stands, or else the snooze. Raises UnknownAlertError."""

        def work(database: Database) -> Reviewed:
            with database.atomic():
                return _undo(database, alert, community, reviewer)

        return await self._change(work)

    async def snooze(self, alert: str, community: str, reviewer: str, length: SnoozeLength) -> Reviewed:
        """Say nothing about the warning's account for a while. Raises UnknownAlertError."""

        def work(database: Database) -> Reviewed:
            with database.atomic():
                return _snooze(database, alert, community, reviewer, length)

        return await self._change(work)

    async def note(self, alert: str, community: str, author: str, text: str) -> None:
        """Write down what a moderator knows about a warning. Raises UnknownAlertError."""

        def work(database: Database) -> None:
            with database.atomic():
                _read(database, alert, community)
                now = datetime.now(UTC).isoformat()
                database.table("notes").insert(
                    {
                        "alert": alert,
                        "community": community,
                        "author": author,
                        "text": text[:MAX_NOTE],
                        "written": now,
                    }
                )
                log(database, community, author, "note", alert, {})
                bump(database, alert)

        await self._store.run(work)
        self._store.changed.set()

    async def take_note_back(self, alert: str, community: str, author: str) -> bool:
        """Take the author's newest note off a warning; return whether there was one. Raises UnknownAlertError."""

        def work(database: Database) -> bool:
            with database.atomic():
                _read(database, alert, community)
                gone = database.execute(
                    "DELETE FROM notes WHERE id = (SELECT MAX(id) FROM notes WHERE alert = ? AND author = ?)",
                    [alert, author],
                ).rowcount
                if gone:
                    log(database, community, author, "note_undone", alert, {})
                    bump(database, alert)
                return bool(gone)

        known = await self._store.run(work)
        self._store.changed.set()
        return known

    async def history(self, alert: str, community: str) -> list[LogRow]:
        """Return everything that was done about a warning, oldest first. Raises UnknownAlertError."""

        def work(database: Database) -> list[LogRow]:
            _read(database, alert, community)
            return read_log(database, community, alert)

        return await self._store.run(work)

    async def _change(self, work: Any) -> Reviewed:
        reviewed: Reviewed = await self._store.run(work)
        self._store.changed.set()
        return reviewed


def log(database: Database, community: str, actor: str, action: str, subject: str, details: dict[str, Any]) -> None:
    """Write down who did what. Part of the caller's transaction."""
    database.table("audit").insert(
        {
            "community": community,
            "actor": actor,
            "action": action,
            "subject": subject,
            "details": json.dumps(details),
            "done": datetime.now(UTC).isoformat(),
        }
    )


def read_log(database: Database, community: str, subject: str, limit: int = 100) -> list[LogRow]:
    """Return what was done to a subject, oldest first, the newest `limit`."""
    rows = database.query(
        "SELECT * FROM audit WHERE community = ? AND subject = ? ORDER BY id DESC LIMIT ?", [community, subject, limit]
    )
    found = [LogRow(r["actor"], r["action"], r["subject"], json.loads(r["details"]), r["done"]) for r in rows]
    return found[::-1]


def read_needed(database: Database, settings: PolicySettings, alert: dict[str, Any]) -> tuple[float, float]:
    """Return the probability needed to warn about the alert's account, and about anybody else in such a room."""
    community, account = alert["community"], Account.parse(alert["account"])
    half_life = settings.prior_half_life_days
    own = read_histories(database, community, [alert["account"]], half_life).get(account, History())
    kind = read_kind_history(database, community, alert["room"].split(":", 1)[0], half_life)
    row = database.execute(
        "SELECT sensitivity FROM watches WHERE community = ? AND room = ?", [community, alert["room"]]
    ).fetchone()
    usual = threshold(settings, row[0] if row else "normal")
    return needed(usual, own, kind), needed(usual, History(), kind)


def _read(database: Database, alert: str, community: str) -> dict[str, Any]:
    found = list(database.table("alerts").rows_where("id = ? AND community = ?", [alert, community]))
    if not found:
        raise UnknownAlertError(alert)
    return dict(found[0])


def _decide(
    database: Database, settings: PolicySettings, alert: str, community: str, reviewer: str, decision: Decision
) -> Reviewed:
    row = _read(database, alert, community)
    claimed = database.execute(
        "UPDATE alerts SET status = ? WHERE id = ? AND community = ? AND status = 'open'", [decision, alert, community]
    ).rowcount
    if not claimed:
        return Reviewed(False, row["status"], read_decision(database, alert))
    before = read_needed(database, settings, row)
    now = datetime.now(UTC).isoformat()
    review = database.execute(
        "INSERT INTO reviews (alert, community, reviewer, decision, note, decided) VALUES (?, ?, ?, ?, '', ?)",
        [alert, community, reviewer, decision, now],
    ).lastrowid
    similar = _remember_texts(database, community, alert, review, now) if decision == "dismissed" else 0
    changes = _changes(row, before, read_needed(database, settings, row), similar)
    stored = json.dumps([[message.key, dict(message.params)] for message in changes])
    database.execute("UPDATE reviews SET changes = ? WHERE id = ?", [stored, review])
    log(database, community, reviewer, decision, alert, {})
    bump(database, alert)
    return Reviewed(True, decision, DecisionRow(decision, reviewer, now, changes))


def _changes(
    alert: dict[str, Any], before: tuple[float, float], after: tuple[float, float], similar: int
) -> tuple[Message, ...]:
    """Return what a decision changed, in words: the sureness needed for the account and for such rooms, and texts."""
    changes = []
    if round(100 * before[0]) != round(100 * after[0]):
        values = {"name": alert["name"], "before": round(100 * before[0]), "after": round(100 * after[0])}
        changes.append(Message("changed.account", values))
    if round(100 * before[1]) != round(100 * after[1]):
        kind = alert["room"].split(":", 1)[0]
        values = {"kind": kind, "before": round(100 * before[1]), "after": round(100 * after[1])}
        changes.append(Message("changed.kind", values))
    if similar:
        changes.append(Message("changed.similar", {"count": similar}))
    return tuple(changes)


def _remember_texts(database: Database, community: str, alert: str, review: int | None, now: str) -> int:
    """Keep the signatures of the alert's quotes; return how many there are."""
    texts = [row["text"] for row in database.table("evidence").rows_where("alert = ?", [alert])]
    found = {f"{one:016x}" for one in map(signature, texts) if one is not None}
    database.table("dismissed_texts").insert_all(
        ({"community": community, "signature": one, "review": review, "noted": now} for one in sorted(found)),
        ignore=True,
    )
    return len(found)


def _undo(database: Database, alert: str, community: str, reviewer: str) -> Reviewed:
    row, now = _read(database, alert, community), datetime.now(UTC).isoformat()
    if row["status"] != "open":
        database.execute("UPDATE reviews SET undone = ? WHERE alert = ? AND undone IS NULL", [now, alert])
        database.execute("UPDATE alerts SET status = 'open' WHERE id = ?", [alert])
        log(database, community, reviewer, "undo", alert, {"was": row["status"]})
        bump(database, alert)
        return Reviewed(True, "open")
    gone = database.execute(
        "DELETE FROM snoozes WHERE community = ? AND until > ? AND subject IN (?, ?) RETURNING until",
        [community, now, row["account"], snoozed_show(row["account"], row["room"], row["show"])],
    ).fetchall()
    # A snooze of the whole room is not the warning's to take back.
    snoozed_until = read_snooze(database, row)
    if not gone:
        return Reviewed(False, "open", None, snoozed_until)
    log(database, community, reviewer, "undo", alert, {"was": "snoozed", "until": max(until for (until,) in gone)})
    bump(database, alert)
    return Reviewed(True, "open", None, snoozed_until)


def _snooze(database: Database, alert: str, community: str, reviewer: str, length: SnoozeLength) -> Reviewed:
    row = _read(database, alert, community)
    subject = snoozed_show(row["account"], row["room"], row["show"]) if length == "show" else row["account"]
    until = (datetime.now(UTC) + SNOOZES[length]).isoformat()
    database.table("snoozes").upsert(
        {"community": community, "subject": subject, "until": until, "by": reviewer}, pk=("community", "subject")
    )
    log(database, community, reviewer, "snooze", alert, {"length": length, "until": until})
    bump(database, alert)
    return Reviewed(True, row["status"], read_decision(database, alert), until)


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a warning was raised: the warning, the score needed, what was done about it, and what earlier decisions
    moved: what the show alone must give for the account, and for anybody else in such a room. All probabilities."""

    parcel: Parcel
    threshold: float
    own: float
    others: float
    log: tuple[LogRow, ...]


def read_explained(database: Database, settings: PolicySettings, alert: str, community: str) -> Explained:
    """Read everything that explains a warning. Raises UnknownAlertError."""
    row = _read(database, alert, community)
    found = database.execute("SELECT sink FROM outbox WHERE alert = ? LIMIT 1", [alert]).fetchone()
    sink = found[0] if found else ""  # what the cap held back was shown nowhere
    own, others = read_needed(database, settings, row)
    # Without an account's own history, what is needed is the threshold.
    return Explained(
        read_parcel(database, alert, sink), others, own, others, tuple(read_log(database, community, alert))
    )
