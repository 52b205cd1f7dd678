"""Pictures of reports. Drawn off screen; call from a worker thread, never on the event loop."""

from pathlib import Path
from typing import Final

from bot.reports import Digest
from config.wording import say

#: Accounts shown in the picture of a digest.
MAX_BARS: Final = 12
_CONFIRMED: Final = "#c2410c"
_OPEN: Final = "#f59e0b"
_INK: Final = "#1f2937"


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
