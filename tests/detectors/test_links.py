"""How links are given, what baits ask for, and what only looks like it."""

from dataclasses import replace

import pytest

from detectors.bait import find_bait
from detectors.links import Links, LinksParameters
from detectors.records import Event, Finding, Line, Message, Quote, Reading, SeatChange, Tick, Unavailable
from detectors.show import Show
from tests.stand_ins import chat, person, reading, show_info, speech

P = LinksParameters(
    together=60.0,
    quiet=180.0,
    pitch=0.5,
    again=3,
    bare=3,
    bare_share=0.8,
    most_per_person=4,
    most_people=3,
    weight=0.25,
)
SOLD, PLAIN = reading(0.9), reading(0.1)

Step = tuple[Event, Reading | Unavailable | None]


def observe(*steps: Step) -> list[Finding | None]:
    show, links = Show(show_info("@kingo")), Links(P)
    found = []
    for event, read in steps:
        show.apply(event)
        found.append(links.observe(show, event, read))
    return found


def keys(*steps: Step) -> list[str | None]:
    return [found.message.key if found else None for found in observe(*steps)]


def written(*texts: str, who: str = "@ana", apart: float = 10.0) -> list[Step]:
    return [(chat(n, apart * n, who, text), PLAIN) for n, text in enumerate(texts)]


def finding(line: Line, pitch: float, key: str, **params: str | int) -> Finding:
    quote = Quote(line.id, line.at, line.until, line.person, line.kind, line.text, pitch, line.seat)
    return Finding("links", line.person, line.until, 1.0, Message(key, params), (quote,), 0.25)


OFFER = speech(1, 0.0, "@kingo", "the course is open now", 10.0)
LINK = chat(2, 60.0, "@kingo", "it is all on kingo.example/go")


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([(OFFER, SOLD), (LINK, PLAIN)], finding(LINK, 0.1, "links.with_offer")),
        ([(LINK, PLAIN), (replace(OFFER, at=110.0, until=120.0), SOLD)], "links.with_offer"),
        ([(LINK, SOLD)], finding(LINK, 0.9, "links.with_offer")),
        # somebody in the chat for the presenter who sells
        (
            [(OFFER, SOLD), (chat(2, 30.0, "@ana", "here is kingo.example/go from kingo"), PLAIN)],
            finding(
                chat(2, 30.0, "@ana", "here is kingo.example/go from kingo"), 0.1, "links.for_offer", name="@kingo"
            ),
        ),
        (
            written("look bit.ly/abc"),
            finding(chat(0, 0.0, "@ana", "look bit.ly/abc"), 0.1, "links.shortened", words="bit.ly"),
        ),
        (
            written("see a.example", "yes A.example/ it is", "and a.example."),
            finding(chat(2, 20.0, "@ana", "and a.example."), 0.1, "links.again", words="a.example", count=3),
        ),
        (
            written("https://a.example", "www.b.example 👇👇", "c.example d.example"),
            finding(chat(2, 20.0, "@ana", "c.example d.example"), 0.1, "links.only", count=3, lines=3),
        ),
        (
            written("laisse ton mail et je t’écris"),
            finding(chat(0, 0.0, "@ana", "laisse ton mail et je t’écris"), 0.1, "links.bait", words="laisse ton mail"),
        ),
    ],
)
def test_noted_whole(steps: list[Step], wanted: Finding | str) -> None:
    *before, last = observe(*steps)
    assert before == [None] * len(before)
    assert last is not None
    assert wanted in (last, last.message.key)


