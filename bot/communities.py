"""Communities: what one Discord server wants, from the settings file or from its own moderators."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlite_utils import Database

from bot.reviews import log
from bot.store import Store
from config.settings import CommunitySettings, Sensitivity
from detectors.records import Account

#: Who did what stands in the settings file.
OPERATOR = "local::settings"


@dataclass(frozen=True, slots=True)
class Community:
    """The settings of one community. Roles and channels are Discord's numbers, as text; None is the default."""

    community: str
    channel: str | None = None
    moderator_role: str | None = None
    ping_role: str | None = None
    ping_from: float = 0.95
    language: str | None = None
    sensitivity: Sensitivity = "normal"
    source: str = "community"


def discord_account(user: int | str) -> Account:
    """Return the account of a Discord user."""
    return Account("discord", "discord", str(user))


async def register_communities(store: Store, listed: Iterable[CommunitySettings]) -> None:
    """Write what the settings file says about communities; what they chose themselves stays as it is."""
    entries = list(listed)

    def work(database: Database) -> None:
        with database.atomic():
            database.execute("DELETE FROM communities WHERE source = 'file'")
            _lift_former(database, entries)
            for entry in entries:
                _register(database, entry)

    await store.run(work)


def _lift_former(database: Database, entries: Iterable[CommunitySettings]) -> None:
    """Lift the exemptions of members who no longer stand in the file; those that moderators made stay."""
    listed = {(str(entry.guild), str(discord_account(member))) for entry in entries for member in entry.exempt}
    for row in list(database.table("exemptions").rows_where("by = ?", [OPERATOR])):
        community, account = row["community"], row["account"]
        if (community, account) not in listed:
            database.execute("DELETE FROM exemptions WHERE community = ? AND account = ?", [community, account])
            log(database, community, OPERATOR, "disallow", account, {})


def _register(database: Database, entry: CommunitySettings) -> None:
    community = str(entry.guild)
    own = {
        "moderator_role": _text(entry.moderator_role),
        "ping_role": _text(entry.ping_role),
        "ping_from": entry.ping_from,
        "language": entry.language,
    }
    for row in list(database.table("communities").rows_where("community = ?", [community])):
        # What a community chose itself comes first; the file says what it left open.
        left_open = {name: value for name, value in own.items() if row[name] is None and value is not None}
        if left_open:
            database.table("communities").update(community, left_open)
        break
    else:
        database.table("communities").insert({"community": community, **own, "source": "file"})
    for member in entry.exempt:
        account = str(discord_account(member))
        row = {"community": community, "account": account, "by": OPERATOR, "since": datetime.now(UTC).isoformat()}
        inserted = database.table("exemptions").insert(row, ignore=True)
        if inserted.db.execute("SELECT changes()").fetchone()[0]:
            log(database, community, OPERATOR, "allow", account, {})


async def read_staff_roles(store: Store) -> dict[int, int]:
    """Return the moderators' role of every community that has one."""

    def work(database: Database) -> dict[int, int]:
        rows = database.query("SELECT community, moderator_role FROM communities WHERE moderator_role IS NOT NULL")
        return {int(row["community"]): int(row["moderator_role"]) for row in rows if row["community"].isdecimal()}

    return await store.run(work)


async def read_community(store: Store, community: str) -> Community:
    """Return what a community wants; where it said nothing, the defaults."""

    def work(database: Database) -> Community:
        for row in database.table("communities").rows_where("community = ?", [community]):
            return _community(row)
        return Community(community)

    return await store.run(work)


def _community(row: dict[str, Any]) -> Community:
    return Community(
        row["community"],
        row["channel"],
        row["moderator_role"],
        row["ping_role"],
        row["ping_from"],
        row["language"],
        cast(Sensitivity, row["sensitivity"]),
        row["source"],
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


async def save_community(store: Store, community: str, by: str, changes: dict[str, Any]) -> Community:
    """Keep what a community's own people chose, with who chose it; return what stands then."""

    def work(database: Database) -> Community:
        with database.atomic():
            database.table("communities").insert(
                {"community": community, "source": "community"}, ignore=True, pk="community"
            )
            former = next(iter(database.table("communities").rows_where("community = ?", [community])))["sensitivity"]
            database.table("communities").update(community, {**changes, "source": "community"})
            if changes.get("sensitivity"):  # watches that chose none of their own follow it
                database.execute(
                    "UPDATE watches SET sensitivity = ? WHERE community = ? AND source = 'community'"
                    " AND sensitivity = ?",
                    [changes["sensitivity"], community, former],
                )
            if changes.get("channel"):  # watches that the community added follow its channel
                database.execute(
                    "UPDATE watches SET channel = ? WHERE community = ? AND source = 'community'",
                    [changes["channel"], community],
                )
            log(database, community, by, "setup", community, changes)
        return _community(next(iter(database.table("communities").rows_where("community = ?", [community]))))

    return await store.run(work)


async def exempt_account(store: Store, community: str, account: Account, by: str, exempt: bool) -> bool:
    """Put an account on the list of those of whom nothing is said, or take it off; return whether that is news."""

    def work(database: Database) -> bool:
        with database.atomic():
            if exempt:
                now = datetime.now(UTC).isoformat()
                row = {"community": community, "account": str(account), "by": by, "since": now}
                inserted = database.table("exemptions").insert(row, ignore=True)
                news = bool(inserted.db.execute("SELECT changes()").fetchone()[0])
            else:
                news = bool(
                    database.execute(
                        "DELETE FROM exemptions WHERE community = ? AND account = ?", [community, str(account)]
                    ).rowcount
                )
            if news:
                log(database, community, by, "allow" if exempt else "disallow", str(account), {})
            return news

    return await store.run(work)
