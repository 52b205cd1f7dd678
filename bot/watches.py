"""Watches that communities add themselves: kept in the database, within the operator's bounds."""

import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

from sqlite_utils import Database

from bot.parcels import bump
from bot.periods import begin_period, end_period
from bot.policy import Watch
from bot.reviews import log
from bot.store import Store
from config.settings import RoomSettings, Sensitivity, StreamSettings, WatchSettings
from detectors.records import Account, Message, Person, RoomKey

_CHANNEL: Final = re.compile(r"<#(\d{1,20})>|(\d{1,20})")
#: Kinds of rooms that a community may add.
KINDS: Final = ("discord", "media", "janus")


class RefusedWatchError(Exception):
    """A watch is not allowed or cannot be right: message key and parameters for the person who asked."""

    def __init__(self, key: str, **params: str | int | Message) -> None:
        super().__init__(key)
        self.key = key
        self.params = params


@dataclass(frozen=True, slots=True)
class WatchRow:
    """A watch as it stands: `source` is `file` (read-only), `community`, `thread`, or `former`."""

    watch: Watch
    paused: bool
    source: str
    options: dict[str, Any]
    #: When it began or went on last (ISO time); empty while it is paused.
    since: str = ""


def room_of(kind: str, place: str, guild: int, streams: StreamSettings) -> RoomKey:
    """Return the room that a member of a server names. Raises RefusedWatchError when it is not theirs to watch."""
    if kind == "discord":
        found = _CHANNEL.fullmatch(place.strip())
        if found is None:
            raise RefusedWatchError("watch.no_channel", place=place[:80])
        return RoomKey("discord", f"{guild}/{found[1] or found[2]}")
    if kind not in KINDS:
        raise RefusedWatchError("watch.no_kind", kind=kind[:40])
    schemes = ("ws", "wss") if kind == "janus" else ("http", "https", "rtmp", "rtmps")
    try:
        parts = urlsplit(place.strip())
        host = parts.hostname if parts.scheme in schemes else None
    except ValueError:  # brackets that hold no address
        host = None
    if not host:
        raise RefusedWatchError("watch.no_address", schemes=", ".join(schemes))
    if not _allowed(host, streams.hosts) or _is_private(host):
        raise RefusedWatchError("watch.host", host=host[:80])
    return RoomKey(kind, place.strip())


def named_room(name: str, guild: int) -> RoomKey:
    """Return the room that somebody names as `/watch list` or Discord does; whether it is watched is another matter."""
    kind, colon, address = name.strip().partition(":")
    if channel := _CHANNEL.fullmatch(name.strip()):
        return RoomKey("discord", f"{guild}/{channel[1] or channel[2]}")
    if not colon:
        return RoomKey("discord", kind)
    # An address without its kind: the scheme tells it.
    whole = {"http": "media", "https": "media", "rtmp": "media", "rtmps": "media", "ws": "janus", "wss": "janus"}
    return RoomKey(whole[kind], name.strip()) if address.startswith("//") and kind in whole else RoomKey(kind, address)


def _is_private(host: str) -> bool:
    """Whether a host is an address inside the operator's own network; such ones are for the settings file alone."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.lower() in ("localhost", "localhost.localdomain") or host.lower().endswith(".local")


def _allowed(host: str, hosts: list[str]) -> bool:
    """Whether a host, or one above it, is on the operator's list. Nothing is, until it is put there."""
    name = host.lower().rstrip(".")
    return any(name == one.lower() or name.endswith("." + one.lower()) for one in hosts)


def host_of(room: RoomKey, options: dict[str, Any]) -> Person | None:
    """Return who speaks in a room, as a community says; where there are several seats the room itself knows."""
    name = options.get("host")
    if room.kind != "media" or not name:
        return None
    return Person(Account("media", "stream", str(name).lower()), str(name))


async def add_watch(store: Store, watch: Watch, by: str, options: dict[str, Any], streams: StreamSettings) -> None:
    """Add a watch, or change one that the community added. Raises RefusedWatchError and StoreError."""
    host = host_of(watch.room, options)

    def work(database: Database) -> None:
        with database.atomic():
            room = str(watch.room)
            known = list(database.table("watches").rows_where("community = ? AND room = ?", [watch.community, room]))
            if known and known[0]["source"] == "file":
                raise RefusedWatchError("watch.in_file")
            own = bool(known) and known[0]["source"] == "community"
            if not own and _count(database, watch.community) >= streams.per_community:
                raise RefusedWatchError("watch.too_many", most=streams.per_community)
            database.table("rooms").insert(
                {"id": room, "kind": watch.room.kind, "address": watch.room.address}, ignore=True
            )
            row = {
                "community": watch.community,
                "room": room,
                "channel": watch.channel,
                "sensitivity": watch.sensitivity,
                "dry_run": int(watch.dry_run),
                "consent": int(watch.consent),
                "source": "community",
                "paused": 0,
                "options": json.dumps(options),
                "added_by": by,
            }
            database.table("watches").upsert(row, pk=("community", "room"))
            if host is not None:
                _save_host(database, host)
            begin_period(database, watch.community, room, host)
            told = {"sensitivity": watch.sensitivity, "dry_run": watch.dry_run, "channel": watch.channel}
            log(database, watch.community, by, "watch_add", room, told)

    await store.run(work)


async def remove_watch(store: Store, community: str, room: RoomKey, by: str) -> bool:
    """Take a watch away; what was heard there stays on cards. Raises RefusedWatchError for one of the file."""

    def work(database: Database) -> bool:
        with database.atomic():
            if not _own(database, community, room):
                return False
            database.execute(
                "UPDATE watches SET source = 'former' WHERE community = ? AND room = ?", [community, str(room)]
            )
            _leave(database, community, str(room))
            log(database, community, by, "watch_remove", str(room), {})
            return True

    known = await store.run(work)
    store.changed.set()
    return known


