"""Parcels: one alert with everything that a face needs to show it, read from the store."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlite_utils import Database

from bot.periods import read_heard
from bot.rooms import Left
from detectors.records import Account, Message, Person, PhaseSpan, RoomKey, ShowInfo

#: Platforms whose accounts are what they say; elsewhere a name proves nothing.
VERIFIED_PLATFORMS: Final = frozenset({"discord"})
#: Notes shown with a warning.
MAX_NOTES: Final = 10


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """A stored quote. Times in seconds of the show; `event_id` is what the room calls the line."""

    at: float
    until: float
    who: str
    kind: str
    text: str
    event_id: str = ""
    seat: int | None = None
    pitch: float = 0.0
    #: The message was deleted after it was quoted; what it said stays evidence.
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What a moderator decided about a warning, when (ISO time), and what that changed for this community."""

    decision: str
    by: str
    decided: str
    changes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class NoteRow:
    """What a moderator wrote down about a warning, and when (ISO time)."""

    by: str
    text: str
    written: str


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
    #: Whose warning it is, and when it was raised (ISO time).
    community: str = "local"
    raised: str = ""
    #: The timeline of the show so far, as far as the community listened.
    phases: tuple[PhaseSpan, ...] = ()
    #: Seconds of the show so far, or up to where the community stopped listening, and whether the show is over.
    show_seconds: float = 0.0
    #: Seconds of it that could not be heard, and lines that could not be read.
    lost_seconds: float = 0.0
    unread: int = 0
    ended: bool = False
    #: The community does not listen any more: whether the show is over is no business of it.
    away: bool = False
    #: open, confirmed or dismissed; the standing decision, and everything decided and undone before is in the log.
    status: str = "open"
    decision: DecisionRow | None = None
    notes: tuple[NoteRow, ...] = ()
    #: Until when (ISO time) the account or the room is snoozed.
    snoozed_until: str | None = None
    #: Warnings of this channel that the cap held back since this one.
    more: int = 0
    #: When this version was first tried (ISO time), if it is not known what became of it.
    attempted: str | None = None

    @property
    def verified(self) -> bool:
        """Whether the name stands for an account that its platform vouches for."""
        return self.account.split(":", 1)[0] in VERIFIED_PLATFORMS

    @property
    def seat(self) -> int | None:
        """The seat from which the newest quote was said."""
        return next((quote.seat for quote in reversed(self.evidence) if quote.seat is not None), None)


def read_parcel(database: Database, alert: str, sink: str) -> Parcel:
    """Read everything about an alert that `sink` is to show now."""
    row = next(
        iter(
            database.query(
                "SELECT a.*, COALESCE(o.delivered_version, 0) AS delivered_version, o.attempted_version, o.attempted,"
                " o.reference, COALESCE(o.channel, a.channel) AS goes_to, s.title FROM alerts a"
                " LEFT JOIN outbox o ON o.alert = a.id AND o.sink = ?"
                " JOIN shows s ON s.room = a.room AND s.id = a.show WHERE a.id = ?",
                [sink, alert],
            )
        )
    )
    heard = read_heard(database, row["community"], row["room"], row["show"])
    quotes = list(database.table("evidence").rows_where("alert = ?", [alert], order_by="at, event_id"))
    return Parcel(
        alert=alert,
        version=row["version"],
        first=row["delivered_version"] == 0,
        channel=row["goes_to"].removeprefix("dry_run:"),
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
        community=row["community"],
        raised=row["raised"],
        phases=heard.phases,
        show_seconds=heard.until,
        lost_seconds=heard.lost_seconds,
        unread=heard.unread,
        ended=heard.ended,
        away=heard.away,
        status=row["status"],
        decision=read_decision(database, alert),
        notes=_notes(database, alert),
        snoozed_until=read_snooze(database, row),
        more=_held_back_since(database, row),
        attempted=row["attempted"] if (row["attempted_version"] or 0) > row["delivered_version"] else None,
    )


def bump(database: Database, alert: str) -> int:
    """Have the alert shown anew wherever it was shown; return its new version. Part of the caller's transaction."""
    database.execute("UPDATE alerts SET version = version + 1 WHERE id = ?", [alert])
    version = int(database.execute("SELECT version FROM alerts WHERE id = ?", [alert]).fetchone()[0])
    database.execute(
        "UPDATE outbox SET desired_version = ?, state = CASE state WHEN 'sent' THEN 'pending' ELSE state END"
        " WHERE alert = ?",
        [version, alert],
    )
    return version


