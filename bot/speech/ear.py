"""An ear: one source of sound on its way to text. Decodes and looks for voices in a thread, has segments heard by the
pool, and gives what was said in order."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE
from bot.speech.live import LiveSource
from bot.speech.media import Away, Back, MediaLimits, MediaReader, Sound
from bot.speech.pool import Channel, SkippedError, SpeechPool
from bot.speech.silero import VoiceDetector
from bot.speech.transcriber import Heard
from bot.speech.voice import WINDOW, Splitter, Stretch

#: Segments between the decoder and the consumer: of a file few, so that it is not decoded far ahead; of a live source
#: as many as can pile up while one segment takes as long as it may.
AHEAD: Final = 8
AHEAD_LIVE: Final = 256
#: How much one remembered segment of a speaker's language counts, and the most that all count, in log-odds.
PRIOR_EACH: Final = 0.5
PRIOR_MOST: Final = 1.5
MAX_SPEAKERS: Final = 64


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech on its way: seconds since the source began, and its sound."""

    number: int
    at: float
    until: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Said:
    """What was said in a segment, or (`heard` None) why it was not heard."""

    number: int
    at: float
    until: float
    heard: Heard | None
    why: str = ""


class Segmenter:
    """From pieces of sound to segments of speech. Holds at most one segment's sound."""

    def __init__(self, detector: VoiceDetector) -> None:
        self._detector = detector
        self._splitter = Splitter()
        self._began: float | None = None  # the time of window 0
        self._sound: NDArray[np.float32] = np.empty(0, np.float32)
        self._first_sample = 0
        self._numbers = 0

    @property
    def held_seconds(self) -> float:
        """How much sound is held."""
        return len(self._sound) / RATE

    def feed(self, sound: Sound) -> Iterator[Segment]:
        """Take in the next piece of sound, which follows the one before without a break."""
        if self._began is None:
            self._began = sound.at
        self._sound = np.concatenate((self._sound, sound.samples))
        for probability in self._detector.probabilities(sound.samples):
            stretch = self._splitter.feed(probability)
            if stretch is not None:
                yield self._segment(stretch)
        self._drop()

    def flush(self) -> Iterator[Segment]:
        """The sound is over or broke off: give what was open, and start anew."""
        stretch = self._splitter.flush()
        if stretch is not None:
            yield self._segment(stretch)
        self._detector.forget()
        self._splitter = Splitter()
        self._began, self._first_sample = None, 0
        self._sound = np.empty(0, np.float32)

    def _segment(self, stretch: Stretch) -> Segment:
        assert self._began is not None
        self._numbers += 1
        first, last = stretch.first * WINDOW, stretch.last * WINDOW
        samples = self._sound[max(0, first - self._first_sample) : last - self._first_sample].copy()
        at, until = self._began + first / RATE, self._began + last / RATE
        return Segment(self._numbers, round(at, 2), round(until, 2), samples)

    def _drop(self) -> None:
        unneeded = self._splitter.needed_from * WINDOW - self._first_sample
        if unneeded > 0:
            self._sound = self._sound[unneeded:]
            self._first_sample += unneeded


class LanguageMemory:
    """Which language each speaker spoke lately, as log-odds for the next segment. Bounded."""

    def __init__(self) -> None:
        self._spoken: dict[str, dict[str, float]] = {}

    def prior(self, speaker: str) -> Mapping[str, float]:
        """Return what the speaker's last segments add to each language."""
        return self._spoken.get(speaker, {})

    def note(self, speaker: str, heard: Heard) -> None:
        """Remember a segment's language; older ones fade."""
        if heard.weight == 0.0:
            return
        known = self._spoken.pop(speaker, {})
        faded = {lang: 0.7 * value for lang, value in known.items()}
        faded[heard.lang] = min(PRIOR_MOST, faded.get(heard.lang, 0.0) + PRIOR_EACH)
        self._spoken[speaker] = faded
        while len(self._spoken) > MAX_SPEAKERS:
            del self._spoken[next(iter(self._spoken))]


@dataclass(frozen=True)
class EarSettings:
    """How an ear listens. `speed`: times faster than life, None as fast as it comes.

    What has an end and is played as fast as it comes is heard in full, however slowly; of all else the oldest is
    skipped when too much waits.
    """

    limits: MediaLimits = field(default_factory=MediaLimits)
    speed: float | None = None
    lang: str | None = None


