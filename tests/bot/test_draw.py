"""The drawing of messages that the documentation shows."""

import importlib.util
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from bot.messages import AMBER, Button, Layout, Menu, Picture, Row, Rule, Words

NOW = datetime(2026, 10, 3, 19, 27, tzinfo=UTC)


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    path = Path(__file__).parents[2] / "samples" / "discord" / "draw.py"
    spec = importlib.util.spec_from_file_location("pitchwatch_draw", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_markdown_is_read_as_discord_reads_it(drawing: ModuleType) -> None:
    reader = drawing.Reader(NOW, "fr", {"42": "ana"})
    said = r"a \*b **c\*** *d* [1:00](https://e.example) <t:1791055530:R> <@42> <#7>"
    read = [(text, look.bold, look.italic, look.kind) for text, look in drawing.runs(said, drawing.Style(), reader)]
    assert read == [
        ("a ", False, False, "ink"),
        ("*", False, False, "ink"),
        ("b ", False, False, "ink"),
        ("c", True, False, "ink"),
        ("*", True, False, "ink"),
        (" ", False, False, "ink"),
        ("d", False, True, "ink"),
        (" ", False, False, "ink"),
        ("1:00", False, False, "link"),
        (" ", False, False, "ink"),
        ("il y a 2 min", False, False, "pill"),
        (" ", False, False, "ink"),
        ("@ana", False, False, "pill"),
        (" ", False, False, "ink"),
        ("#7", False, False, "pill"),
    ]


@pytest.mark.parametrize(("theme", "page"), [("dark", (0x31, 0x33, 0x38)), ("light", (255, 255, 255))])
def test_a_message_is_drawn_within_its_box(drawing: ModuleType, theme: str, page: tuple[int, int, int]) -> None:
    small = BytesIO()
    Image.new("RGBA", (90, 20), "red").save(small, format="PNG")
    parts = (
        Words(f"### {'W' * 200}\n> {'a ' * 200}\n- b\n-# c"),
        Rule(),
        Picture("x.png", "x"),
        Row(tuple(Button(f"pw:{n}", "word " * 5, "secondary") for n in range(5))),
        Row((Menu("pw:m", "menu " * 30, ()),)),
    )
    layout = Layout(AMBER, parts, ping_role="7")
    data = drawing.draw(layout, {"x.png": small.getvalue()}, theme, now=NOW, width=360)
    picture = Image.open(BytesIO(data)).convert("RGB")
    assert picture.width == 720
    margin = {picture.getpixel((715, y)) for y in range(picture.height)}
    assert margin == {page}
