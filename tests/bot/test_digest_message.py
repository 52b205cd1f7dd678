"""What Discord shows of a digest: within its limits whatever was said, harmless, and never "clean" after an outage."""

import csv
from dataclasses import replace
from io import BytesIO, StringIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.digest_charts import ACCOUNTS_PICTURE, WEEKS_PICTURE, WIDTH, digest_pictures
from bot.digest_message import digest_layout, span_words, waiting_text
from bot.digest_report import WEEKS, Digest, Ranked, RoomHours, Waiting, Week
from bot.digest_table import cell, digest_table, table_file, table_name
from bot.markdown import length
from bot.messages import MAX_ALT, MAX_CHARACTERS, MAX_COMPONENTS, Attached, Button, Layout, Picture, Row, Words
from config.wording import LANGUAGES
from detectors.taxonomy import OFFERS

KEY = "0123456789abcdef"
LINK = "https://discord.com/channels/1/2/3"
ROOM = RoomHours("discord:1/100", 31.2, 0.0, 0)
RANKED = Ranked("discord:discord:42", "@king", 3, 1, 3.4, 2, ("ebook",), ("discord:1/100",), (LINK,))
OPEN = Ranked("media:stream:@late", "@late", 0, 2, 0.4, -2, (), ("media:https://u:p@v.example/a?key=1",))
DIGEST = Digest(
    *("1", "2026-10-19T07:00:00+00:00", "2026-10-26T08:00:00+00:00", (RANKED, OPEN)),
    *({"done": 11, "waiting": 4}, 3, (ROOM,), 16_200.0, (Week("2026-10-19", 3, 3),), 9),
)
NOTHING = replace(DIGEST, ranking=(), weeks=(Week("2026-10-19", 0, 0),), held_back=0, review_seconds=None)

texts = st.text(max_size=120) | st.sampled_from(
    [
        "@everyone",
        "<@&1>",
        "[a](https://b.example)",
        "*" * 100,
        "\U0001f3a5" * 100,
        "http://" + "a." * 60,
        "=1+1",
        "$x$",
    ]
)
counts = st.integers(0, 10_000)
hours = st.floats(0, 5_000)
ranked = st.builds(
    Ranked,
    *(texts | st.just("discord:discord:42"), texts, counts, counts, st.floats(0, 9_999), st.integers(-9_999, 9_999)),
    st.lists(st.sampled_from(OFFERS), unique=True).map(tuple),
    st.lists(texts.map(lambda text: f"media:{text}"), min_size=1, max_size=6).map(tuple),
    st.lists(st.just("https://discord.com/channels/" + "/".join(["9" * 20] * 3)), max_size=5).map(tuple),
)
rooms = st.builds(RoomHours, texts.map(lambda text: f"media:{text}"), hours, hours, counts, hours)
some_digests = st.builds(
    Digest,
    *(st.just("1"), st.just(DIGEST.since), st.just(DIGEST.until), st.lists(ranked, max_size=30).map(tuple)),
    *(st.just({"done": 9_999, "waiting": 9_999}), counts, st.lists(rooms, max_size=40).map(tuple)),
    *(st.none() | st.floats(0, 1e8),),
    st.lists(st.builds(Week, st.just("2026-10-19"), counts, counts), max_size=WEEKS).map(tuple),
    *(counts, hours),
)


def words(layout: Layout) -> str:
    return "\n".join(part.text for part in layout.parts if isinstance(part, Words))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(some_digests, st.sampled_from(LANGUAGES))
def test_it_fits_into_a_message_and_pings_nobody(digest: Digest, language: str) -> None:
    layout = digest_layout(digest, language, KEY)
    assert layout.characters <= MAX_CHARACTERS
    assert layout.components <= MAX_COMPONENTS
    assert layout.ping_role is None
    assert all(part.text.strip() for part in layout.parts if isinstance(part, Words))
    assert all(0 < len(part.alt) <= MAX_ALT for part in layout.parts if isinstance(part, Picture))
    text = words(layout)
    assert "@everyone" not in text and "<@&" not in text
    assert "](https://b.example" not in text
    (row,) = [part for part in layout.parts if isinstance(part, Row)]
    (button,) = row.items
    assert isinstance(button, Button) and button.custom_id.endswith(f":{KEY}")


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(some_digests, st.sampled_from(LANGUAGES))
def test_every_picture_that_is_shown_is_there_whatever_the_names(digest: Digest, language: str) -> None:
    pictures = digest_pictures(digest, language)
    layout = digest_layout(digest, language, KEY)
    assert {part.name for part in layout.parts if isinstance(part, Picture)} == set(pictures)
    assert [part.name for part in layout.parts if isinstance(part, Attached)] == list(table_file(digest))
    for data in pictures.values():
        picture = Image.open(BytesIO(data))
        assert (picture.format, picture.size[0], picture.mode) == ("PNG", WIDTH, "RGBA")
        assert picture.size[1] <= 800


