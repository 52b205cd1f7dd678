"""Pictures of a digest: episodes per week, and per account. Drawn off screen; call from a worker thread.

They stand on a panel of their own, which reads well on Discord's dark and light background alike. Confirmed and open
episodes differ by their hatch too, so that nobody needs to tell colours apart.
"""

from datetime import date
from io import BytesIO
from typing import Any, Final

from bot.charts import MAX_BARS, panel
from bot.digest_report import Digest
from config.wording import say

WEEKS_PICTURE: Final = "weeks.png"
ACCOUNTS_PICTURE: Final = "accounts.png"
WIDTH: Final = 900
WEEKS_HEIGHT: Final = 360
#: A phone shows the picture 360 wide: letters of 26 pixels are 10 there.
_LETTERS: Final = 26 * 0.72
_LIGHT, _FAINT, _PANEL = "#f2f3f5", "#4a4d55", "#1e1f22"
_CONFIRMED, _OPEN = "#f97316", "#facc15"
_BAR_HEIGHT: Final = 46
#: Longest name beside a bar, in characters.
_NAME: Final = 20


def digest_pictures(digest: Digest, language: str) -> dict[str, bytes]:
    """Return the pictures that go with a digest, by name; none of nothing."""
    pictures = {}
    if any(week.confirmed or week.open for week in digest.weeks):
        pictures[WEEKS_PICTURE] = weeks_picture(digest, language)
    if digest.ranking:
        pictures[ACCOUNTS_PICTURE] = accounts_picture(digest, language)
    return pictures


def weeks_picture(digest: Digest, language: str) -> bytes:
    """Return a PNG with a bar for each week: confirmed episodes below, open ones on top of them."""
    figure, axes = _sheet(WEEKS_HEIGHT)
    places = range(len(digest.weeks))
    confirmed, opened = [week.confirmed for week in digest.weeks], [week.open for week in digest.weeks]
    axes.bar(places, confirmed, 0.62, color=_CONFIRMED, label=say(language, "digest.confirmed"))
    axes.bar(places, opened, 0.62, confirmed, **_open(language))
    top = max([1, *(one + other for one, other in zip(confirmed, opened, strict=True))])
    for place, one, other in zip(places, confirmed, opened, strict=True):
        if one + other:
            axes.annotate(str(one + other), (place, one + other), (0, 4), **_number("bottom"))
    axes.set_ylim(0, top * 1.22)
    axes.set_xticks(places, [_day(week.began, language) for week in digest.weeks])
    axes.set_yticks([])
    _dress(axes, say(language, "digest.weeks_title"))
    axes.axhline(0, color=_FAINT, linewidth=2)
    return _png(figure)


def accounts_picture(digest: Digest, language: str) -> bytes:
    """Return a PNG with a bar for each account at the top of the ranking."""
    rows = list(reversed(digest.ranking[:MAX_BARS]))
    figure, axes = _sheet(130 + _BAR_HEIGHT * len(rows))
    places = range(len(rows))  # two accounts may have one name
    confirmed, opened = [row.confirmed for row in rows], [row.open for row in rows]
    axes.barh(places, confirmed, 0.62, color=_CONFIRMED, label=say(language, "digest.confirmed"))
    axes.barh(places, opened, 0.62, confirmed, **_open(language))
    for place, row in zip(places, rows, strict=True):
        whole = row.confirmed + row.open
        axes.annotate(str(whole), (whole, place), (6, 0), **_number("center"))
    axes.set_xlim(0, max(1, *(row.confirmed + row.open for row in rows), 1) * 1.1)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(places, [_name(row.name) for row in rows])
    axes.set_xticks([])
    _dress(axes, say(language, "digest.chart_title"))
    return _png(figure)


def _sheet(height: int) -> tuple[Any, Any]:
    figure = panel(WIDTH, height)
    figure.set_layout_engine("constrained", w_pad=0.18, h_pad=0.14)
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    return figure, axes


def _open(language: str) -> dict[str, Any]:
    return {
        "color": _OPEN,
        "hatch": "//",
        "edgecolor": _PANEL,
        "linewidth": 0,
        "label": say(language, "digest.open"),
    }


def _number(aligned: str) -> dict[str, Any]:
    across = "center" if aligned == "bottom" else "left"
    return {"textcoords": "offset points", "ha": across, "va": aligned, "color": _LIGHT, "fontsize": _LETTERS}


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", color=_LIGHT, fontsize=_LETTERS * 1.05, pad=12)
    axes.tick_params(colors=_LIGHT, labelsize=_LETTERS, length=0, pad=8)
    axes.spines[:].set_visible(False)
    axes.figure.legend(
        loc="outside lower center",
        ncols=2,
        frameon=False,
        labelcolor=_LIGHT,
        fontsize=_LETTERS,
        handlelength=1.2,
    )


def _name(name: str) -> str:
    """Return a name as a label: what the font has no sign for is a box, nothing starts a formula, not too long."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    shown = "".join(char if char.isprintable() else " " for char in name).strip() or "…"
    drawn = "".join(char if font.get_char_index(ord(char)) else "□" for char in shown)
    cut = drawn if len(drawn) <= _NAME else drawn[: _NAME - 1] + "…"
    return cut.replace("\\", "/").replace("$", r"\$")


def _day(iso: str, language: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day:%d/%m}" if language == "fr" else f"{day:%m-%d}"


def _png(figure: Any) -> bytes:
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
