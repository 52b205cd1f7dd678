"""The second look: what somebody who presents said in the last two minutes, read again as a whole.

A line can look like an offer alone and be a lesson about offers, a joke, or a warning when it is heard with what led up
to it. Before such a line counts as evidence the same classifier reads the passage that it ends, in stretches as long as
the lines it was trained on.
"""

from collections.abc import Sequence
from typing import Final

from detectors.classifier import Request
from detectors.records import Line, Reading

#: How much of what was said is read again, in seconds up to the end of the line.
PASSAGE_SECONDS: Final = 120.0
#: Words of a stretch: about as many tokens as the classifier takes of a line.
STRETCH_WORDS: Final = 60
#: Lines from this pitch probability on are looked at twice. `arc` takes none below it for evidence.
LOOK_FROM: Final = 0.2


def second_requests(line: Line, reading: Reading, before: Sequence[Line]) -> list[Request]:
    """Return what to read for a second look at a presenter's `line`: the stretches of its passage, none where the line
    is no evidence anyway.

    `before` holds what was said until then by anybody, oldest first.
    """
    if reading.pitch < LOOK_FROM or line.weight == 0.0:
        return []
    said = [one for one in before if one.person.account == line.person.account]
    return [Request(text, "speech", lang=reading.lang) for text in stretches([*said, line])]


def stretches(said: Sequence[Line]) -> list[str]:
    """Return what was said in the two minutes up to the end of the last of the lines, in stretches that end with it.

    The newest stretch comes last and is whole; the oldest holds what is left over.
    """
    since = said[-1].until - PASSAGE_SECONDS
    words = [word for line in said if line.until > since for word in line.text.split()]
    return [" ".join(words[max(0, end - STRETCH_WORDS) : end]) for end in range(len(words), 0, -STRETCH_WORDS)][::-1]


def passage_pitch(readings: Sequence[Reading]) -> float:
    """Return how probable a pitch is somewhere in the passage: the probability of its surest stretch."""
    return max(reading.pitch for reading in readings)
