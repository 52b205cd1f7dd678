"""The second look: which lines get one, and what it reads."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.arc import ArcParameters
from detectors.classifier import Request
from detectors.records import Line
from detectors.second_look import (
    LOOK_FROM,
    MOST_STRETCHES,
    STRETCH_CHARS,
    STRETCH_WORDS,
    passage_pitch,
    second_requests,
    stretches,
)
from tests.stand_ins import chat, reading, speech


def test_the_newest_stretch_is_whole_and_the_oldest_holds_the_rest() -> None:
    lines = [speech(n, 50.0 * n, "@host", " ".join([f"w{n}"] * 50)) for n in range(2, 5)]
    assert stretches(lines) == [
        " ".join(["w2"] * 30),
        " ".join([*["w2"] * 20, *["w3"] * 40]),
        " ".join([*["w3"] * 10, *["w4"] * 50]),
    ]


def test_it_reads_two_minutes_in_the_kind_and_language_of_the_line() -> None:
    before = [
        speech(1, 0.0, "@host", "long ago"),
        speech(2, 200.0, "@host", "we knead"),
        chat(3, 215.0, "@host", "and rest"),
    ]
    line = speech(5, 220.0, "@host", "and my book")
    assert second_requests(line, replace(reading(0.6), lang="fr"), before) == [
        Request("we knead and rest and my book", "speech", lang="fr")
    ]
    written = chat(6, 230.0, "@host", "it is 9 euros")
    assert second_requests(written, reading(0.6), before[1:2]) == [Request("we knead it is 9 euros", "chat", lang="en")]


EARLIER = speech(1, 0.0, "@host", "we knead")
OFFER = speech(2, 60.0, "@host", "and my book")


@pytest.mark.parametrize(
    ("line", "pitch", "before"),
    [
        (OFFER, LOOK_FROM - 0.001, [EARLIER]),
        (replace(OFFER, weight=0.0), 0.9, [EARLIER]),
        (OFFER, 0.9, []),
        (replace(OFFER, at=125.0, until=126.0), 0.9, [EARLIER]),
    ],
    ids=["no pitch", "no evidence", "nothing else said", "nothing else said lately"],
)
def test_what_gets_no_second_look(line: Line, pitch: float, before: list[Line]) -> None:
    assert second_requests(line, reading(pitch), before) == []


def test_nothing_below_it_counts_as_evidence() -> None:
    shipped = ArcParameters()
    assert min(shipped.present, shipped.pivot) >= LOOK_FROM


def test_a_word_without_end_does_not_push_the_offer_out() -> None:
    assert stretches([replace(EARLIER, text="x" * 3_000), OFFER]) == ["x" * STRETCH_CHARS, "and my book"]


def test_the_surest_stretch_speaks_for_the_passage() -> None:
    assert passage_pitch([reading(0.2), reading(0.7), reading(0.1)]) == 0.7


@given(st.lists(st.lists(st.text("ab\u00e9", min_size=1, max_size=500), max_size=90), min_size=1, max_size=12))
def test_stretches_are_bounded_and_hold_the_newest_words_in_order(said: list[list[str]]) -> None:
    found = stretches([speech(n, 9.0 * n, "@host", " ".join(words)) for n, words in enumerate(said)])
    words = [word[:STRETCH_CHARS] for line in said for word in line]
    kept = " ".join(found).split()
    assert kept == words[len(words) - len(kept) :]
    assert len(kept) == len(words) or len(found) == MOST_STRETCHES
    assert all(0 < len(one.split()) <= STRETCH_WORDS and len(one) <= STRETCH_CHARS for one in found)
