"""What a community knows about an account beside its card: figures that moderators noted, joined accounts, open
warnings, and how its shows went."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlite_utils import Database

from bot.history import Past, read_history
from bot.jump import jump_link
from bot.reports import Card, heard_shows_of, read_card
from bot.reviews import log

#: Figures and shows that are kept on a card, the newest ones.
MAX_RECORDS: Final = 5
MAX_SHOWS: Final = 24
#: Quotes on a moderator's card, the newest ones.
MAX_QUOTES: Final = 3


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A public figure that a moderator looked up: what, how much, where, and on which day (ISO date)."""

    what: str
    value: float
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class ShowBar:
    """One show of an account: when it began (ISO time), how long it was (seconds), the share of the account's lines
    that sold something, and how many episodes moderators confirmed or left open in it."""

    started: str
    seconds: float
    selling: float
    confirmed: int
    open: int


@dataclass(frozen=True, slots=True)
class Said:
    """A quote: what was said, at how many seconds of its show, and where to hear or read it."""

    text: str
    at: float
    link: str | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """An account's card with everything around it. `confirmed_names` are those that members may see."""

    card: Card
    records: tuple[RecordRow, ...]
    linked: tuple[str, ...]
    shows: tuple[ShowBar, ...]
    past: tuple[Past, ...]
    confirmed_names: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()

    def known_to(self, moderator: bool) -> bool:
        """Whether there is anything to show. That nobody confirmed a warning yet is no business of members."""
        neutral = self.card.shows or self.card.episodes["confirmed"] or self.records or self.card.statements
        return bool(neutral or (moderator and self.past))

    def pictured(self, moderator: bool) -> tuple[ShowBar, ...]:
        """Return the shows that are drawn; for members those in which moderators confirmed something."""
        return self.shows if moderator else tuple(one for one in self.shows if one.confirmed)


def read_dossier(database: Database, account: str, community: str) -> Dossier | None:
    """Return what is known about an account, or None when nobody by that id was ever met anywhere."""
    if not list(database.table("accounts").rows_where("id = ?", [account])):
        return None
    linked = _linked(database, account, community)
    card = read_card(database, account, community)
    return Dossier(
        replace(card, statements=_statements(database, (account, *linked), community)),
        tuple(
            RecordRow(row["what"], row["value"], row["source"], row["as_of"])
            for row in database.query(
                "SELECT * FROM records WHERE account = ? AND community = ? AND undone IS NULL"
                " ORDER BY as_of DESC, id DESC LIMIT ?",
                [account, community, MAX_RECORDS],
            )
        ),
        linked,
        _shows(database, account, community),
        tuple(read_history(database, community, account)),
        _confirmed_names(database, account, community),
        _said(database, account, community),
    )


def _statements(database: Database, accounts: Sequence[str], community: str) -> tuple[str, ...]:
    """Return what the person said about it, from whichever of the joined accounts, oldest first."""
    marks = ",".join("?" * len(accounts))
    rows = database.table("statements").rows_where(
        f"community = ? AND status = 'shown' AND account IN ({marks})", [community, *accounts], order_by="id"
    )
    return tuple(row["text"] for row in rows)


def _confirmed_names(database: Database, account: str, community: str) -> tuple[str, ...]:
    """Return the account's name, and those that it had in warnings that moderators confirmed."""
    rows = database.query(
        "SELECT name FROM alerts WHERE account = :a AND community = :c AND status = 'confirmed'"
        " UNION SELECT name FROM heard_parts WHERE account = :a AND community = :c AND name != ''"
        " ORDER BY name",
        {"a": account, "c": community},
    )
    return tuple(row["name"] for row in rows) or (account.split(":", 2)[2],)


