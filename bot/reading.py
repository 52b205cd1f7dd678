"""The model stage: gathers the lines of a batch with their context and has them read in a worker thread.

Lines of people who present that look like a pitch are then looked at a second time, with the passage they end.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from detectors.classifier import Request
from detectors.context import choose_context
from detectors.records import Account, Event, Line, Reading, SeatChange, Unavailable
from detectors.second_look import passage_pitch, second_requests
from detectors.show import Show

log = logging.getLogger(__name__)


class LineReader(Protocol):
    """What reads lines: the classifier, or a stand-in for tests."""

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        """Return one reading per request, in order."""
        ...


class ModelStage:
    """One model for all rooms, one thread: batches of different rooms queue up fairly, in order of arrival."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")

    async def read(self, show: Show, batch: Sequence[Event]) -> list[Reading | Unavailable | None]:
        """Return a reading per event of `batch`; None for events that are not lines.

        When the model fails, its lines are `Unavailable`, which is counted and never taken for harmless.
        """
        places, requests = _requests(show, batch)
        readings: list[Reading | Unavailable | None] = [None] * len(batch)
        if not requests:
            return readings
        try:
            for place, reading in zip(places, await self._read(requests), strict=True):
                readings[place] = reading
        except Exception as error:  # whatever a model dies of, the lines were not read
            unread = Unavailable(f"{type(error).__name__}: {error}")
            details = log.isEnabledFor(logging.DEBUG)
            log.error("%d lines of %s were not read: %s", len(requests), show.info.id, unread.reason, exc_info=details)
            for place in places:
                readings[place] = unread
            return readings
        return await self._look_again(show, batch, readings)

    async def _look_again(
        self, show: Show, batch: Sequence[Event], readings: Sequence[Reading | Unavailable | None]
    ) -> list[Reading | Unavailable | None]:
        """Return the readings with what a second look says of those that need one; without where it fails, so that
        such a line counts by what was read of it alone.

        Who presents in a room of text alone is asked before the batch: the line that makes somebody a presenter gets
        no second look.
        """
        looked = list(readings)
        places: list[int] = []
        requests: list[Request] = []
        for place, passage in _passages(show, batch, readings):
            places += [place] * len(passage)
            requests += passage
        if not requests:
            return looked
        try:
            found: dict[int, list[Reading]] = {}
            for place, stretch in zip(places, await self._read(requests), strict=True):
                found.setdefault(place, []).append(stretch)
        except Exception as error:  # whatever a model dies of: the first readings are there
            log.error("%s: no second look: %s: %s", show.info.id, type(error).__name__, error)
            return looked
        for place, stretches in found.items():
            reading = looked[place]
            assert isinstance(reading, Reading)
            looked[place] = replace(reading, passage=passage_pitch(stretches))
        return looked

    async def _read(self, requests: Sequence[Request]) -> list[Reading]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.read, requests)

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        self._thread.shutdown()


def _requests(show: Show, batch: Sequence[Event]) -> tuple[list[int], list[Request]]:
    earlier = list(show.recent)
    places, requests = [], []
    seated: set[Account] = set()  # within this batch, which the show does not know yet
    for place, event in enumerate(batch):
        _note_seat(seated, event)
        if not isinstance(event, Line):
            continue
        places.append(place)
        requests.append(
            Request(
                text=event.text,
                kind=event.kind,
                context=tuple(choose_context(earlier, event.kind, event.who)),
                lang=event.lang or show.info.lang,
                gated=event.kind == "chat" and not _presents(show, seated, event.person.account),
            )
        )
        if event.weight > 0.0:
            earlier.append(event)
    return places, requests


def _passages(
    show: Show, batch: Sequence[Event], readings: Sequence[Reading | Unavailable | None]
) -> Iterator[tuple[int, list[Request]]]:
    """Yield the place of each line of somebody who presents, and what a second look at it reads."""
    seated: set[Account] = set()
    said: dict[Account, list[Line]] = {}
    for place, (event, reading) in enumerate(zip(batch, readings, strict=True)):
        _note_seat(seated, event)
        if not isinstance(event, Line) or not isinstance(reading, Reading):
            continue
        account = event.person.account
        if not _presents(show, seated, account):
            continue
        if account not in said:
            said[account] = show.said_by(account)
        yield place, second_requests(event, reading, said[account])
        if event.weight > 0.0:
            said[account].append(event)


def _presents(show: Show, seated: set[Account], account: Account) -> bool:
    return account in seated or show.is_presenter(account)


def _note_seat(seated: set[Account], event: Event) -> None:
    if isinstance(event, SeatChange) or (isinstance(event, Line) and event.kind == "speech"):
        seated.add(event.person.account)
