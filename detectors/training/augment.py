"""Variations of training lines: as a recogniser without punctuation writes them, cut where a recogniser would cut.

A recogniser's segments end at pauses, not where a writer ended a line: one segment may hold the end of a lesson and
the beginning of an offer.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence

from detectors.training.passages import LabelledLine

_PUNCTUATION = re.compile(r"[.,!?;:…«»\"()]+")
#: So many words of it make a joined segment a pitch (a sponsor read, a warning), whatever else it holds.
ENOUGH_WORDS = 6
_TELLING = ("pitch", "sponsor", "caution")
#: Words in a joined segment: about what is said within 4 to 14 seconds.
SEGMENT_WORDS = (10, 42)


def flatten(text: str) -> str:
    """Return `text` as a recogniser without punctuation writes it: lower case, no marks but apostrophes."""
    return " ".join(_PUNCTUATION.sub(" ", text).lower().split())


def resegment(lines: Sequence[LabelledLine], dice: random.Random) -> tuple[str, str, frozenset[str], frozenset[str]]:
    """Join consecutive `lines` of one speaker and cut a segment out; return its text, act, offers and cues.

    Offers and cues are those of the lines of which enough words are left.
    """
    words = [(word, line) for line in lines for word in line.text.split()]
    length = dice.randint(*SEGMENT_WORDS)
    start = dice.randrange(max(1, len(words) - length // 2))
    kept = words[start : start + length]
    counts = Counter(line.id for _, line in kept)
    by_act: Counter[str] = Counter()
    offers: set[str] = set()
    cues: set[str] = set()
    for line in lines:
        by_act[line.act] += counts[line.id]
        if counts[line.id] >= min(ENOUGH_WORDS, len(line.text.split())):
            offers.update(line.offers)
            cues.update(line.cues)
    telling = next((act for act in _TELLING if by_act[act] >= ENOUGH_WORDS), None)
    act = telling or by_act.most_common(1)[0][0]
    return " ".join(word for word, _ in kept), act, frozenset(offers), frozenset(cues)
