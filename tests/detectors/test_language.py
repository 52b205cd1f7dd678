"""English or French."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.language import LANGUAGES, SHORTEST, detect_language

EN = "the first thing you want to do is write the hook before you film anything"
FR = "la première chose à faire c'est d'écrire l'accroche avant de filmer quoi que ce soit"


@pytest.mark.parametrize(
    ("text", "hint", "lang"),
    [
        (EN, None, "en"),
        (FR, None, "fr"),
        # a long line is believed more than the hint
        (EN, "fr", "en"),
        (FR, "en", "fr"),
        # a short one is not
        ("ok merci", "en", "en"),
        ("thank you", "fr", "fr"),
        ("ok merci", None, "en"),
        ("", "fr", "fr"),
        ("👏👏👏 2026 !!! ---- 100 %", "fr", "fr"),
        # a hint at another language is no hint
        ("hola", "es", "en"),
        (FR, "es", "fr"),
    ],
)
def test_language(text: str, hint: str | None, lang: str) -> None:
    assert detect_language(text, hint) == lang


@given(st.text(max_size=200), st.sampled_from([None, "en", "fr", "de", ""]))
def test_one_of_two_and_always_the_same(text: str, hint: str | None) -> None:
    lang = detect_language(text, hint)
    assert lang in LANGUAGES
    assert detect_language(text, hint) == lang


@given(st.text("abc ", max_size=SHORTEST - 1), st.sampled_from(LANGUAGES))
def test_too_short_a_line_follows_the_hint(text: str, hint: str) -> None:
    assert detect_language(text, hint) == hint
