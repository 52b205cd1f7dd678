"""What the show detectors share: a line as a quote, and whether a line speaks of others' selling."""

from detectors.records import Line, Quote, Reading, Unavailable


def quote(line: Line, reading: Reading | Unavailable | None) -> Quote:
    """Return the line as a quote, with the pitch probability it was read with (0 when nobody could read it)."""
    pitch = round(reading.pitch, 4) if isinstance(reading, Reading) else 0.0
    return Quote(line.id, line.at, line.until, line.person, line.kind, line.text, pitch, line.seat)


def is_of_others(reading: Reading | Unavailable | None) -> bool:
    """Whether the line most probably warns of something or speaks for a third party that pays for it."""
    return isinstance(reading, Reading) and reading.act in ("caution", "sponsor")
