"""`pitchwatch check` and `pitchwatch digest`: reports from the store."""

import re
import sqlite3
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from sqlite_utils import Database

from bot.cards import digest_card, report_card
from bot.charts import digest_chart
from bot.digest_report import Digest, read_digest
from bot.digest_table import digest_table
from bot.reports import AmbiguousHandleError, Card, find_account, listening_since, read_card
from bot.sinks.console import write_line
from bot.store import StoreError, explain, open_database
from config.settings import Settings
from config.wording import say

LOCAL: Final = "local"
_UNITS: Final = {"h": 1, "d": 24, "w": 168}


def check(path: Path, handle: str, as_json: bool, settings: Settings) -> int:
    """Print the card of `handle`. Exit code 1 when several accounts fit or the database cannot be read."""

    def work(database: Database) -> int:
        try:
            account = find_account(database, handle)
        except AmbiguousHandleError as error:
            print(f"pitchwatch: {error}", file=sys.stderr)
            return 1
        since = listening_since(database, LOCAL)
        if account is None:
            return _unknown(handle, since, as_json, settings.language)
        card = read_card(database, account, LOCAL)
        if as_json:
            write_line(sys.stdout, card.as_json())
        else:
            _console().print(report_card(card, settings.language))
        return 0

    return _with_database(path, work)


def _unknown(handle: str, since: str | None, as_json: bool, language: str) -> int:
    if as_json:
        none = {"confirmed": 0, "open": 0, "dismissed": 0}
        nobody = Card("", (handle,), 0, 0.0, none, {}, (), 0.0, None, since, ())
        write_line(sys.stdout, {**nobody.as_json(), "account": None})
        return 0
    key = "card.unknown" if since else "card.never"
    _console().print(say(language, key, name=handle, since=(since or "")[:16].replace("T", " ")))
    return 0


def digest(path: Path, since: str, as_json: bool, png: Path | None, table: Path | None, settings: Settings) -> int:
    """Print the digest and write its picture and table. Exit code 2 for a time that cannot be read."""
    period = parse_period(since)
    if period is None:
        print(f"pitchwatch: --since {since}: must be a number with h, d or w, such as 12h, 7d or 4w", file=sys.stderr)
        return 2

    def work(database: Database) -> int:
        result = read_digest(database, LOCAL, period, settings.policy.prior_half_life_days)
        if as_json:
            write_line(sys.stdout, result.as_json())
        else:
            _console().print(digest_card(result, settings.language))
        try:
            if png is not None:
                digest_chart(result, settings.language, png)
            if table is not None:
                write_csv(result, table)
        except OSError as error:
            print(f"pitchwatch: {error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
            return 1
        return 0

    return _with_database(path, work)


def parse_period(text: str) -> timedelta | None:
    """Return the period that `12h`, `7d` or `4w` means, up to ten years, or None."""
    found = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if found is None:
        return None
    hours = int(found[1]) * _UNITS[found[2]]
    return timedelta(hours=hours) if 0 < hours <= 87_600 else None


def write_csv(digest: Digest, path: Path) -> None:
    """Write the ranking as a table with a heading."""
    path.write_text(digest_table(digest), encoding="utf-8", newline="")


def _with_database(path: Path, work: Callable[[Database], int]) -> int:
    if not path.exists():
        print(
            f"pitchwatch: {path}: there is no such database; name one with --db, or run or replay with --db first",
            file=sys.stderr,
        )
        return 2
    try:
        database = open_database(path)
        try:
            return work(database)
        except sqlite3.Error as error:
            raise explain(error, path) from error
        finally:
            database.close()
    except StoreError as error:
        print(f"pitchwatch: {error}", file=sys.stderr)
        return 1


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
