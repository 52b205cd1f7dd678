"""Whole shows as labelled lines, and the worst mistakes among lines."""

import numpy as np
import pytest

from detectors.classifier import Request
from detectors.training.evaluate import Rows
from detectors.training.mistakes import worst
from detectors.training.show_lines import labelled

SAID = [
    {"type": "speech", "who": "@ana", "text": "knead it for ten minutes"},
    {"type": "chat", "who": "@bo", "text": "which flour"},
    {"type": "speech", "who": "@ana", "text": "my course opens tomorrow"},
]


def test_lines_on_which_readers_differ_are_left_out() -> None:
    found = list(labelled("en-t99", "en", SAID, "TOP", "TSP"))
    assert found == [
        {
            "id": "en-t99-001",
            "video": "en-t99",
            "lang": "en",
            "kind": "speech",
            "text": "knead it for ten minutes",
            "context": [],
            "label": "teach",
        },
        {
            "id": "en-t99-003",
            "video": "en-t99",
            "lang": "en",
            "kind": "speech",
            "text": "my course opens tomorrow",
            "context": ["knead it for ten minutes"],
            "label": "pitch",
        },
    ]


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError):
        list(labelled("en-t99", "en", SAID, "TO", "TO"))


def test_the_worst_come_first_and_few_of_each_show() -> None:
    truth = np.array([True, True, True, False, False])
    rows = Rows([Request("x", "speech")] * 5, truth, np.array(["a", "a", "a", "b", "b"]), {}, np.array([""] * 5))
    scores = np.array([0.01, 0.02, 0.03, 0.9, 0.1])
    assert worst(rows, scores, count=4, per_show=2) == [0, 1, 3, 4]
    assert worst(rows, scores, count=2, per_show=1) == [0, 3]
