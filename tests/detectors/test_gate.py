"""The gate, with weights made by hand."""

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.gate import Gate, passed_reading
from detectors.ngrams import BUCKETS, features
from detectors.records import Reading
from detectors.taxonomy import CUES, OFFERS

#: Words, word pairs and letter runs of at most 400 letters with a blank on either side.
MOST = 200 + 199 + 3 * 400


def bucket(gram: str) -> int:
    return zlib.crc32(gram.encode()) % BUCKETS


def gate(threshold: float = 0.0, bias: float = -1.0, **weights: float) -> Gate:
    """A gate that knows the given words only."""
    known = np.zeros(BUCKETS, dtype=np.float32)
    for word, weight in weights.items():
        known[bucket(f"w {word}")] = weight
    return Gate(known, bias, threshold)


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("", []),
        (" \n", []),
        ("hi", ["w hi", " hi", "hi ", " hi "]),
        ("Hi\u200b", ["w hi", " hi", "hi ", " hi "]),
        ("a b", ["w a", "w b", "p a b", " a ", "a b", " b ", " a b", "a b ", " a b "]),
        ("a a", ["w a", "p a a", " a ", "a a", " a a", "a a ", " a a "]),
    ],
)
def test_features_whole(text: str, grams: list[str]) -> None:
    assert features(text).tolist() == sorted({bucket(gram) for gram in grams})


@given(st.text(max_size=3_000))
def test_features_are_distinct_and_bounded(text: str) -> None:
    found = features(text)
    assert found.dtype == np.int64
    assert found.tolist() == sorted(set(found.tolist()))
    assert len(found) <= MOST
    assert all(0 <= one < BUCKETS for one in found.tolist())


@given(st.text("abcdefgh ", max_size=600))
def test_features_do_not_know_capitals_nor_what_stands_far_behind(text: str) -> None:
    assert features(text.upper()).tolist() == features(text).tolist()
    words = "word " * 160
    assert features(words + text).tolist() == features(words).tolist()


def test_features_are_the_same_in_another_process() -> None:
    text = "écris-moi COACH en dm"
    script = f"from detectors.ngrams import features; print(features({text!r}).tolist())"
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout.strip() == str(features(text).tolist())


def test_logit_is_the_sum_by_the_root_of_the_number_of_features() -> None:
    known = gate(bias=-1.0, buy=6.0, hi=2.0)
    number = len(features("hi buy"))
    assert known.logit("hi buy") == pytest.approx(8.0 / number**0.5 - 1.0, rel=1e-6)
    assert known.logit("") == -1.0


@pytest.mark.parametrize(
    ("text", "threshold", "passed"),
    [
        ("hello everyone", 0.0, True),
        ("buy", 0.0, False),
        ("BUY", 0.0, False),
        ("b\u200buy", 0.0, False),
        ("", -1.0, False),  # as much as the threshold is not below it
        ("", -0.9, True),
    ],
)
def test_passes_by(text: str, threshold: float, passed: bool) -> None:
    assert gate(threshold, buy=9.0).passes_by(text) is passed


def test_loads_what_was_saved(tmp_path: Path) -> None:
    weights = np.linspace(-1, 1, BUCKETS)
    np.savez(tmp_path / "gate.npz", weights=weights, bias=0.25, threshold=-2.0)
    loaded = Gate.load(tmp_path / "gate.npz")
    made = Gate(weights.astype(np.float32), 0.25, -2.0)
    assert (loaded.threshold, loaded.logit("free ebook")) == (-2.0, made.logit("free ebook"))


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, OSError), (b"", ValueError), (b"not a gate", ValueError), (b"PK\x03\x04 cut off", ValueError)],
)
def test_says_so_when_the_file_is_no_gate(tmp_path: Path, content: bytes | None, error: type[Exception]) -> None:
    path = tmp_path / "gate.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error):
        Gate.load(path)


def test_a_gate_without_threshold_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "gate.npz", weights=np.zeros(BUCKETS), bias=0.0)
    with pytest.raises(KeyError):
        Gate.load(tmp_path / "gate.npz")


def test_the_reading_of_what_passed() -> None:
    read = passed_reading("fr")
    assert read == Reading(
        {"teach": 0.01, "pitch": 0.005, "sponsor": 0.005, "caution": 0.005, "spam": 0.005, "other": 0.97},
        dict.fromkeys(OFFERS, 0.0),
        dict.fromkeys(CUES, 0.0),
        "fr",
        by="gate",
    )
    assert sum(read.acts.values()) == pytest.approx(1.0)
