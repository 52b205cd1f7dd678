"""The gate, with weights made by hand."""

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from detectors.gate import EarlyModel, Gate, passed_reading
from detectors.ngrams import BUCKETS, NgramModel, features
from detectors.records import Reading
from detectors.taxonomy import CUES, OFFERS
from detectors.word_vectors import VectorModel

#: Words, word pairs and letter runs of at most 400 letters with a blank on either side.
MOST = 200 + 199 + 3 * 400


def bucket(gram: str) -> int:
    return zlib.crc32(gram.encode()) % BUCKETS


#: Three pieces with vectors of two directions, in steps of a half.
TOKENIZER = Tokenizer(WordLevel({"<pad>": 0, "[UNK]": 1, "hello": 2, "buy": 3}, unk_token="[UNK]"))
TOKENIZER.pre_tokenizer = Whitespace()
TABLE = np.array([[0, 0], [0, 0], [2, -4], [6, 2]], dtype=np.int8)
STEP = 0.5


def vectors(*weights: float) -> VectorModel:
    """Weights over mean, greatest, least (two directions each) and the two of the length; the rest is 0."""
    whole = np.array([*weights, *[0.0] * (8 - len(weights))], dtype=np.float32)
    return VectorModel(TOKENIZER, TABLE, STEP, whole, 0.0)


def grams(bias: float = -1.0, **weights: float) -> NgramModel:
    """Knows the given words only."""
    known = np.zeros(BUCKETS, dtype=np.float32)
    for word, weight in weights.items():
        known[bucket(f"w {word}")] = weight
    return NgramModel(known, bias)


#: Counts half of what the text says and the first of two directions.
EARLY = EarlyModel(0.5, np.array([2.0, 0.0], dtype=np.float32), 1.0)


def gate(threshold: float = 0.0, bias: float = -1.0, **weights: float) -> Gate:
    """A gate that knows the given words only, and nothing of vectors."""
    return Gate(grams(bias, **weights), vectors(), threshold, EARLY)


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
    known = gate(threshold, buy=9.0)
    assert known.passes_by(known.logit(text)) is passed


@pytest.mark.parametrize(
    ("said", "early", "passed"),
    [
        (0.0, [0.4, 9.0], True),
        (0.0, [0.5, 9.0], False),  # as much as the threshold is not below it
        (1.0, [0.3, 0.0], False),
        (-4.0, [1.4, 0.0], True),
    ],
)
def test_passes_early(said: float, early: list[float], passed: bool) -> None:
    assert gate().passes_early(said, np.array(early, dtype=np.float32)) is passed


@pytest.mark.parametrize(
    ("text", "pooled"),
    [
        ("hello", [1.0, -2.0, 1.0, -2.0, 1.0, -2.0, 1 / 96, 1.0]),
        ("hello buy", [2.0, -0.5, 3.0, 1.0, 1.0, -2.0, 2 / 96, 0.5]),
        ("", [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1 / 96, 1.0]),
    ],
)
def test_what_a_text_makes_of_its_vectors(text: str, pooled: list[float]) -> None:
    assert vectors().pooled(text).tolist() == pytest.approx(pooled)


def test_letters_and_vectors_are_added() -> None:
    both = Gate(grams(-1.0, buy=6.0), vectors(2.0), 0.0, EARLY)
    assert both.logit("buy") == pytest.approx(6.0 / len(features("buy")) ** 0.5 - 1.0 + 2.0 * 3.0)
    assert both.logit("") == -1.0


@given(st.text(max_size=2_000))
def test_any_text_gives_finite_vectors_of_the_same_shape(text: str) -> None:
    pooled = vectors().pooled(text)
    assert pooled.shape == (8,)
    assert bool(np.isfinite(pooled).all())


def saved(path: Path, **changed: object) -> Path:
    """A gate file with what a gate needs, apart from what is changed (None leaves it out)."""
    parts: dict[str, object] = {"weights": np.linspace(-1, 1, BUCKETS), "bias": 0.25, "threshold": -2.0}
    parts |= {"table": TABLE, "size": STEP, "vector_weights": np.ones(8)}
    parts |= {"early_said": 0.5, "early_weights": [2.0, 0.0], "early_threshold": 1.0} | changed
    np.savez(path / "gate.npz", **{name: np.asarray(part) for name, part in parts.items() if part is not None})
    return path / "gate.npz"


def test_loads_what_was_saved(tmp_path: Path) -> None:
    loaded = Gate.load(saved(tmp_path), TOKENIZER)
    known = NgramModel(np.linspace(-1, 1, BUCKETS).astype(np.float32), 0.25)
    assert loaded.logit("buy hello") == pytest.approx(Gate(known, vectors(*[1.0] * 8), -2.0, EARLY).logit("buy hello"))
    assert [loaded.passes_by(logit) for logit in (-2.1, -2.0)] == [True, False]
    assert [loaded.passes_early(0.0, np.array([x, 0.0], dtype=np.float32)) for x in (0.4, 0.5)] == [True, False]


def test_a_gate_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another tokenizer"):
        Gate.load(saved(tmp_path, table=TABLE[:2]), TOKENIZER)


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, OSError), (b"", ValueError), (b"not a gate", ValueError), (b"PK\x03\x04 cut off", ValueError)],
)
def test_says_so_when_the_file_is_no_gate(tmp_path: Path, content: bytes | None, error: type[Exception]) -> None:
    path = tmp_path / "gate.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error):
        Gate.load(path, TOKENIZER)


PARTS = ("weights", "bias", "threshold", "table", "size", "vector_weights", "early_said", "early_weights")


@pytest.mark.parametrize("part", [*PARTS, "early_threshold"])
def test_a_gate_that_lacks_a_part_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(KeyError):
        Gate.load(saved(tmp_path, **{part: None}), TOKENIZER)


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
