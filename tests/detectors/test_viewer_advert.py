"""What the audience advertises for itself."""

from dataclasses import replace

import pytest

from detectors.records import Event, Finding, Message, Quote, Reading, Tick, Unavailable
from detectors.show import Show
from detectors.viewer_advert import ViewerAdvert, ViewerAdvertParameters
from tests.stand_ins import chat, person, reading, show_info, speech

ADVERT = chat(2, 20.0, "@zoe", "cheap followers at boost.example")


def mixed(pitch: float, spam: float) -> Reading:
    read = reading(pitch)
    return replace(read, acts={**read.acts, "spam": spam, "other": 1.0 - pitch - spam})


def observe(event: Event, read: Reading | Unavailable | None, said: str = "welcome everyone") -> Finding | None:
    show = Show(show_info("@kingoreels"))
    show.apply(speech(1, 0.0, "@kingoreels", said))
    show.apply(event)
    return ViewerAdvert(ViewerAdvertParameters(threshold=0.6)).observe(show, event, read)


@pytest.mark.parametrize(("pitch", "spam", "score"), [(0.0, 1.0, 1.0), (0.35, 0.35, 0.7), (0.61, 0.0, 0.61)])
def test_noted_whole(pitch: float, spam: float, score: float) -> None:
    assert observe(ADVERT, mixed(pitch, spam)) == Finding(
        "viewer_advert",
        person("@zoe"),
        20.0,
        score,
        Message("spam.viewer"),
        (Quote("show-1/2", 20.0, 20.0, person("@zoe"), "chat", ADVERT.text, pitch),),
        weight=0.0,
    )


@pytest.mark.parametrize(
    ("event", "read", "said"),
    [
        (ADVERT, mixed(0.29, 0.3), "hello"),
        (ADVERT, reading(0.1, "sponsor"), "hello"),
        (ADVERT, Unavailable("no model"), "hello"),
        (ADVERT, None, "hello"),
        (Tick(20.0), None, "hello"),
        # spoken, or written by somebody who presents
        (speech(2, 20.0, "@zoe", ADVERT.text), mixed(0.0, 1.0), "hello"),
        (chat(2, 20.0, "@kingoreels", ADVERT.text), mixed(0.0, 1.0), "hello"),
        # on behalf of somebody who presents
        (ADVERT, mixed(0.9, 0.1), "it is all on boost.example"),
        (chat(2, 20.0, "@zoe", "book a call with kingoreels"), mixed(0.9, 0.1), "hello"),
    ],
)
def test_not_noted(event: Event, read: Reading | Unavailable | None, said: str) -> None:
    assert observe(event, read, said) is None