def test_pictures_have_a_panel_of_their_own_and_differ() -> None:
    pictures = digest_pictures(DIGEST, "en")
    assert set(pictures) == {WEEKS_PICTURE, ACCOUNTS_PICTURE}
    for data in pictures.values():
        picture = Image.open(BytesIO(data))
        assert picture.getpixel((0, 0)) == (255, 255, 255, 0)
        edge = {picture.getpixel((x, y)) for x in (3, WIDTH - 4) for y in range(30, picture.size[1] - 30)}
        assert edge == {(0x1E, 0x1F, 0x22, 255)}
    assert digest_pictures(DIGEST, "fr") != pictures
    more = replace(DIGEST, weeks=(Week("2026-10-19", 3, 4),), ranking=(RANKED,))
    assert all(digest_pictures(more, "en")[name] != data for name, data in pictures.items())
    assert digest_pictures(NOTHING, "en") == {}


def test_what_it_says_of_people() -> None:
    lines = words(digest_layout(DIGEST, "en", KEY)).splitlines()
    assert lines[0] == "### Digest"
    assert lines[1:3] == [
        "From <t:1792393200:f> to <t:1793001600:f>",
        "**3** confirmed, **3** not reviewed yet · the period before: 9 in all",
    ]
    assert lines[3:7] == [
        "**Confirmed by moderators**",
        f"- **\\@king** <@42> · 3 confirmed · 1 open · trend +2 · score 3.4 · an ebook or book · <#100> · [1]({LINK})",
        "**Possible, not reviewed yet**",
        "- **\\@late** · 2 open · trend −2 · confirmed before (score 0.4) · v[.]example\\/a".replace("[.]", "\\[.\\]"),
    ]
    assert "Reviews: 11 done, 4 waiting · median time to a review: 4 h" in lines
    assert any(line.startswith("The cap held back 3 warning(s)") for line in lines)


@pytest.mark.parametrize(
    ("rooms", "off", "says", "never"),
    [
        ((ROOM,), 0.0, "No possible pitches in this time.", "not the same as clean"),
        ((), 0.0, "No room was heard in this time.", "No possible pitches"),
        ((replace(ROOM, heard_hours=0.0),), 0.0, "No room was heard in this time.", "No possible pitches"),
        ((ROOM, RoomHours("janus:x", 0.0, 0.0, 0, 9.0)), 0.0, "in what was heard.", "in this time."),
        ((ROOM,), 5.0, "⚠ Pitchwatch itself did not run for 5.0 h.", "in this time."),
        ((RoomHours("janus:x", 1.0, 2.0, 0),), 0.0, "⚠ janus\\:x: could not be heard for 2.0 h", "quiet"),
        ((ROOM, RoomHours("janus:x", 0.0, 0.0, 0)), 0.0, "janus\\:x: quiet, nothing was said there", "⚠"),
        ((RoomHours("janus:x", 9.0, 0.5, 7),), 0.0, "heard 9.0 h, not heard 0.5 h, 7 line(s) lost", "⚠"),
    ],
)
def test_an_outage_is_never_called_clean(rooms: tuple[RoomHours, ...], off: float, says: str, never: str) -> None:
    text = words(digest_layout(replace(NOTHING, rooms=rooms, off_hours=off), "en", KEY))
    assert says in text
    assert never not in text


def test_french_has_commas_in_its_numbers() -> None:
    assert "31,2 h entendues" in words(digest_layout(DIGEST, "fr", KEY))


@pytest.mark.parametrize(("seconds", "told"), [(0, "0 min"), (5_000, "83 min"), (16_200, "4 h"), (600_000, "7 d")])
def test_how_long_something_took(seconds: float, told: str) -> None:
    assert span_words(seconds, "en") == told


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+33", "'+33"),
        ("-2", "'-2"),
        ("\t=1", "'=1"),
        ("\r\n=1", "'=1"),
        ("  =1", "'=1"),
        ("\u200b=1", "'=1"),
        ("＝1", "'＝1"),
        ("|cmd", "'|cmd"),
        ("a=1", "a=1"),
        ("two\nlines", "two lines"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(text: str, kept: str) -> None:
    assert cell(text) == kept


@given(texts)
def test_a_spreadsheet_reads_back_what_stands_there(name: str) -> None:
    digest = replace(DIGEST, ranking=(replace(RANKED, name=name),))
    for sign in ",;\t":  # some cut at other signs than commas
        (heading, row) = list(csv.reader(StringIO(digest_table(digest).replace('","', f'"{sign}"')), delimiter=sign))
        assert heading[:2] == ["account", "name"]
        assert (len(row), row[1]) == (len(heading), cell(name))
        assert not row[1].startswith(("=", "+", "-", "@"))


def test_the_table_that_is_sent_holds_no_keys() -> None:
    ((name, data),) = table_file(DIGEST).items()
    assert name == table_name(DIGEST) == "digest-2026-10-26.csv"
    assert data.startswith(b"\xef\xbb\xbf")
    assert b"v.example/a" in data
    assert b"key=1" not in data and b"u:p@" not in data


def test_what_waits_fits_into_a_text() -> None:
    link = "https://discord.com/channels/" + "/".join(["9" * 20] * 3)
    waiting = [Waiting(KEY, "*" * 200, DIGEST.since, link if n % 2 else None) for n in range(200)]
    text = waiting_text(waiting, "fr")
    assert "200 avertissement(s)" in text
    assert length(text) <= 2_000
    assert text.endswith(f"`{KEY}`")
