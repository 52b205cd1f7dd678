"""What the trade likes to say of itself: be on every network; born with social media; the most followers."""

import re
from typing import Final

_BE: Final = r"(?:be|being|i'?m|i am|we'?re|we are|show up)(?: active| present)?"
_ETRE: Final = r"(?:être|suis|es|sois|soyez|sommes|est)(?: (?:présent|actif|active)\w*)?"
_OWN: Final = r"(?:i|i've|i'm|we|we've|we're|j'ai|on a|on est|nous avons|nous sommes|je suis)"
_SAYINGS: Final = (
    (
        "everywhere",
        rf"\b{_BE} (?:on|across) (?:absolutely )?(?:every(?: single)?|all(?: of)?(?: the| these)?)"
        r" (?:social )?(?:networks?|platforms?|channels?|apps?)\b"
        rf"|\b{_ETRE} sur (?:absolument )?(?:tous [lt]es|toutes [lt]es|chaque) (?:réseaux?|plateformes?)\b",
    ),
    (
        "born",
        rf"\b{_OWN} (?:\w+ ){{0,3}}?(?:born|née?s?) (?:with|on|in|into|avec|dans|sur) (?:the |les? )?"
        r"(?:socials\b|social (?:media|networks?)|internet|instagram|tiktok|algorithme?|réseaux)\b",
    ),
    (
        "most",
        rf"\b{_OWN} (?:(?!(?:not|don't|pas|need|want|veux|know|who|which|qui)\b)[\w']+ ){{0,4}}?"
        r"(?:the most (?:\w+ )?(?:followers|subscribers|fans)|the (?:biggest|largest) (?:following|audience)"
        r"|le plus (?:de |d')(?:abonnée?s|followers|fans)|la plus (?:grosse|grande) (?:audience|communauté))\b",
    ),
)
_PATTERNS: Final = tuple((sort, re.compile(pattern, re.IGNORECASE)) for sort, pattern in _SAYINGS)
_DENIED: Final = re.compile(
    r"\b(?:not|n't|don't|doesn't|never|no|can't|cannot|without|nobody|pas|jamais|sans|personne|ne|n'\w+|who|if|when|qui)"
    r"\b[\w' ]{0,25}$",
    re.IGNORECASE,
)


def find_sayings(plain: str) -> list[tuple[str, str]]:
    """Return sort and words of each saying in a normalised text that does not deny it."""
    found = [(sort, match) for sort, pattern in _PATTERNS if (match := pattern.search(plain))]
    return [(sort, match[0]) for sort, match in found if not _DENIED.search(plain, 0, match.start())]
