"""The data hold to their rules, and the check sees when they do not."""

import pytest

from detectors.training.data_check import check, duplicates, kappa, leaks

LONG = "so the first thing you do with a sourdough is feed it"


def test_the_data_hold_to_their_rules() -> None:
    assert check().broken == []


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("P", "P"), ("T", "T")], 1.0),
        ([("P", "T"), ("T", "P")], -1.0),
        ([("P", "P"), ("P", "T"), ("T", "P"), ("T", "T")], 0.0),
        ([("O", "O")] * 3, 1.0),
        # 20 both yes, 15 both no, 5 and 10 apart: the textbook's 0.4
        ([("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15, 0.4),
    ],
)
def test_kappa(pairs: list[tuple[str, str]], expected: float) -> None:
    assert kappa(pairs) == pytest.approx(expected)


def test_duplicates_are_the_same_words_whatever_the_marks() -> None:
    assert duplicates([LONG, LONG.upper() + "!", "hello everybody", "hello everybody", "something else"]) == 1


def test_leaks_are_long_runs_of_words_or_whole_lines() -> None:
    train = [LONG, "and that is all there is to it"]
    other = [
        f"well {LONG} right",
        "the first thing you do with a knife",
        "And that is all there is to it.",
        "is feed it",
    ]
    assert leaks(train, other) == [other[0], other[2]]
