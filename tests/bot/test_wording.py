"""Words that people read: how they are written."""

import re

import pytest

from config.wording import LANGUAGES, wording


@pytest.mark.parametrize("language", LANGUAGES)
def test_apostrophes_are_typographic(language: str) -> None:
    assert {key: text for key, text in wording(language).items() if "'" in text} == {}


def test_a_show_is_called_one_thing_in_french_and_a_snooze_is_no_pause() -> None:
    french = wording("fr")
    assert {key for key, text in french.items() if re.search(r"\bémissions?\b", text, re.IGNORECASE)} == set()
    paused = {key for key, text in french.items() if re.search(r"\ben pause\b", text, re.IGNORECASE)}
    assert paused == {"watch.done_pause", "watch.paused"}
