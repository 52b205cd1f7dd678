"""Shows for tests of `arc`: lines with their readings, and the numbers they are weighed by."""

import math
from collections.abc import Iterable

import pytest

from detectors.arc import Arc, ArcParameters
from detectors.records import (
    EpisodeState,
    Event,
    Line,
    Quote,
    Reading,
    Tick,
    Unavailable,
)
from detectors.show import Show
from tests.stand_ins import chat, person, reading, show_info, speech

#: Every number is set: what ships is fitted anew now and then. A sure pitch adds 2; half of it is left after 120 s.
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
    helper=-0.8,
    sure=0.0,
    floor=-3.0,
    episode_gap=600.0,
    present=0.5,
    stage=0.0,
    again=0.1,
)
HOST, GUEST, HELPER = person("@kingo_reels"), person("@marta"), person("@zoe")
SURE, WEAK = 0.97, 0.45

Step = tuple[Event, Reading | Unavailable | None]


def pitch(number: int, at: float, who: str = HOST.name, sure: float = SURE, text: str = "book a call") -> Step:
    return speech(number, at, who, text), reading(sure, offers=["coaching"], cues=["scarcity"])


def written(number: int, at: float, who: str, text: str, sure: float = SURE) -> Step:
    return chat(number, at, who, text), reading(sure, offers=["coaching"])


def other(number: int, at: float, act: str, who: str = HOST.name, seconds: float = 6.0) -> Step:
    return speech(number, at, who, "so the first thing is", seconds), reading(0.01, act)


def tick(at: float) -> Step:
    return Tick(at), None


class Stage:
    """A show with its arc."""

    def __init__(self, parameters: ArcParameters = P, host: str | None = HOST.name) -> None:
        self.show, self.arc = Show(show_info(host)), Arc(parameters)

    def play(self, *steps: Step) -> list[EpisodeState | None]:
        states = []
        for event, read in steps:
            self.show.apply(event)
            states.append(self.arc.observe(self.show, event, read))
        return states


def logits(states: Iterable[EpisodeState | None]) -> list[float | None]:
    return [state.logit if state else None for state in states]


def about(*values: float | None) -> list[object]:
    return [None if value is None else pytest.approx(value, abs=1e-4) for value in values]


def quote(step: Step) -> Quote:
    line, read = step
    assert isinstance(line, Line)
    assert isinstance(read, Reading)
    return Quote(line.id, line.at, line.until, line.person, line.kind, line.text, read.pitch, line.seat)


def log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
