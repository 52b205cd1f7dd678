"""The model stage: which lines are read, with what, and what becomes of them when the model fails."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from bot.reading import ModelStage
from detectors.classifier import Request
from detectors.records import Reading, SeatChange, Tick, Unavailable
from detectors.show import Show
from tests.stand_ins import MarkReader, chat, person, reading, show_info, speech


class CountingReader:
    """Gives each line a reading of its own, by its number of words, and notes the thread it ran on."""

    def __init__(self) -> None:
        self.threads: list[str] = []

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        self.threads.append(threading.current_thread().name)
        return [reading(len(request.text.split()) / 100) for request in requests]


class FailingReader:
    """Fails, or answers too little."""

    def __init__(self, answer: list[Reading] | Exception) -> None:
        self._answer = answer

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture
def reader() -> MarkReader:
    return MarkReader()


@pytest.fixture
def stage(reader: MarkReader) -> Iterator[ModelStage]:
    made = ModelStage(reader)
    yield made
    made.close()


async def test_every_line_gets_its_own_reading_and_nothing_else_gets_one() -> None:
    counting = CountingReader()
    stage = ModelStage(counting)
    batch = [
        SeatChange("show-1/2", 0.0, 1, person("@host"), "joined"),
        speech(3, 1.0, "@host", "one two"),
        Tick(30.0),
        chat(4, 31.0, "@ana", "one two three"),
        chat(5, 32.0, "@bob", "one"),
    ]
    assert await stage.read(Show(show_info()), batch) == [None, reading(0.02), None, reading(0.03), reading(0.01)]
    stage.close()
    assert counting.threads == ["models_0"]


async def test_nothing_is_asked_when_there_are_no_lines(stage: ModelStage, reader: MarkReader) -> None:
    assert await stage.read(Show(show_info()), [Tick(30.0)]) == [None]
    assert await stage.read(Show(show_info()), []) == []
    assert reader.requests == []


async def test_a_line_is_read_with_the_lines_before_it(stage: ModelStage, reader: MarkReader) -> None:
    show = Show(show_info())
    for event in (speech(2, 0.0, "@host", "first"), chat(3, 4.0, "@ana", "hi"), speech(4, 8.0, "@guest", "second")):
        show.apply(event)
    await stage.read(
        show, [speech(5, 20.0, "@host", "third"), chat(6, 27.0, "@ana", "why"), chat(7, 28.0, "@ana", "?")]
    )
    assert reader.requests == [
        Request("third", "speech", ("first", "second"), "en", gated=False),
        Request("why", "chat", ("hi", "second", "third"), "en", gated=True),
        Request("?", "chat", ("third", "why"), "en", gated=True),
    ]


async def test_the_gate_is_for_the_audience_only(stage: ModelStage, reader: MarkReader) -> None:
    show = Show(show_info("@host"))
    show.apply(SeatChange("show-1/2", 0.0, 2, person("@guest"), "joined"))
    batch = [chat(3, 1.0, "@host", "a"), chat(4, 2.0, "@guest", "b"), chat(5, 3.0, "@ana", "c")]
    await stage.read(show, [*batch, speech(6, 4.0, "@ana", "d")])
    assert [request.gated for request in reader.requests] == [False, False, True, False]


async def test_the_hint_of_the_line_goes_before_that_of_the_show(stage: ModelStage, reader: MarkReader) -> None:
    show = Show(show_info())
    line = speech(2, 0.0, "@host", "bonjour")
    french = type(line)(line.id, line.at, line.until, line.person, line.text, line.kind, line.seat, "fr")
    unsaid = type(line)(line.id, line.at, line.until, line.person, line.text, line.kind, line.seat, None)
    await stage.read(show, [french, unsaid])
    assert [request.lang for request in reader.requests] == ["fr", "en"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RuntimeError("out of memory"), "RuntimeError: out of memory"),
        (MemoryError(), "MemoryError: "),
        ([reading(0.9)], "ValueError: zip() argument 2 is shorter than argument 1"),
        ([reading(0.9)] * 3, "ValueError: zip() argument 2 is longer than argument 1"),
    ],
    ids=["fails", "dies", "too few", "too many"],
)
async def test_what_a_model_could_not_read_is_unavailable_and_never_harmless(
    answer: list[Reading] | Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage = ModelStage(FailingReader(answer))
    batch = [chat(2, 0.0, "@ana", "a"), Tick(30.0), chat(3, 31.0, "@ana", "b")]
    with caplog.at_level(logging.ERROR):
        assert await stage.read(Show(show_info()), batch) == [Unavailable(reason), None, Unavailable(reason)]
    stage.close()
    assert caplog.messages == [f"2 lines of show-1 were not read: {reason}"]


async def test_a_model_that_failed_once_is_asked_again() -> None:
    class Moody:
        calls = 0

        def read(self, requests: Sequence[Request]) -> list[Reading]:
            self.calls += 1
            if self.calls == 1:
                raise OSError("gone")
            return [reading(0.5) for _ in requests]

    stage = ModelStage(Moody())
    show = Show(show_info())
    first = await stage.read(show, [chat(2, 0.0, "@ana", "a")])
    second = await stage.read(show, [chat(3, 1.0, "@ana", "b")])
    stage.close()
    assert [first, second] == [[Unavailable("OSError: gone")], [reading(0.5)]]


class PassageReader(MarkReader):
    """Finds a pitch in a passage where it says "really"; fails on "broken" ones."""

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        if any("broken" in request.text and not request.context for request in requests):
            raise RuntimeError("out of memory")
        return [
            replace(one, acts=reading(0.9 if "really" in request.text else 0.3).acts)
            for one, request in zip(super().read(requests), requests, strict=True)
        ]


async def test_what_looks_like_a_pitch_is_read_again_with_its_passage() -> None:
    reader = PassageReader()
    stage, show = ModelStage(reader), Show(show_info())
    show.apply(speech(2, 0.0, "@host", "this is really new"))
    batch = [
        chat(3, 5.0, "@ana", "$ mine"),
        speech(4, 10.0, "@host", "buy it"),
        SeatChange("show-1/5", 16.0, 2, person("@ana"), "joined"),
        chat(6, 20.0, "@ana", "$ mine too"),
        chat(7, 22.0, "@ana", "$ and again"),
    ]
    assert await stage.read(show, batch) == [
        reading_of("$ mine", 0.3),
        replace(reading_of("buy it", 0.3), passage=0.9),
        None,
        reading_of("$ mine too", 0.3),  # the first that @ana says from a seat
        replace(reading_of("$ and again", 0.3), passage=0.3),
    ]
    assert [request.text for request in reader.requests[4:]] == ["this is really new buy it", "$ mine too $ and again"]
    stage.close()


async def test_a_busy_chat_does_not_hide_what_a_presenter_said_before() -> None:
    reader = PassageReader()
    stage, show = ModelStage(reader), Show(show_info())
    show.apply(speech(2, 0.0, "@host", "this is really new"))
    for n in range(3, 203):
        show.apply(chat(n, 0.2 * n, f"@viewer{n % 50}", "hello"))
    assert await stage.read(show, [speech(300, 60.0, "@host", "buy it")]) == [
        replace(reading_of("buy it", 0.3), passage=0.9)
    ]
    stage.close()


async def test_a_second_look_that_fails_leaves_the_first_reading(caplog: pytest.LogCaptureFixture) -> None:
    stage, show = ModelStage(PassageReader()), Show(show_info())
    show.apply(speech(2, 0.0, "@host", "first"))
    with caplog.at_level(logging.ERROR):
        assert await stage.read(show, [speech(3, 10.0, "@host", "broken")]) == [reading_of("broken", 0.3)]
    assert caplog.messages == ["show-1: no second look: RuntimeError: out of memory"]
    stage.close()


def reading_of(text: str, pitch: float) -> Reading:
    return replace(MarkReader().read([Request(text, "speech")])[0], acts=reading(pitch).acts)
