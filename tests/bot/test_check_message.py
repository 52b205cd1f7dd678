"""Cards on Discord: whatever was said, a card fits into one message; members see only what was confirmed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.check_message import check_layout, statement_layout, unknown_layout
from bot.dossier import Dossier, RecordRow, Said, ShowBar
from bot.history import Past
from bot.messages import MAX_CHARACTERS, MAX_COMPONENTS, Picture, Words
from bot.reports import Card, ClaimRow, ObservationRow
from detectors.taxonomy import OFFERS

WORDS = st.one_of(st.text(max_size=400), st.sampled_from(["@!" * 400, "*" * 900, "[x](http://a.b/)" * 60, "😀" * 400]))
TIME = "2026-11-20T18:00:00+00:00"
CLAIMS = st.builds(
    ClaimRow, st.just("claim.title"), st.fixed_dictionaries({"words": WORDS}), WORDS, st.just(60.0), WORDS
)
OBSERVED = st.builds(
    ObservationRow,
    st.just("links"),
    st.just("links.shortened"),
    st.fixed_dictionaries({"words": WORDS}),
    WORDS,
    st.just(60.0),
    WORDS,
)
LINK = "https://discord.com/channels/11111111111111111111/22222222222222222222/33333333333333333333"
PAST = st.builds(
    Past,
    st.just("a" * 16),
    WORDS,
    WORDS,
    st.just(TIME),
    st.floats(0, 1),
    st.sampled_from(["open", "confirmed", "dismissed"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, LINK]),
)


@st.composite
def dossiers(draw: st.DrawFn) -> Dossier:
    """Anything that the store can hold about somebody, at its longest."""
    card = Card(
        account=draw(st.sampled_from(["discord:discord:12345678901234567890", "twitch:twitch:x"])),
        names=tuple(draw(st.lists(WORDS, max_size=6))),
        shows=draw(st.integers(0, 10**6)),
        hours=draw(st.floats(0, 1e6)),
        episodes=dict.fromkeys(("confirmed", "open", "dismissed"), draw(st.integers(0, 10**6))),
        offers=dict.fromkeys(draw(st.lists(st.sampled_from(OFFERS), unique=True)), 1),
        claims=tuple(draw(st.lists(CLAIMS, max_size=8))),
        self_promotion=draw(st.floats(0, 1)),
        last_seen=draw(st.sampled_from([None, TIME])),
        listening_since=draw(st.sampled_from([None, TIME])),
        statements=tuple(draw(st.lists(WORDS, max_size=5))),
        observations=tuple(draw(st.lists(OBSERVED, max_size=8))),
    )
    record = st.builds(RecordRow, WORDS, st.floats(0, 1e12), WORDS, st.just("2026-11-25"))
    return Dossier(
        card,
        tuple(draw(st.lists(record, max_size=5))),
        tuple(draw(st.lists(WORDS, max_size=8))),
        tuple(draw(st.lists(st.builds(ShowBar, st.just(TIME), st.just(60.0), st.just(0.5), st.just(1), st.just(1))))),
        tuple(draw(st.lists(PAST, max_size=15))),
        tuple(draw(st.lists(WORDS, max_size=6))),
        tuple(draw(st.lists(st.builds(Said, WORDS, st.just(61.0), st.sampled_from([None, LINK])), max_size=3))),
    )


@settings(max_examples=150, deadline=None)
@given(dossiers(), st.sampled_from(["en", "fr"]), st.booleans())
def test_every_card_fits_into_a_message(dossier: Dossier, language: str, moderator: bool) -> None:
    layout = check_layout(dossier, language, moderator)
    assert layout.characters <= MAX_CHARACTERS
    assert layout.components <= MAX_COMPONENTS
    assert all(part.text.strip() for part in layout.parts if isinstance(part, Words))


@settings(max_examples=60, deadline=None)
@given(WORDS, st.sampled_from(["en", "fr"]))
def test_statements_and_unknown_names_fit_too(text: str, language: str) -> None:
    assert statement_layout(10**11, text, text[:800], language).characters <= MAX_CHARACTERS
    assert unknown_layout(text, TIME, language).characters <= MAX_CHARACTERS


def dossier(**changes: Any) -> Dossier:
    card = Card("x:x:1", ("@host", "@was open"), 2, 1.5, {"confirmed": 0, "open": 1, "dismissed": 1}, {}, (), 0.1, TIME,
                TIME, ())  # fmt: skip
    bars = (ShowBar(TIME, 60.0, 0.5, 0, 1),)
    past = (Past("a" * 16, "@was open", "x", TIME, 0.9, "open", False, False, None),)
    made: dict[str, Any] = {"card": card, "records": (), "linked": (), "shows": bars, "past": past}
    return Dossier(**{**made, "confirmed_names": ("@host",), "said": (Said("join me", 61.0, None),), **changes})


@pytest.mark.parametrize("language", ["en", "fr"])
def test_members_see_no_name_picture_or_quote_of_what_is_not_confirmed(language: str) -> None:
    for_members = check_layout(dossier(), language, moderator=False)
    text = "\n".join(part.text for part in for_members.parts if isinstance(part, Words))
    assert "was open" not in text
    assert "join me" not in text
    assert not any(isinstance(part, Picture) for part in for_members.parts)
    for_moderators = check_layout(dossier(), language, moderator=True)
    text = "\n".join(part.text for part in for_moderators.parts if isinstance(part, Words))
    assert "was open" in text
    assert "join me" in text
    assert any(isinstance(part, Picture) for part in for_moderators.parts)


def test_whom_only_open_warnings_name_is_known_to_moderators_alone() -> None:
    card = Card("x:x:1", ("@host",), 0, 0.0, {"confirmed": 0, "open": 1, "dismissed": 0}, {}, (), 0.0, None, TIME, ())
    only_warned = dossier(card=card, shows=())
    assert only_warned.known_to(moderator=True)
    assert not only_warned.known_to(moderator=False)
