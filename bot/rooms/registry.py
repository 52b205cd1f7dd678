"""The registry of rooms: which file opens which kind. To add a kind, add one line here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bot.rooms import Room
from bot.rooms.replay import ReplayRoom, check_header
from config.settings import RoomSettings

ROOMS: Final[Mapping[str, Callable[[RoomSettings], Room]]] = {
    "replay": lambda room: ReplayRoom(Path(room.address), room.speed),
}


#: What can be said of an address before the room is opened: each raises RoomError when it is wrong.
CHECKS: Final[Mapping[str, Callable[[RoomSettings], None]]] = {
    "replay": lambda room: check_header(Path(room.address)),
}


def check_address(room: RoomSettings) -> None:
    """Raise RoomError when the address of a room cannot be right."""
    CHECKS[room.kind](room)


def open_room(room: RoomSettings) -> Room:
    """Return the room that a setting names; it is not opened before its events are asked for."""
    return ROOMS[room.kind](room)
