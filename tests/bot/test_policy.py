"""Policy: what an episode means for a community, as whole effects."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.effects import AlertBody, Effect, EndEpisode, OpenAlert, Record, UpdateAlert, alert_id
from bot.policy import (
    MAX_OPEN,
    PRIOR_MOST,
    History,
    Policy,
    View,
    Watch,
)
from config.settings import PolicySettings, Sensitivity
from detectors.records import EpisodeState, Finding, Message, Person
from tests.bot.samples import HOST, WATCH, body, episode, quote
from tests.stand_ins import ROOM, person

SETTINGS = PolicySettings(
    threshold_low=0.95,
    threshold_normal=0.8,
    threshold_high=0.6,
    update_seconds=30.0,
    alerts_per_hour=2,
    prior_half_life_days=90.0,
)
NOBODY = View()


def opens(body: AlertBody, held_back: bool = False, most_per_hour: int = SETTINGS.alerts_per_hour) -> OpenAlert:
    """A new warning, which also says how many its channel gets in an hour of the clock."""
    return OpenAlert(body, held_back, most_per_hour)


def logit(score: float) -> float:
    return math.log(score / (1.0 - score))


def policy(watch: Watch = WATCH, **settings: Any) -> Policy:
    return Policy(watch, "show-1", SETTINGS.model_copy(update=settings))


def at_score(score: float, **changes: Any) -> EpisodeState:
    return episode(logit=logit(score), **changes)


def remark(state: EpisodeState, score: float, watch: Watch = WATCH) -> Record:
    newest = state.evidence[-1]
    return Record(
        community=watch.community,
        room=watch.room,
        show="show-1",
        detector="remark",
        person=state.person,
        event_id=newest.event_id,
        at=state.at,
        score=score,
        message=Message("phase.pitch"),
        quote=newest.text,
    )


def said(state: EpisodeState, score: float, *more: Message, watch: Watch = WATCH) -> AlertBody:
    """What a warning about `state` says in full."""
    return AlertBody(
        id=alert_id(watch.community, watch.room, "show-1", state.person.account, state.number),
        community=watch.community,
        room=watch.room,
        show="show-1",
        channel=watch.channel,
        dry_run=watch.dry_run,
        person=state.person,
        episode=state.number,
        since=state.since,
        at=state.at,
        score=score,
        offers=state.offers,
        cues=state.cues,
        evidence=state.evidence,
        reasons=(*state.reasons, *more),
        presenter=state.presenter,
    )


@pytest.mark.parametrize(
    ("sensitivity", "score", "warned"),
    [
        ("low", 0.97, True),
        ("low", 0.93, False),
        ("normal", 0.97, True),
        ("normal", 0.82, True),
        ("normal", 0.78, False),
        ("high", 0.82, True),
        ("high", 0.62, True),
        ("high", 0.58, False),
    ],
)
def test_each_sensitivity_has_its_threshold(sensitivity: Sensitivity, score: float, warned: bool) -> None:
    watch = replace(WATCH, sensitivity=sensitivity)
    state = at_score(score)
    expected = opens(said(state, score, watch=watch)) if warned else remark(state, score, watch)
    assert policy(watch).decide(NOBODY, state) == [expected]


def test_a_warning_carries_what_its_watch_wants_and_for_whom_somebody_speaks() -> None:
    watch = Watch("guild-7", ROOM, "discord:42", "high", dry_run=True, consent=True)
    state = at_score(0.9, person=person("@helper"), presenter=HOST, number=3, passages=2)
    assert policy(watch).decide(NOBODY, state) == [
        opens(
            body(
                community="guild-7",
                channel="discord:42",
                dry_run=True,
                person=person("@helper"),
                presenter=HOST,
                episode=3,
            )
        )
    ]


def test_an_open_warning_is_not_raised_again_and_falling_evidence_is_no_news() -> None:
    decisions = policy()
    opened = at_score(0.9)
    effects = [
        decisions.decide(NOBODY, opened),
        decisions.decide(NOBODY, opened),
        decisions.decide(NOBODY, at_score(0.5, at=300.0)),
        decisions.decide(NOBODY, at_score(0.1, at=400.0)),
        decisions.decide(NOBODY, at_score(0.9, at=500.0)),
        decisions.decide(NOBODY, at_score(0.93, at=600.0)),
    ]
    assert effects == [[opens(said(opened, 0.9))], [], [], [], [], []]


def test_an_update_needs_a_clear_rise_and_some_time() -> None:
    decisions = policy()
    decisions.decide(NOBODY, at_score(0.82, at=100.0))
    risen = at_score(0.95, at=130.0)
    assert decisions.decide(NOBODY, at_score(0.95, at=129.0)) == []
    assert decisions.decide(NOBODY, at_score(0.85, at=131.0)) == []
    assert decisions.decide(NOBODY, risen) == [UpdateAlert(said(risen, 0.95))]
    assert decisions.decide(NOBODY, at_score(0.96, at=200.0)) == []


def test_two_new_quotes_make_an_update_that_keeps_the_surest_score() -> None:
    decisions = policy()
    one, two, three = quote(1, 100.0), quote(2, 140.0), quote(3, 180.0)
    decisions.decide(NOBODY, at_score(0.95, evidence=(one,)))
    faded = at_score(0.85, at=186.0, evidence=(one, two, three), offers=("coaching", "ebook"))
    assert decisions.decide(NOBODY, at_score(0.9, at=146.0, evidence=(one, two))) == []
    assert decisions.decide(NOBODY, at_score(0.9, at=150.0, evidence=(one, two))) == []
    assert decisions.decide(NOBODY, faded) == [UpdateAlert(said(faded, 0.95))]
    assert decisions.decide(NOBODY, replace(faded, at=300.0)) == []


@pytest.mark.parametrize(
    "view",
    [
        View(exempt=frozenset({HOST.account})),
        View(snoozed=frozenset({HOST.account})),
        View(snoozed_room=True),
    ],
    ids=["exempt", "snoozed account", "snoozed room"],
)
def test_whoever_is_left_alone_is_left_alone_before_and_during_a_warning(view: View) -> None:
    decisions = policy()
    opened, grown = at_score(0.85), at_score(0.99, at=300.0)
    effects = [
        decisions.decide(view, at_score(0.99, at=50.0)),
        decisions.decide(view, at_score(0.3, at=60.0)),
        decisions.decide(NOBODY, opened),
        decisions.decide(view, grown),
        decisions.decide(view, replace(grown, at=900.0, ended=True)),
    ]
    assert effects == [[], [], [opens(said(opened, 0.85))], [], [EndEpisode(said(opened, 0.85).id, 900.0)]]


def test_an_exemption_is_for_one_account_only() -> None:
    view = View(exempt=frozenset({person("@other").account}), snoozed=frozenset({person("@third").account}))
    state = at_score(0.9)
    assert policy().decide(view, state) == [opens(said(state, 0.9))]


def test_more_warnings_than_the_hour_allows_are_held_back_not_lost() -> None:
    decisions = policy(alerts_per_hour=2)
    states = [at_score(0.9, person=person(f"@seller{i}"), at=at) for i, at in enumerate((100, 200, 300, 3600, 3701))]
    effects = [decisions.decide(NOBODY, state) for state in states]
    held_back = [False, False, True, True, False]
    assert effects == [[opens(said(state, 0.9), held_back=held)] for state, held in zip(states, held_back, strict=True)]


def test_a_held_back_warning_grows_like_any_other() -> None:
    decisions = policy(alerts_per_hour=1)
    decisions.decide(NOBODY, at_score(0.9, person=person("@first")))
    decisions.decide(NOBODY, at_score(0.85, at=110.0))
    grown = at_score(0.99, at=200.0)
    assert decisions.decide(NOBODY, grown) == [UpdateAlert(said(grown, 0.99))]


@pytest.mark.parametrize(
    ("history", "evidence", "score", "more"),
    [
        (History(1.0, 0.0, 1), 1.0, 1.5, [Message("why.earlier_confirmed", {"count": 1})]),
        (History(2.0, 0.0, 2), 1.0, 2.0, [Message("why.earlier_confirmed", {"count": 2})]),
        (History(50.0, 0.0, 50), 0.5, 2.0, [Message("why.earlier_confirmed", {"count": 50})]),
        (History(0.0, 1.0, 0, 1), 2.5, 2.0, [Message("why.earlier_dismissed", {"count": 1})]),
        (History(0.0, 50.0, 0, 50), 3.5, 2.0, [Message("why.earlier_dismissed", {"count": 50})]),
        (
            History(1.0, 1.0, 1, 1),
            2.0,
            2.0,
            [Message("why.earlier_confirmed", {"count": 1}), Message("why.earlier_dismissed", {"count": 1})],
        ),
        (History(confirmed=0.2, dismissed=0.2), 2.0, 2.0, []),
        # Old ones hardly count, but are told as what they are.
        (History(confirmed=0.2, times_confirmed=3), 2.0, 2.1, [Message("why.earlier_confirmed", {"count": 3})]),
    ],
)
def test_earlier_decisions_move_the_score_within_bounds_and_are_told(
    history: History, evidence: float, score: float, more: list[Message]
) -> None:
    state = episode(logit=evidence)
    effects = policy().decide(View(history={HOST.account: history}), state)
    assert effects == [opens(said(state, round(1.0 / (1.0 + math.exp(-score)), 4), *more))]


def test_earlier_decisions_can_tip_the_scale_either_way() -> None:
    up = View(history={HOST.account: History(confirmed=2.0)})
    down = View(history={HOST.account: History(dismissed=2.0)})
    assert [type(policy().decide(view, at_score(0.7))[0]) for view in (up, NOBODY)] == [OpenAlert, Record]
    assert [type(policy().decide(view, at_score(0.9))[0]) for view in (down, NOBODY)] == [Record, OpenAlert]


def test_the_history_of_somebody_else_moves_nothing() -> None:
    view = View(history={person("@other").account: History(confirmed=50.0)})
    state = at_score(0.9)
    assert policy().decide(view, state) == [opens(said(state, 0.9))]


def test_even_the_longest_history_warns_of_nobody_without_evidence() -> None:
    view = View(history={HOST.account: History(confirmed=1_000.0)})
    state = episode(logit=logit(0.8) - PRIOR_MOST - 0.1)
    assert isinstance(policy().decide(view, state)[0], Record)


def test_a_lone_remark_is_recorded_once_and_warns_nobody() -> None:
    decisions = policy()
    first = at_score(0.3)
    later = at_score(0.4, at=200.0, evidence=(quote(1, 100.0), quote(2, 194.0)))
    other = at_score(0.3, person=person("@guest"))
    effects = [decisions.decide(NOBODY, state) for state in (first, later, other)]
    assert effects == [[remark(first, 0.3)], [], [remark(other, 0.3)]]


def test_what_is_more_likely_no_pitch_is_no_remark() -> None:
    assert policy().decide(NOBODY, at_score(0.3, evidence=(quote(1, 100.0, pitch=0.45),))) == []


def test_an_ended_episode_is_closed_once_and_what_comes_later_is_a_new_warning() -> None:
    decisions = policy()
    first, second = at_score(0.9), at_score(0.85, number=2, since=2000.0, at=2006.0)
    over = replace(first, at=800.0, ended=True, phase="talk")
    effects = [decisions.decide(NOBODY, state) for state in (first, over, over, second)]
    assert effects == [
        [opens(said(first, 0.9))],
        [EndEpisode(said(first, 0.9).id, 800.0)],
        [],
        [opens(said(second, 0.85))],
    ]
    assert said(first, 0.9).id != said(second, 0.85).id


def test_a_new_episode_ends_the_one_before_it_when_nobody_said_that_it_was_over() -> None:
    decisions = policy()
    first, second = at_score(0.9), at_score(0.85, number=2, since=720.0, at=726.0)
    effects = [decisions.decide(NOBODY, state) for state in (first, second)]
    assert effects == [
        [opens(said(first, 0.9))],
        [EndEpisode(said(first, 0.9).id, 720.0), opens(said(second, 0.85))],
    ]


def test_the_end_of_a_remark_says_nothing() -> None:
    decisions = policy()
    decisions.decide(NOBODY, at_score(0.3))
    assert decisions.decide(NOBODY, at_score(0.1, at=900.0, ended=True)) == []


@pytest.mark.parametrize("score", [0.3, 0.9])
def test_nothing_is_said_that_cannot_be_quoted(score: float) -> None:
    assert policy().decide(NOBODY, at_score(score, evidence=())) == []


def test_an_open_warning_outlives_a_restart_that_lost_the_quotes() -> None:
    decisions = policy()
    decisions.decide(NOBODY, at_score(0.82, at=100.0))
    after = policy()
    after.restore(json.loads(json.dumps(decisions.snapshot())))
    assert after.decide(NOBODY, at_score(0.9, at=300.0, evidence=())) == []
    again = at_score(0.9, at=310.0, evidence=(quote(9, 304.0),))
    assert after.decide(NOBODY, again) == [UpdateAlert(said(again, 0.9))]


@pytest.mark.parametrize(
    ("finding", "record"),
    [
        (
            Finding(
                "claims", HOST, 50.0, 1.0, Message("claim.title", {"words": "king"}), (quote(4, 44.0, "the king"),)
            ),
            Record(
                *("local", ROOM, "show-1", "claims", HOST, "show-1/4", 50.0, 1.0),
                message=Message("claim.title", {"words": "king"}),
                quote="the king",
            ),
        ),
        (
            Finding("claims", HOST, 50.0, 0.5, Message("claim.title")),
            Record("local", ROOM, "show-1", "claims", HOST, "", 50.0, 0.5, Message("claim.title"), ""),
        ),
    ],
)
def test_an_observation_becomes_a_record(finding: Finding, record: Record) -> None:
    assert policy().note(finding) == record


def _story() -> list[EpisodeState]:
    """Two sellers, a guest's remark, updates, an end, and a second episode."""
    seller, guest = person("@seller"), person("@guest")
    quotes = [quote(i, 100.0 + 40.0 * i) for i in range(8)]
    rising = [
        at_score(0.82 + 0.02 * i, at=106.0 + 40.0 * i, evidence=tuple(quotes[: i + 1])) for i in range(len(quotes))
    ]
    return [
        at_score(0.3, person=guest, at=90.0),
        *rising[:4],
        at_score(0.97, person=seller, at=230.0),
        at_score(0.35, person=guest, at=231.0),
        *rising[4:],
        at_score(0.9, person=guest, at=400.0),
        replace(rising[-1], at=1_100.0, ended=True),
        at_score(0.2, number=2, since=1_500.0, at=1_506.0, evidence=(quote(30, 1_500.0),)),
        at_score(0.9, number=2, since=1_500.0, at=1_606.0, evidence=(quote(30, 1_500.0), quote(31, 1_600.0))),
        at_score(0.99, person=seller, at=1_700.0, evidence=(quote(1, 100.0), quote(40, 1_694.0, who=seller))),
    ]


