"""How long lines of a live room take from being said to being read, of late."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

#: Lines remembered, and for how long, in seconds.
MAX_LINES: Final = 200
LATELY: Final = 900.0


class Delays:
    """Delays of the newest lines, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: deque[tuple[float, float]] = deque(maxlen=MAX_LINES)

    def note(self, seconds: float) -> None:
        """Note the delay of a line that was just read. Clocks differ a little: none is below nought."""
        self._noted.append((self._clock(), max(0.0, seconds)))

    def lately(self) -> tuple[float, float] | None:
        """Return the median and the 95th percentile; None when nothing was read lately."""
        oldest = self._clock() - LATELY
        found = sorted(seconds for noted, seconds in self._noted if noted >= oldest)
        if not found:
            return None
        return found[(len(found) - 1) // 2], found[min(len(found) - 1, int(0.95 * len(found)))]
