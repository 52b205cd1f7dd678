"""The data hold to their rules, and the check sees when they do not."""

from dataclasses import replace

import pytest

from detectors.training import data_check, neighbours
from detectors.training.data_check import Findings, check, duplicates, kappa, leaks, repeated_runs
from detectors.training.kinds import LEAST, Kind, read_kinds
from detectors.training.passages import LabelledLine, read_lines, training_files

LONG = "so the first thing you do with a sourdough is feed it"
LINE = LabelledLine("a-1", "a", "bread", "clean", "en", "speech", "@joe", LONG, "pitch", ("course",), (), "test")


def test_the_data_hold_to_their_rules() -> None:
    found = check()
    assert found.broken == []
    titles = " ".join(title for title, _ in found.tables)
    for word in ("lang", "style", "source", "subject", "hard kind", "duplicates", "validation", "test", "neighbours"):
        assert word in titles


@pytest.mark.parametrize(("wanted", "installed"), [(False, True), (True, False)])
def test_neighbours_that_were_not_looked_at_are_not_called_clean(
    wanted: bool, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "is_available", lambda: installed)
    found = Findings()
    data_check._neighbours(found, [LINE], {}, wanted)
    ((_, rows),) = found.tables
    assert rows == [("not looked at", "left out" if installed else "needs the train extra")]


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


def test_runs_of_words_count_when_another_passage_has_them() -> None:
    assert repeated_runs([("a", LONG), ("a", LONG)]) == 0
    assert repeated_runs([("a", LONG), ("b", f"well {LONG}"), ("b", "and that is all")]) == 2


def test_a_kind_that_is_short_or_unknown_breaks_a_rule() -> None:
    kind = Kind("courses", "courses", frozenset({"course_pitch"}), frozenset({"pitch"}), frozenset(), frozenset())
    line = replace(LINE, kinds=("course_pitch",))
    for lines, broken in (
        ([line] * LEAST, []),
        ([line] * (LEAST - 1) + [LINE] * 9, [f"courses: {LEAST - 1} lines, of {LEAST}"]),
        ([LINE], [f"courses: 0 lines, of {LEAST}", "courses: no passage has course_pitch"]),
    ):
        found = Findings()
        data_check._kinds(found, lines, [kind])
        assert found.broken == broken


def test_all_named_hard_kinds_are_there() -> None:
    kinds = {kind.name: kind for kind in read_kinds()}
    hard = [name for name, kind in kinds.items() if kind.least == LEAST]
    assert len(hard) == 14 + 16 + 1 and hard[-1] == "trade_claims"
    assert sum(kinds[name].acts == {"pitch"} for name in hard) == 14
    assert sum(name.startswith("claim_") for name in kinds) == 6


def test_lines_that_were_heard_repeat_lines_that_were_written() -> None:
    lines = read_lines(training_files())
    written = {line.id: line for line in lines if not line.spoken}
    heard = [line for line in lines if line.spoken]
    assert heard
    for line in heard:
        origin = written[line.id.removeprefix("r01-")]
        assert (line.spoken, line.act, line.offers, line.cues) == (origin.text, origin.act, origin.offers, origin.cues)
        assert (line.style, origin.style, origin.kind) == ("asr", "clean", "speech")
    assert sum(line.text != line.spoken for line in heard) > len(heard) / 2
