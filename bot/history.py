"""What a community's moderators may look up and take away: warnings of late, and everything as a file."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlite_utils import Database

from bot.jump import jump_link
from bot.periods import heard_shows
from bot.reviews import log

#: Warnings listed at once.
MAX_LISTED: Final = 15


@dataclass(frozen=True, slots=True)
class Past:
    """A warning in a list: its id, who and where, when (ISO time), its score, and what became of it."""

    alert: str
    name: str
    room: str
    raised: str
    score: float
    status: str
    held_back: bool
    dry_run: bool
    link: str | None


def read_history(database: Database, community: str, account: str | None = None) -> list[Past]:
    """Return the newest warnings of a community, about one account or all; the newest first."""
    rows = database.query(
        "SELECT a.*, o.sink, o.channel AS goes_to, o.reference FROM alerts a LEFT JOIN outbox o ON o.alert = a.id"
        " WHERE a.community = ? AND (? IS NULL OR a.account = ?) ORDER BY a.raised DESC LIMIT ?",
        [community, account, account, MAX_LISTED],
    )
    return [_past(row) for row in rows]


def _past(row: dict[str, Any]) -> Past:
    link = None
    if row["reference"] and (row["goes_to"] or "").startswith("discord:"):
        room = f"discord:{row['community']}/{row['goes_to'].partition(':')[2]}"
        link = jump_link(room, f"x/m{row['reference']}", 0.0)
    return Past(
        row["id"],
        row["name"],
        row["room"],
        row["raised"],
        row["score"],
        row["status"],
        bool(row["held_back"]),
        row["sink"] == "dry_run",
        link,
    )


#: The accounts that a community has met in what it heard, or in its warnings.
_MET: Final = (
    "SELECT account FROM heard_parts WHERE community = :c"
    " UNION SELECT account FROM alerts WHERE community = :c UNION SELECT account FROM statements WHERE community = :c"
    " UNION SELECT account FROM records WHERE community = :c"
)
#: What an export holds, by table: all of it is the community's own. `export.here` says what is not in it.
_EXPORTED: Final[dict[str, str | Callable[[Database, str], Iterable[dict[str, Any]]]]] = {
    "communities": "SELECT * FROM communities WHERE community = :c",
    "watches": "SELECT * FROM watches WHERE community = :c",
    "watch_periods": "SELECT community, room, since, until, host, host_name FROM watch_periods"
    " WHERE community = :c ORDER BY since, room",
    "alerts": "SELECT * FROM alerts WHERE community = :c ORDER BY raised",
    "evidence": "SELECT e.* FROM evidence e JOIN alerts a ON a.id = e.alert WHERE a.community = :c"
    " ORDER BY e.alert, e.at",
    "observations": "SELECT * FROM observations WHERE community = :c ORDER BY noted",
    "reviews": "SELECT * FROM reviews WHERE community = :c ORDER BY id",
    "notes": "SELECT * FROM notes WHERE community = :c ORDER BY id",
    "statements": "SELECT * FROM statements WHERE community = :c ORDER BY id",
    "records": "SELECT * FROM records WHERE community = :c ORDER BY id",
    "exemptions": "SELECT * FROM exemptions WHERE community = :c",
    "snoozes": "SELECT * FROM snoozes WHERE community = :c",
    "dismissed_texts": "SELECT * FROM dismissed_texts WHERE community = :c ORDER BY noted, signature",
    "links": "SELECT * FROM links WHERE community = :c",
    "outbox": "SELECT o.* FROM outbox o JOIN alerts a ON a.id = o.alert WHERE a.community = :c ORDER BY a.raised",
    "digests": "SELECT * FROM digests WHERE community = :c",
    "digest_runs": "SELECT * FROM digest_runs WHERE community = :c ORDER BY due",
    "audit": "SELECT * FROM audit WHERE community = :c ORDER BY id",
    "shows": heard_shows,
    "participations": "SELECT * FROM heard_participations WHERE community = :c ORDER BY room, show, account",
    "accounts": f"SELECT id, platform FROM accounts WHERE id IN ({_MET}) ORDER BY id",
}


def export_community(database: Database, community: str, by: str, most_bytes: int) -> bytes:
    """Return what is kept about a community as JSON Lines, at most `most_bytes`, and note who took it.

    What does not fit is left out from the end, and a last line says so.
    """
    with database.atomic():
        log(database, community, by, "export", community, {})
    lines = [json.dumps({"type": "export", "community": community, "made": datetime.now(UTC).isoformat()}).encode()]
    size, left_out = len(lines[0]) + 200, 0
    for table, query in _EXPORTED.items():
        rows = database.query(query, {"c": community}) if isinstance(query, str) else query(database, community)
        for row in rows:
            line = json.dumps({"type": table, **row}, ensure_ascii=False).encode()
            if size + len(line) + 1 > most_bytes:
                left_out += 1
                continue
            lines.append(line)
            size += len(line) + 1
    if left_out:
        lines.append(json.dumps({"type": "left_out", "rows": left_out}).encode())
    return b"\n".join(lines) + b"\n"
