"""The gate: a cheap linear model over hashed word and letter n-grams that passes by harmless chat of the audience.

What it passes by never reaches the transformer, so its threshold is fitted to lose next to nothing (see the model
card). People on seats and speech are never judged by it.
"""

import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.normalise import normalise
from detectors.records import Reading
from detectors.taxonomy import ACTS, CUES, OFFERS

BUCKETS: Final = 1 << 16
_LONGEST: Final = 400

#: The reading of a line that was passed by: harmless talk, with nothing offered.
PASSED_ACTS: Final = {act: (0.97 if act == "other" else 0.01 if act == "teach" else 0.005) for act in ACTS}


def features(text: str) -> NDArray[np.int64]:
    """Return the distinct buckets of a text's words, word pairs and letter 3- to 5-grams."""
    plain = f" {normalise(text[: 2 * _LONGEST]).lower()[:_LONGEST]} "
    words = plain.split()
    grams = {f"w {word}" for word in words} | {f"p {a} {b}" for a, b in pairwise(words)}
    for size in (3, 4, 5):
        grams.update(plain[i : i + size] for i in range(len(plain) - size + 1))
    return np.unique(np.fromiter((zlib.crc32(gram.encode()) % BUCKETS for gram in grams), dtype=np.int64))


class Gate:
    """Weights per bucket, a bias, and the logit below which a line is passed by."""

    def __init__(self, weights: NDArray[np.float32], bias: float, threshold: float) -> None:
        self._weights = weights
        self._bias = bias
        self.threshold = threshold

    @classmethod
    def load(cls, path: Path) -> "Gate":
        """Read weights from an .npz file. Raises OSError, KeyError or ValueError when it cannot be read."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(stored["weights"].astype(np.float32), float(stored["bias"]), float(stored["threshold"]))
        except (zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"{path}: {error}") from error

    def logit(self, text: str) -> float:
        """Return how much the text looks like something the transformer should read, in log-odds."""
        found = features(text)
        return float(self._weights[found].sum() / np.sqrt(max(1, len(found))) + self._bias)

    def passes_by(self, text: str) -> bool:
        """Whether the text is clearly harmless."""
        return self.logit(text) < self.threshold


def passed_reading(lang: str) -> Reading:
    """Return the reading of a line that the gate passed by."""
    return Reading(PASSED_ACTS, dict.fromkeys(OFFERS, 0.0), dict.fromkeys(CUES, 0.0), lang, by="gate")
