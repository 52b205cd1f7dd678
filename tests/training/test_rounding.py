"""How far a model in 8 bits lies from its own weights in 32. Needs the train extra (PyTorch)."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers")

from detectors.classifier import SHIPPED_MODEL, Classifier, Request
from detectors.taxonomy import ACTS, LABELS
from detectors.training.passages import DATA, examples, read_lines
from detectors.training.rounding import apart, in_32_bits


def test_differences_are_of_logits_and_of_the_probability_of_a_pitch() -> None:
    whole = np.zeros((2, len(LABELS)), np.float32)
    rounded = whole.copy()
    rounded[1, ACTS.index("pitch")] = np.log(5.0)  # against five others: 1/2 instead of 1/6
    rounded[0, -1] = -0.25
    figures = apart(rounded, whole)
    assert figures["logit_most"] == pytest.approx(np.log(5.0), abs=1e-4)
    assert figures["logit_mean"] == pytest.approx((np.log(5.0) + 0.25) / whole.size, abs=1e-4)
    assert (figures["pitch_most"], figures["pitch_mean"]) == pytest.approx((1 / 3, 1 / 6), abs=1e-4)


def test_the_shipped_model_stays_near_its_weights_in_32_bits() -> None:
    lines = list(examples(read_lines(sorted((DATA / "validation").glob("*.jsonl")))))[::400]
    requests = [Request(one.line.text, one.line.kind, one.context) for one in lines]
    figures = apart(Classifier(SHIPPED_MODEL).logits(requests), in_32_bits(SHIPPED_MODEL, lines))
    assert figures["logit_mean"] < 0.25 and figures["pitch_mean"] < 0.03
