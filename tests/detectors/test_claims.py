"""Titles, follower counts and incomes that people claim, and what only looks like it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.claims import Claim, Claims, ClaimsParameters, find_claims
from detectors.records import AccountFact, Event, Finding, Line, Message, Quote, Reading, SeatChange, Tick, Unavailable
from detectors.show import Show
from tests.stand_ins import chat, person, reading, show_info, speech

LIMITS = ClaimsParameters(least_followers=500, least_money=200, most_per_person=3)


def title(words: str) -> Claim:
    return Claim("title", words)


def followers(words: str, number: int) -> Claim:
    return Claim("followers", words, number)


def income(words: str, number: int) -> Claim:
    return Claim("income", words, number)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("I'm the king of reels", [title("the king of reels")]),
        ("I’m the King of Reels", [title("the King of Reels")]),
        ("they call me the hashtag ninja around here", [title("the hashtag ninja")]),
        ("i am honestly just an Instagram growth expert", [title("an Instagram growth expert")]),
        ("I'm the number one page doctor in this market", [title("the number one")]),
        ("je suis la reine du marketing", [title("la reine du marketing")]),
        ("on m’appelle le gourou des ventes", [title("le gourou des ventes")]),
        ("moi on m'appelle la papesse du print", [title("la papesse du print")]),
        ("c'est moi le roi", [title("le roi")]),
        ("I have 1.2 million followers", [followers("1.2 million followers", 1_200_000)]),
        ("from zero to 50k+ followers", [followers("50k+ followers", 50_000)]),
        ("I will take you from 0 to 10k followers", [followers("10k followers", 10_000)]),
        ("we gained 8.2k real subscribers", [followers("8.2k real subscribers", 8_200)]),
        ("j'ai 12 000 abonnés", [followers("12 000 abonnés", 12_000)]),
        ("plus de 2 millions d’abonnés", [followers("2 millions d'abonnés", 2_000_000)]),
        ("on est 15,5k abonnées", [followers("15,5k abonnées", 15_500)]),
        ("I made $10,000 last month", [income("$10,000", 10_000)]),
        ("my clients make £3.5k a week with it", [income("£3.5k", 3_500)]),
        ("she earned 4.1m dollars in a year", [income("4.1m dollars", 4_100_000)]),
        ("je gagne 5 000 € par mois", [income("5 000 €", 5_000)]),
        ("j'ai encaissé 2 millions d'euros", [income("2 millions d'euros", 2_000_000)]),
        ("tu peux générer 10k€ par mois", [income("10k€", 10_000)]),
        ("you have to be on every network", [Claim("everywhere", "be on every network")]),
        ("i'm on every single platform", [Claim("everywhere", "i'm on every single platform")]),
        ("il faut être présent sur tous les réseaux", [Claim("everywhere", "être présent sur tous les réseaux")]),
        ("we were basically born with instagram", [Claim("born", "we were basically born with instagram")]),
        ("je suis née avec les réseaux sociaux", [Claim("born", "je suis née avec les réseaux")]),
        ("i have the most followers in this space", [Claim("most", "i have the most followers")]),
        ("on a la plus grosse communauté de france", [Claim("most", "on a la plus grosse communauté")]),
        (
            "I'm the queen of launches, 90k followers, and I made 30k euros and $7k in one week",
            [
                title("the queen of launches"),
                followers("90k followers", 90_000),
                income("30k euros", 30_000),
                income("$7k", 7_000),
            ],
        ),
    ],
)
def test_claimed(text: str, claims: list[Claim]) -> None:
    assert list(find_claims(text, LIMITS)) == claims


@pytest.mark.parametrize(
    "text",
    [
        "",
        # no title of one's own
        "I'm not a guru, I just try things",
        "i am really not an expert",
        "I'm no expert but it works",
        "je suis pas un gourou",
        "je suis plus la reine de rien",
        "I'm with the king of reels tonight",
        "I'm looking for an expert in tax",
        "je suis chez le roi du range",
        "the king of reels is on stage",
        "beware of every guru you meet",
        # words that begin like a title
        "I'm Kingston based",
        "I'm a Queensland native",
        "je suis papetier",
        "je suis roitelet",
        # small or other counts
        "I went live for 120 followers",
        "499 abonnés et ça me va",
        "10k views and 300 comments",
        "followers are not everything",
        # sums that nobody earns, or small ones
        "the camera costs $1,200",
        "my rent is $2,000 a month",
        "I made $150 last month",
        "the course is 497 euros",
        "The company made $5 million that season",
        "they closed a round of $30 million",
        "j'ai payé 3 000 € le matériel",
        "i make two videos a week",
        # sayings denied, or about others
        "you don't have to be on every network",
        "pas besoin d'être sur tous les réseaux",
        "the outage was on every network",
        "kids today are born with social media",
        "ma fille est née avec les réseaux sociaux",
        "i don't have the most followers",
        "which account has the most followers",
        "je sais pas qui a le plus d'abonnés",
    ],
)
def test_not_claimed(text: str) -> None:
    assert list(find_claims(text, LIMITS)) == []


@pytest.mark.parametrize(
    ("text", "limits", "claims"),
    [
        ("500 fans", LIMITS, [followers("500 fans", 500)]),
        ("500 fans", replace(LIMITS, least_followers=501), []),
        ("I made $200", LIMITS, [income("$200", 200)]),
        ("I made $200", replace(LIMITS, least_money=201), []),
        ("in 2024 500 followers", LIMITS, [followers("500 followers", 500)]),
    ],
)
def test_limits(text: str, limits: ClaimsParameters, claims: list[Claim]) -> None:
    assert list(find_claims(text, limits)) == claims


@given(st.integers(500, 999_999), st.sampled_from(["{}", "{:,}"]), st.sampled_from(["followers", "abonnés"]))
def test_every_count_is_read_as_it_is_written(number: int, form: str, word: str) -> None:
    written = f"{form.format(number)} {word}"
    assert list(find_claims(f"i got {written} now", LIMITS)) == [followers(written, number)]


@given(st.integers(1, 999), st.integers(0, 99), st.sampled_from([("k", 1_000), ("m", 1_000_000)]))
def test_every_abbreviated_count_is_exact(whole: int, hundredths: int, unit: tuple[str, int]) -> None:
    letter, times = unit
    written = f"{whole}.{hundredths:02}{letter} followers"
    assert list(find_claims(written, LIMITS)) == [followers(written, whole * times + hundredths * times // 100)]


@given(st.text("I'm aking ofx1,. 0$€k+", max_size=300))
def test_any_text_is_bounded_work(text: str) -> None:
    assert all(claim.words and claim.words in text for claim in find_claims(text, LIMITS) if claim.sort != "title")


def show_with(*events: Event) -> Show:
    show = Show(show_info("@host"))
    for event in events:
        show.apply(event)
    return show


def finding(line: Line, key: str, **params: str | int) -> Finding:
    quote = Quote(line.id, line.at, line.until, line.person, line.kind, line.text, 0.0, line.seat)
    return Finding("claims", line.person, line.until, 1.0, Message(key, params), (quote,), 0.0)


FACT = AccountFact("f1", 0.0, person("@host"), 312, "profile", "2026-10-01")
COUNT = speech(1, 10.0, "@host", "i have 90k followers")


@pytest.mark.parametrize(
    ("line", "facts", "key", "params"),
    [
        (COUNT, (), "claim.followers", {"words": "90k followers", "number": 90_000}),
        (
            COUNT,
            (FACT,),
            "claim.followers_beside_record",
            {
                "words": "90k followers",
                "number": 90_000,
                "known": 312,
                "source": "profile",
                "as_of": "2026-10-01",
            },
        ),
        (
            COUNT,
            (replace(FACT, person=person("@guest")),),
            "claim.followers",
            {"words": "90k followers", "number": 90_000},
        ),
        (
            speech(1, 10.0, "@host", "I'm the king of reels"),
            (FACT,),
            "claim.title",
            {"words": "the king of reels"},
        ),
        (
            chat(1, 10.0, "@host", "I made $9k last month"),
            (FACT,),
            "claim.income",
            {"words": "$9k", "number": 9_000},
        ),
    ],
)
def test_noted_whole(line: Line, facts: tuple[AccountFact, ...], key: str, params: dict[str, str | int]) -> None:
    show = show_with(*facts, line)
    assert Claims(LIMITS).observe(show, line, reading(0.3)) == finding(line, key, **params)


def test_the_newest_known_figure_stands_beside_the_claim() -> None:
    show = show_with(FACT, replace(FACT, id="f2", at=5.0, followers=340, as_of="2026-10-02"), COUNT)
    noted = Claims(LIMITS).observe(show, COUNT, reading())
    assert noted is not None
    assert (noted.message.params["known"], noted.message.params["as_of"]) == (340, "2026-10-02")


@pytest.mark.parametrize("read", [reading(), reading(0.9), reading(0.0, "spam"), Unavailable("no model"), None])
def test_noted_whatever_else_the_line_does(read: Reading | Unavailable | None) -> None:
    assert Claims(LIMITS).observe(show_with(COUNT), COUNT, read) is not None


@pytest.mark.parametrize(
    ("event", "read"),
    [
        (COUNT, reading(0.1, "caution")),
        (COUNT, reading(0.1, "sponsor")),
        (replace(COUNT, weight=0.0), reading()),
        (chat(1, 10.0, "@viewer", "i have 90k followers"), reading()),
        (Tick(10.0), None),
        (SeatChange("s", 10.0, 1, person("@host"), "joined"), None),
    ],
)
def test_not_noted(event: Event, read: Reading | None) -> None:
    assert Claims(LIMITS).observe(show_with(event), event, read) is None


def test_each_claim_once_per_person_and_no_more_than_the_most() -> None:
    said = ("90k followers", "i said 90,000 followers", "80k followers", "I'm a ninja", "70k followers", "a ninja i'm")
    lines = [speech(n, 10.0 * n, "@host", text) for n, text in enumerate(said)]
    other = speech(9, 90.0, "@guest", "90k followers", seat=2)
    show, claims = show_with(*lines, other), Claims(LIMITS)
    noted = [claims.observe(show, line, reading()) for line in (*lines, other)]
    assert [found.message.params["words"] if found else None for found in noted] == [
        *("90k followers", None, "80k followers", "a ninja", None, None),
        "90k followers",
    ]


def test_a_second_claim_of_a_line_is_noted_when_it_is_said_again() -> None:
    line = speech(1, 10.0, "@host", "I'm a ninja with 90k followers")
    show, claims = show_with(line), Claims(LIMITS)
    noted = [claims.observe(show, line, reading()) for _ in range(3)]
    assert [found.message.key if found else None for found in noted] == ["claim.title", "claim.followers", None]
