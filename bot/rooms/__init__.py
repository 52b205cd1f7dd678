"""Rooms: each turns one platform into batches of events."""

from collections.abc import AsyncGenerator
from typing import Protocol

from detectors.records import Event, RoomKey


class RoomError(Exception):
    """The room cannot be opened and trying again will not help (a wrong address). The text says what to change."""


class RoomLostError(Exception):
    """The room was not there, or went away for too long; it may be back later. One line says what was lost."""


class Room(Protocol):
    """A place that is listened to. `events` yields batches until the show is over, the first batch beginning with
    `RoomState("open")` and its show; it may be called again after it failed."""

    @property
    def key(self) -> RoomKey:
        """Which place this is."""
        ...

    @property
    def skipped(self) -> int:
        """Number of broken inputs passed over so far."""
        ...

    def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield events in order, in the batches in which they are to be read."""
        ...
