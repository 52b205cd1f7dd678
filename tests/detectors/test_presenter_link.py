"""Who in the chat speaks for whom on the stage."""

import pytest

from detectors.presenter_link import find_presenter_link, says_for_whom
from detectors.records import Event, Line, Person
from detectors.show import Show
from tests.stand_ins import chat, person, show_info, speech

HOST, GUEST = person("@KingoReels"), person("@marta_paints")


def show_with(*events: Event) -> Show:
    """A host and a guest who have spoken, then `events`."""
    show = Show(show_info(HOST.name))
    show.apply(speech(1, 0.0, HOST.name, "hello and welcome"))
    show.apply(speech(2, 8.0, GUEST.name, "nice to be here", seat=2))
    for event in events:
        show.apply(event)
    return show


def said(who: Person, text: str) -> Line:
    return speech(3, 20.0, who.name, text)


@pytest.mark.parametrize(
    ("before", "line", "sellers", "for_whom"),
    [
        # a presenter who sells is named by what is written, or by the name of who writes it
        ((), ("@zoe", "kingoreels has a course for that"), (HOST,), HOST),
        ((), ("@zoe", "ask MARTA, she has a course"), (GUEST,), GUEST),
        ((), ("@team_kingoreels", "his course is open"), (HOST,), HOST),
        ((), ("@zoe", "kingoreels has a course for that"), (), None),
        ((), ("@zoe", "ask marta about her course"), (HOST,), None),
        # a presenter who sells has named the writer
        ((said(HOST, "Josephine will drop it in the chat"),), ("@josephine.b", "book a call"), (HOST,), HOST),
        ((said(HOST, "Josephine will drop it in the chat"),), ("@josephine.b", "book a call"), (), None),
        ((said(HOST, "my team will drop it in the chat"),), ("@team_b", "book a call"), (HOST,), None),
        ((said(HOST, "ana drops it"),), ("@ana", "book a call"), (HOST,), None),  # too short a name to be one
        # the same link, whether or not anything was sold yet
        ((said(GUEST, "it is on marta.example/ink"),), ("@zoe", "https://MARTA.example/ink/"), (), GUEST),
        ((said(GUEST, "it is on www.marta.example"),), ("@zoe", "(see http://marta.example)"), (), GUEST),
        ((said(GUEST, "it is on marta.example/ink"),), ("@zoe", "zoe.example/ink"), (), None),
        ((chat(3, 20.0, "@bob", "marta.example/ink"),), ("@zoe", "marta.example/ink"), (), None),
        # a viewer's own link is nobody else's
        ((), ("@zoe", "the link again: shop.example/now"), (HOST, GUEST), None),
        ((), ("@zoe", "so good... i mean 3.5 out of 4"), (HOST,), None),
        ((), ("@zoe", "so good"), (HOST,), None),
        # somebody who presents speaks for nobody else
        ((), (GUEST.name, "marta.example/ink"), (GUEST,), None),
    ],
)
def test_link(before: tuple[Event, ...], line: tuple[str, str], sellers: tuple[Person, ...], for_whom: Person) -> None:
    written = chat(9, 30.0, *line)
    assert find_presenter_link(show_with(*before), written, [one.account for one in sellers]) == for_whom


def test_nobody_presents() -> None:
    show = Show(show_info(None))
    line = chat(1, 5.0, "@zoe", "shop.example")
    show.apply(line)
    assert find_presenter_link(show, line, [person("@bob").account]) is None


@pytest.mark.parametrize(
    ("who", "text", "told"),
    [
        ("@zoe", "here: kingoreels.example/call", True),
        ("@zoe", "here: https://shop.kingo-reels.example/call", True),
        ("@team_kingoreels", "four places left", True),
        ("@equipe_kingoreels2", "four places left", True),
        ("@KingoReels_Support", "four places left", True),
        ("@zoe", "kingoreels has four places left", False),
        ("@zoe", "kingoreels is on other.example/now", False),  # a stranger's link beside the name
        ("@zoe", "four places left on other.example/now", False),
        ("@zoe", "thanks kingoreels.amazing as ever", False),  # no link: a blank is missing
        ("@marta", "four places left", False),
        ("@team_marta", "four places left", False),
    ],
)
def test_who_says_for_whom(who: str, text: str, told: bool) -> None:
    assert says_for_whom(chat(9, 30.0, who, text), HOST) is told


@pytest.mark.parametrize(
    ("who", "told"), [("@marta.b", False), ("@paints_daily", False), ("@mod_marta", True), ("@marta_paints_shop", True)]
)
def test_a_part_of_the_name_alone_may_be_a_namesakes(who: str, told: bool) -> None:
    assert says_for_whom(chat(9, 30.0, who, "four places left"), GUEST) is told


def test_a_name_that_is_too_short_is_in_everything() -> None:
    assert not says_for_whom(chat(9, 30.0, "@team_al", "al.example/now"), person("@al"))
