"""Which earlier lines explain a new one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.context import CONTEXT_CHARS, CONTEXT_LINES, choose_context
from detectors.records import Line
from tests.stand_ins import chat, speech


def lines(*said: str) -> list[Line]:
    """`who: text` is spoken, `who> text` is written."""
    made = []
    for number, line in enumerate(said):
        spoken = line.split(": ", 1)
        if len(spoken) == 2:
            made.append(speech(number, float(number), *spoken))
        else:
            made.append(chat(number, float(number), *line.split("> ", 1)))
    return made


TALK = ("host: s1", "ana> c1", "guest: s2", "bob> c2", "host: s3", "host: s4", "ana> c3", "bob> c4")


@pytest.mark.parametrize(
    ("earlier", "kind", "who", "chosen"),
    [
        ((), "speech", "host", []),
        ((), "chat", "ana", []),
        # a speaker: the last things said on the seats, by whomever; no chat
        (TALK, "speech", "host", ["s2", "s3", "s4"]),
        (("ana> c1", "bob> c2"), "speech", "host", []),
        (("host: s1", "ana> c1"), "speech", "guest", ["s1"]),
        # a writer: their own last line, then the newest two of all
        (TALK, "chat", "ana", ["c3", "c4"]),
        (TALK, "chat", "bob", ["c3", "c4"]),
        ((*TALK, "host: s5", "host: s6"), "chat", "ana", ["c3", "s5", "s6"]),
        ((*TALK, "host: s5", "host: s6"), "chat", "zoe", ["s5", "s6"]),
        (("host: s1",), "chat", "ana", ["s1"]),
        # what a writer says from a seat is not their line in the chat
        (("ana: s0", "host: s1", "host: s2"), "chat", "ana", ["s1", "s2"]),
    ],
)
def test_chosen(earlier: Sequence[str], kind: str, who: str, chosen: list[str]) -> None:
    assert choose_context(lines(*earlier), kind, f"replay:script:{who}") == chosen


def test_only_the_last_forty_lines_are_looked_at() -> None:
    noise = [f"ana> c{number}" for number in range(40)]
    assert choose_context(lines("host: s1", *noise[:39]), "speech", "host") == ["s1"]
    assert choose_context(lines("host: s1", *noise), "speech", "host") == []


def test_a_long_line_gives_its_end() -> None:
    said = "x" * CONTEXT_CHARS + "the end"
    assert choose_context(lines(f"host: {said}"), "speech", "host") == [said[-CONTEXT_CHARS:]]


@given(
    st.lists(
        st.tuples(st.sampled_from(["speech", "chat"]), st.sampled_from("abc"), st.text(max_size=300)), max_size=60
    ),
    st.sampled_from(["speech", "chat"]),
    st.sampled_from("abc"),
)
def test_bounded_and_in_order(said: list[tuple[str, str, str]], kind: str, who: str) -> None:
    make = {"speech": speech, "chat": chat}
    earlier = [
        make[sort](n, float(n), name, f"{n}\n{text}"[:CONTEXT_CHARS]) for n, (sort, name, text) in enumerate(said)
    ]
    chosen = choose_context(earlier, kind, f"replay:script:{who}")
    numbers = [int(text.split("\n")[0]) for text in chosen]
    assert len(chosen) <= CONTEXT_LINES
    assert numbers == sorted(set(numbers))
    assert [earlier[number].text for number in numbers] == chosen
    if kind == "speech":
        assert {earlier[number].kind for number in numbers} <= {"speech"}
    elif earlier:
        assert numbers[-1] == len(earlier) - 1
