"""Decoding: whatever PyAV opens becomes mono sound at 16 kHz with its time, also across gaps, stalls and breaks.

Blocking; meant for a thread. Times come from the frames' presentation time stamps, so that what is missing on the way
stays missing in time, and not the show's clock.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import av
import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE, SpeechError

log = logging.getLogger(__name__)

#: Smallest gap that is filled with silence and longest that is, in seconds; a longer one is taken for a jump of the
#: clock (an advertisement cut in, a restarted encoder).
LEAST_GAP: Final = 0.1
MOST_GAP: Final = 30.0
#: Waits between attempts to open a source again, in seconds (the last one repeats).
WAITS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
#: Times a remote source that was never heard is tried again.
FIRST_TRIES: Final = 2
#: What a remote source may make the decoder open. A playlist could otherwise name files of this machine.
_REMOTE: Final = "http,https,tls,tcp,udp,rtp,rtmp,rtmps,rtmpt,rtsp,srt,crypto,httpproxy"
_LOCAL: Final = "file,crypto,data"


@dataclass(frozen=True)
class MediaLimits:
    """How patient decoding is. Seconds."""

    open_seconds: float = 10.0  #: longest wait for a source to open
    read_seconds: float = 8.0  #: longest wait for its next packet
    give_up_seconds: float = 120.0  #: a source that has been away this long is over


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of sound that begins `at` seconds after the source began."""

    at: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Away:
    """The source stalled or broke at this time; it is being opened again."""

    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Back:
    """The source came back at this time."""

    at: float


def is_remote(address: str) -> bool:
    """Whether an address names a stream, not a file."""
    return len(urlsplit(address).scheme) > 1 and not address.startswith("file:")


