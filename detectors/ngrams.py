"""Linear models over hashed word and letter n-grams: cheap, and sure of turns of phrase that a network has not met.

Features are hashed into buckets (Weinberger et al., 2009), so that there is no vocabulary to keep.
"""

import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from detectors.normalise import normalise

BUCKETS: Final = 1 << 16
_LONGEST: Final = 400


def features(text: str) -> NDArray[np.int64]:
    """Return the distinct buckets of a text's words, word pairs and letter 3- to 5-grams."""
    plain = f" {normalise(text[: 2 * _LONGEST]).lower()[:_LONGEST]} "
    words = plain.split()
    grams = {f"w {word}" for word in words} | {f"p {a} {b}" for a, b in pairwise(words)}
    for size in (3, 4, 5):
        grams.update(plain[i : i + size] for i in range(len(plain) - size + 1))
    return np.unique(np.fromiter((zlib.crc32(gram.encode()) % BUCKETS for gram in grams), dtype=np.int64))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file. Raises OSError or ValueError when it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error


class NgramModel:
    """Weights per bucket and a bias."""

    def __init__(self, weights: NDArray[np.float32], bias: float) -> None:
        self._weights = weights
        self._bias = bias

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read weights from an .npz file. Raises OSError, KeyError or ValueError when it cannot be read."""
        stored = read_arrays(path)
        return cls(stored["weights"].astype(np.float32), float(stored["bias"]))

    def logit(self, text: str) -> float:
        """Return how much the text looks like what the model was fitted on, in log-odds."""
        found = features(text)
        return float(self._weights[found].sum() / np.sqrt(max(1, len(found))) + self._bias)