def _said(database: Database, account: str, community: str) -> tuple[Said, ...]:
    """Return the newest quotes of warnings that were not dismissed, in the order in which they were said."""
    rows = database.query(
        "SELECT e.text, e.at, e.event_id, a.room FROM evidence e JOIN alerts a ON a.id = e.alert"
        " WHERE a.account = ? AND a.community = ? AND a.status != 'dismissed'"
        " ORDER BY a.raised DESC, e.at DESC LIMIT ?",
        [account, community, MAX_QUOTES],
    )
    found = [Said(row["text"], row["at"], jump_link(row["room"], row["event_id"], row["at"])) for row in rows]
    return tuple(reversed(found))


def _linked(database: Database, account: str, community: str) -> tuple[str, ...]:
    rows = database.query(
        "SELECT other AS one FROM links WHERE community = :c AND account = :a"
        " UNION SELECT account FROM links WHERE community = :c AND other = :a ORDER BY one",
        {"c": community, "a": account},
    )
    return tuple(row["one"] for row in rows)


def _shows(database: Database, account: str, community: str) -> tuple[ShowBar, ...]:
    of_account = "SELECT room, show, status FROM alerts WHERE community = ? AND account = ?"
    alerts = Counter(database.execute(of_account, [community, account]).fetchall())
    return tuple(
        ShowBar(
            row["started"],
            row["seconds"],
            row["selling_lines"] / row["lines"] if row["lines"] else 0.0,
            alerts[row["room"], row["id"], "confirmed"],
            alerts[row["room"], row["id"], "open"],
        )
        for row in heard_shows_of(database, account, community)[-MAX_SHOWS:]
    )


def add_record(
    database: Database, community: str, account: str, by: str, what: str, value: float, source: str, as_of: str
) -> None:
    """Note a public figure about an account that the community has met."""
    now = datetime.now(UTC).isoformat()
    with database.atomic():
        row: dict[str, Any] = {"community": community, "account": account, "what": what, "value": value}
        row |= {"source": source, "as_of": as_of, "noted_by": by, "noted": now}
        database.table("records").insert(row)
        log(database, community, by, "record", account, {"what": what, "value": value, "as_of": as_of})


def take_record_back(
    database: Database, community: str, account: str, by: str, what: str, value: float, source: str, as_of: str | None
) -> bool:
    """Take the newest equal figure off the card, of a day if one is named; return whether there was one."""
    with database.atomic():
        found = database.execute(
            "SELECT MAX(id) FROM records WHERE community = ? AND account = ? AND what = ? AND value = ? AND source = ?"
            " AND (? IS NULL OR as_of = ?) AND undone IS NULL",
            [community, account, what, value, source, as_of, as_of],
        ).fetchone()[0]
        if found is None:
            return False
        database.table("records").update(found, {"undone": datetime.now(UTC).isoformat()})
        log(database, community, by, "record_undone", account, {"what": what, "value": value, "record": found})
        return True


def save_member(database: Database, account: str, name: str) -> None:
    """Keep a member of the community whom nobody has heard yet, so that something can be noted about them."""
    platform, server, _ = account.split(":", 2)
    now = datetime.now(UTC).isoformat()
    row = {"id": account, "platform": platform, "server": server, "name": name, "first_seen": now, "last_seen": now}
    with database.atomic():
        database.table("accounts").insert(row, ignore=True)


def link_accounts(database: Database, community: str, account: str, other: str, by: str, take_back: bool) -> bool:
    """Say that two accounts are one person, or take that back; return whether that is news."""
    one, two = sorted((account, other))
    with database.atomic():
        if take_back:
            query = "DELETE FROM links WHERE community = ? AND account = ? AND other = ?"
            news = bool(database.execute(query, [community, one, two]).rowcount)
        else:
            now = datetime.now(UTC).isoformat()
            row = {"community": community, "account": one, "other": two, "by": by, "since": now}
            inserted = database.table("links").insert(row, ignore=True)
            news = bool(inserted.db.execute("SELECT changes()").fetchone()[0])
        if news:
            log(database, community, by, "unlink" if take_back else "link", one, {"other": two})
    return news
