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
        # figures and signs for letters
        ("fr33 c0urse, s3nd me a m3ssage", "free course, send me a message"),
        ("FR33 C0URSE 0FFER", "FREE COURSE OFFER"),
        ("j0in my pr1v4te gr0up! l1nk in b1o", "join my private group! link in bio"),
        ("ca$h, $ave now, c@sh pr1ce", "cash, save now, cash price"),
        ("sa1e, 1ink, s4le!!", "sale, link, sale!!"),
        ("f0rmati0n offert3, r3duction, abonn3s", "formation offerte, reduction, abonnes"),
        ("écr1s-moi en pr1vé", "écris-moi en privé"),
        ("m 3 s s a g e me", "message me"),
        # what only looks like it
        *(
            (kept, kept)
            for kept in (
                "R2D2, C3PO, h264, mp3, web3, b2b, PS5, i18n, a11y, h1n1, m8",
                "10people in 3days, 100k, 4K, 1080p, covid19, 2nd, 1er",
                "follow4follow, learn4free, log4j, text2speech, code30fast",
                "https://x.example/c0urse?a=b00k and c0urse.example",
                "du sel! appel! buy! b10, F33, m01",
                "@gr0wth_k1ng a@b.example wait! oh no!!",
                "$50 or 50$, 20h30, 3€, le 1er, 5e",
            )
        ),
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
