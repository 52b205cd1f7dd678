"""Passages read aloud: which ones, and what is kept of a line that was heard."""

import time
from collections import Counter
from typing import Any, cast

import pytest

from detectors.training.passages import parse_line
from detectors.training.read_aloud import choose, read_aloud, word_errors
from samples.sound.studio import Studio, pick

ROW = {
    **{"subject": "bread", "setting": "stage", "style": "clean", "lang": "en", "kinds": ["soft_denied"], "seat": 1},
    **{"kind": "speech", "who": "@joe", "act": "pitch", "offers": ["course"], "cues": ["link"], "source": "written"},
    "licence": "MIT",
}


def passages(count: int) -> dict[str, list[dict[str, Any]]]:
    return {f"w{i}": [{**ROW, "passage": f"w{i}", "lang": ("en", "fr")[i % 2]}] for i in range(count)}


def test_passages_are_chosen_by_seed_three_in_five_english() -> None:
    chosen = choose(passages(60), 20, seed=1)
    assert len(set(chosen)) == 20 and chosen == choose(passages(60), 20, seed=1) != choose(passages(60), 20, seed=2)
    assert sum(int(name[1:]) % 2 for name in chosen) == 8
    assert len(set(chosen) - set(choose(passages(62), 20, seed=1))) <= 2
    assert len(choose(passages(3), 20, seed=1)) == 3


class Deaf:
    """Hears everything in capitals, but doubts one word."""

    recogniser = "ear"

    def hear(self, row: dict[str, Any]) -> tuple[str, str, str]:
        text = "eye maid a horse" if row["text"] == "I made a house" else row["text"].upper()
        return text, "phrase" if row["text"] == "thank you" else "", "voice"


def test_a_heard_line_keeps_labels_and_what_was_written() -> None:
    texts = {"w1-01": "I made a course", "w1-02": "thank you", "w1-03": "is it dear", "w1-04": "I made a house"}
    rows = [{**ROW, "id": name, "passage": "w1", "text": text} for name, text in texts.items()]
    rows[2].update(kind="chat", seat=None)
    left_out: Counter[str] = Counter()
    (heard,) = read_aloud({"w1": rows}, ["w1"], cast(Studio, Deaf()), 1e6, left_out)
    assert heard == {
        **rows[0],
        **{"id": "r01-w1-01", "passage": "r01-w1", "style": "asr", "text": "I MADE A COURSE"},
        **{"spoken": "I made a course", "of": "w1-01", "voice": "voice", "recogniser": "ear"},
        "source": heard["source"],
    }
    assert heard["source"] != "written"
    assert left_out == {"phrase": 1, "most words wrong": 1, "": 1}
    assert parse_line(heard).spoken == "I made a course"


def test_no_passage_begins_when_the_time_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", lambda: 61.0)
    assert list(read_aloud(passages(1), ["w0"], cast(Studio, Deaf()), 1.0, Counter())) == []


def test_a_choice_by_key_stays() -> None:
    assert pick("abc", 1, "x") == pick("abc", 1, "x")
    assert len({pick("abc", number) for number in range(20)}) == 3


def test_word_errors_are_counted_as_exchanged_lost_or_added() -> None:
    assert word_errors("Two places, left.", "two places left") == 0.0
    assert word_errors("there are two places left", "there two palaces are left") == pytest.approx(3 / 5)
    assert word_errors("yes", "oh yes yes") == 2.0
