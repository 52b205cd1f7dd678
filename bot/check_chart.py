"""The picture of an account's shows over time. Drawn off screen; call from a worker thread."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from bot.dossier import ShowBar
from config.wording import say

_INK: Final = "#e5e7eb"
_PANEL: Final = "#1f2430"
_BAR, _CONFIRMED, _OPEN = "#60a5fa", "#f97316", "#facc15"


def over_time(shows: Sequence[ShowBar], language: str, moderator: bool) -> bytes:
    """Return a PNG: a bar per show for the share of lines that sold, marked where an episode was confirmed or is open.

    For members only what moderators confirmed is drawn; bars are then the shows' lengths in minutes.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 2.8), dpi=100, facecolor=_PANEL, layout="constrained")
    axes = figure.add_subplot(facecolor=_PANEL)
    places = range(len(shows))
    heights = [100 * one.selling if moderator else one.seconds / 60 for one in shows]
    axes.bar(places, heights, color=_BAR, width=0.7)
    top = max([*heights, 1.0])
    marks = [("confirmed", _CONFIRMED, "o", [one.confirmed for one in shows])]
    marks += [("open", _OPEN, "D", [one.open for one in shows])] if moderator else []
    for row, (name, colour, sign, counts) in enumerate(marks):
        marked = [place for place, count in zip(places, counts, strict=True) if count]
        if marked:
            label = say(language, f"check.mark_{name}")
            axes.scatter(
                marked, [top * (1.12 + 0.14 * row)] * len(marked), color=colour, marker=sign, s=60, label=label
            )
    axes.set_ylim(0, top * 1.75)  # room for the legend above the marks
    axes.set_ylabel(say(language, "check.axis_selling" if moderator else "check.axis_minutes"), color=_INK, fontsize=13)
    step = -(-len(shows) // 5)
    axes.set_xticks(list(places)[::step], [one.started[:10] for one in shows[::step]])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.tick_params(colors=_INK, labelsize=13)
    for side in axes.spines.values():
        side.set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, labelcolor=_INK, fontsize=13, loc="upper left", ncols=2)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