class Ear:
    """Listens to one source: an address that is decoded, or sound that is handed in live."""

    def __init__(
        self,
        source: str | LiveSource,
        pool: SpeechPool,
        session: Any,
        settings: EarSettings,
        speaker: Callable[[float], str] = lambda at: "",
        memory: LanguageMemory | None = None,
    ) -> None:
        """`session` is the voice detector's network; `speaker` says who speaks at a time, for the language's sake."""
        self._settings = settings
        self._reader = MediaReader(source, settings.limits) if isinstance(source, str) else source
        self._segmenter = Segmenter(VoiceDetector(session))
        self._channel: Channel = pool.channel(source if isinstance(source, str) else source.name)
        self._speaker = speaker
        self._memory = memory or LanguageMemory()
        self._coming: asyncio.Queue[_Coming] = asyncio.Queue(AHEAD_LIVE)
        self._taken = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ear")  # one each: all of them wait for their source
        self._stopped = threading.Event()
        #: How far the source has been decoded, in seconds.
        self.at = 0.0

    @property
    def reader(self) -> MediaReader | LiveSource:
        """Where the sound comes from, for its counts."""
        return self._reader

    async def listen(self) -> AsyncGenerator[Said | Away | Back, None]:
        """Yield what was said, in order. Raises SpeechError when the source cannot be heard at all."""
        loop = asyncio.get_running_loop()
        decoding = loop.run_in_executor(self._thread, self._decode, loop)
        try:
            while True:
                coming = await self._coming.get()
                self._taken.set()
                if coming is None:
                    break
                if isinstance(coming, Away | Back):
                    yield coming
                    continue
                yield await self._said(*coming)
            await decoding
        finally:
            self._stopped.set()
            self._taken.set()
            self._reader.stop()
            self._channel.close()
            while not decoding.done():
                while not self._coming.empty():
                    self._coming.get_nowait()
                await asyncio.wait({decoding}, timeout=0.05)
            self._thread.shutdown(wait=False)
            if not decoding.cancelled():
                decoding.exception()  # seen: whoever consumes was told by `await decoding`, or left before

    async def _said(self, segment: Segment, future: "asyncio.Future[Heard]") -> Said:
        try:
            heard = await future
        except SkippedError as error:
            return Said(segment.number, segment.at, segment.until, None, str(error))
        return Said(segment.number, segment.at, segment.until, heard)

    def _decode(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run in a thread: decode, find voices, hand segments on. Ends with None in the queue."""
        began = time.monotonic()
        try:
            for piece in self._reader:
                if self._stopped.is_set():
                    return
                if isinstance(piece, Sound):
                    self._pace(began, piece.at)
                    for segment in self._segmenter.feed(piece):
                        self._hand_on(loop, segment)
                    self.at = piece.at + len(piece.samples) / RATE
                    continue
                for segment in self._segmenter.flush():
                    self._hand_on(loop, segment)
                self._put(loop, piece)
            for segment in self._segmenter.flush():
                self._hand_on(loop, segment)
        finally:
            if not self._stopped.is_set():
                self._put(loop, None)

    def _pace(self, began: float, at: float) -> None:
        if self._settings.speed is not None:
            self._stopped.wait(max(0.0, began + at / self._settings.speed - time.monotonic()))

    def _hand_on(self, loop: asyncio.AbstractEventLoop, segment: Segment) -> None:
        if not self._stopped.is_set():
            asyncio.run_coroutine_threadsafe(self._queue(segment), loop).result()

    async def _queue(self, segment: Segment) -> None:
        speaker = self._speaker((segment.at + segment.until) / 2)
        patient = self._settings.speed is None and bool(self._reader.finite)
        while patient and self._coming.qsize() >= AHEAD and not self._stopped.is_set():
            await self._taken.wait()
            self._taken.clear()
        future = await self._channel.hear(
            segment.samples, lambda: self._memory.prior(speaker), self._settings.lang, patient
        )
        future.add_done_callback(lambda done: self._remember(speaker, done))
        await self._coming.put((segment, future))

    def _remember(self, speaker: str, done: "asyncio.Future[Heard]") -> None:
        if not done.cancelled() and done.exception() is None:
            self._memory.note(speaker, done.result())

    def _put(self, loop: asyncio.AbstractEventLoop, coming: "_Coming") -> None:
        if not self._stopped.is_set():
            asyncio.run_coroutine_threadsafe(self._coming.put(coming), loop).result()


_Coming = tuple[Segment, "asyncio.Future[Heard]"] | Away | Back | None
