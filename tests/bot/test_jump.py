"""Where a quote can be heard or read: addresses put together from numbers and ids, nothing passed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jump import jump_link

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
TWITCH = "https://www.twitch.tv/videos/123456"


@pytest.mark.parametrize(
    ("room", "event_id", "at", "link"),
    [
        ("discord:11/22", "22-1/m333", 5.0, "https://discord.com/channels/11/22/333"),
        ("discord:11/22", "a/show/with/slashes/m333", 5.0, "https://discord.com/channels/11/22/333"),
        ("discord:11/22", "show/333", 5.0, None),
        ("discord:11/22", "show/m333x", 5.0, None),
        ("discord:11/22", "show/m333\n", 5.0, None),
        ("discord:11/../@me", "show/m333", 5.0, None),
        ("discord:11", "show/m333", 5.0, None),
        ("discord:1١/22", "show/m333", 5.0, None),
        (f"media:{VIDEO}", "s/1", 123.9, f"{VIDEO}&t=123s"),
        (f"media:{VIDEO}&list=x)[y](http://z", "s/1", 0.0, f"{VIDEO}&t=0s"),
        ("media:http://youtu.be/dQw4w9WgXcQ?si=track", "s/1", 3.0, f"{VIDEO}&t=3s"),
        ("media:https://m.youtube.com/live/dQw4w9WgXcQ", "s/1", 3.0, f"{VIDEO}&t=3s"),
        ("media:https://user:secret@www.youtube.com/shorts/dQw4w9WgXcQ/", "s/1", 3.0, f"{VIDEO}&t=3s"),
        (f"media:{TWITCH}", "s/1", 3723.0, f"{TWITCH}?t=1h2m3s"),
        ("media:https://twitch.tv/someone/video/123456", "s/1", 59.0, f"{TWITCH}?t=0h0m59s"),
        ("media:https://www.twitch.tv/someone", "s/1", 59.0, None),
        ("media:https://www.youtube.com/@someone/live", "s/1", 59.0, None),
        ("media:https://www.youtube.com/watch?v=a b)", "s/1", 59.0, None),
        ("media:https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ", "s/1", 59.0, None),
        ("media:javascript://www.youtube.com/watch?v=dQw4w9WgXcQ", "s/1", 59.0, None),
        ("media:https://[::1", "s/1", 59.0, None),
        ("media:/srv/show.mp4", "s/1", 59.0, None),
        ("replay:show.jsonl", "show/m333", 59.0, None),
        (f"media:{VIDEO}", "s/1", -5.0, f"{VIDEO}&t=0s"),
    ],
)
def test_links(room: str, event_id: str, at: float, link: str | None) -> None:
    assert jump_link(room, event_id, at) == link


@given(
    kind=st.sampled_from(
        ["discord:", "media:", "media:https://www.youtube.com/watch?v=", "media:https://youtu.be/", ""]
    ),
    rest=st.text(),
    event_id=st.text(),
    at=st.floats(-1e6, 1e6),
)
def test_whatever_the_address_a_link_holds_nothing_that_ends_it(kind: str, rest: str, event_id: str, at: float) -> None:
    link = jump_link(kind + rest, event_id, at)
    assert link is None or (link.startswith("https://") and link.isascii() and not set(link) & set(" ()[]<>\"'\\\n"))
    assert link is None or len(link) <= 100
