"""What a community wants of its digest: how often, when, where. Kept in the database, with who set it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlite_utils import Database

from bot.reviews import log
from bot.schedule import Every, Schedule, next_due


@dataclass(frozen=True, slots=True)
class DigestSettings:
    """When a digest is due and where it goes. `least` episodes are needed for one to be sent."""

    schedule: Schedule
    channel: str
    least: int
    next_due: datetime


def read_digest_settings(database: Database, community: str) -> DigestSettings | None:
    """Return what a community wants, or None when it wants no digest."""
    for row in database.table("digests").rows_where("community = ?", [community]):
        return digest_settings(row)
    return None


def digest_settings(row: dict[str, Any]) -> DigestSettings:
    """Return the settings in a row."""
    schedule = Schedule(cast(Every, row["every"]), row["weekday"], row["hour"], row["zone"])
    return DigestSettings(schedule, row["channel"], row["least"], datetime.fromisoformat(row["next_due"]))


def save_digest_settings(
    database: Database, community: str, by: str, schedule: Schedule, channel: str, least: int, now: datetime
) -> DigestSettings:
    """Keep what a community wants from now on. What still waits to be sent goes to the new channel."""
    due = next_due(schedule, now)
    row: dict[str, Any] = {
        "every": schedule.every,
        "weekday": schedule.weekday,
        "hour": schedule.hour,
        "zone": schedule.zone,
        "channel": channel,
        "least": least,
    }
    with database.atomic():
        database.table("digests").upsert({"community": community, **row, "next_due": due.isoformat()}, pk="community")
        # One that may have been shown already is looked for where it was sent.
        database.execute(
            "UPDATE digest_runs SET channel = ?, told = 0, next_try = ? WHERE community = ?"
            " AND state IN ('pending', 'blocked') AND attempted IS NULL",
            [channel, now.isoformat(), community],
        )
        log(database, community, by, "digest_set", community, row)
    return DigestSettings(schedule, channel, least, due)


def remove_digest_settings(database: Database, community: str, by: str) -> bool:
    """Send a community no digest any more; return whether it was sent one."""
    with database.atomic():
        known = database.execute("DELETE FROM digests WHERE community = ?", [community]).rowcount
        if known:
            database.execute(
                "UPDATE digest_runs SET state = 'dropped' WHERE community = ? AND state IN ('pending', 'blocked')",
                [community],
            )
            log(database, community, by, "digest_off", community, {})
    return bool(known)
