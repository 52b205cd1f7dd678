"""The ranking of a digest as a table for a spreadsheet, in which no name can become a formula."""

import csv
from collections.abc import Callable
from io import StringIO
from typing import Final

from bot.digest_report import Digest
from bot.jump import public_room

#: The name of the file, with the day on which the digest's time ends.
NAME: Final = "digest-{day}.csv"
#: What a spreadsheet may take for the beginning of a formula, also in its wide form, or cut a cell at.
_FORMULAS: Final = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")
_HEADING: Final = ("account", "name", "confirmed", "open", "score", "trend", "offers", "rooms", "links")


def table_name(digest: Digest) -> str:
    """Return what the file is called."""
    return NAME.format(day=digest.until[:10])


def table_file(digest: Digest) -> dict[str, bytes]:
    """Return the table as a file by its name, for people elsewhere: rooms without what may hold keys.

    It begins with the mark by which spreadsheets know UTF-8.
    """
    return {table_name(digest): digest_table(digest, public_room).encode("utf-8-sig")}


def digest_table(digest: Digest, room: Callable[[str], str] = str) -> str:
    """Return the ranking as CSV with a heading; `room` says how rooms are written.

    Every cell stands in quotes: a spreadsheet that cuts at other signs than commas cuts none of them.
    """
    out = StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_HEADING)
    for row in digest.ranking:
        texts = [row.account, row.name, " ".join(row.offers), " ".join(map(room, row.rooms)), " ".join(row.links)]
        account, name, offers, rooms, links = map(cell, texts)
        numbers = (row.confirmed, row.open, f"{row.score:.3f}", row.trend)
        writer.writerow([account, name, *numbers, offers, rooms, links])
    return out.getvalue()


def cell(text: str) -> str:
    """Return `text` in one line, with a quote in front where a spreadsheet would take it for a formula."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return f"'{line}" if line.startswith(_FORMULAS) else line
