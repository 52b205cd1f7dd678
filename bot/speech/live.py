"""Live sound: pieces that somebody hands in as they arrive, for an ear to listen to like to any other source.

`Placer` decides, without a clock of its own, where in time each piece belongs; `LiveSource` carries it to the thread in
which the ear listens.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE
from bot.speech.media import LEAST_GAP, Away, Back, Sound

#: Pieces that may wait for the ear; at a quarter of a second each, half a minute.
MAX_PIECES: Final = 128
#: Longest piece of silence at once, in seconds.
_SILENCE: Final = 5.0


@dataclass(frozen=True)
class Patience:
    """How sound is placed. Times in seconds."""

    slack: float = 0.01  #: smaller gaps than this are none
    late: float = 1.0  #: where nothing comes, silence is filled in up to so long ago
    ahead: float = 0.5  #: sound that seems to come from further ahead than this had its clock changed
    backlog: float = 10.0  #: most that may be ahead of the clock, after a lot came at once
    hush: float = 0.002  #: level below which a frame is dropped to catch up, where sound is ahead


class Placer:
    """Puts frames where their time stamps say, and silence where nothing was sent.

    All times are seconds since the source began, by the listener's clock; stamps are the sender's, from any origin.
    What comes in a heap after a hold-up is heard in full, later than it was said; pauses are then cut short.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._shift: float | None = None  # from stamps to the source's time
        #: The end of all that was placed.
        self.end = 0.0
        #: Frames dropped in order to catch up, and changes of the sender's clock, or of the way's length.
        self.dropped = 0
        self.jumps = 0

    def place(self, samples: NDArray[np.float32], stamp: float, now: float) -> list[NDArray[np.float32]]:
        """Return what follows what was placed before: silence for what is missing, then the frame.

        `stamp` is when the frame was spoken by the sender's clock, `now` when it came by ours.
        """
        if self._shift is None:
            self._shift = max(self.end, now) - stamp
        at = stamp + self._shift
        length = len(samples) / RATE
        if at > now + self._patience.ahead or at < self.end - length:
            at = max(self.end, now)
            self._shift = at - stamp
            self.jumps += 1
        if self._too_far_ahead(samples, now):
            self._shift -= length
            self.dropped += 1
            return []
        pieces = self._silence(at) if at - self.end > self._patience.slack else []
        self.end += length
        return [*pieces, samples]

    def quiet(self, now: float) -> list[NDArray[np.float32]]:
        """Return silence for what is so long ago that nothing will come for it."""
        until = now - self._patience.late
        return self._silence(until) if until > self.end else []

    def _too_far_ahead(self, samples: NDArray[np.float32], now: float) -> bool:
        ahead = self.end - now
        if ahead <= self._patience.ahead / 2:
            return False
        return ahead > self._patience.backlog or float(np.abs(samples).max(initial=0.0)) < self._patience.hush

    def _silence(self, until: float) -> list[NDArray[np.float32]]:
        pieces = []
        while (missing := round((until - self.end) * RATE)) > 0:
            pieces.append(np.zeros(min(missing, round(_SILENCE * RATE)), np.float32))
            self.end += len(pieces[-1]) / RATE
        return pieces


class LiveSource:
    """Sound from an event loop to the thread of an ear. `push` never blocks; what nobody takes is dropped."""

    #: It has no end of its own, and never stays away: whoever pushes says when it is over.
    finite: bool | None = False
    given_up = False

    def __init__(self, name: str) -> None:
        self.name = name
        #: Pieces that were dropped since nobody took them.
        self.broken = 0
        self._pieces: queue.Queue[Sound | None] = queue.Queue(MAX_PIECES)
        self._stopped = threading.Event()
        self._finished = False

    def push(self, piece: Sound) -> None:
        """Hand in what follows. Of too much the oldest is dropped and counted."""
        self._put(piece)

    def finish(self) -> None:
        """Nothing more will come; what was handed in is still heard. May be said twice."""
        if not self._finished:
            self._finished = True
            self._put(None)

    def stop(self) -> None:
        """End the iteration now."""
        self._stopped.set()
        self._put(None)

    def __iter__(self) -> Iterator[Sound | Away | Back]:
        """Yield what is handed in, and breaks where pieces were dropped, until it is over. Blocks; for a thread."""
        end: float | None = None
        while not self._stopped.is_set():
            piece = self._pieces.get()
            if piece is None:
                return
            if end is not None and piece.at - end > LEAST_GAP:
                yield Away(end, "more sound came than could be listened to")
                yield Back(piece.at)
            yield piece
            end = piece.at + len(piece.samples) / RATE

    def _put(self, piece: Sound | None) -> None:
        while True:
            try:
                self._pieces.put_nowait(piece)
                return
            except queue.Full:
                try:
                    self._pieces.get_nowait()
                    self.broken += 1
                except queue.Empty:
                    continue
