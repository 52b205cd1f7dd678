"""What a terminal shows of hostile text."""

from io import StringIO

import pytest
from rich.console import Console

from bot.cards import MAX_QUOTE_CHARS, _quote, clock, defang, report_card
from bot.parcels import QuoteRow
from bot.reports import Card, ClaimRow, ObservationRow
from config.wording import LANGUAGES, say, wording


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("see https://a.example/x?y=1 now", "see https[:]//a[.]example/x?y=1 now"),
        ("it is on shop.example, ok", "it is on shop[.]example, ok"),
        ("at 3.50 a piece. Then we go", "at 3.50 a piece. Then we go"),
        ("\x1b[2Jgone\r\nand \u202eback", " [2Jgone  and  back"),
    ],
)
def test_links_are_dead_and_nothing_steers_the_terminal(said: str, shown: str) -> None:
    assert defang(said) == shown


def test_a_long_quote_is_cut() -> None:
    text = _quote(QuoteRow(61.0, 70.0, "@a", "speech", "w" * 4000)).plain
    assert text == f"   1:01 @a » {'w' * (MAX_QUOTE_CHARS - 1)}…"


def test_clock() -> None:
    assert [clock(s) for s in (0, 59.9, 3599, 3661)] == ["0:00", "0:59", "59:59", "1:01:01"]


CARD = Card(
    account="replay:script:@host",
    names=("@host",),
    shows=1,
    hours=1.0,
    episodes={"confirmed": 0, "open": 0, "dismissed": 0},
    offers={},
    claims=(ClaimRow("claim.title", {"words": "the king of reels"}, "show-1", 61.0, "q"),),
    self_promotion=0.0,
    last_seen=None,
    listening_since=None,
    statements=(),
    observations=(
        ObservationRow("links", "links.again", {"words": "bit.ly/a", "count": 3}, "show-1", 62.0, "q"),
        ObservationRow("remark", "phase.pitch", {"words": "…"}, "show-1", 63.0, ""),
    ),
)


def shown(card: Card, language: str) -> list[str]:
    out = StringIO()
    Console(file=out, width=140).print(report_card(card, language))
    return [line.strip("│ \n") for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_card_tells_claims_and_observations_apart(language: str) -> None:
    lines = shown(CARD, language)
    claims, others = (say(language, f"card.{key}") for key in ("claims", "observations"))
    title = say(language, "claim.title", words="the king of reels")
    again = say(language, "links.again", words="bit[.]ly/a", count=3)
    first = next(n for n, line in enumerate(lines) if line.startswith(claims))
    assert [line.removeprefix(claims).removeprefix(others).strip() for line in lines[first : first + 3]] == [
        f"{title} (show-1, 1:01)",
        f"{again} (show-1, 1:02)",
        f"{say(language, 'phase.pitch')} (show-1, 1:03)",
    ]
    assert lines[first + 1].startswith(others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_observations_can_be_told_after_their_words_were_deleted(language: str) -> None:
    params = {"words": "…", "count": 3, "lines": 4, "minutes": 5, "percent": 40, "name": "@host"}
    sections = ("buzzwords.", "links.", "repeats.", "self_promotion.", "automation.")
    keys = [key for key in wording(language) if key.startswith(sections)]
    assert len(keys) == 13
    assert all("{" not in say(language, key, **params) for key in keys)
