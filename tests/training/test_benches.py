"""What the benches lay out and leave out is what they say."""

import random
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise

from detectors.arc import ArcParameters
from detectors.classifier import Request
from detectors.gate import passed_reading
from detectors.records import Line, Reading
from tests.bench.ablation import ARC_PARTS, Changed
from tests.bench.real_talk import LEAST_SECONDS, talks
from tests.bench.speed import SHOWS, Chat, whole_shows


def test_a_drawn_chat_holds_two_pitches_in_a_hundred() -> None:
    texts = Chat(["buy"], ["hi"]).draw(1000, random.Random(1))
    assert (len(texts), texts.count("buy")) == (1000, 20)


class Pitches:
    """Takes every line for a pitch, so that whoever presents is looked at twice."""

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        return [Reading({"pitch": 0.9}, {}, {}, "en") for _ in requests]


def test_whole_shows_count_second_looks() -> None:
    figures = whole_shows(Pitches(), SHOWS[:1])
    assert figures["show_seconds_per_second"] > 100 and 1.5 < figures["requests_per_line"] <= 8.0


def rows(count: int, label: str = "teach", channel: str = "c") -> list[dict[str, object]]:
    return [
        {
            "kind": "speech",
            "text": "word " * 28,
            "label": label,
            "channel": channel,
            "video": f"v{n % 3}",
            "seg": [n, n],
        }
        for n in range(count)
    ]


def test_talk_is_laid_out_by_channel_video_and_segment_without_its_pitches() -> None:
    (talk,) = talks([*rows(40), *rows(5, "pitch"), *rows(3, channel="short")], with_pitches=False)
    lines = [event for event in talk.events if isinstance(event, Line)]
    assert len(lines) == 40 and not talk.pitches
    assert talk.seconds >= LEAST_SECONDS
    assert all(a.until < b.at for a, b in pairwise(lines))


def test_pitches_stay_where_they_are_when_asked_for() -> None:
    (talk,) = talks([*rows(40), *rows(5, "pitch")], with_pitches=True)
    assert len(talk.pitches) == 5


def test_what_is_left_out_of_arc_is_a_part_of_it() -> None:
    usual = asdict(ArcParameters())
    assert all(usual[name] != value for off in ARC_PARTS.values() for name, value in off.items())


def test_requests_are_changed_before_they_are_read() -> None:
    asked: list[Request] = []

    class Reader:
        def read(self, requests: Sequence[Request]) -> list[Reading]:
            asked.extend(requests)
            return [passed_reading("en") for _ in requests]

    Changed(Reader(), lambda request: Request(request.text, request.kind)).read([Request("a", "chat", ("b",))])
    assert asked == [Request("a", "chat")]
