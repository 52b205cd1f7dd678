"""Text as the models read it: one spelling for what a reader sees as one spelling.

The text a person is shown as evidence is never the normalised one.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from detectors.leet import read_leet

#: Longest text, in characters, that any model reads. Chat platforms allow 4,000; a speech segment has about 250.
MAX_CHARS: Final = 1_000

# Letters of other scripts that look like Latin ones. Only swapped inside words that also hold Latin letters,
# so that real Russian or Greek stays what it is.
_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԁһкмтвнАЕОРСУХІЈЅКМТВНαοερτυικνΑΕΟΡΤΥΙΚΝΒΗΜΖ",
    "aeopcyxijsdhkmtbhAEOPCYXIJSKMTBHaoeptuiknAEOPTYIKNBHMZ",
)
_FOREIGN: Final = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")
_LATIN: Final = re.compile(r"[A-Za-z]")
_WORD: Final = re.compile(r"\w+")
_SPACES: Final = re.compile(r"\s+")
_LETTER_RUN: Final = re.compile(r"(?<!\w)(?:\w[ .*_-]){3,}\w(?!\w)")
_DEFANGED: Final = (
    (re.compile(r"\bh(?:xx|\*\*|tt)ps?(?=://)", re.IGNORECASE), "https"),
    (re.compile(r"\s?[\[({]\s?(?:\.|dot|point)\s?[\])}]\s?", re.IGNORECASE), "."),
)
# Drawn as nothing, though Unicode does not count them as control characters. Behind a letter only: behind a sign
# they choose between an emoji and a plain sign.
_UNSEEN: Final = re.compile(r"(?<=\w)[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
# Regional indicators 🇦…🇿 and squared letters 🅰…🆉 spell words in chats.
_EMOJI_LETTERS: Final = {
    **{0x1F1E6 + i: chr(ord("a") + i) for i in range(26)},
    **{0x1F130 + i: chr(ord("a") + i) for i in range(26)},
    **{0x1F150 + i: chr(ord("a") + i) for i in range(26)},
    **{0x1F170 + i: chr(ord("a") + i) for i in range(26)},
}


@lru_cache(maxsize=64)  # every detector asks for the same line
def normalise(text: str) -> str:
    """Return `text` in NFKC, without invisible characters, look-alike letters, figures for letters or letter spacing,
    at most `MAX_CHARS` long, white space folded to single blanks."""
    text = unicodedata.normalize("NFKC", text[: 4 * MAX_CHARS].translate(_EMOJI_LETTERS))
    text = _UNSEEN.sub("", "".join(_visible(char) for char in text))
    text = unicodedata.normalize("NFKC", text)  # what stood apart may now stand together
    if _FOREIGN.search(text):
        text = _WORD.sub(_latin_word, text)
    for pattern, plain in _DEFANGED:
        text = pattern.sub(plain, text)
    text = read_leet(_LETTER_RUN.sub(_join_letters, text))
    return _SPACES.sub(" ", text).strip()[:MAX_CHARS]


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cc":
        return " "
    return "" if category in {"Cf", "Co", "Cn", "Cs"} else char


def _latin_word(match: re.Match[str]) -> str:
    word = match.group()
    return word.translate(_LOOKALIKES) if _LATIN.search(word) else word


def _join_letters(match: re.Match[str]) -> str:
    """Join `c o u r s e` and `c.o.u.r.s.e`, but leave runs of digits (dates, prices, versions) as they are."""
    letters = read_leet(match.group()[::2])
    return letters if letters.isalpha() else match.group()
