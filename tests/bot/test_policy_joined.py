"""What policy tells a community of an episode that began, or had been led up to, before it came to the show."""

from dataclasses import replace

import pytest

from bot.effects import AlertBody, OpenAlert
from bot.policy import Policy
from detectors.records import EpisodeState, Message
from tests.bot.samples import WATCH, quote
from tests.bot.test_policy import NOBODY, SETTINGS, at_score

BEFORE = quote(1, 100.0, "places are few")
SINCE = quote(2, 300.0, "write to me")
REASONS = (
    Message("why.after_teaching", {"minutes": 40}),
    Message("why.passages", {"count": 2}),
    Message("why.cue.scarcity"),
)


def told(state: EpisodeState, joined: float) -> AlertBody:
    """Return what a community that came at a second of the show is warned with."""
    (effect,) = Policy(WATCH, "show-1", SETTINGS, joined=joined).decide(NOBODY, state)
    assert isinstance(effect, OpenAlert)
    return effect.body


def both(since: float = 100.0) -> EpisodeState:
    return at_score(0.97, since=since, at=306.0, evidence=(BEFORE, SINCE), reasons=REASONS)


def test_of_an_episode_that_began_before_only_what_was_said_since_is_told() -> None:
    body = told(both(), joined=200.0)
    assert (body.since, body.evidence) == (200.0, (SINCE,))
    assert (body.offers, body.cues, body.reasons) == ((), (), (Message("why.in_part"),))


def test_the_same_when_the_first_quotes_are_gone() -> None:
    body = told(replace(both(), evidence=(SINCE,)), joined=200.0)
    assert (body.offers, body.cues, body.reasons) == ((), (), (Message("why.in_part"),))


@pytest.mark.parametrize("taught", [Message("why.after_teaching", {"minutes": 40}), Message("why.no_teaching")])
def test_of_an_episode_that_began_since_all_is_told_but_what_was_taught_before(taught: Message) -> None:
    state = replace(both(300.0), evidence=(SINCE,), reasons=(taught, *REASONS[1:]))
    body = told(state, joined=200.0)
    assert (body.offers, body.cues, body.reasons) == (state.offers, state.cues, REASONS[1:])


def test_whoever_was_there_from_the_beginning_is_told_everything() -> None:
    body = told(both(), joined=0.0)
    assert (body.evidence, body.offers, body.reasons) == ((BEFORE, SINCE), both().offers, REASONS)
