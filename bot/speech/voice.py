"""Where somebody speaks: a pure state machine over the probabilities that a voice detector gives for short windows.

No clock and no sound inside, in the manner of Home Assistant's segmenter: windows are counted, and what comes out are
stretches of windows. A segment ends at a pause; a short one waits for a longer pause, so that it is joined with
what follows; a long one is cut where it is quietest.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

#: Samples in a window, as the detector takes them, and the seconds they last.
WINDOW: Final = 512
WINDOW_SECONDS: Final = WINDOW / 16_000


@dataclass(frozen=True)
class VoiceParameters:
    """What the splitter goes by. Times in seconds."""

    begin: float = 0.5  #: probability from which a window is taken for a voice
    end: float = 0.35  #: below this a voice that was there is taken to pause
    pre_roll: float = 0.3  #: sound before the first voice that is kept, since detectors are late
    hang_over: float = 0.55  #: pause that ends a segment
    short: float = 4.0  #: a segment shorter than this is short
    hang_over_short: float = 1.3  #: pause that ends a short one
    tail: float = 0.2  #: sound after the last voice that is kept
    least_voice: float = 0.25  #: less voice than this in a segment is a click or a cough
    most: float = 12.0  #: longest segment
    cut_within: float = 3.0  #: one that is too long is cut at the quietest window within its last so many seconds


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of windows in which somebody speaks: from `first` up to, not with, `last`."""

    first: int
    last: int


class Splitter:
    """Feed it one probability per window, in order; it returns a stretch whenever one is complete."""

    def __init__(self, parameters: VoiceParameters | None = None) -> None:
        self._p = parameters or VoiceParameters()
        self._now = 0
        self._free_from = 0  # nothing before this window may be used again
        self._first: int | None = None
        self._last_voice = 0
        self._voiced = 0
        self._recent: deque[float] = deque(maxlen=_windows(self._p.cut_within))

    @property
    def needed_from(self) -> int:
        """The earliest window whose sound may still be asked for."""
        return self._first if self._first is not None else max(self._free_from, self._now - _windows(self._p.pre_roll))

    def feed(self, probability: float) -> Stretch | None:
        """Take in the next window's probability."""
        window = self._now
        self._now += 1
        self._recent.append(probability)
        if self._first is None:
            if probability >= self._p.begin:
                self._first = max(self._free_from, window - _windows(self._p.pre_roll))
                self._last_voice, self._voiced = window, 1
            return None
        if probability >= self._p.end:
            self._last_voice = window
            self._voiced += 1
        if window - self._first + 1 >= _windows(self._p.most):
            return self._cut()
        spoken = (self._last_voice + 1 - self._first) * WINDOW_SECONDS
        pause = self._p.hang_over_short if spoken < self._p.short else self._p.hang_over
        if window - self._last_voice >= _windows(pause):
            return self._close()
        return None

    def flush(self) -> Stretch | None:
        """The sound is over: return what was still open."""
        return self._close() if self._first is not None else None

    def _close(self) -> Stretch | None:
        assert self._first is not None
        last = min(self._now, self._last_voice + 1 + _windows(self._p.tail))
        return self._finish(last, goes_on=False)

    def _cut(self) -> Stretch | None:
        """Cut at the quietest of the last windows; what comes after it begins the next segment at once."""
        quietest = min(range(len(self._recent)), key=lambda i: (self._recent[i], -i))
        last = self._now - len(self._recent) + quietest + 1
        return self._finish(last, goes_on=self._last_voice >= last)

    def _finish(self, last: int, goes_on: bool) -> Stretch | None:
        assert self._first is not None
        enough = self._voiced >= _windows(self._p.least_voice)
        done = Stretch(self._first, last) if enough else None
        self._free_from = last
        self._first = last if goes_on else None
        if goes_on:
            after = list(self._recent)[len(self._recent) - (self._now - last) :] if self._now > last else []
            self._voiced = sum(probability >= self._p.end for probability in after)
        return done


def _windows(seconds: float) -> int:
    return max(1, round(seconds / WINDOW_SECONDS))