@pytest.mark.parametrize(
    "steps",
    [
        [(OFFER, SOLD), (replace(LINK, at=70.1, until=70.1), PLAIN)],
        [(OFFER, reading(0.49)), (LINK, PLAIN)],
        [(OFFER, SOLD), (chat(2, 30.0, "@ana", "that reminds me of news.example"), PLAIN)],
        [(OFFER, SOLD), (chat(2, 90.0, "@ana", "kingo is on kingo.example"), PLAIN)],
        [(OFFER, SOLD), (chat(2, 30.0, "@ana", "kingo is great"), PLAIN)],
        # once or twice, or not the same
        written("see a.example", "see a.example"),
        written("see a.example/1", "see a.example/2", "see a.example/3"),
        # a smile, a slip of the keyboard, among words
        written("https://tenor.com/a", "https://tenor.com/b", "https://tenor.com/c"),
        written("ok.thanks", "oui.merci", "so.yeah", "e.g."),
        written("a.example", "hello", "b.example", "how are you", "c.example"),
        [(LINK, reading(0.0, "caution")), (OFFER, SOLD)],
        [(replace(LINK, weight=0.0), SOLD)],
        [(chat(1, 0.0, "@kingo", "never open bit.ly/abc"), reading(0.1, "caution"))],
        [(chat(1, 0.0, "@kingo", "our partner is on bit.ly/abc"), reading(0.1, "sponsor"))],
        [(Tick(5.0), None), (SeatChange("s", 6.0, 1, person("@kingo"), "joined"), None)],
    ],
)
def test_not_noted(steps: list[Step]) -> None:
    assert observe(*steps) == [None] * len(steps)


def test_the_most_telling_first_and_each_once() -> None:
    text = "drop your email on bit.ly/abc"
    said = [(speech(n, 10.0 * n, "@kingo", text), SOLD) for n in range(4)]
    assert keys(*said) == ["links.with_offer", "links.bait", "links.shortened", "links.again"]


def test_told_again_when_it_has_doubled_and_no_more_than_the_most() -> None:
    assert keys(*written(*["see a.example"] * 13)) == [
        *(None, None, "links.again", None, None, "links.again"),
        *(None,) * 5,
        *("links.again", None),
    ]
    many = [f"see bit.ly/{n}" for n in range(6)]
    assert keys(*written(*many)) == ["links.shortened"] * 4 + [None] * 2


@pytest.mark.parametrize("read", [Unavailable("no model"), None, PLAIN])
def test_noted_when_nobody_could_read_it(read: Reading | Unavailable | None) -> None:
    assert keys((chat(1, 0.0, "@ana", "bit.ly/abc"), read)) == ["links.shortened"]


def test_people_are_bounded_and_the_longest_silent_one_is_forgotten() -> None:
    links, show = Links(P), Show(show_info("@kingo"))
    for n, who in enumerate(("@a", "@b", "@c", "@a", "@d")):
        line = chat(n, 1.0 * n, who, "hi")
        show.apply(line)
        links.observe(show, line, PLAIN)
    assert [account.id for account in links._given] == ["@c", "@a", "@d"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("send me the word growth and i'll send you the guide", "send me the word growth"),
        ("just dm me the word REELS", "dm me the word REELS"),
        ("drop your best email in the chat", "drop your best email"),
        ("leave us your number", None),
        ("sign up with your email to get the free checklist", "sign up with your email"),
        ("comment GUIDE below and i’ll send you the link", "comment GUIDE below and i'll send you"),
        ("laissez-moi votre adresse", "laissez-moi votre adresse"),
        ("inscris-toi avec ton mail pour recevoir le guide", "inscris-toi avec ton mail"),
        ("envoie-moi le mot GUIDE en privé", "envoie-moi le mot GUIDE"),
        ("écris moi en mp le mot croissance", "écris moi en mp le mot croissance"),
        ("commente GUIDE et je t'envoie le lien", "commente GUIDE et je t'envoie"),
        ("commentez le mot plan et je vous l'envoie", "commentez le mot plan et je vous l'envoie"),
        # look-alikes
        ("type yes in the chat if you can hear me", None),
        ("send me the Word document", None),
        ("write the word hello in the variable", None),
        ("comment on that and i will reply", None),
        ("what do you do with your email address", None),
        ("enter your email in the form field", None),
        ("never leave your email on a page like that", None),
        ("should i give you my mail", None),
        ("écris le mot bonjour au tableau", None),
        ("tape le mot clé dans la barre de recherche", None),
        ("note ton adresse dans le champ du formulaire", None),
        ("ne laisse jamais ton mail sur une page comme ça", None),
        ("je t'envoie le lien demain", None),
    ],
)
def test_bait(text: str, words: str | None) -> None:
    assert find_bait(text) == words
