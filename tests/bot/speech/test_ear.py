"""An ear: from sound to segments to what was said, in order, with the speaker's language remembered."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.speech import RATE, SpeechError
from bot.speech.ear import Ear, EarSettings, LanguageMemory, Said, Segment, Segmenter
from bot.speech.media import Sound
from bot.speech.pool import PoolSettings, SpeechPool
from bot.speech.silero import VoiceDetector, load_session
from bot.speech.transcriber import Heard
from bot.speech.worker import WorkerSettings
from tests.bot.speech import targets
from tests.bot.speech.sounds import CLIPS, load, music, noise, silence, write_wav


@pytest.fixture(scope="module")
def session() -> Any:
    return load_session()


@pytest.fixture
async def pool() -> AsyncIterator[SpeechPool]:
    pool = SpeechPool(PoolSettings(WorkerSettings("base", 1, ("en", "fr")), 1, 4), targets.telling)
    await pool.start()
    yield pool
    await pool.close()


def segments(session: Any, sound: "np.ndarray[Any, Any]", piece: int = 4_096, at: float = 0.0) -> list[Segment]:
    segmenter = Segmenter(VoiceDetector(session))
    found: list[Segment] = []
    for start in range(0, len(sound), piece):
        found += segmenter.feed(Sound(at + start / RATE, sound[start : start + piece]))
    return found + list(segmenter.flush())


@pytest.fixture(scope="module")
def talk() -> "np.ndarray[Any, Any]":
    """Two sentences with 2.5 s before, between and after them."""
    one, two = load(CLIPS / "en-bread.opus"), load(CLIPS / "fr-velo.opus")
    return np.concatenate((silence(2.5), one, silence(2.5), two, silence(2.5)))


def test_segments_are_where_the_voices_are(session: Any, talk: "np.ndarray[Any, Any]") -> None:
    found = segments(session, talk)
    one, two = (len(load(CLIPS / name)) / RATE for name in ("en-bread.opus", "fr-velo.opus"))
    spans = [(2.5, 2.5 + one), (5.0 + one, 5.0 + one + two)]
    for begin, end in spans:
        inside = [s for s in found if begin - 0.7 <= s.at and s.until <= end + 0.7]
        assert inside and sum(s.until - s.at for s in inside) > 0.7 * (end - begin)
    assert all(any(b - 0.7 <= s.at and s.until <= e + 0.7 for b, e in spans) for s in found)
    for segment in found:
        assert len(segment.samples) / RATE == pytest.approx(segment.until - segment.at, abs=0.02)
        first = round(segment.at * RATE)
        assert np.allclose(segment.samples[1000:3000], talk[first : first + 4000][1000:3000], atol=1e-6) or np.allclose(
            segment.samples, talk[round(first / 512) * 512 :][: len(segment.samples)]
        )


def test_the_size_of_the_pieces_changes_nothing(session: Any, talk: "np.ndarray[Any, Any]") -> None:
    whole = segments(session, talk)
    for piece in (333, 1_024, 50_000):
        again = segments(session, talk, piece)
        assert [(s.at, s.until) for s in again] == [(s.at, s.until) for s in whole]
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(again, whole, strict=True))


def test_drop_outs_of_200_ms_do_not_tear_a_sentence_apart(session: Any, talk: "np.ndarray[Any, Any]") -> None:
    torn = talk.copy()
    for start in range(4 * RATE, len(torn) - RATE, 3 * RATE):
        torn[start : start + RATE // 5] = 0.0
    assert len(segments(session, torn)) <= len(segments(session, talk)) + 1


def test_silence_and_noise_are_no_voices(session: Any) -> None:
    assert segments(session, silence(20.0)) == []
    assert segments(session, noise(20.0)) == []
    assert sum(s.until - s.at for s in segments(session, music(20.0))) < 5.0


def test_long_silence_holds_little_memory(session: Any) -> None:
    segmenter = Segmenter(VoiceDetector(session))
    for n in range(200):
        list(segmenter.feed(Sound(n * 1.0, silence(1.0))))
    assert segmenter.held_seconds < 2.0


def test_languages_are_remembered_per_speaker_fade_and_are_bounded() -> None:
    memory, french = LanguageMemory(), Heard("oui", "fr", 1.0, "", {"en": 0.1, "fr": 0.9})
    for _ in range(10):
        memory.note("@camille", french)
    assert memory.prior("@devon") == {}
    before = memory.prior("@camille")["fr"]
    assert 1.0 < before <= 1.5
    memory.note("@camille", replace(french, lang="en"))
    assert memory.prior("@camille")["fr"] < before and memory.prior("@camille")["en"] > 0
    invented = replace(french, weight=0.0)
    memory.note("@devon", invented)
    assert memory.prior("@devon") == {}
    for n in range(500):
        memory.note(f"@{n}", french)
    assert memory.prior("@camille") == {} and memory.prior("@499") != {}


async def said_by(ear: Ear) -> list[Said]:
    async with asyncio.timeout(60), aclosing(ear.listen()) as listening:
        return [one async for one in listening if isinstance(one, Said)]


async def test_a_file_is_heard_in_order_and_nothing_is_skipped(
    pool: SpeechPool, session: Any, tmp_path: Path, talk: "np.ndarray[Any, Any]"
) -> None:
    path = write_wav(tmp_path / "a.wav", np.concatenate([talk] * 4))
    found = await said_by(Ear(str(path), pool, session, EarSettings()))
    assert [one.number for one in found] == list(range(1, len(found) + 1)) and len(found) >= 8
    assert all(one.heard is not None and one.heard.text for one in found)
    assert all(a.until <= b.at for a, b in itertools.pairwise(found))
    again = await said_by(Ear(str(path), pool, session, EarSettings()))
    assert again == found


async def test_live_sound_comes_in_its_own_time(pool: SpeechPool, session: Any, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.concatenate((load(CLIPS / "en-bread.opus"), silence(3.0))))
    length = len(load(path)) / RATE
    began = time.monotonic()
    found = await said_by(Ear(str(path), pool, session, EarSettings(speed=8.0)))
    assert found and length / 8.0 - 0.2 < time.monotonic() - began < length / 8.0 + 5.0


async def test_leaving_in_the_middle_ends_the_decoding(
    pool: SpeechPool, session: Any, tmp_path: Path, talk: Any
) -> None:
    path = write_wav(tmp_path / "a.wav", np.concatenate([talk] * 20))
    ear = Ear(str(path), pool, session, EarSettings())
    async with asyncio.timeout(20):
        async with aclosing(ear.listen()) as listening:
            await anext(listening)
    assert ear.at < 300.0


async def test_what_cannot_be_heard_is_raised(pool: SpeechPool, session: Any, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"nothing")
    with pytest.raises(SpeechError, match="cannot be heard"):
        await said_by(Ear(str(tmp_path / "a.wav"), pool, session, EarSettings()))
