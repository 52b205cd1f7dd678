"""The registry of rooms: which file opens which kind. To add a kind, add one line to each table here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bot.rooms import Room, RoomError
from bot.rooms.media import MediaOptions, MediaRoom, check_media
from bot.rooms.replay import ReplayRoom, check_header
from bot.speech.hearing import Hearing
from config.settings import RoomSettings

ROOMS: Final[Mapping[str, Callable[[RoomSettings, Hearing], Room]]] = {
    "replay": lambda room, hearing: ReplayRoom(Path(room.address), room.speed, hearing if _may_hear(room) else None),
    "media": lambda room, hearing: MediaRoom(room.address, hearing, MediaOptions(room.host, room.lang, room.speed)),
}

#: What can be said of an address before the room is opened: each raises RoomError when it is wrong.
CHECKS: Final[Mapping[str, Callable[[RoomSettings], None]]] = {
    "replay": lambda room: check_header(Path(room.address)),
    "media": lambda room: _check_media(room),
}


def check_address(room: RoomSettings) -> None:
    """Raise RoomError when the address of a room cannot be right, or when it may not be listened to."""
    CHECKS[room.kind](room)


def open_room(room: RoomSettings, hearing: Hearing) -> Room:
    """Return the room that a setting names; it is not opened before its events are asked for."""
    return ROOMS[room.kind](room, hearing)


def _may_hear(room: RoomSettings) -> bool:
    """Whether everybody who watches the room says that people in it were told that it is heard."""
    return bool(room.watches) and all(watch.consent for watch in room.watches)


def _check_media(room: RoomSettings) -> None:
    if not _may_hear(room):
        raise RoomError(
            f"{room.address}: no voice is heard before people were told; then set consent = true in each watch"
        )
    check_media(room.address)
