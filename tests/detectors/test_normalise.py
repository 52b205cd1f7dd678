"""What a model reads, for what a person sees."""

import unicodedata
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.normalise import MAX_CHARS, normalise

PLAIN = st.text("abcdefghijklmnopqrstuvwxyz ABC.,!?", max_size=120)
UNSEEN = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\ue000"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", ""),
        ("  my \t new\n\nebook  ", "my new ebook"),
        ("Ｆｒｅｅ ｅｂｏｏｋ", "Free ebook"),
        ("𝐅𝐫𝐞𝐞 𝓮𝓫𝓸𝓸𝓴", "Free ebook"),
        ("ﬁve sp\u00adots", "five spots"),
        ("e\u200bb\u200do\u2060ok", "ebook"),
        ("\u202eebook\u202c", "ebook"),
        ("a\x00b\x07c", "a b c"),
        # invisible, though not control characters
        ("f\ufe0fr\ufe0ee\u034fe", "free"),
        ("🅵\ufe0f🆁\ufe0f🅴\ufe0f🅴\ufe0f", "free"),
        ("free\u3164\uffa0ebook", "freeebook"),
        # signs keep the mark that makes an emoji of them
        ("thanks ❤\ufe0f", "thanks ❤\ufe0f"),
        # composed again once nothing stands between
        ("caf\u0065\u200d\u0301", "café"),
        # look-alikes in words that also hold Latin letters
        ("frее соaching", "free coaching"),
        ("ΕΒOOΚ", "EBOOK"),
        ("привет, как дела", "привет, как дела"),
        ("Καλημέρα σε όλους", "Καλημέρα σε όλους"),
        ("join мой канал now", "join мой канал now"),
        # letters set apart
        ("my c o u r s e is open", "my course is open"),
        ("e.b.o.o.k here", "ebook here"),
        ("e-b-o-o-k", "ebook"),
        ("my e_b_o_o_k", "my ebook"),
        ("plan A or B", "plan A or B"),
        ("a b c", "a b c"),
        ("on 1.2.3.4 and 2 0 2 6", "on 1.2.3.4 and 2 0 2 6"),
        # links made unclickable
        ("hxxps://kingo[.]example/x", "https://kingo.example/x"),
        ("h**p://kingo (dot) example", "https://kingo.example"),
        ("kingo { point } example", "kingo.example"),
        ("the point is", "the point is"),
        # letters as emoji
        ("🇫🇷🇪🇪 🅴🅱🅾🅾🅺", "free ebook"),
        ("Écris-moi « COACH » à l’aise", "Écris-moi « COACH » à l’aise"),
    ],
)
def test_one_spelling(written: str, read: str) -> None:
    assert normalise(written) == read


@given(st.text(max_size=3 * MAX_CHARS))
def test_bounded_and_without_anything_unseen(text: str) -> None:
    read = normalise(text)
    assert len(read) <= MAX_CHARS
    assert not {unicodedata.category(char) for char in read} & {"Cc", "Cf", "Co", "Cn", "Cs"}
    assert read == " ".join(read.split())


@given(PLAIN, st.data())
def test_what_cannot_be_seen_changes_nothing(text: str, data: st.DataObject) -> None:
    marks = data.draw(st.lists(st.sampled_from(["", *UNSEEN]), min_size=len(text), max_size=len(text)))
    assert normalise("".join(char + mark for char, mark in zip(text, marks, strict=True))) == normalise(text)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=40), st.sampled_from(" .*_-"))
def test_letters_set_apart_are_joined(word: str, mark: str) -> None:
    assert normalise(mark.join(word)) == word


@pytest.mark.parametrize("part", ["a", "_", "a b ", "[.", "a.", "\u200b", "а", "🅰"])
def test_a_huge_text_costs_no_more_than_a_long_one(part: str) -> None:
    began = process_time()
    assert len(normalise(part * 2_000_000)) <= MAX_CHARS
    assert process_time() - began < 2.0
