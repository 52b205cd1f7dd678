"""The second look: what somebody who presents said in the last two minutes, read again as a whole.

A line can look like an offer alone and be a lesson about offers, a joke, or a warning when it is heard with what led up
to it. Before such a line counts as evidence the same classifier reads the passage that it ends, in stretches as long as
the lines it was trained on.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from detectors.classifier import Request
from detectors.records import Line, Reading

#: How much of what was said is read again, in seconds up to the end of the line.
PASSAGE_SECONDS: Final = 120.0
#: Words and characters of a stretch: about as many tokens as the classifier takes of a line, so that none of its end,
#: where the line itself stands, is cut off.
STRETCH_WORDS: Final = 60
STRETCH_CHARS: Final = 380
#: Stretches of a passage, the newest: two minutes of quick speech.
MOST_STRETCHES: Final = 7
#: Lines from this pitch probability on are looked at twice. `arc` takes none below it for evidence.
LOOK_FROM: Final = 0.2


def second_requests(line: Line, reading: Reading, before: Sequence[Line]) -> list[Request]:
    """Return what to read for a second look at a presenter's `line`: the stretches of its passage; none where the line
    is no evidence anyway, or nothing else was said.

    `before` holds what the same person said until then, oldest first.
    """
    if reading.pitch < LOOK_FROM or line.weight == 0.0:
        return []
    since = line.until - PASSAGE_SECONDS
    said = [one for one in before if one.until > since]
    if not said:
        return []
    return [Request(text, line.kind, lang=reading.lang) for text in stretches([*said, line])]


def stretches(said: Sequence[Line]) -> list[str]:
    """Return what was said in stretches that end with the last line, the newest `MOST_STRETCHES` of them.

    The newest stretch comes last; the oldest holds what is left over.
    """
    words = [word[:STRETCH_CHARS] for line in said for word in line.text.split()]
    return list(islice(_from_the_end(words), MOST_STRETCHES))[::-1]


def _from_the_end(words: Sequence[str]) -> Iterator[str]:
    end = len(words)
    while end > 0:
        start, length = end - 1, len(words[end - 1])
        while start > 0 and end - start < STRETCH_WORDS and length + 1 + len(words[start - 1]) <= STRETCH_CHARS:
            start -= 1
            length += 1 + len(words[start])
        yield " ".join(words[start:end])
        end = start


def passage_pitch(readings: Sequence[Reading]) -> float:
    """Return how probable a pitch is somewhere in the passage: the probability of its surest stretch."""
    return max(reading.pitch for reading in readings)
