"""Segments as a recogniser cuts them, and what they then are."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.taxonomy import ACTS
from detectors.training.augment import ENOUGH_WORDS, SEGMENT_WORDS, flatten, resegment
from detectors.training.passages import LabelledLine

LINE = LabelledLine("a-1", "a", "bread", "clean", "en", "speech", "@joe", "", "teach", (), (), "test")


def line(number: int, act: str, words: int, offers: tuple[str, ...] = (), cues: tuple[str, ...] = ()) -> LabelledLine:
    text = " ".join(f"{act}{number}-{i}" for i in range(words))
    return replace(LINE, id=f"a-{number}", text=text, act=act, offers=offers, cues=cues)


@pytest.mark.parametrize(
    ("text", "flat"),
    [
        ("So, the FIRST thing… (wait)!", "so the first thing wait"),
        ("C'est ça ; d'accord ?", "c'est ça d'accord"),
    ],
)
def test_flatten(text: str, flat: str) -> None:
    assert flatten(text) == flat


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 35)), min_size=1, max_size=3), st.integers(0, 10_000))
def test_a_segment_is_a_stretch_of_the_words_with_the_act_that_tells_most(
    parts: list[tuple[str, int]], seed: int
) -> None:
    lines = [line(n, act, words) for n, (act, words) in enumerate(parts)]
    text, act, _, _ = resegment(lines, random.Random(seed))
    kept, everything = text.split(), [word for one in lines for word in one.text.split()]
    start = everything.index(kept[0])
    assert kept == everything[start : start + len(kept)] and 0 < len(kept) <= SEGMENT_WORDS[1]
    by_act = {name: sum(word.startswith(name) for word in kept) for name in ACTS}
    assert by_act[act] > 0
    if by_act["pitch"] >= ENOUGH_WORDS:
        assert act == "pitch"
    elif act != "pitch":
        assert by_act["pitch"] < ENOUGH_WORDS


def test_what_is_cut_away_is_no_longer_offered() -> None:
    lines = [line(1, "pitch", 30, ("ebook",), ("discount",)), line(2, "teach", 30)]
    found = [resegment(lines, random.Random(seed)) for seed in range(200)]
    with_words = [one for one in found if sum(word.startswith("pitch") for word in one[0].split()) >= ENOUGH_WORDS]
    without = [one for one in found if not any(word.startswith("pitch") for word in one[0].split())]
    assert with_words and without
    assert {one[1:] for one in with_words} == {("pitch", frozenset({"ebook"}), frozenset({"discount"}))}
    assert {one[1:] for one in without} == {("teach", frozenset(), frozenset())}
