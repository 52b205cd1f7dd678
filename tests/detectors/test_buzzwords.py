"""Big words without a measure, and talk that only sounds like it."""

from dataclasses import replace

import pytest

from detectors.buzzwords import Buzzwords, BuzzwordsParameters
from detectors.records import Event, Finding, Line, Message, Quote, Reading, Tick, Unavailable
from detectors.show import Show
from tests.stand_ins import chat, reading, show_info, speech

P = BuzzwordsParameters(window=300.0, least=6, least_kinds=3, least_share=0.05, most_people=2, weight=0.25)

ENGLISH = (
    "it is all about community and engagement when you build your tribe",
    "your authority comes from the value that you give to your community",
    "and then visibility comes by itself",
)
FRENCH = (
    "tout est dans la communauté et l’engagement de ta tribu",
    "ton autorité vient de la valeur que tu donnes",
    "et la visibilité vient toute seule",
)


def talk(texts: tuple[str, ...], apart: float = 20.0, who: str = "@host") -> list[Line]:
    return [speech(n, apart * n, who, text) for n, text in enumerate(texts)]


def observe(events: list[Event], read: Reading | Unavailable | None = None) -> list[Finding | None]:
    show, buzzwords = Show(show_info("@host")), Buzzwords(P)
    found = []
    for event in events:
        show.apply(event)
        found.append(buzzwords.observe(show, event, read or reading(0.1, "teach")))
    return found


def finding(line: Line, words: str, count: int) -> Finding:
    quote = Quote(line.id, line.at, line.until, line.person, line.kind, line.text, 0.1, line.seat)
    message = Message("buzzwords.often", {"words": words, "count": count, "minutes": 5})
    return Finding("buzzwords", line.person, line.until, 1.0, message, (quote,), 0.25)


@pytest.mark.parametrize(
    ("texts", "told", "words", "count"),
    [
        (ENGLISH, 1, "community, engagement, tribe, authority", 6),
        (FRENCH * 2, 2, "communauté, engagement, tribu, autorité", 6),
        (("we put in the hours", *ENGLISH), 2, "community, engagement, tribe, authority", 6),
    ],
)
def test_noted_whole_and_once(texts: tuple[str, ...], told: int, words: str, count: int) -> None:
    lines = talk(texts * 3)
    found = observe([*lines])
    assert found[: told + 1] == [*[None] * told, finding(lines[told], words, count)]
    assert found[told + 1 :] == [None] * (len(lines) - told - 1)


@pytest.mark.parametrize(
    "texts",
    [
        # measured, before or beside
        ("and that made us forty more sales", *ENGLISH),
        ("we look at conversion and at cost per lead", *ENGLISH),
        ("on regarde le chiffre d'affaires et la marge", *FRENCH),
        ("les clients reviennent", *FRENCH),
        # too few kinds of words
        ("the community garden is run by the community for the community",) * 3,
        ("la communauté de communes et la communauté",) * 4,
        ("the value of x is three", "this value is the default", "we change the value") * 3,
        # too thin
        (*("so take the brush and hold it like this and then the paint goes on in one thin layer",) * 9, *ENGLISH),
        # too little
        ENGLISH[1:2],
        FRENCH[:1],
    ],
)
def test_not_noted(texts: tuple[str, ...]) -> None:
    assert observe([*talk(texts)]) == [None] * len(texts)


def test_a_measure_is_forgotten_with_its_stretch_of_time() -> None:
    lines = [speech(9, 0.0, "@host", "we count sales"), *(replace(line, at=line.at + 301.0) for line in talk(ENGLISH))]
    assert [found is not None for found in observe([*lines])] == [False, False, True, False]


@pytest.mark.parametrize(
    "events",
    [
        [*talk(ENGLISH, apart=301.0)],
        [chat(n, 9.0 * n, "@ana", text) for n, text in enumerate(ENGLISH * 2)],
        [replace(line, weight=0.0) for line in talk(ENGLISH)],
        [Tick(30.0)],
    ],
)
def test_not_of_others_and_not_over_a_long_time(events: list[Event]) -> None:
    assert [one for one in observe(events) if one] == []


@pytest.mark.parametrize("act", ["caution", "sponsor"])
def test_not_when_it_is_quoted_to_warn_of_it(act: str) -> None:
    assert [one for one in observe([*talk(ENGLISH * 2)], reading(0.0, act)) if one] == []


def test_what_is_remembered_is_bounded() -> None:
    show, buzzwords = Show(show_info("@host")), Buzzwords(P)
    for n in range(9):
        for line in talk(ENGLISH * 9, who=f"@v{n}"):
            show.apply(line)
            buzzwords.observe(show, line, None)
    assert len(buzzwords._said) <= 2
    assert len(buzzwords._told) <= 2
