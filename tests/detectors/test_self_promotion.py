"""The share of lines that point to a presenter's own spaces."""

from dataclasses import replace

import pytest

from detectors.records import Event, Finding, Line, Message, Quote, Reading, Tick, Unavailable
from detectors.self_promotion import SelfPromotion, SelfPromotionParameters, points_to_own
from detectors.show import Show
from tests.stand_ins import chat, reading, show_info, speech

P = SelfPromotionParameters(least_lines=20, share=0.25, most_people=2, weight=0.25)
TAUGHT, OWN = "so take the brush and hold it", "it is all on my channel"

Read = Reading | Unavailable | None


def observe(lines: list[Event], reads: list[Read] | None = None) -> list[Finding | None]:
    show, promotion = Show(show_info("@host")), SelfPromotion(P)
    found = []
    for event, read in zip(lines, reads or [reading(0.1, "teach")] * len(lines), strict=True):
        show.apply(event)
        found.append(promotion.observe(show, event, read))
    return found


def talk(*texts: str) -> list[Event]:
    return [speech(n, 10.0 * n, "@host", text) for n, text in enumerate(texts)]


def finding(line: Event, percent: int, lines: int, pitch: float = 0.1) -> Finding:
    assert isinstance(line, Line)
    quote = Quote(line.id, line.at, line.until, line.person, line.kind, line.text, pitch, line.seat)
    message = Message("self_promotion.share", {"percent": percent, "lines": lines})
    return Finding("self_promotion", line.person, line.until, percent / 100, message, (quote,), 0.25)


def test_noted_whole_when_it_passes_the_share_and_when_it_has_doubled() -> None:
    lines = talk(*[TAUGHT] * 15, *[OWN] * 5, *[OWN] * 9, OWN, *[OWN] * 5)
    found = observe(lines)
    assert [n for n, one in enumerate(found) if one] == [19, 29]
    assert found[19] == finding(lines[19], 25, 20)
    assert found[29] == finding(lines[29], 50, 30)


def test_lines_that_sell_count() -> None:
    lines = talk(*[TAUGHT] * 20)
    found = observe(lines, [*[reading(0.0, "teach")] * 14, *[reading(0.5)] * 6])
    assert found[-1] == replace(finding(lines[-1], 30, 20, 0.5), score=0.3)
    assert found[:-1] == [None] * 19


@pytest.mark.parametrize(
    ("lines", "reads"),
    [
        (talk(*[OWN] * 19), None),
        (talk(*[TAUGHT] * 16, *[OWN] * 4), None),
        (talk(*[TAUGHT] * 20), [reading(0.49)] * 20),
        (talk(*[OWN] * 20), [reading(0.0, "sponsor")] * 20),
        (talk(*[OWN] * 20), [reading(0.0, "caution")] * 20),
        (talk(*[TAUGHT] * 20), [Unavailable("no model")] * 20),
        ([*talk(*[TAUGHT] * 9), *(chat(n, 10.0 * n, "@ana", OWN) for n in range(30))], None),
        ([replace(line, weight=0.0) for line in talk(*[OWN] * 20) if isinstance(line, Line)], None),
        ([Tick(9.0)] * 20, None),
    ],
)
def test_not_noted(lines: list[Event], reads: list[Read] | None) -> None:
    assert observe(lines, reads) == [None] * len(lines)


def test_a_restart_makes_the_share_smaller_never_larger() -> None:
    show = Show(show_info("@host"))
    lines = talk(*[TAUGHT] * 30, *[OWN] * 9)
    for line in lines[:30]:
        show.apply(line)
    anew = SelfPromotion(P)
    for line in lines[30:]:
        show.apply(line)
        assert anew.observe(show, line, None) is None


def test_people_are_bounded() -> None:
    show, promotion = Show(show_info("@host")), SelfPromotion(P)
    for n in range(9):
        line = speech(n, 1.0 * n, f"@v{n}", OWN)
        show.apply(line)
        promotion.observe(show, line, None)
    assert len(promotion._counts) == 2


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("check my youtube channel", True),
        ("link in bio", True),
        ("subscribe to my newsletter for more", True),
        ("follow me on instagram", True),
        ("it is in our private discord", True),
        ("abonne-toi à ma chaîne", True),
        ("le lien est dans ma bio", True),
        ("suivez-moi sur instagram", True),
        ("tout est dans mon dernier livre", True),
        ("my page loads slowly", False),
        ("our book club meets on monday", False),
        ("follow the link in the docs", False),
        ("turn the page and read the book", False),
        ("la chaîne du froid", False),
        ("suis la ligne avec le pinceau", False),
        ("regarde le profil de la lame", False),
    ],
)
def test_points_to_own(text: str, own: bool) -> None:
    assert points_to_own(text) is own
