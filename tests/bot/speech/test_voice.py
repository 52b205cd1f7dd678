"""Where somebody speaks: stretches from probabilities, without any sound."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.speech.voice import WINDOW_SECONDS, Splitter, Stretch, VoiceParameters

P = VoiceParameters(
    begin=0.5,
    end=0.35,
    pre_roll=0.32,
    hang_over=0.64,
    short=3.2,
    hang_over_short=1.28,
    tail=0.16,
    least_voice=0.256,
    most=9.6,
    cut_within=1.6,
)


def windows(seconds: float) -> int:
    return round(seconds / WINDOW_SECONDS)


def voice(seconds: float, probability: float = 0.9) -> list[float]:
    return [probability] * windows(seconds)


def quiet(seconds: float) -> list[float]:
    return voice(seconds, 0.05)


def split(probabilities: list[float], parameters: VoiceParameters = P) -> list[tuple[float, float]]:
    """Feed everything and flush; return stretches in seconds."""
    splitter = Splitter(parameters)
    found = [stretch for p in probabilities if (stretch := splitter.feed(p)) is not None]
    last = splitter.flush()
    return [_seconds(stretch) for stretch in (*found, *([last] if last else []))]


def _seconds(stretch: Stretch) -> tuple[float, float]:
    return round(stretch.first * WINDOW_SECONDS, 3), round(stretch.last * WINDOW_SECONDS, 3)


@pytest.mark.parametrize(
    ("probabilities", "stretches"),
    [
        ([], []),
        (quiet(5), []),
        # a long one ends after the short pause; pre-roll before, tail after
        (quiet(3.2) + voice(4.8) + quiet(3.2), [(2.88, 8.16)]),
        # the beginning of the sound has no pre-roll
        (voice(4.8) + quiet(3.2), [(0.0, 4.96)]),
        # what is still open at the end is not lost
        (quiet(1.6) + voice(4.8), [(1.28, 6.4)]),
        # a click is no voice
        (quiet(1.6) + voice(0.16) + quiet(3.2), []),
        # a short one waits for the longer pause and is joined with what follows
        (voice(1.6) + quiet(0.96) + voice(1.6) + quiet(3.2), [(0.0, 4.32)]),
        # two that are apart stay apart, and the second's pre-roll does not reach back into the first's tail
        (voice(4.8) + quiet(0.8) + voice(4.8) + quiet(3.2), [(0.0, 4.96), (5.28, 10.56)]),
        # between the two bounds a voice goes on, but does not begin
        (voice(1.6, 0.4) + quiet(1.6), []),
        (voice(1.6) + voice(3.2, 0.4) + quiet(3.2), [(0.0, 4.96)]),
    ],
)
def test_stretches(probabilities: list[float], stretches: list[tuple[float, float]]) -> None:
    found = split(probabilities)
    assert len(found) == len(stretches)
    for one, expected in zip(found, stretches, strict=True):
        assert one == pytest.approx(expected, abs=1.5 * WINDOW_SECONDS)


def test_what_is_too_long_is_cut_where_it_is_quietest_and_nothing_is_lost() -> None:
    breath = voice(0.064, 0.5)
    found = split(voice(8.64) + breath + voice(8.0) + quiet(3.2))
    assert [round(last - first, 1) for first, last in found] == [8.7, 8.2]
    assert found[0][1] == found[1][0]
    assert found[0][1] == pytest.approx(8.7, abs=0.1)


def test_what_goes_on_for_ever_comes_in_pieces() -> None:
    found = split(voice(120.0))
    assert found[0][0] == 0.0 and found[-1][1] == pytest.approx(120.0)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
    assert max(last - first for first, last in found) <= P.most + WINDOW_SECONDS


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(1, 120)), max_size=60))
def test_stretches_are_in_order_apart_bounded_and_hold_the_voices(runs: list[tuple[float, int]]) -> None:
    probabilities = [p for p, count in runs for _ in range(count)]
    splitter = Splitter(P)
    found: list[Stretch] = []
    for number, probability in enumerate(probabilities):
        needed = splitter.needed_from
        stretch = splitter.feed(probability)
        assert splitter.needed_from >= needed and splitter.needed_from <= number + 1
        assert number + 1 - splitter.needed_from <= windows(P.most) + 1
        if stretch is not None:
            assert stretch.first >= needed  # the sound that it names was still held
            found.append(stretch)
    last = splitter.flush()
    found += [last] if last else []
    assert all(stretch.first < stretch.last <= len(probabilities) for stretch in found)
    assert all(a.last <= b.first for a, b in itertools.pairwise(found))
    assert all(stretch.last - stretch.first <= windows(P.most) for stretch in found)
    inside = {w for stretch in found for w in range(stretch.first, stretch.last)}
    missing = 0
    for number, probability in enumerate(probabilities):
        missing = missing + 1 if probability >= P.begin and number not in inside else 0
        assert missing <= windows(P.least_voice)
