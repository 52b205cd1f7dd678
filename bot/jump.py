"""Jump links: the address at which a moderator hears or reads a quote where it was said."""

import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_MESSAGE: Final = re.compile(r"/m([0-9]{1,20})\Z")
_YOUTUBE_ID: Final = re.compile(r"[A-Za-z0-9_-]{6,20}")
_YOUTUBE_PATH: Final = re.compile(r"/(?:live|shorts|embed|v)/([^/]+)/?")
_TWITCH_PATH: Final = re.compile(r"/(?:videos|[A-Za-z0-9_]{1,30}/v(?:ideo)?)/([0-9]{1,20})/?")
_YOUTUBE_HOSTS: Final = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"})
_TWITCH_HOSTS: Final = frozenset({"twitch.tv", "www.twitch.tv", "m.twitch.tv"})


def jump_link(room: str, event_id: str, at: float) -> str | None:
    """Return where to hear or read what was said at `at` seconds of a show, or None when no address leads there.

    An address is put together anew from numbers and video ids, never passed on: whatever else stands in the room's
    own address (tracking, credentials, markdown) does not come through.
    """
    kind, _, address = room.partition(":")
    if kind == "discord":
        return _message_link(address, event_id)
    if kind == "media":
        return _video_link(address, max(0, int(at)))
    return None


def site_of(room: str) -> str | None:
    """Return the site on which a stream is watched, as people write it before a name there, if it is known."""
    kind, _, address = room.partition(":")
    host = urlsplit(address).hostname if kind == "media" else None
    if host in _TWITCH_HOSTS:
        return "twitch"
    return "youtube" if host == "youtu.be" or host in _YOUTUBE_HOSTS else None


def public_room(room: str) -> str:
    """Return a room as it may be shown: of an address, user, password and query stay here, as they may hold keys."""
    _, _, address = room.partition(":")
    _, found, after = address.partition("://")
    if not found:
        return room
    host, slash, path = after.partition("?")[0].partition("#")[0].partition("/")
    return f"{host.rpartition('@')[2]}{slash}{path}"


def without_keys(text: str) -> str:
    """Return an error's words with every address in it as it may be shown."""
    return _ADDRESS.sub(lambda found: public_room(f":{found[0]}"), text)


def alert_link(community: str, channel: str | None, reference: str | None) -> str | None:
    """Return where the message of a warning is: `channel` as the outbox names it, `reference` the message's number."""
    kind, _, number = (channel or "").partition(":")
    return _message_link(f"{community}/{number}", f"x/m{reference}") if kind == "discord" and reference else None


def _message_link(address: str, event_id: str) -> str | None:
    guild, _, channel = address.partition("/")
    message = _MESSAGE.search(event_id)
    if message is None or not _NUMBER.fullmatch(guild) or not _NUMBER.fullmatch(channel):
        return None
    return f"https://discord.com/channels/{guild}/{channel}/{message[1]}"


def _video_link(address: str, seconds: int) -> str | None:
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").casefold()
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    if host in _TWITCH_HOSTS and (twitch := _TWITCH_PATH.fullmatch(parts.path)):
        hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
        return f"https://www.twitch.tv/videos/{twitch[1]}?t={hours}h{minutes}m{rest}s"
    video = _youtube_id(host, parts.path, parts.query)
    if video is None or not _YOUTUBE_ID.fullmatch(video):
        return None
    return f"https://www.youtube.com/watch?v={video}&t={seconds}s"


def _youtube_id(host: str, path: str, query: str) -> str | None:
    if host == "youtu.be":
        return path.strip("/")
    if host not in _YOUTUBE_HOSTS:
        return None
    if path == "/watch":
        return parse_qs(query, max_num_fields=50).get("v", [None])[0] if query.count("&") < 50 else None
    found = _YOUTUBE_PATH.fullmatch(path)
    return found[1] if found else None
