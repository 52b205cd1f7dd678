"""The same text from many, or in many places, and what many say anyway."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.records import Finding, Line, Message, Quote, Reading, RoomKey, Tick, Unavailable
from detectors.repeats import MAX_ALONE, MAX_ROOMS, RepeatMemory, Repeats, RepeatsParameters
from detectors.show import Show
from detectors.signatures import signature
from tests.stand_ins import chat, reading, show_info, speech

P = RepeatsParameters(risk=0.2, accounts=3, rooms=2, most_people=50, weight=0.25)
SPAM, PLAIN = reading(0.0, "spam"), reading(0.05)
ENGLISH = "get ten thousand real followers in one week write to zoe today"
NEARLY = "get ten thousand real followers in one week write to zoe today!!"
FRENCH = "dix mille vrais abonnés en une semaine écris à zoé dès aujourd'hui"
GREETING = "good evening everyone i am so happy to be here with you tonight"


def show_in(room: str) -> Show:
    return Show(replace(show_info("@host"), room=RoomKey("replay", room)))


def observe(said: list[tuple[str, str, str]], read: Reading | Unavailable | None = SPAM) -> list[Finding | None]:
    """Say texts as (room, who, text), each room with a show of its own and one memory for all."""
    memory = RepeatMemory()
    shows = {room: (show_in(room), Repeats(P, memory)) for room, _, _ in said}
    found = []
    for n, (room, who, text) in enumerate(said):
        show, repeats = shows[room]
        line = chat(n, 10.0 * n, who, text)
        show.apply(line)
        found.append(repeats.observe(show, line, read))
    return found


def finding(line: Line, key: str, count: int) -> Finding:
    quote = Quote(line.id, line.at, line.until, line.person, line.kind, line.text, 0.0, line.seat)
    return Finding("repeats", line.person, line.until, 1.0, Message(key, {"count": count}), (quote,), 0.25)


@pytest.mark.parametrize(
    ("said", "key", "count"),
    [
        ([("a", "@a", ENGLISH), ("a", "@b", NEARLY), ("a", "@c", ENGLISH)], "repeats.accounts", 3),
        ([("a", "@a", FRENCH), ("a", "@b", FRENCH), ("a", "@c", FRENCH.upper())], "repeats.accounts", 3),
        ([("a", "@a", ENGLISH), ("b", "@a", NEARLY)], "repeats.rooms", 2),
        ([("a", "@a", FRENCH), ("b", "@b", FRENCH)], "repeats.rooms", 2),
    ],
)
def test_noted_whole(said: list[tuple[str, str, str]], key: str, count: int) -> None:
    *before, last = observe(said)
    n, (_, who, text) = len(before), said[-1]
    assert before == [None] * n
    assert last == finding(chat(n, 10.0 * n, who, text), key, count)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ([("a", "@a", ENGLISH), ("a", "@b", ENGLISH)], SPAM),
        ([("a", "@a", ENGLISH)] * 5, SPAM),
        ([("a", "@a", ENGLISH), ("b", "@b", FRENCH)], SPAM),
        # another offer, and nothing that is long enough to be told apart
        ([("a", "@a", ENGLISH), ("b", "@b", "write to zoe for the recipe of the lemon cake from the video")], SPAM),
        ([("a", "@a", "link below"), ("b", "@b", "link below"), ("b", "@c", "link below")], SPAM),
        # what everybody says
        ([("a", "@a", GREETING), ("b", "@b", GREETING), ("b", "@c", GREETING)], PLAIN),
        ([("a", "@a", GREETING), ("b", "@b", GREETING)], Unavailable("no model")),
        ([("a", "@a", ENGLISH), ("b", "@b", ENGLISH)], reading(0.0, "caution")),
        ([("a", "@a", ENGLISH), ("b", "@b", ENGLISH)], reading(0.0, "sponsor")),
    ],
)
def test_not_noted(said: list[tuple[str, str, str]], read: Reading | Unavailable | None) -> None:
    assert observe(said, read) == [None] * len(said)


def test_a_line_with_a_link_is_looked_at_whatever_it_was_read_as() -> None:
    said = [("a", "@a", f"{GREETING} zoe.example"), ("b", "@b", f"{GREETING} zoe.example")]
    for read in (PLAIN, Unavailable("no model"), None):
        assert [found is not None for found in observe(said, read)] == [False, True]


def test_once_per_person_and_what() -> None:
    said = [("a", "@a", ENGLISH), ("b", "@b", ENGLISH), ("b", "@b", ENGLISH), ("b", "@c", ENGLISH)]
    more = [("b", "@b", ENGLISH), ("b", "@c", ENGLISH), ("b", "@c", ENGLISH)]
    assert [found.message.key if found else None for found in observe([*said, *more])] == [
        *(None, "repeats.rooms", None, "repeats.rooms"),
        *("repeats.accounts", "repeats.accounts", None),
    ]


def test_neither_time_nor_what_nobody_said() -> None:
    show, repeats = show_in("a"), Repeats(P)
    assert repeats.observe(show, Tick(9.0), None) is None
    for n in range(3):
        line = replace(speech(n, 9.0, f"@v{n}", ENGLISH), weight=0.0)
        assert repeats.observe(show, line, SPAM) is None
    assert len(repeats.memory) == 0


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = RepeatMemory(size=3)
    far = [0x0, 0xFFFF, 0xFFFF0000, 0xFFFF00000000]
    assert [memory.add(signed, f"@{n}", "a") for n, signed in enumerate(far)] == [(1, 1)] * 4
    assert len(memory) == 3
    assert memory.add(far[1], "@x", "b") == (2, 2)
    assert memory.add(far[0], "@x", "b") == (1, 1)


def test_one_account_alone_cannot_fill_the_memory() -> None:
    memory = RepeatMemory(size=3)
    assert [memory.add(7, "@a", "a") for _ in range(9)] == [(1, 1)] * 9
    assert len(memory) == 1


@pytest.mark.parametrize(
    ("here", "there", "known"),
    [
        ({"guild:1"}, {"guild:1"}, (2, 2)),
        ({"guild:1"}, {"guild:1", "guild:2"}, (2, 2)),
        ({"guild:1", "guild:2"}, {"guild:1"}, (1, 1)),  # what is noted here the second guild would read as well
        ({"guild:1"}, {"guild:2"}, (1, 1)),
        ({"guild:1"}, None, (1, 1)),
    ],
)
def test_a_room_counts_only_for_those_who_watch_it(
    here: set[str], there: set[str] | None, known: tuple[int, int]
) -> None:
    memory = RepeatMemory()
    for room, watchers in (("here", here), ("there", there)):
        if watchers is not None:
            memory.watched(room, watchers)
    memory.add(7, "@b", "there")
    assert memory.add(7, "@a", "here") == known


def test_who_watches_is_bounded() -> None:
    memory = RepeatMemory()
    for n in range(MAX_ROOMS + 1):
        memory.watched(f"r{n}", {"guild:1"})
    memory.add(7, "@a", "r0")
    assert memory.add(7, "@b", f"r{MAX_ROOMS}") == (1, 1)


def test_signatures_of_all_bits_are_kept_exactly() -> None:
    memory = RepeatMemory()
    for signed in (0, 0xFFFF << 48, 2**64 - 1):
        assert memory.add(signed, "@a", "a") == (1, 1)
        assert memory.add(signed, "@b", "b") == (2, 2)


def test_the_memory_holds_no_text_and_people_are_bounded() -> None:
    show, repeats = show_in("a"), Repeats(P)
    for n in range(MAX_ALONE + 200):
        line = chat(n, 1.0 * n, f"@v{n}", ENGLISH)
        show.apply(line)
        repeats.observe(show, line, SPAM)
    assert len(repeats.memory) == MAX_ALONE
    assert len(repeats._told) <= 50
    kept = [value for name, value in vars(repeats.memory).items() if name != "_watchers"]
    assert {type(value) for value in kept} == {np.ndarray, int}
    assert signature(ENGLISH) in repeats.memory._kept[0].tolist()
