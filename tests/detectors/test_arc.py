"""Episodes: from lines with their readings to how sure it is that somebody sells their own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.arc import ArcParameters
from detectors.records import (
    EpisodeState,
    Finding,
    Message,
    RoomState,
    SeatChange,
    Unavailable,
)
from tests.detectors.arc_play import (
    GUEST,
    HELPER,
    HOST,
    SURE,
    WEAK,
    P,
    Stage,
    Step,
    about,
    log_odds,
    logits,
    other,
    pitch,
    quote,
    tick,
)
from tests.stand_ins import chat, reading, speech


def test_what_others_offer_at_the_same_time_counts_for_the_speaker_too() -> None:
    lines = [pitch(1, 100.0, GUEST.name), pitch(2, 110.0), pitch(3, 400.0)]
    alone = logits(Stage().play(*lines))
    together = logits(Stage(replace(P, stage=0.5)).play(*lines))
    assert alone[0] == together[0] and alone[1] is not None and together[1] is not None
    faded = 2.0 * 0.5 ** (10.0 / P.half_life)
    assert together[1] == pytest.approx(alone[1] + 0.5 * faded, abs=1e-3)
    assert together[2] == alone[2]  # the guest has long said nothing of it


# One line


def test_a_lone_remark_whole() -> None:
    remark = pitch(1, 100.0)
    assert Stage().play(remark) == [
        EpisodeState(
            person=HOST,
            number=1,
            since=100.0,
            at=106.0,
            logit=-2.0,
            phase="pitch",
            offers=("coaching",),
            cues=("scarcity",),
            evidence=(quote(remark),),
            reasons=(Message("why.no_teaching"), Message("why.cue.scarcity")),
        )
    ]


@given(st.floats(0.0, 1.0), st.lists(st.sampled_from(["teach", "other"]), max_size=5))
def test_a_lone_remark_does_not_rise_high(sure: float, after: list[str]) -> None:
    later = [other(n, 110.0 + 10.0 * n, act) for n, act in enumerate(after)]
    states = Stage().play(pitch(0, 100.0, sure=sure), *later)
    assert all(state is None or state.logit <= P.base + P.line_most for state in states)
    assert states[1:] == [None] * len(later)


@pytest.mark.parametrize(
    ("step", "parameters"),
    [
        (pitch(1, 100.0, sure=WEAK), P),  # nothing yet that could be quoted
        (pitch(1, 100.0, sure=WEAK), replace(P, floor=-99.0)),
        (pitch(1, 100.0), replace(P, floor=-1.9)),
        (other(1, 100.0, "teach"), P),
        (other(1, 100.0, "sponsor"), P),
        ((pitch(1, 100.0)[0], Unavailable("no model")), P),
        ((pitch(1, 100.0)[0], None), P),
        ((replace(speech(1, 100.0, HOST.name, "thanks for watching"), weight=0.0), reading(SURE)), P),
        ((SeatChange("s", 1.0, 1, HOST, "joined"), None), P),
        ((RoomState("r", 1.0, "lost"), None), P),
        (tick(100.0), P),
    ],
)
def test_says_nothing(step: Step, parameters: ArcParameters) -> None:
    stage = Stage(parameters)
    assert stage.play(step) == [None]


# Lines that add up


def test_evidence_fades() -> None:
    states = Stage().play(pitch(1, 100.0), pitch(2, 180.0), pitch(3, 240.0))
    second = 2.0 * 0.5 ** (80 / 120) + 2.0
    third = second * 0.5 ** (60 / 120) + 2.0
    assert logits(states) == about(-2.0, -4.0 + second, -4.0 + third)


def test_a_slow_pitch_adds_up_over_minutes() -> None:
    gain, left = log_odds(0.6) - log_odds(0.4), 0.5 ** (40 / 120)
    states = Stage().play(*(pitch(n, 100.0 + 40.0 * n, sure=0.6) for n in range(9)))
    levels = [gain * (1 - left ** (n + 1)) / (1 - left) for n in range(9)]
    # The first line alone is below the floor.
    assert logits(states) == about(None, *(-4.0 + level for level in levels[1:]))
    last = states[-1]
    assert last is not None
    assert last.logit > P.base + P.line_most + 1.0
    assert (last.number, last.since, last.at, last.passages, len(last.evidence)) == (1, 100.0, 426.0, 1, 9)


def test_weak_lines_count_but_are_not_quoted() -> None:
    weak, sure = pitch(1, 100.0, sure=WEAK), pitch(2, 106.0)
    states = Stage().play(weak, sure)
    gained = log_odds(WEAK) - log_odds(0.4)
    assert logits(states) == about(None, -4.0 + gained * 0.5 ** (6 / 120) + 2.0)
    assert states[1] is not None
    assert (states[1].since, states[1].evidence) == (106.0, (quote(sure),))


@pytest.mark.parametrize(("sure", "quoted"), [(0.499, False), (0.5, True)])
def test_what_is_as_likely_a_pitch_as_not_is_quoted(sure: float, quoted: bool) -> None:
    (state,) = Stage(replace(P, floor=-99.0)).play(pitch(1, 100.0, sure=sure))
    assert (state is not None) is quoted


def test_nothing_is_said_on_doubtful_lines_alone() -> None:
    parameters = replace(P, sure=0.8, episode_gap=100.0)
    doubtful = [pitch(n, 100.0 + 10.0 * n, sure=0.79) for n in range(8)]
    assert Stage(parameters).play(*doubtful) == [None] * 8
    stage = Stage(parameters)
    *before, first, after = stage.play(*doubtful, pitch(8, 190.0, sure=0.8), pitch(9, 196.0, sure=0.6))
    assert before == [None] * 8
    # All of it counts once one line is sure, and goes on counting when the next is not.
    assert first is not None and first.logit > P.base + P.line_most and len(first.evidence) == 9 and after is not None
    # The next episode needs a sure line of its own.
    assert stage.play(pitch(10, 400.0, sure=0.79))[-1] is None


def test_later_passages_add_up_to_twice() -> None:
    stage = Stage()
    states = stage.play(*(pitch(n, 100.0 + 120.0 * n) for n in range(4)))
    # The level runs 2, 3, 3.5, 3.75; each passage but the first adds 0.8, and no more than two of them do.
    assert logits(states) == about(-2.0, -0.2, 1.1, 1.35)
    assert [(state.passages, state.number) for state in states if state] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert [state.reasons[1:-1] for state in states if state] == [
        (),
        *((Message("why.passages", {"count": count}),) for count in (2, 3, 4)),
    ]


@pytest.mark.parametrize(("at", "passages"), [(196.0, 1), (196.1, 2)])
def test_quiet_parts_passages(at: float, passages: int) -> None:
    last = Stage().play(pitch(1, 100.0), other(2, 150.0, "teach"), pitch(3, at))[-1]
    assert last is not None
    assert last.passages == passages


@pytest.mark.parametrize(
    ("taught", "bonus", "reason"),
    [
        (0.0, 0.0, Message("why.no_teaching")),
        (120.0, 0.35, Message("why.after_teaching", {"minutes": 2})),
        (240.0, 0.7, Message("why.after_teaching", {"minutes": 4})),
        (3_000.0, 0.7, Message("why.after_teaching", {"minutes": 50})),
    ],
)
def test_teaching_before(taught: float, bonus: float, reason: Message) -> None:
    lesson = (speech(1, 0.0, HOST.name, "so the first thing is", taught), reading(0.0, "teach"))
    state = Stage().play(lesson, pitch(2, 3_100.0))[-1]
    assert state is not None
    assert state.logit == pytest.approx(-2.0 + bonus, abs=1e-4)
    assert state.reasons[0] == reason


def test_teaching_counts_from_everybody_on_stage_in_speech_and_writing_but_not_from_the_audience() -> None:
    read = reading(0.0, "teach")
    # 60 s spoken by the host, 60 s by the guest, 60 s as 150 words in the chat by the host: 3 minutes.
    lessons = [
        (speech(1, 0.0, HOST.name, "first", 60.0), read),
        (speech(2, 60.0, GUEST.name, "second", 60.0, seat=2), read),
        (chat(3, 130.0, HOST.name, "word " * 150), read),
        (chat(4, 140.0, HELPER.name, "word " * 600), read),
    ]
    state = Stage().play(*lessons, pitch(5, 200.0))[-1]
    assert state is not None
    assert state.reasons[0] == Message("why.after_teaching", {"minutes": 3})
    assert state.logit == pytest.approx(-2.0 + 0.7 * 180 / 240, abs=1e-4)


def test_teaching_after_the_first_offer_does_not_count() -> None:
    lesson = (speech(2, 106.0, HOST.name, "now", 60.0), reading(0.0, "teach"))
    state = Stage().play(pitch(1, 100.0), lesson, pitch(3, 166.0))[-1]
    assert state is not None
    assert state.reasons[0] == Message("why.no_teaching")
    assert state.logit == pytest.approx(-4.0 + 2.0 * 0.5 ** (66 / 120) + 2.0, abs=1e-4)


@pytest.mark.parametrize(("weight", "logit"), [(0.5, -1.5), (9.0, -1.0), (-0.5, -2.5), (-9.0, -3.0)])
def test_other_detectors_add_within_bounds(weight: float, logit: float) -> None:
    stage = Stage()
    stage.show.note(Finding("links", HOST, 0.0, 1.0, Message("x"), (), weight))
    assert logits(stage.play(pitch(1, 100.0))) == about(logit)


def test_what_was_offered_strongest_first() -> None:
    def offering(number: int, at: float, **offers: float) -> Step:
        plain = reading(SURE)
        return speech(number, at, HOST.name, "buy"), replace(plain, offers={**plain.offers, **offers})

    states = Stage().play(
        offering(1, 100.0, ebook=0.6, course=0.8, group=0.5, merch=0.3), offering(2, 110.0, ebook=0.9, tool=0.8)
    )
    assert [state.offers for state in states if state] == [
        ("course", "ebook", "group"),
        ("ebook", "course", "tool", "group"),
    ]


# Sponsors and warnings


@pytest.mark.parametrize("act", ["sponsor", "caution"])
@pytest.mark.parametrize(("at", "logit"), [(60.0, -3.0), (100.0, -3.0), (101.0, -2.0)])
def test_a_sponsor_or_a_warning_shields_for_a_while(act: str, at: float, logit: float) -> None:
    assert logits(Stage().play(other(1, 50.0, act), pitch(2, at))) == about(None, logit)


def test_half_sponsor_half_warning_shields_as_well() -> None:
    plain = reading(0.4)
    mixed = replace(plain, acts={**plain.acts, "sponsor": 0.3, "caution": 0.3, "other": 0.0})
    assert logits(Stage().play((speech(1, 50.0, HOST.name, "x"), mixed), pitch(2, 60.0))) == about(None, -3.0)


def test_a_shield_is_its_speakers_own() -> None:
    assert logits(Stage().play(other(1, 50.0, "sponsor", GUEST.name), pitch(2, 60.0))) == about(None, -2.0)


def test_a_sponsor_takes_off_what_was_gathered() -> None:
    states = Stage().play(pitch(1, 100.0), other(2, 106.0, "sponsor"), pitch(3, 172.0))
    left = (2.0 * 0.5 ** (6 / 120) - 0.6) * 0.5 ** (66 / 120)
    assert logits(states) == about(-2.0, None, -4.0 + left + 2.0)


def test_sponsors_never_take_off_more_than_there_is() -> None:
    reads = [other(n, 10.0 * n, "sponsor") for n in range(5)]
    assert logits(Stage().play(*reads, pitch(9, 200.0)))[-1:] == about(-2.0)


@pytest.mark.parametrize(("passage", "counts"), [(None, True), (0.1, True), (0.0999, False), (0.0, False)])
def test_a_line_counts_where_a_second_look_finds_a_pitch_in_its_passage(passage: float | None, counts: bool) -> None:
    (line, first), (again, read) = pitch(1, 100.0), pitch(2, 110.0)
    states = Stage().play((line, first), (again, replace(read, passage=passage)))
    assert (states[1] is not None) is counts
    if states[1] is not None:
        assert states[1].evidence == (quote((line, first)), quote((again, read)))