class Resampler:
    """To mono at `RATE`, whatever comes; a stream may change its rate and channels at any frame."""

    def __init__(self) -> None:
        self._made_for: tuple[Any, ...] | None = None
        self._resampler: Any = None

    def resample(self, frame: Any) -> NDArray[np.float32]:
        """Return a frame's sound; what is left of the one before a change comes with it."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        parts: list[Any] = []
        if kind != self._made_for:
            if self._resampler is not None:
                parts += self._resampler.resample(None)
            self._made_for = kind
            self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        parts += self._resampler.resample(frame)
        return np.concatenate([part.to_ndarray().ravel() for part in parts]) if parts else np.empty(0, np.float32)


class MediaReader:
    """Iterate over a source's sound. `stop` from another thread ends it at the next packet."""

    def __init__(self, address: str, limits: MediaLimits | None = None) -> None:
        self._address = address
        self._limits = limits or MediaLimits()
        self._stop = threading.Event()
        self._remote = is_remote(address)
        self._away_since: float | None = None  # on the clock, when the last piece came
        self._away_at = 0.0
        self._last_piece = time.monotonic()
        self._shift: float | None = None  # from the source's time to the show's
        self._last_heard: float | None = None  # in the source's time
        self._at = 0.0  # the end of what was yielded
        self._heard = False
        #: Packets that could not be decoded, times the source was opened again, and whether it stayed away too long.
        self.broken = 0
        self.reopened = 0
        self.given_up = False
        #: Whether the source has an end of its own: nothing of it gets lost by hearing it slowly. None: not open yet.
        self.finite: bool | None = None

    def stop(self) -> None:
        """End the iteration soon."""
        self._stop.set()

    def __iter__(self) -> Iterator[Sound | Away | Back]:
        """Yield sound and breaks in order of time.

        Raises:
            SpeechError: nothing could be opened or decoded in the first place.
        """
        tries = 0
        while not self._stop.is_set():
            why = "the stream ended"
            try:
                with self._open() as container:
                    over = self.finite = container.duration is not None or not self._remote
                    for piece in self._listen(container, resume=over and self._heard):
                        tries = 0
                        yield piece
                if over:
                    return
            except av.error.FFmpegError as error:
                why = f"{type(error).__name__}: {error.strerror}"
                if self._is_final(error, tries):
                    return
            if self._away_since is None:
                self._away_since, self._away_at = self._last_piece, self._at
                if self._heard:
                    yield Away(self._at, why)
            if time.monotonic() - self._away_since > self._limits.give_up_seconds:
                log.warning("%s: away for %.0f s, given up", self._address, self._limits.give_up_seconds)
                self.given_up = True
                return
            self._stop.wait(WAITS[min(tries, len(WAITS) - 1)])
            tries += 1
            self.reopened += 1

    def _is_final(self, error: Any, tries: int) -> bool:
        """Whether there is no use in opening again. Raises SpeechError if nothing was heard yet and never will be."""
        refused = isinstance(error, av.error.HTTPClientError)
        if not self._heard and (not self._remote or refused or tries >= FIRST_TRIES):
            raise SpeechError(f"{self._address}: cannot be heard: {error.strerror}") from error
        if not self._remote:
            log.warning("%s: broken at %.1f s: %s", self._address, self._at, error.strerror)
            self.broken += 1
        return not self._remote

    def _listen(self, container: Any, resume: bool) -> Iterator[Sound | Back]:
        """Yield one opening's sound, and first, after a break, that it is back. `resume`: it begins anew each time."""
        if self._away_since is not None and self._heard and not resume:
            self._at = self._away_at + time.monotonic() - self._away_since  # a live show went on without us
        for sound in self._decode(container, resume):
            if self._away_since is not None:
                self._away_since = None
                if sound.at > 0.0:
                    yield Back(sound.at)
            yield sound

    def _open(self) -> Any:
        if not self._remote and not Path(self._address.removeprefix("file:")).is_file():
            raise SpeechError(f"{self._address}: there is no such file")
        options = {"protocol_whitelist": _REMOTE if self._remote else _LOCAL}
        timeout = (self._limits.open_seconds, self._limits.read_seconds) if self._remote else None
        container = av.open(self._address, timeout=timeout, options=options, metadata_errors="ignore")
        if not container.streams.audio:
            container.close()
            raise SpeechError(f"{self._address}: holds no sound")
        return container

    def _decode(self, container: Any, resume: bool) -> Iterator[Sound]:
        """Yield the sound of one opening. `resume`: it begins anew each time; pass over what was heard before."""
        stream = container.streams.audio[0]
        if resume and self._shift is not None:
            with suppress(av.error.FFmpegError):  # what cannot be sought is decoded and passed over
                container.seek(int((self._at - self._shift) * av.time_base))
        elif not resume:
            self._shift = None
        playlist = "hls" in container.format.name
        resampler = Resampler()
        for packet in container.demux(stream):
            if self._stop.is_set():
                return
            for frame in self._frames(packet):
                at = None if frame.time is None else float(frame.time)
                if resume and at is not None and self._shift is not None and at + self._shift < self._at - LEAST_GAP:
                    continue
                if (
                    playlist
                    and not resume
                    and at is not None
                    and self._last_heard is not None
                    and at <= self._last_heard
                ):
                    continue  # a playlist that stands still offers its last minute again
                samples = resampler.resample(frame)
                if len(samples):
                    yield from self._place(samples, at)
                    self._last_heard = at if at is not None else self._last_heard

    def _place(self, samples: NDArray[np.float32], at: float | None) -> Iterator[Sound]:
        """Yield a frame's sound at its time, with silence for what is missing before it.

        `at` is the source's time, None where it gives none; the show's time is that plus the shift.
        """
        if self._shift is None:
            self._shift = self._at - (at or 0.0)
        gap = 0.0 if at is None else at + self._shift - self._at
        if gap > MOST_GAP or gap < -LEAST_GAP:
            self._shift -= gap  # the source's clock jumped; the show's does not
        elif gap > LEAST_GAP:
            yield self._sound(np.zeros(round(gap * RATE), np.float32))
        yield self._sound(samples)

    def _frames(self, packet: Any) -> list[Any]:
        try:
            return list(packet.decode())
        except av.error.InvalidDataError:
            self.broken += 1
            return []

    def _sound(self, samples: NDArray[np.float32]) -> Sound:
        sound = Sound(self._at, samples)
        self._last_piece = time.monotonic()
        self._at += len(samples) / RATE
        self._heard = True
        return sound