async def pause_watch(store: Store, community: str, room: RoomKey, by: str, paused: bool) -> bool:
    """Pause a watch or let it go on; return whether there is one. Raises RefusedWatchError for one of the file."""

    def work(database: Database) -> bool:
        with database.atomic():
            if not _own(database, community, room):
                return False
            database.execute(
                "UPDATE watches SET paused = ? WHERE community = ? AND room = ?", [int(paused), community, str(room)]
            )
            if paused:
                _leave(database, community, str(room))
            else:
                begin_period(database, community, str(room), _host_of(database, community, room))
            log(database, community, by, "watch_pause" if paused else "watch_go_on", str(room), {})
            return True

    known = await store.run(work)
    store.changed.set()
    return known


async def list_watches(store: Store, community: str | None = None, room: RoomKey | None = None) -> list[WatchRow]:
    """Return the watches of a community, of a room, or all; former ones and those of threads are left out."""

    def work(database: Database) -> list[WatchRow]:
        rows = database.query(
            "SELECT w.*, r.kind, r.address, (SELECT MAX(p.since) FROM watch_periods p WHERE p.community = w.community"
            "  AND p.room = w.room AND p.until IS NULL) AS began FROM watches w JOIN rooms r ON r.id = w.room"
            " WHERE w.source IN ('file', 'community') AND (? IS NULL OR w.community = ?)"
            " AND (? IS NULL OR w.room = ?) ORDER BY w.room, w.community",
            [community, community, str(room) if room else None, str(room) if room else None],
        )
        return [_row(row) for row in rows]

    return await store.run(work)


def heard_rows(rows: list[WatchRow], streams: StreamSettings | None = None) -> list[WatchRow]:
    """Return the watches for which a room is heard: not those that are paused, nor of a stream whose host the operator
    took off the list."""
    return [row for row in rows if not row.paused and (row.source == "file" or _still_allowed(row, streams))]


def room_settings(
    key: RoomKey, rows: list[WatchRow], in_file: RoomSettings | None = None, streams: StreamSettings | None = None
) -> RoomSettings | None:
    """Return the settings with which a room is opened for all its watches, or None.

    What the file says of the room comes first: no community changes how another one hears it. Who speaks in a stream
    is each community's own to say (`Watch.host`); of a live show with seats, the first one to say it is heeded.
    """
    heard = heard_rows(rows, streams)
    if not heard:
        return None
    watches = [
        {
            "community": row.watch.community,
            "channel": row.watch.channel,
            "sensitivity": row.watch.sensitivity,
            "dry_run": row.watch.dry_run,
            "consent": row.watch.consent,
        }
        for row in heard
    ]
    if in_file is not None:
        return in_file.model_copy(update={"watches": [WatchSettings.model_validate(one) for one in watches]})
    first = min(heard, key=lambda row: (not row.options.get("host"), row.since))
    options = {"host": first.options.get("host")} if key.kind == "janus" else {}
    return RoomSettings.model_validate({**options, "kind": key.kind, "address": key.address, "watches": watches})


def _still_allowed(row: WatchRow, streams: StreamSettings | None) -> bool:
    host = urlsplit(row.watch.room.address).hostname if row.watch.room.kind != "discord" else None
    return host is None or streams is None or _allowed(host, streams.hosts)


def _leave(database: Database, community: str, room: str) -> None:
    """End a watch's period; warnings of the show that is on say from then on that the community listens no more."""
    end_period(database, community, room)
    for (alert,) in database.execute(
        "SELECT a.id FROM alerts a JOIN shows s ON s.room = a.room AND s.id = a.show"
        " WHERE a.community = ? AND a.room = ? AND NOT s.ended AND a.channel LIKE '%:%'"
        " AND s.updated = (SELECT MAX(updated) FROM shows WHERE room = a.room)",
        [community, room],
    ).fetchall():
        bump(database, alert)


def _own(database: Database, community: str, room: RoomKey) -> bool:
    for row in database.query("SELECT source FROM watches WHERE community = ? AND room = ?", [community, str(room)]):
        if row["source"] == "file":
            raise RefusedWatchError("watch.in_file")
        return bool(row["source"] == "community")
    return False


def _count(database: Database, community: str) -> int:
    query = "SELECT COUNT(*) FROM watches WHERE community = ? AND source = 'community'"
    return int(database.execute(query, [community]).fetchone()[0])


def _row(row: dict[str, Any]) -> WatchRow:
    room, options = RoomKey(row["kind"], row["address"]), json.loads(row["options"])
    watch = Watch(
        row["community"],
        room,
        row["channel"],
        cast(Sensitivity, row["sensitivity"]),
        bool(row["dry_run"]),
        bool(row["consent"]),
        host_of(room, options),
    )
    return WatchRow(watch, bool(row["paused"]), row["source"], options, row["began"] or "")


def _host_of(database: Database, community: str, room: RoomKey) -> Person | None:
    query = "SELECT options FROM watches WHERE community = ? AND room = ?"
    found = database.execute(query, [community, str(room)]).fetchone()
    return host_of(room, json.loads(found[0])) if found else None


def _save_host(database: Database, host: Person) -> None:
    """Keep who is said to speak somewhere, so that there is a card before anybody warned of them."""
    now = datetime.now(UTC).isoformat()
    row = {"id": str(host.account), "platform": host.account.platform, "server": host.account.server}
    row |= {"name": host.name, "first_seen": now, "last_seen": now}
    database.table("accounts").insert(row, ignore=True)
