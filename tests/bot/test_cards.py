"""What a terminal shows of hostile text."""

import pytest

from bot.cards import MAX_QUOTE_CHARS, _quote, clock, defang
from bot.outbox import QuoteRow


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
