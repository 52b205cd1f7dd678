"""Hard kinds: which lines count for them."""

from dataclasses import replace
from pathlib import Path

import pytest

from detectors.training.kinds import Kind, read_kinds
from detectors.training.passages import LabelledLine

LINE = LabelledLine(
    *("a-1", "a", "bread", "clean", "en", "chat", "@joe", "best course I did", "pitch"),
    *(("course",), ("testimonial",), "test", ("shills",)),
)
KINDS = """
[shills]
what = "testimonials"
tags = ["shills", "shill"]
acts = ["pitch"]
cues = ["testimonial"]

[charities]
what = "charities"
tags = ["charity"]

[spam]
what = "spam"
acts = ["spam"]

[claim]
what = "claim"
says = "best .* did"
least = 5
"""


@pytest.fixture
def kinds(tmp_path: Path) -> dict[str, Kind]:
    path = tmp_path / "kinds.toml"
    path.write_text(KINDS)
    return {kind.name: kind for kind in read_kinds(path)}


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, {"shills", "claim"}),
        ({"text": "It is fine."}, {"shills"}),
        ({"cues": ()}, {"claim"}),
        ({"act": "other"}, {"claim"}),
        ({"kinds": ("charity",)}, {"claim"}),
        ({"kinds": ("charity",), "act": "other", "text": "thank you"}, {"charities"}),
        ({"kinds": (), "act": "spam", "text": "buy"}, {"spam"}),
    ],
)
def test_a_line_counts_by_tag_label_and_words(
    change: dict[str, object], counts: set[str], kinds: dict[str, Kind]
) -> None:
    line = replace(LINE, **change)  # type: ignore[arg-type]
    assert {name for name, kind in kinds.items() if kind.counts(line)} == counts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[a]\nwhat = "a"\nacts = ["sing"]', "a: not in the taxonomy: sing"),
        ('[a]\nwhat = "a"\noffers = ["course"]', "a: needs tags, acts, or what it says"),
    ],
)
def test_a_kind_that_says_nothing_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "kinds.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_kinds(path)
