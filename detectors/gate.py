"""The gate: cheap linear models that pass by harmless chat of the audience.

Two look at the text alone; what they pass by never reaches the transformer. A third looks at what the transformer's
lower layers make of the line and what was said before it, and spares the upper ones. The thresholds are fitted to lose
next to nothing of what the whole transformer would have flagged (see the model card). People on seats and speech are
never judged by it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from detectors.ngrams import NgramModel, read_arrays
from detectors.records import Reading
from detectors.taxonomy import ACTS, CUES, OFFERS
from detectors.word_vectors import VectorModel

#: The reading of a line that was passed by: harmless talk, with nothing offered.
PASSED_ACTS: Final = {act: (0.97 if act == "other" else 0.01 if act == "teach" else 0.005) for act in ACTS}


@dataclass(frozen=True)
class EarlyModel:
    """Weighs the sum of the text models and the lower layers' vector (width,); below `threshold` a line is harmless."""

    said: float
    weights: NDArray[np.float32]
    threshold: float


class Gate:
    """What letters and words say and what word vectors say, added up, and the sum below which a line is passed by."""

    def __init__(self, grams: NgramModel, vectors: VectorModel, threshold: float, early: EarlyModel) -> None:
        self._grams = grams
        self._vectors = vectors
        self._threshold = threshold
        self._early = early

    @classmethod
    def load(cls, path: Path, tokenizer: Tokenizer) -> Self:
        """Read the gate of the model that `tokenizer` belongs to.

        Raises:
            OSError, ValueError, KeyError: the file cannot be read, or lacks a part.
        """
        stored = read_arrays(path)
        if stored["table"].shape[0] != tokenizer.get_vocab_size():
            raise ValueError(f"{path}: is of another tokenizer")
        vectors = VectorModel(
            tokenizer, stored["table"], float(stored["size"]), stored["vector_weights"].astype(np.float32), 0.0
        )
        grams = NgramModel(stored["weights"].astype(np.float32), float(stored["bias"]))
        weights = stored["early_weights"].astype(np.float32)
        early = EarlyModel(float(stored["early_said"]), weights, float(stored["early_threshold"]))
        return cls(grams, vectors, float(stored["threshold"]), early)

    @property
    def width(self) -> int:
        """Width of the lower layers' vectors that it was fitted on."""
        return len(self._early.weights)

    def logit(self, text: str) -> float:
        """Return how much the text looks like one that matters; its zero means nothing."""
        return self._grams.logit(text) + self._vectors.logit(text)

    def passes_by(self, logit: float) -> bool:
        """Whether a text with this `logit` is clearly harmless."""
        return logit < self._threshold

    def passes_early(self, logit: float, early: NDArray[np.float32]) -> bool:
        """Whether a line is clearly harmless by its `logit` and the lower layers' vector of it, shape (width,)."""
        return self._early.said * logit + float(self._early.weights @ early) < self._early.threshold


def passed_reading(lang: str) -> Reading:
    """Return the reading of a line that the gate passed by, before the transformer or half-way through it."""
    return Reading(PASSED_ACTS, dict.fromkeys(OFFERS, 0.0), dict.fromkeys(CUES, 0.0), lang, by="gate")
