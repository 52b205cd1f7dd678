"""Episodes of people in the audience: who sells for somebody on stage, and who only writes."""

from dataclasses import replace

import pytest

from detectors.records import (
    EpisodeState,
    Message,
)
from tests.detectors.arc_play import (
    GUEST,
    HELPER,
    HOST,
    SURE,
    P,
    Stage,
    Step,
    about,
    logits,
    other,
    pitch,
    quote,
    written,
)
from tests.stand_ins import chat, reading, speech

OFFER = pitch(1, 100.0, text="it is all on kingo.example/call")


def test_somebody_in_the_chat_who_sells_for_a_presenter_whole() -> None:
    line = chat(2, 120.0, HELPER.name, "here: kingo.example/call"), reading(SURE, offers=["course"], cues=["link"])
    assert Stage().play(OFFER, line)[1] == EpisodeState(
        person=HELPER,
        number=1,
        since=120.0,
        at=120.0,
        logit=-2.8,
        phase="pitch",
        offers=("course",),
        cues=("link",),
        evidence=(quote(line),),
        reasons=(
            Message("why.no_teaching"),
            Message("why.for_presenter", {"name": HOST.name}),
            Message("why.cue.link"),
        ),
        presenter=HOST,
    )


@pytest.mark.parametrize(
    ("before", "at", "text", "linked"),
    [
        (OFFER, 120.0, "here: kingo.example/call", True),
        (OFFER, 120.0, "kingo has four places left", True),
        (OFFER, 120.0, "i sell paintings, ask me", False),
        (OFFER, 706.0, "kingo has four places left", True),
        (OFFER, 706.5, "kingo has four places left", False),  # the presenter's offer is long over
        (other(1, 100.0, "other"), 120.0, "kingo has four places left", False),
        (other(1, 100.0, "other"), 120.0, "paintings on zoe.example", False),
    ],
)
def test_who_in_the_chat_is_linked(before: Step, at: float, text: str, linked: bool) -> None:
    states = Stage().play(before, *(written(n, at + n, HELPER.name, text) for n in range(3)))[1:]
    if not linked:
        assert states == [None] * 3
        return
    assert logits(states[:1]) == about(-2.8)
    assert states[0] is not None
    assert states[0].presenter == HOST


def test_a_stranger_in_the_chat_is_nobodys_episode_however_often_it_is_said() -> None:
    lines = [written(n, 100.0 + n, HELPER.name, "buy my paintings") for n in range(30)]
    assert Stage().play(other(99, 50.0, "other"), *lines) == [None] * 31


def test_once_linked_stays_linked() -> None:
    states = Stage().play(
        OFFER, written(2, 120.0, HELPER.name, "kingo.example/call"), written(3, 130.0, HELPER.name, "dm me")
    )
    assert [state.presenter for state in states if state] == [None, HOST, HOST]


def test_a_warning_of_somebody_linked_takes_off_as_well() -> None:
    first, second = (written(n, 120.0 + n, HELPER.name, "kingo.example/call") for n in (2, 62))
    warning = chat(3, 123.0, HELPER.name, "careful with such offers"), reading(0.0, "caution")
    left = (2.0 * 0.5 ** (1 / 120) - 0.6) * 0.5 ** (59 / 120)
    assert logits(Stage().play(OFFER, first, warning, second)) == about(-2.0, -2.8, None, -4.8 + left + 2.0)


def test_who_comes_on_stage_sells_for_themselves() -> None:
    on_stage = speech(3, 130.0, HELPER.name, "dm me", seat=2), reading(SURE)
    state = Stage().play(OFFER, written(2, 120.0, HELPER.name, "kingo.example/call"), on_stage)[-1]
    assert state is not None
    assert (state.presenter, state.number, len(state.evidence)) == (None, 1, 2)
    assert state.logit == pytest.approx(-4.0 + 2.0 * 0.5 ** (16 / 120) + 2.0, abs=1e-4)


def test_in_a_room_of_text_whoever_writes_most_presents() -> None:
    lines = [written(n, 10.0 * n, GUEST.name, "my course is open, dm me") for n in range(8)]
    states = Stage(host=None).play(*lines)
    assert states[:7] == [None] * 7
    assert states[7] is not None
    assert (states[7].presenter, states[7].evidence) == (None, tuple(quote(line) for line in lines))


def test_whoever_says_for_whom_counts_as_a_helper_from_then_on() -> None:
    stage = Stage(replace(P, audience=-0.8, helper=1.0))
    states = stage.play(
        OFFER,
        written(2, 120.0, HELPER.name, "kingo has four places left"),
        written(3, 120.0, HELPER.name, "kingoreels.example/call"),
        written(4, 120.0, HELPER.name, "four places"),
    )
    assert logits(states) == about(-2.0, -2.8, 1.0, 3.0)
    other_stage = Stage(replace(P, audience=-0.8, helper=1.0))
    other_stage.arc.restore(stage.arc.snapshot())
    other_stage.show.apply(OFFER[0])
    assert logits(other_stage.play(written(5, 120.0, HELPER.name, "four places"))) == about(5.0)
