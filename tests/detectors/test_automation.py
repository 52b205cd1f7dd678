"""Claims of automatic posting, messages and bots, and what only speaks of such things."""

from dataclasses import replace

import pytest

from detectors.automation import Automation, AutomationParameters, find_automation
from detectors.records import Event, Finding, Message, Quote, Reading, Tick, Unavailable
from detectors.show import Show
from tests.stand_ins import chat, reading, show_info, speech

P = AutomationParameters(most_people=2, weight=0.25)


def observe(*events: Event, read: Reading | Unavailable | None = None) -> list[Finding | None]:
    show, automation = Show(show_info("@host")), Automation(P)
    found = []
    for event in events:
        show.apply(event)
        found.append(automation.observe(show, event, read or reading(0.4)))
    return found


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("our tool posts to ten networks at once", "posting", "posts to ten networks"),
        ("Unlimited posting on all platforms, $9!", "posting", "Unlimited posting on all platforms"),
        (
            "you never have to write again it posts to fifteen platforms automatically",
            "posting",
            "posts to fifteen platforms",
        ),
        ("il publie sur dix réseaux d’un seul clic", "posting", "publie sur dix réseaux"),
        ("publications illimitées sur tous les réseaux", "posting", "publications illimitées sur tous les réseaux"),
        ("tu n'as plus à écrire ça poste sur tous tes réseaux à la fois", "posting", "poste sur tous tes réseaux"),
        (
            "it sends an automatic message to every new follower",
            "messages",
            "automatic message to every new follower",
        ),
        ("auto dms to all new followers", "messages", "auto dms to all new followers"),
        ("it messages every new follower for you", "messages", "messages every new follower"),
        ("un message automatique à chaque nouvel abonné", "messages", "message automatique à chaque nouvel abonné"),
        (
            "ça envoie automatiquement un message à tes abonnés",
            "messages",
            "envoie automatiquement un message à tes abonnés",
        ),
        ("we have a bot that comments on every post", "bots", "a bot that comments"),
        ("bots that like and comment day and night", "bots", "bots that like"),
        ("des bots qui commentent à ta place", "bots", "bots qui commentent"),
        ("un robot qui like pendant que tu dors", "bots", "robot qui like"),
    ],
)
@pytest.mark.parametrize("spoken", [True, False])
def test_noted_whole_and_once(text: str, key: str, words: str, spoken: bool) -> None:
    first = speech(1, 10.0, "@host", text) if spoken else chat(1, 10.0, "@ana", text)
    found = observe(first, replace(first, id="show-1/2"))
    quote = Quote(first.id, first.at, first.until, first.person, first.kind, first.text, 0.4, first.seat)
    message = Message(f"automation.{key}", {"words": words})
    assert found == [Finding("automation", first.person, first.until, 1.0, message, (quote,), 0.25), None]


@pytest.mark.parametrize(
    "text",
    [
        # spoken against
        "don't buy bots that comment it gets you banned",
        "i hate automatic messages to new followers",
        "never let a tool post to ten networks at once",
        "les bots qui commentent c'est interdit",
        "n'envoie jamais de message automatique aux nouveaux abonnés",
        # other things
        "the bot posted the schedule in all channels",
        "i follow the bot channel",
        "we post the notes on two platforms",
        "i post on every platform myself",
        "write a message to every student",
        "un robot qui suit la ligne au sol",
        "on publie le compte rendu sur le site",
        "unlimited coffee on the upper platform",
        "",
    ],
)
def test_not_claimed(text: str) -> None:
    assert list(find_automation(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "does it post to ten networks at once",
        "so can a bot like posts for me",
        "a bot that comments on posts?",
        "est-ce que ça publie sur dix réseaux d'un clic",
    ],
)
def test_a_viewer_asks_and_a_presenter_only_seems_to(text: str) -> None:
    assert observe(chat(1, 0.0, "@ana", text)) == [None]
    assert observe(speech(1, 0.0, "@host", text)) != [None]


@pytest.mark.parametrize(
    ("event", "read"),
    [
        (speech(1, 0.0, "@host", "a bot that comments"), reading(0.0, "caution")),
        (speech(1, 0.0, "@host", "a bot that comments"), reading(0.0, "sponsor")),
        (replace(speech(1, 0.0, "@host", "a bot that comments"), weight=0.0), None),
        (Tick(9.0), None),
    ],
)
def test_not_noted(event: Event, read: Reading | None) -> None:
    assert observe(event, read=read) == [None]


def test_each_sort_once_and_noted_when_nobody_could_read_it() -> None:
    both = "our bots comment and send an automatic message to every new follower"
    lines = [speech(n, 10.0 * n, "@host", both) for n in range(3)]
    found = observe(*lines, read=Unavailable("no model"))
    assert [one.message.key if one else None for one in found] == ["automation.messages", "automation.bots", None]


def test_people_are_bounded() -> None:
    show, automation = Show(show_info("@host")), Automation(P)
    for n in range(9):
        automation.observe(show, chat(n, 1.0 * n, f"@v{n}", "a bot that comments"), None)
    assert len(automation._told) == 2
