"""What two settings' warnings differ in."""

from typing import Any

from bot.commands.difference import Difference, Remembering, differences
from detectors.classifier import Request
from tests.stand_ins import MarkReader


def alert(show: str, host: str, at: float) -> dict[str, Any]:
    return {"show": show, "host": host, "at": at}


def test_every_way_to_differ_and_none() -> None:
    new = [alert("a", "@x", 10.0), alert("a", "@y", 20.0), alert("b", "@x", 5.0), alert("a", "@x", 90.0)]
    old = [alert("a", "@x", 10.0), alert("a", "@z", 15.0), alert("b", "@x", 9.0)]
    assert differences(new, old) == [
        Difference("only_old", "a", "@z", None, 15.0),
        Difference("only_new", "a", "@y", 20.0, None),
        Difference("only_new", "a", "@x", 90.0, None),
        Difference("moved", "b", "@x", 5.0, 9.0),
    ]
    assert differences(old, old) == []


def test_a_line_is_read_once() -> None:
    inner = MarkReader()
    reader = Remembering(inner)
    first, second = Request("a $", "speech"), Request("b", "chat", ("a $",))
    once = reader.read([first, second, first])
    assert reader.read([second, first]) == [once[1], once[0]]
    assert [reading.pitch for reading in once] == [0.97, 0.02, 0.97]
    assert inner.requests == [first, second]
