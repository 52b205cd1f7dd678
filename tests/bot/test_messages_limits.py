"""Whatever was said, Discord takes what is sent, and nothing of it is active."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import answers
from bot.markdown import length
from bot.messages import (
    MAX_ALT,
    MAX_CHARACTERS,
    MAX_COMPONENTS,
    Button,
    Layout,
    Picture,
    Row,
    Words,
    alert_layout,
    why_text,
)
from bot.parcels import DecisionRow, NoteRow, Parcel, QuoteRow
from detectors.records import Message
from detectors.taxonomy import CUES, OFFERS
from tests.bot.test_messages import MODERATOR, RAISED, parcel, quote

PIECES = (
    *("@everyone", "@here", "<@123456789012345678>", "<@&1>", "<#1>", "<t:1:R>", "<:a:1>", "[x](http://y.example)"),
    *("*", "_", "`", "```", "||", "~", "#", "\n", "> ", "- ", "\\", "\u200b", "\u202e", "\u0301", "😀", "1.", "a"),
)


NASTY = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(PIECES),
        max_size=150,
    ).map("".join),
    st.sampled_from(["*" * 4000, "@1" * 2000, "😀" * 4000, "\\" * 4000, "W" * 4000]),
)


SECONDS = st.floats(0, 400_000)


QUOTES = st.builds(
    QuoteRow,
    at=SECONDS,
    until=SECONDS,
    who=NASTY,
    kind=st.sampled_from(["speech", "chat"]),
    text=NASTY,
    event_id=st.one_of(st.just("show-1/m" + "9" * 20), NASTY),
    seat=st.one_of(st.none(), st.integers(1, 4)),
    pitch=st.floats(0, 1),
)


REASONS = st.one_of(
    st.builds(lambda name: Message("why.for_presenter", {"name": name}), NASTY),
    st.builds(
        lambda a, b: Message("claim.followers_beside_record", {"number": 9, "source": a, "known": 1, "as_of": b}),
        NASTY,
        NASTY,
    ),
    st.builds(lambda cue: Message(f"why.cue.{cue}"), st.sampled_from(CUES)),
)


# A moderator is an account of ours, never what somebody said.
BY = st.one_of(st.just(MODERATOR), NASTY.filter(lambda text: not text.startswith("discord:")))


PARCELS = st.builds(
    parcel,
    show_title=NASTY,
    room=st.one_of(st.just("discord:11/22"), NASTY.map(lambda text: f"media:{text}")),
    name=NASTY,
    score=st.floats(0, 1),
    since=SECONDS,
    offers=st.lists(st.sampled_from(OFFERS), unique=True).map(tuple),
    cues=st.lists(st.sampled_from(CUES), unique=True).map(tuple),
    reasons=st.lists(REASONS, max_size=20).map(tuple),
    evidence=st.lists(QUOTES, max_size=30).map(tuple),
    status=st.sampled_from(["open", "confirmed", "dismissed"]),
    decision=st.one_of(
        st.none(),
        st.builds(
            DecisionRow,
            decision=st.sampled_from(["confirmed", "dismissed"]),
            by=BY,
            decided=st.one_of(st.just(RAISED), NASTY),
            changes=st.lists(REASONS, max_size=20).map(tuple),
        ),
    ),
    notes=st.lists(st.builds(NoteRow, by=BY, text=NASTY, written=st.just(RAISED)), max_size=12).map(tuple),
    snoozed_until=st.sampled_from([None, RAISED]),
    more=st.integers(0, 10**6),
)


OURS = (f"<@{MODERATOR.rsplit(':', 1)[1]}>", "<#22>", "<t:1791055530:R>", "<t:1791055530:f>")


#: What Discord's server and client make something of, in raw text.
ACTIVE = re.compile(r"@everyone|@here|<(?:@[!&]?\d|#\d|t:-?\d|a?:\w+:\d|/\w|id:)", re.IGNORECASE)


LINKS = re.compile(r"\[[\d:]+\]\(https://discord\.com/channels/11/22/\d+\)|\[[\d:]+\]\(https://www\.[^\s()]+\)")


def check(layout: Layout) -> None:
    """Discord takes the message, and nothing in it does anything that we did not put there."""
    assert layout.components <= MAX_COMPONENTS
    assert layout.characters + length("<@&12345678901234567890>") <= MAX_CHARACTERS
    for part in layout.parts:
        if isinstance(part, Words):
            assert part.text.strip()
            rest = part.text
            for own in OURS:
                rest = rest.replace(own, "")
            assert not ACTIVE.search(rest), rest
            rest = LINKS.sub("", rest)
            # Unescaped, a bracket would open a masked link, and "://" an address that can be clicked on.
            assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]`|~]|://", rest), rest
            assert not re.search("[\u200c-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", rest)
            lines = rest.split("\n")
            starts = r"### |\*\*|> |- |-# |"
            assert all(re.match(starts, line) for line in lines)
        elif isinstance(part, Picture):
            assert 0 < len(part.alt) <= MAX_ALT
        elif isinstance(part, Row):
            assert len(part.items) <= 5
            for item in part.items:
                assert len(item.custom_id) <= 100
                assert 0 < len(item.label if isinstance(item, Button) else item.placeholder) <= 80


@settings(max_examples=150, deadline=None)
@given(made=PARCELS, language=st.sampled_from(["en", "fr"]), dry_run=st.booleans())
def test_whatever_was_said_discord_takes_the_warning(made: Parcel, language: str, dry_run: bool) -> None:
    check(alert_layout(made, language, ping_role="12345678901234567890", ping_from=0.0, dry_run=dry_run))


@settings(max_examples=100, deadline=None)
@given(made=PARCELS, language=st.sampled_from(["en", "fr"]), log=st.lists(st.tuples(BY, NASTY), max_size=100))
def test_whatever_was_said_discord_takes_the_answer_to_why(
    made: Parcel, language: str, log: list[tuple[str, str]]
) -> None:
    lines = [answers.log_line(by, action, RAISED, {}) for by, action in log]
    check(why_text(made, language, 0.8, lines))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_worst_case_fits(language: str) -> None:
    worst = "@1" * 2000
    reason = Message(
        "claim.followers_beside_record", {"number": 10**9, "source": worst, "known": 10**9, "as_of": worst}
    )
    full = parcel(
        name=worst,
        show_title=worst,
        room=f"media:{worst}",
        offers=OFFERS,
        cues=(),
        reasons=(Message("why.for_presenter", {"name": worst}), *[reason] * 20),
        evidence=tuple(quote(n, worst, who=worst, kind="chat", at=4e5, event_id="s/m" + "9" * 20) for n in range(40)),
        decision=DecisionRow("confirmed", worst, worst, (reason,) * 20),
        notes=(NoteRow(worst, worst, RAISED),) * 12,
        snoozed_until=RAISED,
        more=10**6,
    )
    check(alert_layout(full, language, ping_role="12345678901234567890", ping_from=0.0, dry_run=True))
    check(alert_layout(replace(full, room="discord:11/22"), language))
    check(why_text(full, language, 0.8, [answers.log_line(worst, worst, worst, {})] * 100))
