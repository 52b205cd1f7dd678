"""The names that people's scripts hold on to."""

import re
from pathlib import Path

import pytest

from detectors.taxonomy import ACTS, CUES, LABELS, OFFERS

FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


def test_names_are_the_published_ones() -> None:
    assert ACTS == ("teach", "pitch", "sponsor", "caution", "spam", "other")
    assert (
        *("ebook", "white_paper", "course", "coaching", "membership", "group"),
        *("growth_service", "tool", "merch", "donation", "other"),
    ) == OFFERS
    assert (
        *("scarcity", "urgency", "discount", "guarantee", "free_bait", "income_claim"),
        *("off_platform", "link", "testimonial", "credential_claim", "follower_claim"),
    ) == CUES


def test_labels_are_acts_then_offers_then_cues() -> None:
    assert len(LABELS) == len(set(LABELS)) == 28
    assert LABELS[0] == "act:teach"
    assert LABELS[6] == "offer:ebook"
    assert LABELS[17] == "cue:scarcity"
    assert tuple(label.partition(":")[2] for label in LABELS) == ACTS + OFFERS + CUES


@pytest.mark.parametrize(("title", "names"), [("act", ACTS), ("offers", OFFERS), ("cues", CUES)])
def test_the_formats_page_lists_them_in_this_order(title: str, names: tuple[str, ...]) -> None:
    section = FORMATS.read_text(encoding="utf-8").split("## 2.")[1].split("\n## ")[0]
    found = re.search(rf"- \*\*{title}\*\*.*?:(.*?)(?=\n- |\Z)", section, re.DOTALL)
    assert found is not None
    without_asides = re.sub(r"\([^()]*\)", "", found[1])
    listed = re.findall(r"[a-z]+(?:_[a-z]+)*", without_asides)
    assert [word for word in listed if word in names] == list(names)
