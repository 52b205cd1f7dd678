"""What a community knows and wants, read from the store for policy. Pure reading; nothing is written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from sqlite_utils import Database

from bot.parcels import snoozed_show
from bot.policy import History, View, Watch
from detectors.records import Account

#: Signatures of dismissed quotes that are compared with, the newest ones.
MAX_DISMISSED: Final = 500


def read_view(database: Database, watch: Watch, show: str, accounts: Sequence[str], half_life_days: float) -> View:
    """Read exemptions, snoozes and decayed decisions for the named accounts."""
    marks = ",".join("?" * len(accounts))
    exempt = database.query(
        f"SELECT account FROM exemptions WHERE community = ? AND account IN ({marks})", [watch.community, *accounts]
    )
    snoozed = {
        row["subject"]
        for row in database.query(
            "SELECT subject FROM snoozes WHERE community = ? AND until > ?",
            [watch.community, datetime.now(UTC).isoformat()],
        )
    }
    room = str(watch.room)
    return View(
        exempt=frozenset(Account.parse(row["account"]) for row in exempt),
        snoozed=frozenset(
            Account.parse(name) for name in accounts if name in snoozed or snoozed_show(name, room, show) in snoozed
        ),
        snoozed_room=room in snoozed,
        history=read_histories(database, watch.community, accounts, half_life_days),
        kind_history=read_kind_history(database, watch.community, watch.room.kind, half_life_days),
        dismissed=read_dismissed(database, watch.community),
    )


def read_histories(
    database: Database, community: str, accounts: Sequence[str], half_life_days: float
) -> dict[Account, History]:
    """Return the decisions about accounts, each counted by how recent it is."""
    marks = ",".join("?" * len(accounts))
    found: dict[Account, History] = {}
    for row in database.query(
        "SELECT a.account, r.decision, r.decided FROM reviews r JOIN alerts a ON a.id = r.alert"
        f" WHERE r.community = ? AND r.undone IS NULL AND a.account IN ({marks})",
        [community, *accounts],
    ):
        account = Account.parse(row["account"])
        found[account] = _add(found.get(account, History()), row["decision"], row["decided"], half_life_days)
    return found


def read_kind_history(database: Database, community: str, kind: str, half_life_days: float) -> History:
    """Return the decisions about warnings in rooms of a kind, each counted by how recent it is."""
    history = History()
    for row in database.query(
        "SELECT r.decision, r.decided FROM reviews r JOIN alerts a ON a.id = r.alert JOIN rooms o ON o.id = a.room"
        " WHERE r.community = ? AND r.undone IS NULL AND o.kind = ? ORDER BY r.id DESC LIMIT 200",
        [community, kind],
    ):
        history = _add(history, row["decision"], row["decided"], half_life_days)
    return history


def read_dismissed(database: Database, community: str) -> frozenset[int]:
    """Return signatures of what was quoted in dismissed warnings."""
    rows = database.query(
        "SELECT d.signature FROM dismissed_texts d JOIN reviews r ON r.id = d.review"
        " WHERE d.community = ? AND r.undone IS NULL ORDER BY d.noted DESC LIMIT ?",
        [community, MAX_DISMISSED],
    )
    return frozenset(int(row["signature"], 16) for row in rows)


def _add(history: History, decision: str, decided: str, half_life_days: float) -> History:
    days = (datetime.now(UTC) - datetime.fromisoformat(decided)).total_seconds() / 86_400
    count = round(0.5 ** (max(0.0, days) / half_life_days), 6)
    if decision == "confirmed":
        return replace(history, confirmed=history.confirmed + count, times_confirmed=history.times_confirmed + 1)
    return replace(history, dismissed=history.dismissed + count, times_dismissed=history.times_dismissed + 1)
