"""The pool: order, fairness, bounds, and workers that die or hang. Real processes, no recogniser."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

import bot.speech.pool as pool_module
from bot.speech import SpeechError
from bot.speech.pool import PoolSettings, SkippedError, SpeechPool
from bot.speech.worker import WorkerSettings
from tests.bot.speech import targets
from tests.bot.speech.targets import ANSWER, DIE, FAIL, HANG, SLOW, order

WORKER = WorkerSettings("base", 1, ("en", "fr"))


@asynccontextmanager
async def running(
    workers: int = 1, waiting: int = 3, target: Callable[..., None] = targets.obedient
) -> AsyncIterator[SpeechPool]:
    pool = SpeechPool(PoolSettings(WORKER, workers, waiting), target)
    await pool.start()
    try:
        async with asyncio.timeout(60):
            yield pool
    finally:
        await pool.close()


async def test_answers_come_in_order_with_prior_and_language() -> None:
    async with running(workers=2) as pool:
        channel = pool.channel("a")
        asked = [await channel.hear(order(ANSWER, n), lambda: {"fr": 0.5}, "fr", patient=True) for n in range(6)]
        heard = [await future for future in asked]
    assert [one.text for one in heard] == [str(n) for n in range(6)]
    assert {(one.lang, one.languages["fr"]) for one in heard} == {("fr", 0.5)}
    assert (pool.counts.heard, pool.counts.skipped, pool.counts.failed, len(pool.counts.lags)) == (6, 0, 0, 6)


async def test_the_prior_is_asked_when_the_turn_comes() -> None:
    spoken: list[str] = []
    async with running() as pool:
        channel = pool.channel("a")
        first = await channel.hear(order(SLOW, 1))
        second = await channel.hear(order(ANSWER, 2), lambda: {"fr": float(len(spoken))})
        first.add_done_callback(lambda done: spoken.append(done.result().text))
        assert (await second).languages == {"fr": 1.0}


async def test_sources_take_turns() -> None:
    done: list[str] = []
    async with running(waiting=8) as pool:
        busy, calm = pool.channel("busy"), pool.channel("calm")
        waiting = [await busy.hear(order(SLOW, n)) for n in range(5)]
        waiting += [await calm.hear(order(ANSWER, 10 + n)) for n in range(2)]
        for future in waiting:
            future.add_done_callback(lambda one: done.append(one.result().text))
        await asyncio.gather(*waiting)
        await asyncio.sleep(0)
    assert done.index("10") <= 2 and done.index("11") <= 4
    assert [text for text in done if int(text) < 10] == ["0", "1", "2", "3", "4"]


async def test_where_sound_is_live_the_oldest_is_skipped_and_counted() -> None:
    async with running(waiting=3) as pool:
        channel = pool.channel("live")
        asked = [await channel.hear(order(SLOW, n)) for n in range(8)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    skipped = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, SkippedError)]
    assert skipped and pool.counts.skipped == channel.skipped == len(skipped)
    assert not isinstance(outcomes[-1], BaseException)
    assert len(outcomes) - len(skipped) <= 4 and max(skipped) < 5
    assert "too much was said" in str(outcomes[skipped[0]])


async def test_a_file_waits_and_nothing_is_skipped() -> None:
    async with running(waiting=2) as pool:
        channel = pool.channel("file")
        asked = []
        for n in range(8):
            asked.append(await channel.hear(order(ANSWER, n), patient=True))
            assert len(channel.waiting) <= 2
        assert [(await future).text for future in asked] == [str(n) for n in range(8)]
    assert pool.counts.skipped == 0


async def test_a_segment_that_fails_is_said_and_the_next_one_heard() -> None:
    async with running() as pool:
        channel = pool.channel("a")
        bad, good = await channel.hear(order(FAIL)), await channel.hear(order(ANSWER, 1))
        with pytest.raises(SkippedError, match="no such sound"):
            await bad
        assert (await good).text == "1"
    assert (pool.counts.failed, pool.counts.replaced) == (1, 0)


@pytest.mark.parametrize(("what", "why"), [(DIE, "died"), (HANG, "hung")])
async def test_a_worker_that_dies_or_hangs_is_replaced(what: float, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "WORK_BASE", 1.0)
    async with running(workers=2) as pool:
        channel, other = pool.channel("a"), pool.channel("b")
        lost, after = await channel.hear(order(what)), await channel.hear(order(ANSWER, 1))
        meanwhile = [await other.hear(order(ANSWER, n), patient=True) for n in range(5)]
        assert [(await future).text for future in meanwhile] == [str(n) for n in range(5)]
        with pytest.raises(SkippedError, match=why):
            await lost
        assert (await after).text == "1"
    assert (pool.counts.failed, pool.counts.replaced) == (1, 1)


@pytest.mark.parametrize("target", [targets.broken, targets.stillborn])
async def test_a_model_that_cannot_be_loaded_is_one_clear_line(target: Callable[..., None]) -> None:
    pool = SpeechPool(PoolSettings(WORKER), target)
    with pytest.raises(SpeechError, match=r"^speech: [^\n]+$"):
        await pool.start()


async def test_what_waits_is_given_up_when_a_source_is_closed() -> None:
    async with running() as pool:
        channel = pool.channel("a")
        in_work, waiting = await channel.hear(order(SLOW, 1)), await channel.hear(order(ANSWER, 2))
        for _ in range(5):
            await asyncio.sleep(0)  # the first one's turn has come
        channel.close()
        assert waiting.cancelled()
        assert (await channel.hear(order(ANSWER, 3), patient=True)).cancelled()
        assert (await in_work).text == "1"
        assert (await (await pool.channel("b").hear(order(ANSWER, 4)))).text == "4"


async def test_close_does_not_wait_for_one_that_hangs() -> None:
    pool = SpeechPool(PoolSettings(WORKER), targets.obedient)
    await pool.start()
    await pool.channel("a").hear(order(HANG))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await pool.close()
