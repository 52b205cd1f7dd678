"""Live sound: where frames are placed in time, and what becomes of them on the way to the ear."""

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.speech import RATE
from bot.speech.live import MAX_PIECES, LiveSource, Patience, Placer
from bot.speech.media import Away, Back, Sound

FRAME = 0.02


def frame(level: float = 0.5) -> NDArray[np.float32]:
    return np.full(round(FRAME * RATE), level, np.float32)


def stretches(pieces: list[NDArray[np.float32]]) -> list[tuple[bool, float]]:
    """Whether there is sound and for how many seconds, alternating."""
    found: list[tuple[bool, float]] = []
    for piece in pieces:
        loud, seconds = bool(np.any(piece)), len(piece) / RATE
        if found and found[-1][0] == loud:
            found[-1] = (loud, round(found[-1][1] + seconds, 3))
        elif len(piece):
            found.append((loud, round(seconds, 3)))
    return found


def run(placer: Placer, *frames: tuple[float, float]) -> list[NDArray[np.float32]]:
    """Place a loud frame for each stamp and time of arrival."""
    return [piece for stamp, now in frames for piece in placer.place(frame(), stamp, now)]


def steady(first: float, last: float, delay: float) -> list[tuple[float, float]]:
    return [(n * FRAME, n * FRAME + delay) for n in range(round(first / FRAME), round(last / FRAME))]


def test_frames_follow_each_other_from_the_first_arrival_on() -> None:
    placer = Placer()
    assert stretches(run(placer, *steady(0, 1, 3.0))) == [(False, 3.0), (True, 1.0)]
    assert (placer.end, placer.jumps, placer.dropped) == (pytest.approx(4.0), 0, 0)


def test_what_is_missing_is_silence_at_its_place() -> None:
    placer = Placer()
    lost = [one for one in steady(0, 1, 0.0) if not 0.4 <= one[0] < 0.5]
    assert stretches(run(placer, *lost)) == [(True, 0.4), (False, 0.1), (True, 0.5)]


def test_frames_that_come_unevenly_stay_where_they_were_spoken() -> None:
    placer = Placer()
    late = [(stamp, now + 0.4 * (n % 7 == 0)) for n, (stamp, now) in enumerate(steady(0, 2, 0.1))]
    run(placer, *late)
    assert (placer.jumps, placer.dropped) == (0, 0) and placer.end == pytest.approx(2.5)


def test_while_nothing_comes_silence_follows_the_clock() -> None:
    placer = Placer()
    run(placer, *steady(0, 1, 0.0))
    assert placer.quiet(1.5) == []
    assert stretches(placer.quiet(30.0)) == [(False, 28.0)] and placer.quiet(30.0) == []
    # It was muted, and its clock went on: the frame belongs 31 s after the first.
    assert stretches(run(placer, (31.0, 31.0))) == [(False, 2.0), (True, 0.02)]
    assert placer.jumps == 0


def test_a_clock_that_stood_still_while_muted_is_set_by_the_arrival() -> None:
    placer = Placer()
    run(placer, *steady(0, 1, 0.0))
    placer.quiet(30.0)
    assert stretches(run(placer, (1.0, 31.0), (1.02, 31.02))) == [(False, 2.0), (True, 0.04)]
    assert placer.jumps == 1


def test_a_clock_that_jumps_ahead_is_set_by_the_arrival() -> None:
    placer = Placer()
    run(placer, *steady(0, 1, 0.0))
    assert stretches(run(placer, (900.0, 1.0), (900.02, 1.02))) == [(True, 0.04)]
    assert placer.jumps == 1 and placer.end == pytest.approx(1.04)


def test_a_heap_is_heard_and_pauses_make_up_for_it() -> None:
    placer = Placer()
    run(placer, *steady(0, 1, 0.0))
    placer.quiet(4.0)
    heap = run(placer, *[(stamp, 4.0) for stamp, _ in steady(1, 4, 0.0)])
    assert sum(seconds for loud, seconds in stretches(heap) if loud) == pytest.approx(3.0)
    ahead = placer.end - 4.0
    for n in range(300):
        placer.place(frame(0.0), 4.0 + n * FRAME, 4.0 + n * FRAME)
    assert ahead > 2.0 and placer.end - 10.0 < 0.5 and placer.dropped > 50


def test_a_heap_beyond_all_measure_is_dropped() -> None:
    placer = Placer()
    for n in range(5_000):
        placer.place(frame(), n * FRAME, 1.0)
    assert placer.end <= 1.0 + Patience().backlog + 2 * FRAME and placer.dropped > 4_000


def piece(at: float, seconds: float = 0.25) -> Sound:
    return Sound(at, np.zeros(round(seconds * RATE), np.float32))


def test_a_source_gives_what_was_pushed_and_ends() -> None:
    source = LiveSource("a")
    for at in (0.0, 0.25):
        source.push(piece(at))
    source.finish()
    assert [one.at for one in source if isinstance(one, Sound)] == [0.0, 0.25]


def test_what_nobody_takes_is_dropped_counted_and_told() -> None:
    source = LiveSource("a")
    source.push(piece(0.0))
    taking = iter(source)
    assert isinstance(next(taking), Sound)
    for n in range(MAX_PIECES + 4):
        source.push(piece(0.25 + n * 0.25))
    away, back, first = next(taking), next(taking), next(taking)
    assert source.broken == 4 and isinstance(away, Away) and away.at == 0.25
    assert isinstance(back, Back) and isinstance(first, Sound) and first.at == back.at == 1.25


def test_a_stopped_source_lets_its_listener_go() -> None:
    source = LiveSource("a")
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.extend(source))
    thread.start()
    source.stop()
    thread.join(5.0)
    assert not thread.is_alive() and got == []
