"""One pool of recognisers for all rooms: fair between sources, bounded, and never silent about what it skipped.

Each source has a channel. A channel has at most one segment in work, so that the language of its speaker is known
before the next one; workers take turns between channels. Where sound comes live, the oldest waiting segment makes
room when too many wait; where it comes from a file, the reader waits.
"""

import asyncio
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE, SpeechError
from bot.speech.transcriber import Heard
from bot.speech.worker import BROKEN, Job, WorkerSettings, serve

log = logging.getLogger(__name__)

#: Longest wait for a worker to load its model, in seconds; a first load from a cold disk is slow.
LOAD_SECONDS: Final = 120.0
#: Longest work on a segment: a base, and so many seconds per second of sound.
WORK_BASE: Final = 10.0
WORK_PER_SECOND: Final = 3.0
#: Lags that are remembered for the figures.
LAGS: Final = 1_000


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many processes hear, what they load, and how many segments of one source may wait."""

    worker: WorkerSettings
    workers: int = 1
    waiting: int = 8


class SkippedError(Exception):
    """The segment was not heard: too much waited, or the recogniser failed on it. The text says which."""


@dataclass(slots=True)
class PoolCounts:
    """What the pool did: segments and seconds heard, segments skipped and failed, workers replaced, lags in seconds."""

    heard: int = 0
    heard_seconds: float = 0.0
    skipped: int = 0
    failed: int = 0
    replaced: int = 0
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=LAGS))


@dataclass(slots=True)
class _Waiting:
    samples: NDArray[np.float32]
    prior: Callable[[], Mapping[str, float]]
    lang: str | None
    done: asyncio.Future[Heard]
    since: float


class Channel:
    """One source's place in the pool."""

    def __init__(self, pool: "SpeechPool", name: str) -> None:
        self.name = name
        self._pool = pool
        self.waiting: deque[_Waiting] = deque()
        self.busy = False
        self.skipped = 0
        self._closed = False
        self._room = asyncio.Event()
        self._room.set()

    async def hear(
        self,
        samples: NDArray[np.float32],
        prior: Callable[[], Mapping[str, float]] = dict,
        lang: str | None = None,
        patient: bool = False,
    ) -> asyncio.Future[Heard]:
        """Queue a segment; the future gives what was heard, or raises SkippedError.

        `patient` waits for room; otherwise the oldest waiting segment is skipped for it. `prior` is asked when the
        segment's turn comes.
        """
        while patient and not self._closed and len(self.waiting) >= self._pool.settings.waiting:
            self._room.clear()
            await self._room.wait()
        future: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.cancel()
            return future
        if len(self.waiting) >= self._pool.settings.waiting:
            oldest = self.waiting.popleft()
            self.skipped += 1
            self._pool.counts.skipped += 1
            if not oldest.done.done():
                oldest.done.set_exception(SkippedError("too much was said at once for this machine"))
        self.waiting.append(_Waiting(samples, prior, lang, future, time.monotonic()))
        self._pool.wake()
        return future

    def take(self) -> _Waiting | None:
        """Return the next segment, if none is in work."""
        while not self.busy and self.waiting:
            taken = self.waiting.popleft()
            self._room.set()
            if not taken.done.cancelled():
                self.busy = True
                return taken
        return None

    def close(self) -> None:
        """Leave the pool; what waits is given up."""
        self._closed = True
        self._room.set()
        for waiting in self.waiting:
            waiting.done.cancel()
        self.waiting.clear()
        self._pool.leave(self)


