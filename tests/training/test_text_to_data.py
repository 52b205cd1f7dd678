"""Passages as writers write them become data rows and show scripts."""

import json
from pathlib import Path

import pytest

from bot.rooms.script import ScriptParser, parse_header
from detectors.context import CONTEXT_LINES
from detectors.training.from_text import data_rows, read_passages
from detectors.training.passages import examples, parse_line, read_lines, training_files
from detectors.training.shows_from_text import build_show

TEXT = """
=== subject: kilns | setting: stage | style: asr | lang: en | host: @kiln | kinds: sponsor_read, soft_denied
S1 @kiln T - - :: so the cone tells you heat and time
C @ana O - - :: what cone is that
S1 @kiln P coaching+group scarcity :: I take two people a month
+30
S2 @bo O - - :: fair enough
S2 @kiln O - - :: let me sit here for once
""".strip().splitlines()


def test_a_passage_becomes_rows_with_labels_and_provenance() -> None:
    (passage,) = read_passages(TEXT, "a.txt")
    rows = list(data_rows(passage, "a-01", "written"))
    assert [row["id"] for row in rows] == ["a-01-01", "a-01-02", "a-01-03", "a-01-04", "a-01-05"]
    assert rows[2] == {
        "id": "a-01-03",
        "passage": "a-01",
        "subject": "kilns",
        "setting": "stage",
        "style": "asr",
        "lang": "en",
        "kinds": ["sponsor_read", "soft_denied"],
        "kind": "speech",
        "seat": 1,
        "who": "@kiln",
        "text": "I take two people a month",
        "act": "pitch",
        "offers": ["coaching", "group"],
        "cues": ["scarcity"],
        "source": "written",
        "licence": "MIT",
    }
    assert (rows[1]["kind"], rows[1]["seat"]) == ("chat", None)


@pytest.mark.parametrize(
    "line",
    [
        "S5 @a T - - :: x",
        "S1 @a Z - - :: x",
        "S1 @a P yacht - :: x",
        "S1 @a P - hurry :: x",
        "S1 a T - - :: x",
        "S1 @a T - - ::",
    ],
)
def test_a_line_that_is_none_is_named_with_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.txt:2"):
        list(read_passages([TEXT[0], line], "a.txt"))


def test_a_show_has_times_seats_and_truth() -> None:
    (passage,) = read_passages(TEXT, "a.txt")
    script, truth = build_show(passage, "a")
    assert (script, truth) == build_show(passage, "a")
    header, *events = script
    assert header["type"] == "show" and header["host"] == "@kiln"
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    spoken = [event for event in events if event["type"] == "speech"]
    assert all(event["until"] > event["at"] for event in spoken)
    assert spoken[2]["at"] - spoken[1]["until"] >= 30
    seats = [(event["seat"], event["who"], event["event"]) for event in events if event["type"] == "seat"]
    assert seats == [
        (1, "@kiln", "joined"),
        (2, "@bo", "joined"),
        (1, "@kiln", "left"),
        (2, "@bo", "left"),
        (2, "@kiln", "joined"),
    ]
    (pitch,) = truth["pitches"]
    assert truth["expect_alert"] and (pitch["by"], pitch["offers"]) == ("@kiln", ["coaching", "group"])
    assert (pitch["from"], pitch["to"]) == (spoken[1]["at"], spoken[1]["until"])
    info = parse_header(json.dumps(header).encode(), "a.jsonl")
    parser = ScriptParser(info)
    for number, event in enumerate(events, 2):
        parser.parse(number, json.dumps(event).encode())


def test_examples_get_context_from_their_own_passage_only() -> None:
    (passage,) = read_passages(TEXT, "a.txt")
    lines = [parse_line(row) for name in ("a-01", "b-01") for row in data_rows(passage, name, "written")]
    found = list(examples(lines))
    assert found[0].context == () and found[5].context == ()
    assert found[2].context == ("so the cone tells you heat and time",)
    assert all(len(example.context) <= CONTEXT_LINES for example in found)


def test_a_bad_data_row_is_named(tmp_path: Path) -> None:
    (passage,) = read_passages(TEXT, "a.txt")
    row = {**next(iter(data_rows(passage, "a-01", "written"))), "act": "sing"}
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=r"bad\.jsonl:1: a-01-01: not in the taxonomy: sing"):
        read_lines([path])


def test_the_training_data_keeps_what_its_card_says() -> None:
    lines = read_lines(training_files())
    assert len(lines) >= 2_500
    assert len({line.id for line in lines}) == len(lines)
    share = {lang: sum(line.lang == lang for line in lines) / len(lines) for lang in ("en", "fr")}
    assert share["en"] > 0.4 and share["fr"] > 0.3
    assert 0.4 < sum(line.style == "asr" for line in lines) / len(lines) < 0.6
    assert 0.2 < sum(line.act == "pitch" for line in lines) / len(lines) < 0.35
    assert len({line.subject for line in lines}) >= 60
