"""`pitchwatch bench --speech`: how fast this machine hears, and how far behind it falls as rooms are added."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bot.commands.figures import Figure, percentile, print_figures, resident
from bot.speech import RATE, SpeechError
from bot.speech.ear import Segmenter
from bot.speech.media import MediaReader, Sound
from bot.speech.model_files import shipped_model
from bot.speech.pool import PoolSettings, SkippedError, SpeechPool
from bot.speech.silero import VoiceDetector, load_session
from bot.speech.worker import WorkerSettings
from config.settings import SpeechSettings

#: Speech that is heard when no other is named: the first seat of a sample show.
SAMPLE: Final = Path(__file__).parents[2] / "samples" / "sound" / "evening" / "seat1.opus"
#: Segments for the speed, and numbers of rooms of the curve, each for so many seconds with so much speech in it.
SEGMENTS: Final = 16
ROOMS: Final = (1, 2, 4, 8, 16)
SECONDS: Final = 30.0
SPEECH_SHARE: Final = 0.6

Samples = NDArray[np.float32]


def cut(path: Path) -> list[Samples]:
    """Return the segments of speech of a file. Raises SpeechError when there are none."""
    segmenter = Segmenter(VoiceDetector(load_session()))
    found = [s.samples for p in MediaReader(str(path)) if isinstance(p, Sound) for s in segmenter.feed(p)]
    found += [segment.samples for segment in segmenter.flush()]
    if not found:
        raise SpeechError(f"{path}: nobody speaks there")
    return found


async def speed(model: str, segments: Sequence[Samples], workers: int, threads: int) -> tuple[float, float]:
    """Return seconds of speech heard per second, and the memory that the workers hold, in MiB."""
    settings = PoolSettings(WorkerSettings(model, threads, ("en", "fr")), workers, waiting=64)
    pool = SpeechPool(settings)
    await pool.start()
    try:
        channels = [pool.channel(str(n)) for n in range(4)]
        await asyncio.gather(*[await channel.hear(segments[0]) for channel in channels])  # warm
        began = time.perf_counter()
        asked = [await channels[i % 4].hear(segments[i % len(segments)]) for i in range(SEGMENTS)]
        await asyncio.gather(*asked)
        spent = time.perf_counter() - began
        memory = sum(resident(pid) for pid in pool.processes())
    finally:
        await pool.close()
    seconds = sum(len(segments[i % len(segments)]) for i in range(SEGMENTS)) / RATE
    return seconds / spent, memory


async def lags(pool: SpeechPool, segments: Sequence[Samples], rooms: int, seed: int = 1) -> tuple[list[float], int]:
    """Return the lag of each segment of so many live rooms, in seconds from its end, and how many were skipped."""
    dice = random.Random(seed)
    found: list[float] = []
    skipped = 0

    async def one(number: int) -> None:
        nonlocal skipped
        channel = pool.channel(f"room {number}")
        mine = random.Random(number)
        waiting = []
        end = time.monotonic() + SECONDS
        await asyncio.sleep(dice.uniform(0.0, 6.0))
        while time.monotonic() < end:
            samples = mine.choice(segments)
            talk = len(samples) / RATE
            await asyncio.sleep(talk)
            waiting.append(asyncio.create_task(_timed(await channel.hear(samples))))
            await asyncio.sleep(talk / SPEECH_SHARE - talk)
        for lag in await asyncio.gather(*waiting):
            if lag is None:
                skipped += 1
            else:
                found.append(lag)
        channel.close()

    await asyncio.gather(*(one(n) for n in range(rooms)))
    return found, skipped


async def _timed(future: "asyncio.Future[Any]") -> float | None:
    began = time.monotonic()
    try:
        await future
    except SkippedError:
        return None
    return time.monotonic() - began


def bench_speech(settings: SpeechSettings, sound: Path | None, as_json: bool) -> int:
    """Measure and print. Raises SpeechError when there is nothing to hear with, or nothing to hear."""
    segments = cut(sound or SAMPLE)
    model = settings.model or str(shipped_model())
    print_figures(asyncio.run(_measure(model, settings, segments, as_json)), as_json)
    return 0


async def _measure(model: str, settings: SpeechSettings, segments: Sequence[Samples], quiet: bool) -> list[Figure]:
    mean = statistics.mean(len(samples) for samples in segments) / RATE
    figures = [Figure("mean length of a segment", mean, "s")]
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("hearing", total=2 + len(ROOMS))
        one, memory = await speed(model, segments, 1, 2)
        progress.advance(task)
        two, memory_two = await speed(model, segments, 2, 1)
        progress.advance(task)
        figures += [
            Figure("speech heard, 1 worker with 2 threads", one, "s/s", ("2 workers with 1 thread", two)),
            Figure("memory of the workers, 1 worker", memory, "MiB", ("2 workers", memory_two)),
        ]
        worker = WorkerSettings(model, settings.threads, tuple(settings.languages), settings.beam)
        pool = SpeechPool(PoolSettings(worker, settings.workers, settings.waiting))
        await pool.start()
        try:
            for rooms in ROOMS:
                found, skipped = await lags(pool, segments, rooms)
                figures += _curve(rooms, found, skipped)
                progress.advance(task)
        finally:
            await pool.close()
    return figures


def _curve(rooms: int, found: Sequence[float], skipped: int) -> list[Figure]:
    name = f"{rooms} room{'s' if rooms > 1 else ''} with 60 % speech"
    share = 100.0 * skipped / max(1, skipped + len(found))
    figures = [Figure(f"{name}: skipped", share, "%")]
    if found:
        median = percentile(found, 50)
        figures.insert(0, Figure(f"{name}: segment end to line, p95", percentile(found, 95), "s", ("p50", median)))
    return figures
