"""How the signs of a pitch are mixed, and that a line's reading is its own."""

import math

import numpy as np
import pytest

from detectors.classifier import Classifier, Request, pitch_log_odds, word_signs
from detectors.ngrams import BUCKETS, NgramModel, features
from detectors.taxonomy import ACTS, LABELS

LINES = (
    Request("so the first thing is to weigh the flour", "speech", ("and we begin with the dough",)),
    Request("my course opens tomorrow, forty euros, the link is in the description", "speech"),
    Request("lol same", "chat", gated=True),
    Request("il reste deux places dans mon groupe, écrivez-moi en privé", "speech", ("bonsoir à tous",), "fr"),
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(threads=2)


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = np.linspace(-2.0, 2.0, len(LABELS)).astype(np.float32)
    acts = np.exp(logits[: len(ACTS)]) / np.exp(logits[: len(ACTS)]).sum()
    pitch = float(acts[ACTS.index("pitch")])
    assert pitch_log_odds(logits) == pytest.approx(math.log(pitch / (1 - pitch)), abs=1e-5)


def test_words_speak_for_the_line_and_with_the_line_before_it() -> None:
    weights = np.zeros(BUCKETS, np.float32)
    weights[features("places")] = 5.0
    words = NgramModel(weights, -1.0)
    alone, together = word_signs(words, "write to me", ("two places left",))
    assert alone < together and word_signs(words, "write to me", ())[1] == pytest.approx(alone)
    assert word_signs(words, "two places left", ())[0] > alone


def test_readings_are_whole_and_a_pitch_is_told_from_a_lesson(classifier: Classifier) -> None:
    read = classifier.read(LINES)
    assert all(sum(one.acts.values()) == pytest.approx(1.0) for one in read)
    assert all(0.0 <= p <= 1.0 for one in read for p in (*one.acts.values(), *one.offers.values(), *one.cues.values()))
    assert read[0].pitch < 0.01 and min(read[1].pitch, read[3].pitch) > 0.05
    assert min(read[1].pitch, read[3].pitch) > 10 * read[0].pitch
    assert [one.lang for one in read] == ["en", "en", "en", "fr"]


def test_a_line_in_the_band_is_unsure(classifier: Classifier) -> None:
    low, high = classifier.calibration.abstain["speech"]
    assert 0.0 < low < high <= 1.0
    said = (
        "That's why I started the small group. Six people, eight weeks, Wednesday evenings, and we look at your videos."
    )
    before = ("And on Thursday I put the price back up, because he always forgets.",)
    sure_none, sure_pitch = classifier.read([LINES[0], Request(said, "speech", before, "en")])
    assert [(one.unsure, one.pitch < low, one.pitch >= high) for one in (sure_none, sure_pitch)] == [
        (False, True, False),
        (False, False, True),
    ]
    doubtful = classifier.read([Request("so that is something I could send you if you like", "speech")])[0]
    assert doubtful.unsure is (low <= doubtful.pitch < high)


def test_what_the_gate_lets_through_is_read_as_without_it(classifier: Classifier) -> None:
    texts = ("lol", "which flour is that", "my course is open dm me for the price", "hello everyone from lyon", "👍")
    context = ("so we let it rest for an hour", "and then we shape it")
    gated = classifier.read([Request(text, "chat", context, "en", gated=True) for text in texts])
    whole = classifier.read([Request(text, "chat", context, "en") for text in texts])
    assert all(one == other for one, other in zip(gated, whole, strict=True) if one.by == "transformer")
    assert [one.by for one in whole] == ["transformer"] * 5
    assert gated[2].by == "transformer" and "gate" in {one.by for one in gated}


def test_a_lines_reading_does_not_depend_on_its_neighbours(classifier: Classifier) -> None:
    together = classifier.read(LINES * 5)
    assert (
        together
        == [*classifier.read(LINES)] * 5
        == [reading for line in LINES * 5 for reading in classifier.read([line])]
    )
