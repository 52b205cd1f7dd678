"""Draw a message as Discord shows it, without Discord.

Only what our own messages use of Discord's markdown is drawn. Fonts are the ones that matplotlib brings along.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from bot.messages import Attached, Button, Layout, Menu, Picture, Row, Rule, Words

ThemeName = Literal["dark", "light"]

#: Everything is drawn twice as large as Discord shows it, for sharp letters.
SCALE: Final = 2
WIDTH: Final = 640 * SCALE
LETTERS: Final = 15 * SCALE
LINE_HEIGHT: Final = 1.4
_BOX_LEFT: Final = 72 * SCALE
_MARGIN: Final = 16 * SCALE
_FONTS: Final = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@dataclass(frozen=True, slots=True)
class Theme:
    """Discord's colours."""

    page: str
    box: str
    edge: str
    ink: str
    faint: str
    link: str
    pill: str
    pill_ink: str
    button: str
    menu: str


THEMES: Final[Mapping[ThemeName, Theme]] = {
    "dark": Theme(
        *("#313338", "#2b2d31", "#404249", "#dbdee1", "#a5a9b1", "#00a8fc"),
        *("#3c4270", "#c9cdfb", "#4e5058", "#1e1f22"),
    ),
    "light": Theme(
        *("#ffffff", "#f7f8f9", "#ced1d7", "#313338", "#5c5f67", "#006ce7"),
        *("#e0e3ff", "#3f48b5", "#dfe1e5", "#ffffff"),
    ),
}
_BUTTONS: Final = {"primary": "#5865f2", "success": "#248046", "danger": "#da373c"}


@dataclass(frozen=True, slots=True)
class Style:
    """How letters look."""

    size: int = LETTERS
    bold: bool = False
    italic: bool = False
    kind: Literal["ink", "faint", "link", "pill"] = "ink"

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """The font file in its size."""
        return _font(self.size, self.bold, self.italic)