def read_left(database: Database, room: RoomKey) -> Left | None:
    """Return where a room was left: its newest show, if that is not over, and until when it was heard at least.

    Its host is called as in the room: elsewhere they may bear another name.
    """
    for row in database.query("SELECT * FROM shows WHERE room = ? ORDER BY started DESC LIMIT 1", [str(room)]):
        started = datetime.fromisoformat(row["started"])
        heard = started + timedelta(seconds=row["seconds"])
        if row["ended"]:
            return Left(None, 0.0, heard)
        account = Account.parse(row["host"]) if row["host"] else None
        host = Person(account, row["host_name"] or account.id) if account else None
        info = ShowInfo(row["id"], room, row["title"], host, None, started)
        return Left(info, row["seconds"], heard, _read_seats(database, row))
    return None


def _read_seats(database: Database, show: dict[str, Any]) -> dict[int, Person]:
    """Return who sat where when a show was written down last."""
    query = "SELECT json_extract(numbers, '$.show.seats') FROM snapshots WHERE room = ? AND show = ?"
    found = database.execute(query, [show["room"], show["id"]]).fetchone()
    seats = json.loads(found[0]) if found and found[0] else {}
    return {int(seat): Person(Account.parse(account), name) for seat, (account, name) in seats.items()}


def read_decision(database: Database, alert: str) -> DecisionRow | None:
    """Return the decision that stands about an alert."""
    for row in database.query(
        "SELECT * FROM reviews WHERE alert = ? AND undone IS NULL ORDER BY id DESC LIMIT 1", [alert]
    ):
        changes = tuple(Message(key, params) for key, params in json.loads(row["changes"]))
        return DecisionRow(row["decision"], row["reviewer"], row["decided"], changes)
    return None


def read_snooze(database: Database, alert: dict[str, Any]) -> str | None:
    """Return until when (ISO time) nothing is said about the alert's account, its show or its room."""
    subjects = [alert["account"], snoozed_show(alert["account"], alert["room"], alert["show"]), alert["room"]]
    row = database.execute(
        "SELECT MAX(until) FROM snoozes WHERE community = ? AND until > ? AND subject IN (?, ?, ?)",
        [alert["community"], datetime.now(UTC).isoformat(), *subjects],
    ).fetchone()
    return str(row[0]) if row[0] else None


def snoozed_show(account: str, room: str, show: str) -> str:
    """Return what the snooze of one account in one show is filed under."""
    return "\x1f".join((account, room, show))


def _notes(database: Database, alert: str) -> tuple[NoteRow, ...]:
    rows = database.query("SELECT * FROM notes WHERE alert = ? ORDER BY id DESC LIMIT ?", [alert, MAX_NOTES])
    return tuple(reversed([NoteRow(row["author"], row["text"], row["written"]) for row in rows]))


def newest_sent(database: Database, community: str, channel: str) -> str | None:
    """Return the newest alert that was not held back in a channel; of several raised at once the last one."""
    row = database.execute(
        "SELECT id FROM alerts WHERE community = ? AND channel = ? AND held_back = 0"
        " ORDER BY raised DESC, rowid DESC LIMIT 1",
        [community, channel],
    ).fetchone()
    return str(row[0]) if row else None


def _held_back_since(database: Database, alert: dict[str, Any]) -> int:
    """Count what the cap held back in the alert's channel, if the alert is the newest that was sent there."""
    if newest_sent(database, alert["community"], alert["channel"]) != alert["id"]:
        return 0
    return int(
        database.execute(
            "SELECT COUNT(*) FROM alerts WHERE community = ? AND channel = ? AND held_back = 1 AND raised >= ?",
            [alert["community"], alert["channel"], alert["raised"]],
        ).fetchone()[0]
    )


def _quote(row: dict[str, Any]) -> QuoteRow:
    return QuoteRow(
        row["at"],
        row["until"],
        row["who"],
        row["kind"],
        row["text"],
        row["event_id"],
        row["seat"],
        row["pitch"],
        bool(row["deleted"]),
    )
