"""What happened in a Janus room, on its way to the watcher: bounded, however slow one and busy the other.

Where too much waits, lines are dropped and counted. Of changes of seats only what they come to is kept: somebody who
sat down meanwhile and made way for somebody else was never seen, but who sits where is right as soon as there is room.
"""

import asyncio
from typing import Final

from detectors.records import Event, Line, SeatChange, Unheard

#: Events that may wait for the watcher. Beyond them come two changes for each seat, and what the room itself says of
#: opening, losses and the end, which no one in it can make happen often.
QUEUE: Final = 512


class Outgoing:
    """Put events in, get them out in the same order; None says that it is over."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        #: Changes of seats for which there was no room, at most two for each seat: somebody joined, and left.
        self._held: list[SeatChange] = []

    def __len__(self) -> int:
        return self._queue.qsize() + len(self._held)

    def put(self, event: Event | None) -> int:
        """Hand in what happened; return how many events were dropped."""
        if self._queue.qsize() >= QUEUE:
            if isinstance(event, Line | Unheard):
                return 1
            if isinstance(event, SeatChange):
                return self._hold(event)
        self._release()  # their numbers are lower, and what comes with a lower number later is taken for known
        self._queue.put_nowait(event)
        return 0

    async def get(self) -> Event | None:
        """Return what happened next."""
        event = await self._queue.get()
        if self._queue.qsize() < QUEUE:
            self._release()
        return event

    def _hold(self, change: SeatChange) -> int:
        """Keep a change; return how many are dropped for it. Who takes a seat has it, whatever was before."""
        same = [held for held in self._held if held.seat == change.seat]
        if change.change == "left":
            if same and same[-1].change == "left":
                return 1
            same = []
        for held in same:
            self._held.remove(held)
        self._held.append(change)
        return len(same)

    def _release(self) -> None:
        for change in self._held:
            self._queue.put_nowait(change)
        self._held.clear()
