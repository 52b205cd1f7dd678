"""The timeline of a show: stretches of teaching, talk and pitch, from what was heard on the seats."""

from typing import Any, Final

from detectors.records import Phase, PhaseSpan

#: Length of a bin at first, in seconds, and the most bins kept; a longer show gets bins twice as long.
BIN_SECONDS: Final = 10.0
MAX_BINS: Final = 720
#: Each bin is judged together with this many on either side.
REACH: Final = 3
#: Stretches shorter than this many bins join the one before.
SHORTEST: Final = 4
#: Share of the talking time from which a stretch is called by its name.
PITCH_SHARE: Final = 0.4
TEACH_SHARE: Final = 0.5


class Timeline:
    """Seconds of talk, teaching and pitch per bin of time. Bounded: bins grow with the show."""

    def __init__(self) -> None:
        self.bin_seconds = BIN_SECONDS
        self._bins: list[list[float]] = []

    def add(self, at: float, seconds: float, teach: float, pitch: float) -> None:
        """Add `seconds` of talk beginning at `at`, of which the given shares were teaching and pitch."""
        while at >= self.bin_seconds * MAX_BINS:
            self._double()
        index = int(at / self.bin_seconds)
        while len(self._bins) <= index:
            self._bins.append([0.0, 0.0, 0.0])
        heard = self._bins[index]
        heard[0] += seconds
        heard[1] += seconds * teach
        heard[2] += seconds * pitch

    def spans(self) -> list[PhaseSpan]:
        """Return stretches that cover the time from 0 to the last talk, without gaps, in order."""
        names = [self._phase(i) for i in range(len(self._bins))]
        runs: list[list[Any]] = []
        for index, name in enumerate(names):
            if runs and runs[-1][0] == name:
                runs[-1][2] = index + 1
            else:
                runs.append([name, index, index + 1])
        merged: list[list[Any]] = []
        for run in runs:
            too_short = run[2] - run[1] < SHORTEST and run[0] != "pitch"
            if merged and (too_short or merged[-1][0] == run[0]):
                merged[-1][2] = run[2]
            else:
                merged.append(run)
        return [PhaseSpan(a * self.bin_seconds, b * self.bin_seconds, name) for name, a, b in merged]

    def _phase(self, index: int) -> Phase:
        near = self._bins[max(0, index - REACH) : index + REACH + 1]
        talk, teach, pitch = (sum(column) for column in zip(*near, strict=True))
        if talk and pitch >= PITCH_SHARE * talk:
            return "pitch"
        return "teach" if talk and teach >= TEACH_SHARE * talk else "talk"

    def _double(self) -> None:
        pairs = [self._bins[i : i + 2] for i in range(0, len(self._bins), 2)]
        self._bins = [[sum(column) for column in zip(*pair, strict=True)] for pair in pairs]
        self.bin_seconds *= 2

    def snapshot(self) -> dict[str, Any]:
        """Return the bins as JSON-able values."""
        return {"bin_seconds": self.bin_seconds, "bins": [[round(v, 2) for v in b] for b in self._bins]}

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self.bin_seconds = numbers["bin_seconds"]
        self._bins = [list(b) for b in numbers["bins"]]
