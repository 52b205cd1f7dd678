"""What a community dismissed moves its own threshold, and silences what says nearly the same."""

import math

import pytest

from bot.effects import OpenAlert, Record, UpdateAlert
from bot.policy import (
    KIND_EACH,
    KIND_MOST,
    History,
    View,
    needed,
    prior,
    raised_threshold,
)
from detectors.signatures import signature
from tests.bot.samples import HOST, quote
from tests.bot.test_policy import NOBODY, at_score, logit, opens, policy, remark, said


@pytest.mark.parametrize(
    ("history", "shift"),
    [
        (History(), 0.0),
        (History(dismissed=1.0), KIND_EACH),
        (History(dismissed=2.5), 2.5 * KIND_EACH),
        (History(confirmed=2.0, dismissed=2.0), KIND_EACH),
        (History(confirmed=4.0, dismissed=2.0), 0.0),
        (History(confirmed=50.0), 0.0),
        (History(dismissed=6.0), KIND_MOST),
        (History(dismissed=1_000.0), KIND_MOST),
    ],
)
@pytest.mark.parametrize("usual", [0.6, 0.8, 0.95])
def test_what_a_community_dismissed_in_a_kind_of_room_raises_its_threshold_within_bounds(
    usual: float, history: History, shift: float
) -> None:
    expected = round(1.0 / (1.0 + math.exp(-(logit(usual) + shift))), 4)
    assert raised_threshold(usual, history) == expected
    assert usual <= raised_threshold(usual, history) < 1.0


@pytest.mark.parametrize(
    ("own", "kind"),
    [
        (History(), History()),
        (History(confirmed=1.0), History()),
        (History(dismissed=2.0), History()),
        (History(dismissed=2.0), History(dismissed=3.0)),
        (History(confirmed=1.0), History(confirmed=1.0, dismissed=4.0)),
        (History(dismissed=50.0), History(dismissed=50.0)),
        (History(confirmed=50.0), History(dismissed=50.0)),
    ],
)
def test_what_is_said_to_be_needed_is_what_policy_needs(own: History, kind: History) -> None:
    told = needed(0.8, own, kind)
    assert told == pytest.approx(1.0 / (1.0 + math.exp(-(logit(raised_threshold(0.8, kind)) - prior(own)))), abs=1e-4)
    view = View(history={HOST.account: own}, kind_history=kind)
    just_below, just_above = (policy().decide(view, at_score(told + step)) for step in (-0.001, 0.001))
    assert [type(effects[0]) for effects in (just_below, just_above)] == [Record, OpenAlert]


def test_the_kind_of_room_moves_the_threshold_and_not_the_score() -> None:
    view = View(kind_history=History(dismissed=3.0))
    low, high = at_score(0.85), at_score(0.9)
    assert policy().decide(view, low) == [remark(low, 0.85)]
    assert policy().decide(view, high) == [opens(said(high, 0.9))]


def test_an_open_warning_goes_on_whatever_is_decided_about_the_kind_of_room() -> None:
    decisions = policy()
    decisions.decide(NOBODY, at_score(0.82))
    grown = at_score(0.9, at=300.0)
    assert decisions.decide(View(kind_history=History(dismissed=50.0)), grown) == [UpdateAlert(said(grown, 0.9))]


OFFER = "book a free call with me today, there are three seats left"


EBOOK = "my ebook costs forty nine dollars until midnight tonight"


def dismissed(*texts: str) -> View:
    return View(dismissed=frozenset(one for text in texts if (one := signature(text)) is not None))


@pytest.mark.parametrize(
    ("texts", "warned"),
    [
        ((OFFER,), False),
        (("BOOK a free call with me, today! There are three seats left...",), False),
        (("book a free call with me today, there are two seats left",), False),
        ((OFFER, EBOOK), False),
        ((OFFER, "join my paid membership and you get the whole course"), True),
        ((OFFER, "link below"), True),
        (("link below",), True),
        (("join my paid membership and you get the whole course",), True),
    ],
    ids=["same", "in other letters", "another word", "both", "and something new", "and too short", "too short", "new"],
)
@pytest.mark.parametrize("score", [0.9, 0.999])
def test_what_says_nearly_the_same_as_what_was_dismissed_is_a_remark(
    texts: tuple[str, ...], warned: bool, score: float
) -> None:
    state = at_score(score, evidence=tuple(quote(i, 100.0 + i, text) for i, text in enumerate(texts)))
    expected = opens(said(state, score)) if warned else remark(state, score)
    assert policy().decide(dismissed(OFFER, EBOOK, "link below"), state) == [expected]
    assert policy().decide(NOBODY, state) == [opens(said(state, score))]


def test_a_suppressed_episode_warns_as_soon_as_it_says_something_new() -> None:
    decisions, view = policy(), dismissed(OFFER)
    one = at_score(0.9, evidence=(quote(1, 100.0, OFFER),))
    again = at_score(0.95, at=150.0, evidence=(quote(1, 100.0, OFFER), quote(2, 144.0, OFFER)))
    other = at_score(0.96, at=200.0, evidence=(quote(2, 144.0, OFFER), quote(3, 194.0, EBOOK)))
    effects = [decisions.decide(view, state) for state in (one, again, other)]
    assert effects == [[remark(one, 0.9)], [], [opens(said(other, 0.96))]]


def test_what_was_dismissed_after_the_warning_was_raised_does_not_silence_it() -> None:
    decisions = policy()
    decisions.decide(NOBODY, at_score(0.85, evidence=(quote(1, 100.0, OFFER),)))
    grown = at_score(0.95, at=200.0, evidence=(quote(1, 100.0, OFFER),))
    assert decisions.decide(dismissed(OFFER), grown) == [UpdateAlert(said(grown, 0.95))]
