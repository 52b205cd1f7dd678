"""A linear model over the word vectors of a text: knows that two words are alike, where n-grams know only letters.

The vectors are the encoder's own, cut to their main directions (see `detectors/training/train_gate.py`); a text is
their mean, greatest and least in each direction, and its length.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from detectors.encoding import PAD_ID
from detectors.normalise import normalise

#: Pieces of a text that are looked at, and the letters that can make them.
_PIECES: Final = 96
_LETTERS: Final = 800


class VectorModel:
    """A table of vectors in 8 bits, one row per piece of the tokenizer, and weights over what a text makes of them."""

    def __init__(
        self, tokenizer: Tokenizer, table: NDArray[np.int8], size: float, weights: NDArray[np.float32], bias: float
    ) -> None:
        """`table` has shape (pieces, directions), in steps of `size`; `weights` as many as `pooled` returns."""
        self._tokenizer = tokenizer
        self._table = table
        self._size = np.float32(size)
        self._weights = weights
        self._bias = bias

    def pooled(self, text: str) -> NDArray[np.float32]:
        """Return mean, greatest and least per direction, then length and one over it; shape (3 · directions + 2,)."""
        plain = normalise(text[: 2 * _LETTERS])[:_LETTERS]
        ids = self._tokenizer.encode(plain, add_special_tokens=False).ids[:_PIECES] or [PAD_ID]
        rows = self._table[ids].astype(np.float32) * self._size
        ends = np.array([len(ids) / _PIECES, 1.0 / len(ids)], dtype=np.float32)
        return np.concatenate([rows.mean(axis=0), rows.max(axis=0), rows.min(axis=0), ends])

    def logit(self, text: str) -> float:
        """Return how much the text looks like what the model was fitted on, in log-odds."""
        return float(self.pooled(text) @ self._weights) + self._bias
