"""All detectors together."""

import json
from dataclasses import dataclass, replace

import pytest

from detectors import panel as registry
from detectors.arc import Arc, ArcParameters
from detectors.panel import DETECTORS, Observed, Panel
from detectors.records import (
    EpisodeState,
    Event,
    Finding,
    Line,
    Message,
    PhaseSpan,
    Quote,
    Reading,
    SeatChange,
    Tick,
    Unavailable,
)
from detectors.show import MAX_EXTRA_WEIGHT, Show
from tests.stand_ins import chat, person, reading, show_info, speech

#: Every number is set: what ships is fitted anew now and then.
P = ArcParameters(
    base=-4.0,
    pivot=0.4,
    line_most=2.0,
    half_life=120.0,
    taught_after=240.0,
    taught_bonus=0.7,
    passage_gap=90.0,
    passage_bonus=0.8,
    shield_time=45.0,
    shield_factor=0.5,
    pull=0.6,
    audience=-0.8,
    floor=-3.0,
    episode_gap=600.0,
    present=0.5,
    stage=0.0,
)
HOST, VIEWER = person("@kingo"), person("@zoe")
SOLD, TAUGHT, SPAM = reading(0.97, offers=["coaching"]), reading(0.0, "teach"), reading(0.0, "spam")

Step = tuple[Event, Reading | Unavailable | None]

TITLE = speech(41, 310.0, HOST.name, "four places are left and I'm the king of reels")
ADVERT = chat(42, 312.0, VIEWER.name, "cheap followers on boost.example")
STORY: tuple[Step, ...] = (
    (SeatChange("s1", 0.0, 1, HOST, "joined"), None),
    *((speech(n, 10.0 * n, HOST.name, "so the first thing is", 10.0), TAUGHT) for n in range(30)),
    (TITLE, SOLD),
    (ADVERT, SPAM),
    (chat(43, 320.0, "@ana", "kingo has four places"), SOLD),
    (speech(44, 330.0, HOST.name, "write me"), SOLD),
    (speech(45, 340.0, HOST.name, "well"), Unavailable("no model")),
    (speech(46, 450.0, HOST.name, "I made $9k last month, write me"), SOLD),
    (Tick(1_100.0), None),
)


def play(show: Show, panel: Panel, steps: tuple[Step, ...]) -> list[Observed]:
    observed = []
    for event, read in steps:
        show.apply(event)
        observed.append(panel.observe(show, event, read))
    return observed


def quote(line: Line, pitch: float) -> Quote:
    return Quote(line.id, line.at, line.until, line.person, line.kind, line.text, pitch, line.seat)


def episode(**changes: object) -> EpisodeState:
    state = EpisodeState(
        person=HOST,
        number=1,
        since=310.0,
        at=316.0,
        logit=-1.3,
        phase="pitch",
        offers=("coaching",),
        cues=(),
        evidence=(quote(TITLE, 0.97),),
        reasons=(Message("why.after_teaching", {"minutes": 5}),),
    )
    return replace(state, **changes)  # type: ignore[arg-type]


@dataclass
class Weighs:
    """A detector that finds the same in every line."""

    weight: float
    name: str = "weighs"

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        if not isinstance(event, Line):
            return None
        return Finding(self.name, event.person, event.until, 1.0, Message("x"), (), self.weight)


def test_registered_detectors_have_names_of_their_own() -> None:
    names = [make().name for make in DETECTORS]
    assert sorted({*names, "claims", "viewer_advert"}) == sorted(names)
    assert Arc.name not in names


def test_what_is_seen_in_single_events() -> None:
    observed = play(Show(show_info(HOST.name)), Panel(Arc(P)), STORY)
    title = Finding(
        "claims", HOST, 316.0, 1.0, Message("claim.title", {"words": "the king of reels"}), (quote(TITLE, 0.0),)
    )
    advert = Finding("viewer_advert", VIEWER, 312.0, 1.0, Message("spam.viewer"), (quote(ADVERT, 0.0),))
    assert observed[:31] == [Observed((), None)] * 31
    assert observed[31] == Observed((title,), episode())
    assert observed[32] == Observed((advert,), None)
    helper = observed[33].episode
    assert observed[33].findings == ()
    assert helper is not None
    assert (helper.person.name, helper.presenter) == ("@ana", HOST)
    assert observed[35] == Observed((), None)
    assert [found.message.key for found in observed[36].findings] == ["claim.income"]
    assert observed[36].episode is not None
    assert (observed[36].episode.passages, len(observed[36].episode.evidence)) == (2, 3)
    assert observed[37].episode is not None
    assert observed[37].episode.ended


def test_what_others_weigh_counts_for_the_same_line_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def logit(*weights: float) -> float:
        others = [lambda w=w, n=n: Weighs(w, f"weighs{n}") for n, w in enumerate(weights)]
        monkeypatch.setattr(registry, "DETECTORS", others)
        (seen,) = play(Show(show_info(HOST.name)), Panel(Arc(P)), ((TITLE, SOLD),))
        assert [found.weight for found in seen.findings] == list(weights)
        assert seen.episode is not None
        return seen.episode.logit

    assert logit() == -2.0
    assert logit(0.25, 0.5) == -1.25
    assert logit(5.0, 5.0) == -2.0 + MAX_EXTRA_WEIGHT
    assert logit(-5.0) == -2.0 - MAX_EXTRA_WEIGHT


def test_only_arc_opens_an_episode() -> None:
    """With what ships, a line that others note but that sells nothing begins none."""
    show, panel = Show(show_info(HOST.name)), Panel()
    (seen,) = play(show, panel, ((TITLE, reading(0.0)),))
    assert ([found.detector for found in seen.findings], seen.episode) == (["claims"], None)
    assert panel.finish(show) == []


def test_shipped_detectors_stay_within_the_bound_of_their_weight() -> None:
    observed = play(Show(show_info(HOST.name)), Panel(), STORY)
    weights = [found.weight for seen in observed for found in seen.findings]
    assert len(weights) == 3
    assert all(abs(weight) <= MAX_EXTRA_WEIGHT for weight in weights)


def test_the_end_of_the_show() -> None:
    show, panel = Show(show_info(HOST.name)), Panel(Arc(P))
    play(show, panel, (*STORY[:32], (Tick(330.0), None)))
    states, phases = panel.finish(show), panel.phases(show)
    assert states == [episode(at=330.0, logit=-2.0, phase="talk", ended=True)]
    assert phases == (PhaseSpan(0.0, 320.0, "teach"),)
    assert panel.finish(show) == []


@pytest.mark.parametrize("cut", range(28, len(STORY)))
def test_goes_on_from_a_snapshot(cut: int) -> None:
    show, panel = Show(show_info(HOST.name)), Panel(Arc(P))
    play(show, panel, STORY[:cut])
    other_show, other_panel = Show(show.info), Panel(Arc(P))
    other_show.restore(json.loads(json.dumps(show.snapshot())))
    other_panel.restore(json.loads(json.dumps(panel.snapshot())))
    wanted = play(show, panel, STORY[cut:])
    got = play(other_show, other_panel, STORY[cut:])
    assert [_without_quotes(seen) for seen in got] == [_without_quotes(seen) for seen in wanted]
    assert other_panel.phases(other_show) == panel.phases(show)


def _without_quotes(seen: Observed) -> Observed:
    """The quotes from before a restart are in the store."""
    return replace(seen, episode=replace(seen.episode, evidence=()) if seen.episode else None)
