"""The timeline of a show."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.phases import BIN_SECONDS, MAX_BINS, SHORTEST, Timeline
from detectors.records import Phase, PhaseSpan

SHARES = {"teach": (0.9, 0.0), "talk": (0.1, 0.1), "pitch": (0.1, 0.8)}
Talk = tuple[float, float, float, float]


def timeline(*stretches: tuple[float, float, str]) -> Timeline:
    """Talk without a break in each (from, to) of the given phase; silence in between."""
    made = Timeline()
    for start, end, phase in stretches:
        at = start
        while at < end:
            made.add(at, BIN_SECONDS, *SHARES[phase])
            at += BIN_SECONDS
    return made


@st.composite
def talks(draw: st.DrawFn, longest: float = 30_000.0) -> list[Talk]:
    share = st.floats(0.0, 1.0)
    return draw(st.lists(st.tuples(st.floats(0.0, longest), st.floats(0.0, 60.0), share, share), max_size=60))


def filled(said: list[Talk]) -> Timeline:
    made = Timeline()
    for at, seconds, teach, pitch in said:
        made.add(at, seconds, teach, pitch * (1.0 - teach))
    return made


@pytest.mark.parametrize(
    ("stretches", "spans"),
    [
        ([], []),
        ([(0.0, 300.0, "teach")], [(0.0, 300.0, "teach")]),
        ([(0.0, 300.0, "talk")], [(0.0, 300.0, "talk")]),
        # a pitch reaches as far as it is most of what is heard around
        (
            [(0.0, 600.0, "teach"), (600.0, 900.0, "pitch"), (900.0, 1200.0, "talk")],
            [(0.0, 600.0, "teach"), (600.0, 910.0, "pitch"), (910.0, 1200.0, "talk")],
        ),
        # a single line of pitch is none
        ([(0.0, 300.0, "teach"), (300.0, 310.0, "pitch"), (310.0, 600.0, "teach")], [(0.0, 600.0, "teach")]),
        # quiet is talk, once it is longer than what is looked at around
        (
            [(0.0, 300.0, "teach"), (500.0, 800.0, "teach")],
            [(0.0, 330.0, "teach"), (330.0, 470.0, "talk"), (470.0, 800.0, "teach")],
        ),
        # a short stretch joins the one before
        ([(0.0, 300.0, "teach"), (390.0, 690.0, "teach")], [(0.0, 690.0, "teach")]),
        (
            [(0.0, 300.0, "teach"), (400.0, 700.0, "teach")],
            [(0.0, 330.0, "teach"), (330.0, 370.0, "talk"), (370.0, 700.0, "teach")],
        ),
        ([(60.0, 300.0, "pitch")], [(0.0, 30.0, "talk"), (30.0, 300.0, "pitch")]),
    ],
)
def test_spans_whole(stretches: list[tuple[float, float, str]], spans: list[tuple[float, float, Phase]]) -> None:
    assert timeline(*stretches).spans() == [PhaseSpan(*span) for span in spans]


@given(talks())
def test_spans_cover_everything_without_gaps(said: list[Talk]) -> None:
    made = filled(said)
    spans = made.spans()
    if not said:
        assert spans == []
        return
    latest = max(at for at, *_ in said)
    assert spans[0].at == 0.0
    assert latest < spans[-1].until <= latest + made.bin_seconds
    for before, after in pairwise(spans):
        assert before.until == after.at
        assert before.phase != after.phase
    for later in spans[1:]:
        assert later.phase == "pitch" or later.until - later.at >= SHORTEST * made.bin_seconds


@given(talks(longest=1e7))
def test_bins_are_bounded_and_keep_the_totals(said: list[Talk]) -> None:
    numbers = filled(said).snapshot()
    assert len(numbers["bins"]) <= MAX_BINS
    wanted = (
        sum(seconds for _, seconds, _, _ in said),
        sum(seconds * teach for _, seconds, teach, _ in said),
        sum(seconds * pitch * (1.0 - teach) for _, seconds, teach, pitch in said),
    )
    totals = [sum(column) for column in zip(*numbers["bins"], strict=True)] or [0.0, 0.0, 0.0]
    assert totals == pytest.approx(wanted, abs=0.005 * len(numbers["bins"]) + 1e-6)


def test_bins_double_when_the_show_outgrows_them() -> None:
    made = Timeline()
    for index in range(MAX_BINS):
        made.add(index * BIN_SECONDS, 4.0, 0.5, 0.25)
    assert made.snapshot() == {"bin_seconds": BIN_SECONDS, "bins": [[4.0, 2.0, 1.0]] * MAX_BINS}
    made.add(MAX_BINS * BIN_SECONDS, 4.0, 0.5, 0.25)
    assert made.snapshot() == {
        "bin_seconds": 2 * BIN_SECONDS,
        "bins": [[8.0, 4.0, 2.0]] * (MAX_BINS // 2) + [[4.0, 2.0, 1.0]],
    }


def test_an_odd_number_of_bins_doubles() -> None:
    made = Timeline()
    made.add(20.0, 3.0, 1.0, 0.0)
    made.add(MAX_BINS * BIN_SECONDS, 5.0, 0.0, 1.0)
    bins = made.snapshot()["bins"]
    assert (bins[1], bins[-1], len(bins)) == ([3.0, 3.0, 0.0], [5.0, 0.0, 5.0], MAX_BINS // 2 + 1)


@given(talks(), talks())
def test_goes_on_from_a_snapshot(before: list[Talk], after: list[Talk]) -> None:
    whole, restored = filled(before), Timeline()
    # What is kept is rounded: both go on from there.
    kept = json.loads(json.dumps(whole.snapshot()))
    whole.restore(kept)
    restored.restore(kept)
    for at, seconds, teach, pitch in after:
        whole.add(at, seconds, teach, pitch)
        restored.add(at, seconds, teach, pitch)
    assert (restored.snapshot(), restored.spans()) == (whole.snapshot(), whole.spans())
    assert kept == filled(before).snapshot()
