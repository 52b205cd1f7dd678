"""Statements: what somebody who was named has to say. Moderators decide whether it stands on the card."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlite_utils import Database

from bot.reviews import log

#: Longest statement, in characters, and how often one account may make one.
MAX_STATEMENT: Final = 800
EVERY: Final = timedelta(days=1)


class TooSoonError(Exception):
    """The account made a statement a short while ago."""


class NotNamedError(Exception):
    """No warning of the community names the account, or one that moderators joined to it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it stands: waiting, shown or refused."""

    number: int
    account: str
    text: str
    status: str
    decided_by: str | None


def check_may_state(database: Database, community: str, account: str) -> None:
    """Raise NotNamedError or TooSoonError when the account may make no statement now."""
    named = database.execute(
        "SELECT 1 FROM alerts WHERE community = :c"
        " AND (status = 'confirmed' OR channel NOT LIKE 'dry_run:%') AND (account = :a"
        " OR account IN (SELECT other FROM links WHERE community = :c AND account = :a)"
        " OR account IN (SELECT account FROM links WHERE community = :c AND other = :a))",
        {"c": community, "a": account},
    ).fetchone()
    if not named:
        raise NotNamedError(account)
    recent = database.execute(
        "SELECT 1 FROM statements WHERE community = ? AND account = ? AND made > ?",
        [community, account, (datetime.now(UTC) - EVERY).isoformat()],
    ).fetchone()
    if recent:
        raise TooSoonError(account)


def make_statement(database: Database, community: str, account: str, name: str, text: str) -> int:
    """Keep a statement for the moderators; return its number. Raises NotNamedError and TooSoonError."""
    now = datetime.now(UTC)
    with database.atomic():
        check_may_state(database, community, account)
        platform, server, _ = account.split(":", 2)
        known = {"id": account, "platform": platform, "server": server, "name": name}
        seen = {"first_seen": now.isoformat(), "last_seen": now.isoformat()}
        database.table("accounts").insert({**known, **seen}, ignore=True)
        number = database.execute(
            "INSERT INTO statements (community, account, text, made, status) VALUES (?, ?, ?, ?, 'waiting')",
            [community, account, text[:MAX_STATEMENT], now.isoformat()],
        ).lastrowid
        log(database, community, account, "contest", account, {"statement": number})
        return int(number or 0)


def decide_statement(database: Database, community: str, number: int, by: str, shown: bool) -> tuple[Statement, bool]:
    """Show a statement on the card, or not; either can be changed later. Return it and whether that is news.

    Raises LookupError when the community has no such statement.
    """
    with database.atomic():
        found = list(database.table("statements").rows_where("id = ? AND community = ?", [number, community]))
        if not found:
            raise LookupError(number)
        status = "shown" if shown else "refused"
        news = found[0]["status"] != status
        if news:
            database.table("statements").update(number, {"status": status, "decided_by": by})
            log(database, community, by, f"statement_{status}", found[0]["account"], {"statement": number})
        row = found[0]
        by_whom = by if news else row["decided_by"]
        return Statement(number, row["account"], row["text"], status, by_whom), news


def note_message(database: Database, number: int, message: str) -> None:
    """Keep where the moderators were shown a statement."""
    with database.atomic():
        database.table("statements").update(number, {"message": message})


def count_waiting(database: Database, community: str) -> int:
    """Return how many statements nobody has looked at."""
    return int(database.table("statements").count_where("community = ? AND status = 'waiting'", [community]))


def waiting_statements(database: Database, community: str, most: int) -> list[Statement]:
    """Return statements that nobody has looked at, the oldest first."""
    rows = database.table("statements").rows_where(
        "community = ? AND status = 'waiting'", [community], order_by="id", limit=most
    )
    return [Statement(r["id"], r["account"], r["text"], r["status"], r["decided_by"]) for r in rows]