class SpeechPool:
    """The workers. `start` before use, `close` after."""

    def __init__(self, settings: PoolSettings, target: Callable[[Connection, WorkerSettings], None] = serve) -> None:
        """`target` is what a worker process runs; tests put others there."""
        self.settings = settings
        self.counts = PoolCounts()
        self._target = target
        self._channels: deque[Channel] = deque()
        self._work = asyncio.Event()
        self._workers = [_Worker(settings.worker, target) for _ in range(settings.workers)]
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="speech")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load the models. Raises SpeechError when a worker cannot."""
        loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(*(loop.run_in_executor(self._threads, worker.start) for worker in self._workers))
        except BaseException:  # also when somebody stops us while models load
            await self.close()
            raise
        self._tasks = [asyncio.create_task(self._run(worker)) for worker in self._workers]

    async def close(self) -> None:
        """End all workers, also one that hangs."""
        for task in self._tasks:
            task.cancel()
        for worker in self._workers:
            worker.retire()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for channel in list(self._channels):
            channel.close()

    def channel(self, name: str) -> Channel:
        """Open a place for one source."""
        channel = Channel(self, name)
        self._channels.append(channel)
        return channel

    def processes(self) -> list[int]:
        """Return the process ids of the workers."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    def leave(self, channel: Channel) -> None:
        """Close a place."""
        if channel in self._channels:
            self._channels.remove(channel)

    def wake(self) -> None:
        """Something waits."""
        self._work.set()

    def _next(self) -> tuple[Channel, _Waiting] | None:
        """Take the next segment of the channel whose turn it is."""
        for _ in range(len(self._channels)):
            channel = self._channels[0]
            self._channels.rotate(-1)
            if taken := channel.take():
                return channel, taken
        return None

    async def _run(self, worker: "_Worker") -> None:
        loop = asyncio.get_running_loop()
        while True:
            found = self._next()
            if found is None:
                self._work.clear()
                await self._work.wait()
                continue
            channel, taken = found
            lost = False
            try:
                prior = dict(taken.prior())
                answer = await loop.run_in_executor(self._threads, worker.ask, taken.samples, prior, taken.lang)
                self._settle(taken, answer)
                await asyncio.sleep(0)  # whoever waits takes note of it before the next one's turn
            except Exception as error:  # the worker died or hung, or something of ours failed: the pool goes on
                lost = True
                self._lose(taken, error)
            finally:
                channel.busy = False
                self.wake()
            if lost:
                await self._replace(worker)

    def _settle(self, taken: _Waiting, answer: Heard | str) -> None:
        if isinstance(answer, str):
            self.counts.failed += 1
            log.error("a segment could not be heard: %s", answer)
            if not taken.done.done():
                taken.done.set_exception(SkippedError(answer))
            return
        self.counts.heard += 1
        self.counts.heard_seconds += len(taken.samples) / RATE
        self.counts.lags.append(time.monotonic() - taken.since)
        if not taken.done.done():
            taken.done.set_result(answer)

    def _lose(self, taken: _Waiting, error: Exception) -> None:
        self.counts.failed += 1
        why = str(error) if isinstance(error, _LostError) else f"failed ({type(error).__name__}: {error})"
        log.error("a speech worker %s; it is replaced", why)
        if not taken.done.done():
            taken.done.set_exception(SkippedError(f"the recogniser {why}"))

    async def _replace(self, worker: "_Worker") -> None:
        self.counts.replaced += 1
        loop = asyncio.get_running_loop()
        wait = 1.0
        while True:
            try:
                await loop.run_in_executor(self._threads, worker.start)
                return
            except SpeechError as again:
                log.error("the speech worker cannot be replaced: %s; tried again in %.0f s", again, wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, 60.0)


class _LostError(Exception):
    """The worker died or hung."""


class _Worker:
    """One process and the pipe to it. Its blocking methods are called from one thread at a time."""

    def __init__(self, settings: WorkerSettings, target: Callable[[Connection, WorkerSettings], None]) -> None:
        self._settings = settings
        self._target = target
        self._process: Any = None
        self._pipe: Connection | None = None
        self._retired = False

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process and wait until its model is loaded. Raises SpeechError."""
        self.end()
        context = multiprocessing.get_context("spawn")
        try:
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=self._target, args=(theirs, self._settings), daemon=True)
            self._process.start()
            theirs.close()
            if self._retired:
                self.end()
                raise SpeechError("speech: stopped")
            state, why = self._pipe.recv() if self._pipe.poll(LOAD_SECONDS) else (BROKEN, "loading took too long")
        except EOFError:
            state, why = BROKEN, "the process died while loading"
        except OSError as error:
            state, why = BROKEN, f"no process could be started: {error}"
        if state == BROKEN:
            self.end()
            raise SpeechError(f"speech: {why}")

    def ask(self, samples: NDArray[np.float32], prior: Mapping[str, float], lang: str | None) -> Any:
        """Have a segment heard. Raises _LostError when the process died or took far too long."""
        if self._pipe is None:
            raise _LostError("is gone")
        try:
            self._pipe.send(Job(samples.astype(np.float32, copy=False).tobytes(), prior, lang))
            if not self._pipe.poll(WORK_BASE + WORK_PER_SECOND * len(samples) / RATE):
                raise _LostError("hung")
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _LostError("died") from error

    def retire(self) -> None:
        """End the process for good."""
        self._retired = True
        self.end()

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            if self._process.pid is not None:
                self._process.kill()
                self._process.join(timeout=5.0)
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
