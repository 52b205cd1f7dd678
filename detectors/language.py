"""The language of a line: English or French. Short lines are taken to be in the language of the show."""

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LANGUAGES: Final = ("en", "fr")
#: Below this many letters a line says too little about its language.
SHORTEST: Final = 12
#: A guess against the hint must be at least this sure.
SURE: Final = 0.8


@cache
def load_identifier() -> "LanguageIdentifier":
    """Load the identifier, once. Raises OSError: it is unpacked into the folder for temporary files on its way."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def detect_language(text: str, hint: str | None = None) -> str:
    """Return "en" or "fr". `hint` (of the line or the show) decides where the text does not."""
    fallback = hint if hint in LANGUAGES else "en"
    if sum(char.isalpha() for char in text) < SHORTEST:
        return fallback
    guess, probability = load_identifier().classify(text)
    return str(guess) if probability >= SURE or hint is None else fallback
