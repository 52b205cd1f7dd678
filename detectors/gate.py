"""The gate: a cheap linear model that passes by harmless chat of the audience.

What it passes by never reaches the transformer, so its threshold is fitted to lose next to nothing (see the model
card). People on seats and speech are never judged by it.
"""

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from detectors.ngrams import NgramModel
from detectors.records import Reading
from detectors.taxonomy import ACTS, CUES, OFFERS

#: The reading of a line that was passed by: harmless talk, with nothing offered.
PASSED_ACTS: Final = {act: (0.97 if act == "other" else 0.01 if act == "teach" else 0.005) for act in ACTS}


class Gate(NgramModel):
    """An n-gram model with the logit below which a line is passed by."""

    def __init__(self, weights: NDArray[np.float32], bias: float, threshold: float) -> None:
        super().__init__(weights, bias)
        self.threshold = threshold

    @classmethod
    def _made_of(cls, stored: dict[str, NDArray[np.float32]]) -> Self:
        return cls(stored["weights"].astype(np.float32), float(stored["bias"]), float(stored["threshold"]))

    def passes_by(self, text: str) -> bool:
        """Whether the text is clearly harmless."""
        return self.logit(text) < self.threshold


def passed_reading(lang: str) -> Reading:
    """Return the reading of a line that the gate passed by."""
    return Reading(PASSED_ACTS, dict.fromkeys(OFFERS, 0.0), dict.fromkeys(CUES, 0.0), lang, by="gate")
