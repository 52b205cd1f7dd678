"""The second look: which lines get one, and what it reads."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.classifier import Request
from detectors.records import Line
from detectors.second_look import (
    LOOK_FROM,
    PASSAGE_SECONDS,
    STRETCH_WORDS,
    passage_pitch,
    second_requests,
    stretches,
)
from tests.stand_ins import chat, reading, speech


def test_the_newest_stretch_is_whole_and_the_oldest_holds_the_rest() -> None:
    lines = [speech(n, 50.0 * n, "@host", " ".join([f"w{n}"] * 50)) for n in range(5)]
    assert stretches(lines) == [
        " ".join(["w2"] * 30),
        " ".join([*["w2"] * 20, *["w3"] * 40]),
        " ".join([*["w3"] * 10, *["w4"] * 50]),
    ]


def test_it_reads_one_person_in_the_language_of_the_line() -> None:
    before = [
        speech(1, 0.0, "@host", "long ago"),
        speech(2, 200.0, "@host", "we knead"),
        speech(3, 210.0, "@guest", "and fold"),
        chat(4, 215.0, "@host", "and rest"),
    ]
    line = speech(5, 220.0, "@host", "and my book")
    assert second_requests(line, replace(reading(0.6), lang="fr"), before) == [
        Request("we knead and rest and my book", "speech", lang="fr")
    ]
    assert second_requests(line, reading(0.6), []) == [Request("and my book", "speech", lang="en")]


@pytest.mark.parametrize(
    ("line", "pitch"),
    [(speech(1, 0.0, "@host", "a"), LOOK_FROM - 0.001), (replace(speech(1, 0.0, "@host", "a"), weight=0.0), 0.9)],
    ids=["no pitch", "no evidence"],
)
def test_what_is_no_evidence_needs_no_second_look(line: Line, pitch: float) -> None:
    assert second_requests(line, reading(pitch), []) == []


def test_the_surest_stretch_speaks_for_the_passage() -> None:
    assert passage_pitch([reading(0.2), reading(0.7), reading(0.1)]) == 0.7


@given(st.lists(st.tuples(st.floats(0.0, 400.0), st.integers(0, 200)), min_size=1, max_size=12))
def test_stretches_are_bounded_and_lose_no_word_of_the_passage(said: list[tuple[float, int]]) -> None:
    lines = [
        speech(n, at, "@host", " ".join(f"{n}.{i}" for i in range(words))) for n, (at, words) in enumerate(sorted(said))
    ]
    found = stretches(lines)
    inside = [line for line in lines if line.until > lines[-1].until - PASSAGE_SECONDS]
    assert " ".join(found).split() == " ".join(line.text for line in inside).split()
    assert all(len(one.split()) == STRETCH_WORDS for one in found[1:])
    assert all(0 < len(one.split()) <= STRETCH_WORDS for one in found)
