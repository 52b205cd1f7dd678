"""`make demo-discord`, from beginning to end: the bot as a process, killed, started again, reviewed, and asked."""

from pathlib import Path

import pytest

from bot.layout_view import as_view
from bot.messages import AMBER, Attached, Button, Choice, Layout, Menu, Picture, Row, Rule, Words
from samples.discord.demo import main
from samples.discord.received import UnknownComponentError, read_layout

HEADER = '{"type":"show","id":"s","title":"T","platform":"replay","host":"@h","lang":"en"}\n'


def test_it_ends_well_and_leaves_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path)]) == 0, capsys.readouterr().err
    told = capsys.readouterr().out
    assert "none sent twice" in told
    assert "only ana sees this" in told
    assert "only what moderators confirmed" in told
    assert "the statement stands on the card" in told
    assert "the digest ranks" in told
    assert "none refused" in told
    names = ["1-sent", "2-grown", "3-confirmed", "4-why", "5-dismissed"]
    names += ["6-market", "7-card", "8-card-moderators", "9-statement", "10-digest"]
    pictures = {path.name: path.read_bytes()[:4] for path in tmp_path.glob("*.png")}
    assert pictures == {f"{name}-{theme}.png": b"\x89PNG" for name in names for theme in ("dark", "light")}


def test_what_does_not_happen_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show = tmp_path / "show.jsonl"
    show.write_text(HEADER + '{"type":"chat","at":1,"who":"@a","text":"hello"}\n')
    assert main(["--folder", str(tmp_path / "demo"), "--show", str(show)]) == 1
    assert capsys.readouterr().err == "demo-discord: the show is over, and no warning was sent\n"


def test_a_layout_is_read_back_from_what_is_sent() -> None:
    buttons = tuple(Button(f"pw:{style}", style, style) for style in ("primary", "secondary", "success", "danger"))
    parts = (
        Words("### a"),
        Rule(),
        Picture("x.png", "what it shows"),
        Attached("x.csv"),
        Row(buttons),
        Row((Menu("pw:menu", "choose", (Choice("1", "one"), Choice("2", "two"))),)),
    )
    for ping in (None, "7"):
        layout = Layout(AMBER, parts, ping)
        assert read_layout(as_view(layout).to_components()) == layout


def test_what_cannot_be_drawn_is_not_passed_over() -> None:
    with pytest.raises(UnknownComponentError, match="type 9"):
        read_layout([{"type": 17, "components": [{"type": 9}]}])