@cache
def _font(size: int, bold: bool, italic: bool) -> ImageFont.FreeTypeFont:
    name = {(False, False): "", (True, False): "-Bold", (False, True): "-Oblique", (True, True): "-BoldOblique"}
    return ImageFont.truetype(str(_FONTS / f"DejaVuSans{name[bold, italic]}.ttf"), size)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the message: the clock, the language, and what accounts, roles and channels are called there."""

    now: datetime
    language: str
    called: Mapping[str, str]


_INLINE: Final = re.compile(
    r"\\(?P<escaped>[^0-9A-Za-z\s])"
    r"|(?P<bold>\*\*)"
    r"|(?P<italic>\*)"
    r"|\[(?P<label>(?:\\.|[^\]\\])+)\]\((?P<address>[^)\s]+)\)"
    r"|<t:(?P<time>-?\d+):(?P<form>[A-Za-z])>"
    r"|<(?P<mention>@&|@|#)(?P<number>\d+)>"
)


def runs(text: str, style: Style, reader: Reader) -> Iterator[tuple[str, Style]]:
    """Yield the pieces of a line of markdown, each with its look."""
    at = 0
    for found in _INLINE.finditer(text):
        if text[at : found.start()]:
            yield text[at : found.start()], style
        at = found.end()
        if found["escaped"]:
            yield found["escaped"], style
        elif found["bold"]:
            style = replace(style, bold=not style.bold)
        elif found["italic"]:
            style = replace(style, italic=not style.italic)
        elif found["label"]:
            yield found["label"], replace(style, kind="link")
        elif found["time"]:
            yield _moment(int(found["time"]), found["form"], reader.now, reader.language), replace(style, kind="pill")
        else:
            sign = "#" if found["mention"] == "#" else "@"
            yield sign + reader.called.get(found["number"], found["number"]), replace(style, kind="pill")
    if text[at:]:
        yield text[at:], style


def _moment(unix: int, form: str, now: datetime, language: str) -> str:
    when = datetime.fromtimestamp(unix, UTC)
    if form != "R":
        return f"{when:%d/%m/%Y %H:%M}"
    seconds = max(0, round((now - when).total_seconds()))
    minutes = round(seconds / 60)
    span = f"{seconds} s" if seconds < 60 else f"{minutes} min" if minutes < 90 else f"{round(minutes / 60)} h"
    return {"en": f"{span} ago", "fr": f"il y a {span}"}[language]


class Canvas:
    """A tall sheet on which things are drawn from the top; cut to its length at the end."""

    def __init__(self, theme: Theme, reader: Reader) -> None:
        self.theme = theme
        self.reader = reader
        self.image = Image.new("RGB", (WIDTH, 6_000 * SCALE), theme.page)
        self.pen = ImageDraw.Draw(self.image)
        self.y = 0

    def words(self, text: str, left: int, right: int) -> None:
        """Draw a text in markdown, line by line."""
        for line in text.split("\n"):
            self._line(line, left, right)

    def _line(self, line: str, left: int, right: int) -> None:
        style, inset, mark = Style(), 0, ""
        if line.startswith("### "):
            line, style = line[4:], Style(size=18 * SCALE, bold=True)
        elif line.startswith("-# "):
            line, style = line[3:], Style(size=13 * SCALE, kind="faint")
        elif line.startswith("> "):
            line, inset, mark = line[2:], 14 * SCALE, "|"
        elif line.startswith("- "):
            line, inset, mark = line[2:], 18 * SCALE, "•"
        top = self.y
        self._flow(line, style, left + inset, right)
        if mark == "|":
            self.pen.rectangle((left, top, left + 4 * SCALE, self.y), fill=self.theme.edge)
        elif mark:
            self.pen.text((left + 4 * SCALE, top), mark, font=Style().font, fill=self.theme.ink)

    def _flow(self, line: str, style: Style, left: int, right: int) -> None:
        """Draw words one after another, on a new line when the next one does not fit."""
        x, step = float(left), int(style.size * LINE_HEIGHT)
        for word in self._unbroken(line, style):
            width = sum(look.font.getlength(piece) for piece, look in word)
            blank = all(piece.isspace() for piece, _ in word)
            if x + width > right and x > left:
                x, self.y = float(left), self.y + step
                if blank:
                    continue
            for piece, look in word:
                x = self._put(piece, look, x, left, right, step)
        self.y += step

    def _unbroken(self, line: str, style: Style) -> Iterator[list[tuple[str, Style]]]:
        """Yield what must stay on one line: the pieces of a word, whatever signs in it were escaped; then blanks."""
        word: list[tuple[str, Style]] = []
        for text, look in runs(line, style, self.reader):
            for piece in [text] if look.kind == "pill" else re.split(r"([ ]+)", text):
                if piece.isspace() and look.kind != "pill":
                    yield from ([word] if word else [])
                    word = []
                    yield [(piece, look)]
                elif piece:
                    word.append((piece, look))
        if word:
            yield word

    def _put(self, piece: str, look: Style, x: float, left: int, right: int, step: int) -> float:
        """Draw a piece; one that is wider than the whole line is broken anywhere. Return where the next one begins."""
        theme = self.theme
        if look.kind == "pill":
            width = look.font.getlength(piece)
            box = (x, self.y - 1 * SCALE, x + width + 6 * SCALE, self.y + look.size * 1.25)
            self.pen.rounded_rectangle(box, 4 * SCALE, fill=theme.pill)
            self.pen.text((x + 3 * SCALE, self.y), piece, font=look.font, fill=theme.pill_ink)
            return x + width + 6 * SCALE
        ink = {"ink": theme.ink, "faint": theme.faint, "link": theme.link}[look.kind]
        for part in [piece] if x + look.font.getlength(piece) <= right else piece:
            width = look.font.getlength(part)
            if x + width > right:
                x, self.y = float(left), self.y + step
            self.pen.text((x, self.y), part, font=look.font, fill=ink)
            x += width
        return x

    def picture(self, data: bytes, left: int, right: int) -> None:
        """Draw a picture across the whole width, with rounded corners."""
        with Image.open(BytesIO(data)) as opened:
            shown = opened.convert("RGBA")
        shown = shown.resize(
            (right - left, round(shown.height * (right - left) / shown.width)), Image.Resampling.LANCZOS
        )
        self.image.paste(shown, (left, self.y), shown)
        self.y += shown.height

    def file(self, name: str, left: int, right: int) -> None:
        """Draw a file to be opened: a box with its name."""
        height, theme = 44 * SCALE, self.theme
        box = (left, self.y, min(right, left + 400 * SCALE), self.y + height)
        self.pen.rounded_rectangle(box, 8 * SCALE, fill=theme.menu, outline=theme.edge, width=SCALE)
        font = Style(kind="link").font
        self.pen.text((left + 16 * SCALE, self.y + height / 2), name, font=font, fill=theme.link, anchor="lm")
        self.y += height

    def row(self, row: Row, left: int, right: int) -> None:
        """Draw buttons side by side, on a new line when they do not fit, or a menu."""
        x, height = left, 32 * SCALE
        for item in row.items:
            if isinstance(item, Menu):
                self._menu(item, left, min(right, left + 400 * SCALE))
                return
            width = int(Style(size=14 * SCALE).font.getlength(item.label)) + 32 * SCALE
            if x + width > right and x > left:
                x, self.y = left, self.y + height + 8 * SCALE
            self._button(item, x, width, height)
            x += width + 8 * SCALE
        self.y += height

    def _button(self, button: Button, x: int, width: int, height: int) -> None:
        own = _BUTTONS.get(button.style)
        fill, ink = (own, "#ffffff") if own else (self.theme.button, self.theme.ink)
        self.pen.rounded_rectangle((x, self.y, x + width, self.y + height), 8 * SCALE, fill=fill)
        middle = (x + width / 2, self.y + height / 2)
        self.pen.text(middle, button.label, font=Style(size=14 * SCALE).font, fill=ink, anchor="mm")

    def _menu(self, menu: Menu, left: int, right: int) -> None:
        height, theme = 40 * SCALE, self.theme
        box = (left, self.y, right, self.y + height)
        self.pen.rounded_rectangle(box, 8 * SCALE, fill=theme.menu, outline=theme.edge, width=SCALE)
        middle, font = self.y + height / 2, Style(size=14 * SCALE).font
        shown, room = menu.placeholder, right - left - 44 * SCALE
        while font.getlength(shown) > room:
            shown = f"{shown[:-2]}…"
        self.pen.text((left + 12 * SCALE, middle), shown, font=font, fill=theme.faint, anchor="lm")
        x, y, wide = right - 26 * SCALE, middle - 3 * SCALE, 5 * SCALE
        self.pen.line((x, y, x + wide, y + wide, x + 2 * wide, y), fill=theme.faint, width=2 * SCALE, joint="curve")
        self.y += height

    def png(self, width: int) -> bytes:
        """Return what was drawn, cut to its size."""
        out = BytesIO()
        self.image.crop((0, 0, width, self.y)).save(out, format="PNG")
        return out.getvalue()


def draw(
    layout: Layout,
    pictures: Mapping[str, bytes],
    theme: ThemeName,
    *,
    now: datetime | None = None,
    called: Mapping[str, str] | None = None,
    language: str = "en",
    width: int | None = None,
) -> bytes:
    """Return a PNG of the message.

    Args:
        layout: What is shown.
        pictures: Its attached pictures by name.
        theme: Discord's dark or light one.
        now: What "2 min ago" is reckoned from; unset, the clock.
        called: What accounts, roles and channels are called, by their number.
        language: What language Discord itself speaks.
        width: How wide Discord's window is, in its own pixels: 360 is a phone. Unset, a desktop.
    """
    canvas = Canvas(THEMES[theme], Reader(now or datetime.now(UTC), language, called or {}))
    whole = min(WIDTH, width * SCALE) if width else WIDTH
    _author(canvas)
    if layout.ping_role is not None:
        canvas.words(f"<@&{layout.ping_role}>", _BOX_LEFT, whole - _MARGIN)
        canvas.y += 6 * SCALE
    top, left, right = canvas.y, _BOX_LEFT + 20 * SCALE, whole - _MARGIN - 16 * SCALE
    canvas.y = _parts(canvas, layout, pictures, top + 14 * SCALE, left, right)
    # The box can be drawn when its height is known; what stands in it is then drawn over it once more.
    box = (_BOX_LEFT, top, whole - _MARGIN, canvas.y + 14 * SCALE)
    colours = canvas.theme
    canvas.pen.rounded_rectangle(box, 8 * SCALE, fill=f"#{layout.accent:06x}")
    inner = (_BOX_LEFT + 5 * SCALE, *box[1:])
    corners = (False, True, True, False)
    canvas.pen.rounded_rectangle(inner, 8 * SCALE, colours.box, colours.edge, SCALE, corners=corners)
    _parts(canvas, layout, pictures, top + 14 * SCALE, left, right)
    canvas.y = box[3] + _MARGIN
    return canvas.png(whole)


def _author(canvas: Canvas) -> None:
    x, y, size = _MARGIN, _MARGIN, 40 * SCALE
    canvas.pen.ellipse((x, y, x + size, y + size), fill="#e2522b")
    font = _font(17 * SCALE, True, False)
    canvas.pen.text((x + size / 2, y + size / 2), "Pw", font=font, fill="#ffffff", anchor="mm")
    name, left = Style(bold=True), _BOX_LEFT
    canvas.pen.text((left, y), "Pitchwatch", font=name.font, fill=canvas.theme.ink)
    left += int(name.font.getlength("Pitchwatch")) + 8 * SCALE
    canvas.pen.rounded_rectangle((left, y + SCALE, left + 34 * SCALE, y + 18 * SCALE), 4 * SCALE, fill="#5865f2")
    tag = _font(11 * SCALE, True, False)
    canvas.pen.text((left + 17 * SCALE, y + 9.5 * SCALE), "APP", font=tag, fill="#ffffff", anchor="mm")
    canvas.y = y + 26 * SCALE


def _parts(canvas: Canvas, layout: Layout, pictures: Mapping[str, bytes], top: int, left: int, right: int) -> int:
    """Draw all parts from `top` on; return where they end."""
    canvas.y = top
    for number, part in enumerate(layout.parts):
        canvas.y += 10 * SCALE if number else 0
        if isinstance(part, Words):
            canvas.words(part.text, left, right)
        elif isinstance(part, Picture):
            canvas.picture(pictures[part.name], left, right)
        elif isinstance(part, Attached):
            canvas.file(part.name, left, right)
        elif isinstance(part, Rule):
            canvas.pen.line((left, canvas.y, right, canvas.y), fill=canvas.theme.edge, width=SCALE)
        else:
            canvas.row(part, left, right)
    return canvas.y
