"""The picture of a show: a PNG in its size, different shows look different, and it is drawn in any thread."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from bot.charts import TIMELINE_HEIGHT, TIMELINE_WIDTH, timeline_picture
from bot.parcels import Parcel, QuoteRow
from config.wording import LANGUAGES
from detectors.records import PhaseSpan

PHASES = (PhaseSpan(0.0, 300.0, "talk"), PhaseSpan(300.0, 1200.0, "teach"), PhaseSpan(1200.0, 1260.0, "pitch"))
SHOW = Parcel(
    *("a", 1, True, "discord:1", None, "s", "A show", "replay:x", "replay:x:h", "@h", 1.0, 1.0, 1.0, 0.9),
    *((), (), (), (), (QuoteRow(1210.0, 1216.0, "@h", "speech", "the ebook"),)),
    phases=PHASES,
    show_seconds=1300.0,
)


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "show",
    [
        SHOW,
        replace(SHOW, phases=(), evidence=(), show_seconds=0.0),
        replace(SHOW, phases=(PhaseSpan(0.0, 0.0, "pitch"),), show_seconds=0.0),
        replace(SHOW, phases=(PhaseSpan(0.0, 18_000.0, "teach"),), show_seconds=18_000.0),
        replace(SHOW, phases=(PhaseSpan(0.0, 1e6, "talk"),), show_seconds=1e6),
    ],
    ids=["a show", "nothing yet", "no length", "five hours", "days"],
)
def test_a_picture_of_any_show(show: Parcel, language: str) -> None:
    picture = opened(timeline_picture(show, language))
    assert (picture.format, picture.size, picture.mode) == ("PNG", (TIMELINE_WIDTH, TIMELINE_HEIGHT), "RGBA")
    assert [picture.getpixel(at) for at in ((0, 0), (0, TIMELINE_HEIGHT - 1))] == [(255, 255, 255, 0)] * 2
    # A panel of its own, whatever is behind it, and nothing that runs off at its right edge.
    edge = {picture.getpixel((TIMELINE_WIDTH - 4, y)) for y in range(30, TIMELINE_HEIGHT - 30)}
    assert edge == {(0x1E, 0x1F, 0x22, 255)}


def test_what_differs_is_seen() -> None:
    shows = (
        SHOW,
        replace(SHOW, phases=PHASES[:2]),
        replace(SHOW, evidence=()),
        replace(SHOW, show_seconds=7200.0),
        # Ten seconds of five hours.
        replace(SHOW, phases=(PhaseSpan(600.0, 610.0, "pitch"),), evidence=(), show_seconds=18_000.0),
        replace(SHOW, phases=(), evidence=(), show_seconds=18_000.0),
    )
    pictures = [timeline_picture(show, "en") for show in shows]
    assert len(set(pictures)) == len(pictures)
    assert timeline_picture(SHOW, "fr") != pictures[0]


def test_threads_draw_the_same() -> None:
    alone = timeline_picture(SHOW, "en")
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: timeline_picture(SHOW, "en"), range(8))) == {alone}
