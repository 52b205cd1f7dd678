"""How far a model in 8 bits lies from its own weights in 32. Needs the train extra (PyTorch)."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers")

from detectors.classifier import SHIPPED_MODEL, Classifier, Request
from detectors.taxonomy import ACTS, LABELS
from detectors.training.passages import DATA, examples, read_lines
from detectors.training.rounding import apart, in_32_bits, main
from detectors.training.train import load


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
    figures = apart(Classifier(SHIPPED_MODEL).logits(requests), in_32_bits(*load(SHIPPED_MODEL), lines))
    assert figures["logit_mean"] < 0.15 and figures["pitch_mean"] < 0.015


@pytest.mark.parametrize("given", [["nowhere"], [str(SHIPPED_MODEL), "nowhere"]])
def test_what_cannot_be_read_is_one_line(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rounding", *given])
    assert main() == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("rounding: ") and "Traceback" not in told.err


def test_it_prints_one_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["rounding", str(SHIPPED_MODEL), "--lines", "20"])
    assert main() == 0
    row = json.loads(capsys.readouterr().out)
    assert row["lines"] == 20 and 0.0 < row["logit_mean"] < row["logit_most"]
