"""Live batches: events of several sources, each in its own time, as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from detectors.records import Event, Tick

#: Events between the sources and the watcher, and the most that are handed over at once.
QUEUE: Final = 64
BATCH: Final = 16
#: Show time is told at least this often, in seconds of the clock.
TICK_SECONDS: Final = 5.0


class _Over:
    """A source ended, or failed with `error`."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


async def gather(
    sources: Sequence[AsyncGenerator[Event, None]], show_time: Callable[[], float | None]
) -> AsyncGenerator[list[Event], None]:
    """Yield what the sources give, in order of arrival, until all have ended; raise what one of them raises.

    Nothing waits for anything else: a slow recogniser does not hold up the chat. While nothing comes, `show_time`
    (None: no show is on) is told by ticks.
    """
    queue: asyncio.Queue[Event | _Over] = asyncio.Queue(QUEUE)
    tasks = [asyncio.create_task(_pump(source, queue)) for source in sources]
    running = len(tasks)
    try:
        while running:
            coming = await _take(queue)
            events = [event for event in coming if not isinstance(event, _Over)]
            if not coming and (at := show_time()) is not None:
                events = [Tick(at)]
            if events:
                yield events
            overs = [over for over in coming if isinstance(over, _Over)]
            running -= len(overs)
            for error in (over.error for over in overs if over.error is not None):
                raise error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(source: AsyncGenerator[Event, None], queue: "asyncio.Queue[Event | _Over]") -> None:
    error: BaseException | None = None
    try:
        async with aclosing(source):
            async for event in source:
                await queue.put(event)
    except Exception as raised:  # handed on to whoever consumes
        error = raised
    await queue.put(_Over(error))


async def _take(queue: "asyncio.Queue[Event | _Over]") -> list[Event | _Over]:
    """Wait for something and take what is there; return nothing when nothing came in a while."""
    coming: list[Event | _Over] = []
    try:
        async with asyncio.timeout(TICK_SECONDS):
            coming.append(await queue.get())
    except TimeoutError:
        return coming
    while len(coming) < BATCH and not queue.empty():
        coming.append(queue.get_nowait())
    return coming
