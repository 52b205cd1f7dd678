"""The figures that measuring reports are what they say."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from detectors.classifier import SHIPPED_MODEL
from detectors.gate import Gate
from detectors.taxonomy import ACTS
from detectors.training.baselines import fit_tfidf, keyword_scores, tfidf_scores
from detectors.training.calibrate import abstain_band, mix
from detectors.training.calibrate import fit as fit_calibration
from detectors.training.evaluate import (
    Rows,
    abstained,
    bootstrap,
    calibration_error,
    load_rows,
    measure,
    mistaken,
    precision_at_recall,
)
from detectors.training.passages import Example, LabelledLine
from detectors.training.train_gate import fit as fit_gate


def test_precision_at_recall() -> None:
    truth = np.array([True, True, False, True, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.1])
    assert precision_at_recall(truth, scores, 0.6) == 1.0
    assert precision_at_recall(truth, scores, 1.0) == 0.75


def test_calibration_error_is_the_distance_of_word_and_deed() -> None:
    truth = np.array([True] * 8 + [False] * 2)
    assert calibration_error(truth, np.full(10, 0.8)) == pytest.approx(0.0)
    assert calibration_error(truth, np.full(10, 0.3)) == pytest.approx(0.5)


def test_bootstrap_draws_whole_groups() -> None:
    truth = np.array([True, False] * 20)
    groups = np.array(["a", "a", "b", "b"] * 10)
    sizes = set()

    def value(drawn: np.ndarray) -> float:
        sizes.add(len(drawn))
        return float(truth[drawn].mean())

    assert bootstrap(truth, groups, value) == (0.5, 0.5)
    assert sizes == {40}


def test_the_better_model_wins_with_an_interval_above_zero() -> None:
    dice = np.random.default_rng(1)
    truth = dice.random(400) < 0.3
    rows = load_like(truth)
    good = np.where(truth, 0.8, 0.2) + dice.normal(0, 0.05, 400)
    results = measure(rows, {"classifier": np.clip(good, 0, 1), "tf-idf": dice.random(400)})
    difference = next(row for row in results if row["model"] == "classifier − tf-idf")
    assert difference["interval"][0] > 0.3
    assert next(row for row in results if row["model"] == "classifier")["auprc"] > 0.99


def load_like(truth: np.ndarray) -> Rows:
    groups = np.array([str(i // 10) for i in range(len(truth))])
    labels = np.where(truth, "pitch", np.where(np.arange(len(truth)) % 2, "sponsor", "teach"))
    return Rows([], truth, groups, {"all": np.ones(len(truth), dtype=bool)}, labels)


def test_look_alikes_are_counted_by_what_they_are() -> None:
    truth = np.array([i % 4 == 0 for i in range(80)])
    scores = np.array([0.9 if i % 2 else 0.1 for i in range(80)])
    found = mistaken(load_like(truth), scores)
    assert [(row["slice"], row["rows"], row["share_mistaken"]) for row in found] == [
        ("label sponsor", 40, 1.0),
        ("label teach", 20, 0.0),
    ]
    assert all(row["interval"] == [row["share_mistaken"]] * 2 for row in found)


def test_what_abstaining_is_worth() -> None:
    truth = np.array([i % 4 == 0 for i in range(80)])
    scores = np.where(truth, 0.9, 0.1)
    scores[:10] = 0.5
    found = abstained(load_like(truth), scores, np.arange(80) < 10)
    assert [(row["slice"], row["rows"], row["share"], row["share_mistaken"]) for row in found] == [
        ("in the band", 10, 0.3, 0.7),
        ("outside the band", 70, 0.243, 0.0),
    ]
    assert [row["slice"] for row in abstained(load_like(truth), scores, np.zeros(80, dtype=bool))] == [
        "outside the band"
    ]


def test_rows_of_the_other_kind_and_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    rows = [
        {"text": "a", "kind": "speech", "label": "pitch", "lang": "en"},
        {"text": "b", "kind": "chat", "act": "spam"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load_rows(path, "speech").truth.tolist() == [True]
    assert load_rows(path, "chat").truth.tolist() == [True]
    path.write_text("{\n")
    with pytest.raises(ValueError, match=r"lines\.jsonl:1"):
        load_rows(path, "speech")


def test_baselines_tell_plain_cases_apart() -> None:
    pitches = [f"my course number {i} is open, link in my bio, only {i} places" for i in range(20)]
    talk = [f"the dough rests for {i} hours and then we shape it" for i in range(20)]
    model = fit_tfidf(pitches + talk, ["pitch"] * 20 + ["teach"] * 20)
    scores = tfidf_scores(model, ["the course is open, few places", "the dough is shaped"])
    assert scores[0] > 0.5 > scores[1]
    assert keyword_scores(["link in my bio, my course", "the dough"]).tolist() == [2.0, 0.0]


def test_calibration_takes_back_too_many_pitches() -> None:
    truth = np.array([ACTS.index("pitch")] * 10 + [ACTS.index("teach")] * 190)
    logits = np.zeros((200, len(ACTS)))
    logits[:, ACTS.index("pitch")] = np.where(truth == ACTS.index("pitch"), 3.0, 2.0)
    logits[:, ACTS.index("teach")] = 2.0
    temperature, shift = fit_calibration(logits, truth)
    assert temperature > 0 and shift < -1.0


def test_languages_share_the_weights_and_differ_in_the_bias() -> None:
    dice = np.random.default_rng(5)
    signs, french = dice.normal(size=(2000, 3)), dice.random(2000) < 0.5
    truth = dice.random(2000) < 1 / (1 + np.exp(-signs[:, 0] + 1.0 - 2.0 * french))
    found = mix(signs, truth, french, apart=1.0)
    assert found["en"][1:] == found["fr"][1:]
    assert found["fr"][0] - found["en"][0] == pytest.approx(2.0, abs=0.5)
    nearer, same = mix(signs, truth, french), mix(signs, truth, french, apart=0.0)
    assert 0.0 < nearer["fr"][0] - nearer["en"][0] < found["fr"][0] - found["en"][0]
    assert same["fr"] == same["en"]


def test_the_band_lies_between_sure_and_harmless() -> None:
    probability = np.linspace(0.0, 1.0, 1001)
    truth = np.random.default_rng(7).random(1001) < np.where(
        probability < 0.3, 0.0, np.where(probability < 0.6, 0.5, 1.0)
    )
    low, high = abstain_band(probability, truth)
    assert 0.3 <= low < 0.33 and 0.45 < high < 0.6
    assert truth[probability >= high].mean() >= 0.9 and truth[probability < low].mean() <= 0.02


@pytest.mark.parametrize(
    ("truth", "band"),
    [(lambda p: p >= 0.5, (0.5, 0.5)), (lambda p: np.zeros(len(p), dtype=bool), (1.0, 1.0))],
)
def test_the_band_is_empty_where_all_is_sure_and_open_where_nothing_is_a_pitch(
    truth: Callable[[np.ndarray], np.ndarray], band: tuple[float, float]
) -> None:
    probability = np.linspace(0.0, 1.0, 201)
    low, high = abstain_band(probability, truth(probability))
    assert low <= high and (low, high) == pytest.approx(band, abs=0.07)


def test_the_gate_passes_by_talk_and_keeps_adverts(tmp_path: Path) -> None:
    lines = [_chat(i, f"join my channel t.me/x{i} free signals", "spam") for i in range(400)]
    lines += [_chat(i, f"which oven do you use for the loaf {i}", "other") for i in range(400)]
    found = np.array([line.act == "spam" for line in lines])
    early = np.where(found[:, None], [[1.0, 0.0]], [[0.0, 1.0]]).astype(np.float32)
    early += np.random.default_rng(3).normal(0.0, 0.1, early.shape).astype(np.float32)
    arrays, figures = fit_gate([Example(line, ()) for line in lines], found, early, SHIPPED_MODEL)
    assert figures["flagged"] == 400 and figures["lost"] <= 0.005 and figures["passed_by"] > 0.5
    np.savez_compressed(tmp_path / "gate.npz", **arrays)
    gate = Gate.load(tmp_path / "gate.npz", Tokenizer.from_file(str(SHIPPED_MODEL / "tokenizer.json")))
    talk, advert = (gate.logit(t) for t in ("which oven for the loaf tonight", "join my channel t.me/abc free signals"))
    assert gate.passes_by(talk) and not gate.passes_by(advert)
    harmless, harmful = np.array([0.0, 1.0], dtype=np.float32), np.array([1.0, 0.0], dtype=np.float32)
    assert gate.passes_early(talk, harmless) and not gate.passes_early(advert, harmful)


def _chat(number: int, text: str, act: str) -> LabelledLine:
    return LabelledLine(
        f"{act}-{number}", f"{act}-{number % 10}", "s", "clean", "en", "chat", "@a", text, act, (), (), "test"
    )