def _decide(decisions: Policy, states: Sequence[EpisodeState]) -> list[list[Effect]]:
    return [decisions.decide(NOBODY, state) for state in states]


@pytest.mark.parametrize("cut", range(len(_story())))
def test_a_restart_changes_no_decision(cut: int) -> None:
    story = _story()
    whole = _decide(policy(), story)
    assert {type(effect) for effects in whole for effect in effects} == {Record, OpenAlert, UpdateAlert, EndEpisode}
    before, after = policy(), policy()
    effects = _decide(before, story[:cut])
    after.restore(json.loads(json.dumps(before.snapshot())))
    assert effects + _decide(after, story[cut:]) == whole


def test_a_snapshot_holds_no_words() -> None:
    decisions = policy()
    _decide(decisions, _story())
    assert "book a call" not in json.dumps(decisions.snapshot())


def test_what_is_followed_at_once_is_bounded() -> None:
    decisions = policy(alerts_per_hour=5)
    crowd: list[Person] = [person(f"@p{i}") for i in range(3 * MAX_OPEN)]
    for someone in crowd:
        decisions.decide(NOBODY, at_score(0.9, person=someone))
        decisions.decide(NOBODY, at_score(0.3, person=replace(someone, account=replace(someone.account, server="x"))))
    kept = decisions.snapshot()
    assert kept.pop("joined") == 0.0
    assert {name: len(rows) for name, rows in kept.items()} == {"open": MAX_OPEN, "recorded": MAX_OPEN, "raised": 5}
