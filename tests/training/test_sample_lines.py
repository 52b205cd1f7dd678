"""Lines drawn to be read."""

from dataclasses import replace

from detectors.training.passages import LabelledLine
from detectors.training.sample_lines import draw

LINE = LabelledLine("", "", "bread", "clean", "en", "speech", "@joe", "text", "teach", (), (), "test")
LINES = [replace(LINE, id=f"{passage}-{number}", passage=passage) for passage in "abc" for number in range(10)]


def test_a_draw_is_the_same_for_a_seed_and_in_order() -> None:
    drawn = draw(LINES, 12, 1)
    assert drawn == draw(LINES, 12, 1) != draw(LINES, 12, 2)
    assert [line.id for _, line in drawn] == sorted({line.id for _, line in drawn}) and len(drawn) == 12


def test_each_comes_with_the_line_before_it_in_its_passage() -> None:
    for before, line in draw(LINES, 30, 1):
        number = int(line.id[2:])
        assert (before.id if before else None) == (f"{line.passage}-{number - 1}" if number else None)


def test_heard_lines_are_not_drawn() -> None:
    heard = [replace(line, spoken="text") for line in LINES]
    assert len(draw([*LINES[:3], *heard], 30, 1)) == 3
