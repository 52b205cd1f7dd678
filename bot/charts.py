"""Pictures of reports. Drawn off screen; call from a worker thread, never on the event loop."""

import math
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from bot.digest_report import Digest
from bot.parcels import Parcel
from config.wording import say
from detectors.records import PhaseSpan

#: Accounts shown in the picture of a digest.
MAX_BARS: Final = 12
_CONFIRMED: Final = "#c2410c"
_OPEN: Final = "#f59e0b"
_INK: Final = "#1f2937"

#: The picture of a show, in pixels. A phone shows it 360 wide: letters of 28 pixels are 11 there.
TIMELINE_WIDTH: Final = 900
TIMELINE_HEIGHT: Final = 260
_DPI: Final = 100
_LETTERS: Final = 28 * 72 / _DPI
#: A panel of its own: no ink reads well on both of Discord's backgrounds.
_PANEL: Final = "#1e1f22"
_LIGHT: Final = "#f2f3f5"
_FAINT: Final = "#4a4d55"
#: Each phase has its lane, so that nobody needs to tell colours apart; the hatch marks the one that matters.
_LANES: Final = {"pitch": ("#f59e0b", "///"), "talk": ("#9ca3af", ""), "teach": ("#56b4e9", "")}
#: Narrowest band, as a share of the width: half a minute of five hours is to be seen.
_NARROWEST: Final = 0.006
#: Seconds between two marks of the time axis, and how many marks there are at most.
_STEPS: Final = (60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400, 43_200)
_MOST_TICKS: Final = 6


def digest_chart(digest: Digest, language: str, path: Path) -> None:
    """Write a bar per account, confirmed and open possible pitches, as a PNG. Raises OSError."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = list(reversed(digest.ranking[:MAX_BARS]))
    figure = Figure(figsize=(8, 1.6 + 0.42 * max(1, len(rows))), dpi=120, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    # A "$" in a name would be read as the start of a formula.
    labels = [row.name[:30].replace("$", r"\$") for row in rows]
    confirmed = [row.confirmed for row in rows]
    places = range(len(rows))  # two accounts may have one name
    axes.barh(places, confirmed, color=_CONFIRMED, label=say(language, "digest.confirmed"))
    axes.barh(places, [row.open for row in rows], left=confirmed, color=_OPEN, label=say(language, "digest.open"))
    axes.set_yticks(places, labels)
    axes.set_title(say(language, "digest.chart_title"), loc="left", color=_INK)
    axes.set_xlabel(say(language, "digest.since", since=digest.since[:10], until=digest.until[:10]), color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    if rows:
        axes.legend(frameon=False, loc="lower right")
    else:
        axes.text(0.5, 0.5, say(language, "digest.empty"), ha="center", transform=axes.transAxes, color=_INK)
        axes.set_yticks([])
    figure.savefig(path, format="png")


def panel(width: int, height: int) -> Any:
    """Return a figure of so many pixels with nothing but a rounded panel, which hides whatever is behind it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch
    from matplotlib.transforms import IdentityTransform

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="none")
    FigureCanvasAgg(figure)  # of its own, not pyplot's: pictures are drawn in several threads
    rounded = "round,pad=0,rounding_size=20"
    patch = FancyBboxPatch(
        (1, 1), width - 2, height - 2, boxstyle=rounded, facecolor=_PANEL, edgecolor="none", zorder=-1
    )
    patch.set_transform(IdentityTransform())
    figure.add_artist(patch)
    return figure


def timeline_picture(parcel: Parcel, language: str) -> bytes:
    """Return a PNG of the show so far: a lane for each phase and one for the quotes, over its minutes."""
    whole = max([60.0, parcel.show_seconds, *(s.until for s in parcel.phases), *(q.until for q in parcel.evidence)])
    figure = panel(TIMELINE_WIDTH, TIMELINE_HEIGHT)
    canvas = figure.canvas
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    words = [say(language, f"phase.{phase}") for phase in ("teach", "talk", "pitch")] + [
        say(language, "message.quotes")
    ]
    for lane, (phase, (colour, hatch)) in enumerate(reversed(_LANES.items())):
        spans = [_band(span, whole) for span in parcel.phases if span.phase == phase]
        axes.broken_barh(spans, (lane - 0.36, 0.72), facecolor=colour, edgecolor=_PANEL, hatch=hatch, linewidth=0)
    times = [quote.at for quote in parcel.evidence]
    axes.scatter(times, [3.0] * len(times), s=250, marker="v", color=_LIGHT, edgecolor=_PANEL, clip_on=False)
    _dress(axes, whole, words, say(language, "message.minutes"))
    _fit_beside_words(canvas, axes)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _band(span: PhaseSpan, whole: float) -> tuple[float, float]:
    """Return where a band begins and how long it is, wide enough to be seen."""
    return span.at, max(span.until - span.at, _NARROWEST * whole)


def _dress(axes: Any, whole: float, words: list[str], minutes: str) -> None:
    """Give the axes their range, lanes, marks and letters."""
    axes.set_facecolor("none")
    axes.set_xlim(0.0, whole)
    axes.set_ylim(-0.55, 3.5)
    axes.set_yticks(range(4), words)
    step = next((step for step in _STEPS if whole / step < _MOST_TICKS), _STEPS[-1])
    marks = [n * step for n in range(math.floor(whole / step) + 1)][:_MOST_TICKS]
    axes.set_xticks(marks, [str(round(mark / 60)) for mark in marks])
    # The unit stands at the left below the lanes' words: behind the last number it would run off the picture.
    axes.annotate(
        minutes,
        (0, 0),
        (-18, -6),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="top",
        color=_LIGHT,
        fontsize=_LETTERS,
    )
    axes.tick_params(colors=_LIGHT, labelsize=_LETTERS, length=0, pad=6)
    axes.grid(axis="x", color=_FAINT, linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _fit_beside_words(canvas: Any, axes: Any) -> None:
    """Give the words at the left the room they need, whatever the language."""
    renderer = canvas.get_renderer()
    widest = max(label.get_window_extent(renderer).width for label in axes.get_yticklabels())
    left = (widest + 26) / TIMELINE_WIDTH
    axes.set_position((left, 0.20, 1.0 - left - 0.045, 0.76))
