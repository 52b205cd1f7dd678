"""The gate: two cheap linear models that pass by harmless chat of the audience.

What they pass by never reaches the transformer, so the threshold is fitted to lose next to nothing of what the
transformer would have flagged (see the model card). People on seats and speech are never judged by it.
"""

from pathlib import Path
from typing import Final, Self

import numpy as np
from tokenizers import Tokenizer

from detectors.ngrams import NgramModel, read_arrays
from detectors.records import Reading
from detectors.taxonomy import ACTS, CUES, OFFERS
from detectors.word_vectors import VectorModel

#: The reading of a line that was passed by: harmless talk, with nothing offered.
PASSED_ACTS: Final = {act: (0.97 if act == "other" else 0.01 if act == "teach" else 0.005) for act in ACTS}


class Gate:
    """What letters and words say and what word vectors say, added up, and the sum below which a line is passed by."""

    def __init__(self, grams: NgramModel, vectors: VectorModel, threshold: float) -> None:
        self._grams = grams
        self._vectors = vectors
        self._threshold = threshold

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
        return cls(grams, vectors, float(stored["threshold"]))

    def logit(self, text: str) -> float:
        """Return how much the text looks like one that matters; its zero means nothing."""
        return self._grams.logit(text) + self._vectors.logit(text)

    def passes_by(self, text: str) -> bool:
        """Whether the text is clearly harmless."""
        return self.logit(text) < self._threshold


def passed_reading(lang: str) -> Reading:
    """Return the reading of a line that the gate passed by."""
    return Reading(PASSED_ACTS, dict.fromkeys(OFFERS, 0.0), dict.fromkeys(CUES, 0.0), lang, by="gate")
