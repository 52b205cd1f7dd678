"""Benches over whole shows: what they keep, count, weigh and read again."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from detectors.arc import ArcParameters
from detectors.records import Event, Finding, Message, RoomState
from tests.bench import readings
from tests.bench.detectors import Noted, judge_weighted, note, ratio, selling_spans
from tests.bench.fit_arc import fit_halves, halves, loss, loss_of
from tests.bench.second_look import looked_twice, measure
from tests.bench.shows import Outcome, Pitch, TruthShow, intervals, judge
from tests.stand_ins import person, reading, show_info, speech

#: Two sure lines bring a host without weights just below the threshold.
P = ArcParameters(base=-5.0, pivot=0.4, line_most=3.0, half_life=600.0, taught_bonus=0.0, passage_bonus=0.0)


def show(pitches: Sequence[Pitch], *said: tuple[float, str, float]) -> TruthShow:
    """A show of lines at a time, by somebody, read with a pitch probability."""
    events: list[Event] = [RoomState("s/0", 0.0, "open", show=show_info())]
    events += [speech(n, at, who, f"line {n} of @{who}") for n, (at, who, _) in enumerate(said, 1)]
    return TruthShow(
        show_info(), tuple(events), (None, *(reading(pitch, offers=["course"]) for *_, pitch in said)), tuple(pitches)
    )


SELLS = show(
    [Pitch("@host", 100.0, 160.0, ("course",))], (10, "@host", 0.01), (100, "@host", 0.97), (130, "@host", 0.97)
)
TALKS = show([], *((20.0 * n, "@host", 0.01) for n in range(1, 10)))


def finding(weight: float = 0.0) -> Finding:
    return Finding("claims", person("@host"), 100.0, 1.0, Message("claim.title"), (), weight)


def test_a_weight_counts_for_its_person_and_only_then() -> None:
    noted = Noted(SELLS, dict.fromkeys(range(10), (finding(),)), Counter(), Counter(), (0.1, 0.1))
    plain, weighed = (judge_weighted(noted, P, weights) for weights in ({}, {"claims": 1.0}))
    assert plain == judge(SELLS, P, fast=True)
    assert (plain.delay, weighed.delay) == (None, 36.0)
    assert judge_weighted(noted, P, {"links": 1.0}) == plain


def test_notes_are_counted_in_pitches_and_outside_of_them() -> None:
    said = show(
        [Pitch("@host", 1000.0, 1060.0, ("course",))],
        *((at, "@host", 0.01) for at in (10.0, 990.0)),
    )
    events = list(said.events)
    events[1] = speech(1, 10.0, "@host", "i am the king of instagram")
    events[2] = speech(2, 990.0, "@host", "they call me the queen of tiktok")
    noted = note(TruthShow(said.info, tuple(events), said.readings, said.pitches))
    assert (noted.inside["claims"], noted.outside["claims"]) == (1, 1)
    # From 120 s before the pitch to the end of the show, which comes first; the rest is outside.
    assert noted.hours == pytest.approx((110 / 3600, 880 / 3600))


def test_stretches_around_pitches_do_not_overlap() -> None:
    pitches = [Pitch("@host", 400.0, 410.0, ()), Pitch("@Host", 100.0, 160.0, ()), Pitch("@eve", 0.0, 9.0, ())]
    said = show([*pitches, Pitch("@host", 300.0, 310.0, ())], (900.0, "@host", 0.01))
    assert selling_spans(said, "@host") == [(0.0, 530.0)]
    assert selling_spans(said, "@eve") == [(0.0, 129.0)] and selling_spans(said, "@zoe") == []


def test_the_ratio_is_of_rates_per_hour() -> None:
    noted = Noted(SELLS, {}, Counter(claims=3), Counter(claims=1), (0.5, 2.0))
    assert ratio([noted], "claims", [0]) == pytest.approx(math.log((3.2 / 0.5) / (1.8 / 2.0)))
    assert ratio([noted], "links", [0]) == pytest.approx(0.0)


def outcome(delay: float | None, false_alerts: int = 0, expected: bool = True) -> Outcome:
    found = delay is not None
    return Outcome("s", "en", 3600.0, expected, found, found, found, false_alerts, delay, ())


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([outcome(0.0)], 0.0),
        ([outcome(60.0)], 2 * 0.6),  # a minute late, once as it is and twice, half as heavy, with the base moved
        ([outcome(0.0, 1)], 2 * 1.2),
        ([outcome(None)], 2 * (1.0 + 0.6 * 3)),
        ([outcome(None, expected=False)], 0.0),
    ],
)
def test_the_loss_weighs_misses_false_alerts_and_delay(outcomes: list[Outcome], expected: float) -> None:
    assert loss_of(lambda _: outcomes, ArcParameters()) == pytest.approx(expected)


def test_the_loss_stops_where_it_is_too_much_already() -> None:
    asked: list[ArcParameters] = []

    def judged(parameters: ArcParameters) -> list[Outcome]:
        asked.append(parameters)
        return [outcome(0.0, 5)]

    assert loss_of(judged, ArcParameters(), most=1.0) == pytest.approx(6.0) and len(asked) == 1
    assert loss([TALKS], P) == 0.0


def test_halves_hold_as_many_pitches() -> None:
    named = [replace(base, info=replace(base.info, id=f"{n}")) for n, base in enumerate([SELLS, TALKS] * 3 + [SELLS])]
    one, other = halves(named[::-1])
    assert [show.info.id for show in one] == ["0", "4", "1", "5"]
    assert [show.info.id for show in other] == ["2", "6", "3"]


def test_what_is_fitted_on_one_half_is_measured_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf, eager = replace(P, base=-7.0, line_most=0.6), replace(P, base=-1.0)
    asked: list[list[str]] = []

    def found(shows: list[TruthShow], seconds: float, seed: int, start: ArcParameters) -> tuple[float, ArcParameters]:
        asked.append([show.info.id for show in shows])
        assert (seconds, seed, start) == (9.0, 5, deaf)
        return 0.125, (eager, deaf)[len(asked) - 1]

    monkeypatch.setattr("tests.bench.fit_arc.search", found)
    named = [replace(base, info=replace(base.info, id=f"{n}")) for n, base in enumerate([SELLS, SELLS, TALKS, SELLS])]
    rows = list(fit_halves(*halves(named), 9.0, 5, deaf))
    assert asked == [["0", "3", "2"], ["1"]]
    two_missed, one_missed = 2 * (2.0 + 0.6 * 3), 2 * (1.0 + 0.6 * 3)
    assert [(row["start"], row["fitted"], row["start_left"]) for row in rows] == [
        (two_missed, 0.125, one_missed),
        (one_missed, 0.125, two_missed),
    ]
    assert [row["fitted_left"] for row in rows] == [round(loss([SELLS], eager), 3), two_missed]
    assert [(row["found_left"]["found"], row["numbers"]["base"]) for row in rows] == [(1, -1.0), (0, -7.0)]
    with pytest.raises(ValueError, match="each half needs a show with a pitch"):
        halves([SELLS, TALKS, TALKS])


def test_intervals_come_from_whole_shows() -> None:
    alike = [outcome(30.0)] * 10 + [outcome(None, expected=False)] * 10
    assert intervals(alike) == {
        "right_person_share": [1.0, 1.0],
        "false_per_hour": [0.0, 0.0],
        "median_delay": [30.0, 30.0],
    }
    mixed = [outcome(10.0 * n, n % 2) for n in range(10)] + [outcome(None)] * 5
    found = intervals(mixed)
    assert found["right_person_share"] and 0.3 < found["right_person_share"][0] < 2 / 3 < found["right_person_share"][1]
    assert found["false_per_hour"] and found["false_per_hour"][0] < 5 / 15 < found["false_per_hour"][1]
    assert intervals([outcome(None, expected=False)]) == {
        "right_person_share": None,
        "false_per_hour": [0.0, 0.0],
        "median_delay": None,
    }


def test_lines_that_were_looked_at_twice_are_told_with_their_truth() -> None:
    passages = (None, None, 0.7, 0.04)
    readings = [r if r is None else replace(r, passage=p) for r, p in zip(SELLS.readings, passages, strict=True)]
    again = replace(SELLS, readings=tuple(readings))
    assert looked_twice(again, least=0.5) == [(0.97, 0.7, True), (0.97, 0.04, True)]
    assert looked_twice(again, least=0.98) == looked_twice(SELLS, least=0.5) == []
    with pytest.raises(ValueError, match="no line was looked at twice"):
        measure([SELLS])


def test_readings_are_kept_until_model_or_shows_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, model, read = tmp_path / "shows", tmp_path / "model", []
    folder.mkdir()
    model.mkdir()
    (folder / "a.jsonl").write_text("{}")
    (model / "manifest.json").write_text(json.dumps({"sha256": {"a": "1"}}))

    def read_shows(given: Path, _: object) -> list[TruthShow]:
        read.append(given)
        return [SELLS]

    monkeypatch.setattr(readings, "read_shows", read_shows)
    monkeypatch.setattr(readings, "Classifier", lambda _: object())
    cache = tmp_path / "kept"
    assert readings.shows_of([folder], model, cache) == [SELLS] == readings.shows_of([folder], model, cache)
    assert len(read) == 1
    (folder / "a.jsonl").write_text("{ }")
    readings.shows_of([folder], model, cache)
    (model / "manifest.json").write_text(json.dumps({"sha256": {"a": "2"}}))
    readings.shows_of([folder], model, cache)
    readings.shows_of([folder], model)
    assert len(read) == 4


def test_what_a_second_look_brings_is_told_in_figures() -> None:
    shows = []
    for n in range(10):
        said = show(
            [Pitch("@host", 100.0, 160.0, ("course",))],
            *((100, "@host", 0.97), (130, "@host", 0.9), (300, "@host", 0.95)),
        )
        looked = [
            r if r is None else replace(r, passage=p)
            for r, p in zip(said.readings, (None, 0.9, 0.8, 0.05), strict=True)
        ]
        shows.append(replace(said, info=replace(said.info, id=f"show-{n}"), readings=tuple(looked)))
    found = measure(shows)
    assert (found["lines"], found["inside"]) == (30, 0.667)
    assert found["ap_line"] < found["ap_second_look"] == found["ap_both"] == 1.0
    assert found["loss_at_bound"].keys() == {"0.0", "0.02", "0.05", "0.1", "0.2", "0.3"}
