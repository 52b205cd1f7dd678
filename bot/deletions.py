"""Deletions: quotes whose message was deleted since. What was said stays evidence; it only cannot be looked up."""

from collections.abc import Collection, Iterable, Sequence

from sqlite_utils import Database

from bot.parcels import bump


def note_deleted(database: Database, numbers: Sequence[int]) -> bool:
    """Mark the quotes of deleted messages, and have their warnings shown anew; return whether there were any."""
    alerts: set[str] = set()
    for number in numbers:
        found = database.query(
            "SELECT e.alert, e.event_id FROM evidence e JOIN alerts a ON a.id = e.alert"
            " WHERE a.room LIKE 'discord:%' AND NOT e.deleted AND e.event_id LIKE ?",
            [f"%/m{number}"],
        )
        for row in list(found):
            _mark(database, row["alert"], row["event_id"])
            alerts.add(row["alert"])
    for alert in sorted(alerts):
        bump(database, alert)
    return bool(alerts)


def mark_known(database: Database, alerts: Iterable[str], deleted: Collection[int]) -> None:
    """Mark the quotes of alerts that were just written and whose messages were deleted before."""
    for alert in alerts:
        found = database.query(
            "SELECT e.event_id FROM evidence e JOIN alerts a ON a.id = e.alert"
            " WHERE e.alert = ? AND a.room LIKE 'discord:%' AND NOT e.deleted",
            [alert],
        )
        for row in list(found):
            number = row["event_id"].rpartition("/m")[2]
            if number.isdecimal() and int(number) in deleted:
                _mark(database, alert, row["event_id"])


def _mark(database: Database, alert: str, event_id: str) -> None:
    database.execute("UPDATE evidence SET deleted = 1 WHERE alert = ? AND event_id = ?", [alert, event_id])
