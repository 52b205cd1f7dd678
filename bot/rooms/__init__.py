"""Rooms: each turns one platform into batches of events."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from detectors.records import Event, Message, Person, RoomKey, ShowInfo


class RoomError(Exception):
    """The room cannot be opened and trying again will not help (a wrong address). The text says what to change.

    `reason` says the same to people, in their language, where that was thought of.
    """

    def __init__(self, text: str, reason: Message | None = None) -> None:
        super().__init__(text)
        self.reason = reason


class RoomLostError(Exception):
    """The room was not there, or went away for too long; it may be back later. One line says what was lost.

    `reason` says the same to people, in their language, where that was thought of.
    """

    def __init__(self, text: str, reason: Message | None = None) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Left:
    """Where a room was left: the show that was not over (if any) and how far it was, in seconds; and until when the
    room was heard, as far as it is written down. `seats`: who sat where in that show."""

    show: ShowInfo | None
    seconds: float
    heard: datetime
    seats: Mapping[int, Person] = field(default_factory=dict)


#: Says where a room was left, or None of one that was never heard.
Resume = Callable[[RoomKey], Awaitable[Left | None]]


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
