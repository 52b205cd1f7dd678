"""Cards as a person sees them in a terminal: alerts, the report card, the digest, the timeline of a show."""

import re
from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.digest_report import Digest
from bot.parcels import Parcel, QuoteRow
from bot.reports import Card, ClaimRow, ObservationRow
from config.wording import say
from detectors.records import PhaseSpan

PHASE_STYLES: Final = {"teach": "green", "talk": "bright_black", "pitch": "yellow"}
ACT_STYLES: Final = {
    "teach": "green",
    "pitch": "bold yellow",
    "sponsor": "cyan",
    "caution": "magenta",
    "spam": "red",
    "other": "white",
}
#: Quotes shown on a card in a terminal.
MAX_QUOTES: Final = 8
#: Most of a quote that a card shows, in characters.
MAX_QUOTE_CHARS: Final = 400
_LINK: Final = re.compile(r"(?:https?://\S{1,300}|\b(?:[\w-]{1,63}\.){1,5}[a-z]{2,24}\b)", re.IGNORECASE)
_BAR: Final = "█"


def clock(seconds: float) -> str:
    """Return a show time as `m:ss` or `h:mm:ss`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def meter(share: float, width: int = 12) -> Text:
    """Return a bar that is `share` full, turning from grey over yellow to red."""
    full = round(max(0.0, min(1.0, share)) * width)
    style = "red" if share >= 0.8 else "yellow" if share >= 0.4 else "bright_black"
    return Text.assemble((_BAR * full, style), ("·" * (width - full), "bright_black"), f" {share:4.0%}")


def names(language: str, prefix: str, keys: Sequence[str]) -> str:
    """Return the words for taxonomy names, joined by commas."""
    return ", ".join(say(language, f"{prefix}.{key}") for key in keys)


def alert_card(parcel: Parcel, language: str, dry_run: bool = False) -> RenderableType:
    """Return a warning: who, where, what, quotes and reasons; for an update, only what is new."""
    heading = say(language, "alert.new" if parcel.first else "alert.update")
    if dry_run:
        heading = f"{say(language, 'alert.dry_run')} · {heading}"
    title = Text.assemble(
        (f" {heading} ", "bold black on yellow"), f" {clock(parcel.last_at)} ", (f"{parcel.name} ", "bold")
    )
    parts = _whole(parcel, language) if parcel.first else _news(parcel, language)
    return Panel(Group(*parts), title=title, title_align="left", border_style="yellow", padding=(0, 1))


def _whole(parcel: Parcel, language: str) -> list[RenderableType]:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    facts.add_row(say(language, "alert.who"), Text(f"{parcel.name} ({say(language, 'alert.unverified')})"))
    facts.add_row(say(language, "alert.where"), Text(f"{parcel.show_title or parcel.show} · {parcel.room}"))
    facts.add_row(say(language, "alert.since"), clock(parcel.since))
    facts.add_row(
        say(language, "alert.offers"), names(language, "offer", parcel.offers) or say(language, "alert.no_offer")
    )
    facts.add_row(say(language, "alert.score"), meter(parcel.score))
    reasons = [Text(f"• {say(language, reason.key, **reason.params)}", style="dim") for reason in parcel.reasons]
    quotes = [_quote(quote) for quote in parcel.evidence[-MAX_QUOTES:]]
    judgement = Text(say(language, "alert.judgement"), style="italic dim")
    return [facts, Text(), *quotes, Text(), *reasons, judgement]


def _news(parcel: Parcel, language: str) -> list[RenderableType]:
    offers = names(language, "offer", parcel.offers) or say(language, "alert.no_offer")
    line = Text.assemble(meter(parcel.score), "  ", (f"{say(language, 'alert.offers')}: ", "bold"), offers)
    return [line, *(_quote(quote) for quote in parcel.fresh[-MAX_QUOTES:])]


def _quote(quote: QuoteRow) -> Text:
    mark = "»" if quote.kind == "speech" else "#"
    said = defang(quote.text)
    shown = said if len(said) <= MAX_QUOTE_CHARS else said[: MAX_QUOTE_CHARS - 1] + "…"
    return Text.assemble((f"{clock(quote.at):>7} ", "cyan"), (f"{quote.who} {mark} ", "bold"), shown)


def defang(text: str) -> str:
    """Return `text` with its links made unclickable, and without characters that steer a terminal."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return _LINK.sub(lambda found: found[0].replace("://", "[:]//").replace(".", "[.]"), plain)


def timeline(spans: Sequence[PhaseSpan], language: str, width: int = 60) -> RenderableType:
    """Return a strip of the show with its phases and a legend."""
    if not spans:
        return Text()
    whole = spans[-1].until
    strip = Text()
    for cell in range(width):
        middle = (cell + 0.5) / width * whole
        span = next((s for s in spans if s.at <= middle < s.until), spans[-1])
        strip.append(_BAR, PHASE_STYLES[span.phase])
    legend = Text()
    for phase, style in PHASE_STYLES.items():
        seconds = sum(s.until - s.at for s in spans if s.phase == phase)
        legend.append(f"{_BAR} ", style)
        legend.append(f"{say(language, f'phase.{phase}')} {clock(seconds)}   ", "dim")
    return Group(Text.assemble("0:00 ", strip, f" {clock(whole)}"), Text("     ") + legend)


def report_card(card: Card, language: str) -> RenderableType:
    """Return what is known about an account."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold")
    rows.add_column()
    none = say(language, "card.none")
    episodes = say(language, "card.episodes_value", **card.episodes)
    rows.add_row(say(language, "card.shows"), str(card.shows))
    rows.add_row(say(language, "card.hours"), f"{card.hours:.1f}")
    rows.add_row(say(language, "card.episodes"), episodes)
    rows.add_row(say(language, "card.offers"), names(language, "offer", list(card.offers)) or none)
    for label, noted in (("card.claims", card.claims), ("card.observations", card.observations)):
        lines = [_noted(language, row) for row in noted]
        rows.add_row(say(language, label), Group(*lines) if lines else none)
    rows.add_row(say(language, "card.self_promotion"), f"{card.self_promotion:.0%}")
    rows.add_row(say(language, "card.last_seen"), _day(card.last_seen) or none)
    rows.add_row(say(language, "card.listening_since"), _day(card.listening_since) or none)
    rows.add_row(say(language, "card.statements"), "\n".join(card.statements) or none)
    note = Text(say(language, "card.judgement"), style="italic dim")
    title = Text.assemble(f" {say(language, 'card.title')} ", (f"{' / '.join(card.names)} ", "bold"))
    return Panel(Group(rows, note), title=title, title_align="left", border_style="cyan", padding=(0, 1))


def _noted(language: str, row: ClaimRow | ObservationRow) -> Text:
    return Text(defang(f"{say(language, row.key, **row.params)} ({row.show}, {clock(row.at)})"))


def digest_card(digest: Digest, language: str) -> RenderableType:
    """Return the ranking of a time, and what could not be heard in it."""
    parts: list[RenderableType] = [
        Text(say(language, "digest.since", since=_day(digest.since), until=_day(digest.until)))
    ]
    if digest.ranking:
        table = Table(box=None, header_style="bold")
        for key in ("account", "confirmed", "open", "score", "trend", "offers", "rooms"):
            numeric = key in ("confirmed", "open", "score", "trend")
            table.add_column(say(language, f"digest.{key}"), justify="right" if numeric else "left")
        for row in digest.ranking:
            offers = names(language, "offer", row.offers)
            table.add_row(
                row.name,
                str(row.confirmed),
                str(row.open),
                f"{row.score:.1f}",
                f"{row.trend:+d}",
                offers,
                str(len(row.rooms)),
            )
        parts.append(table)
    else:
        heard = "digest.heard_part" if digest.unheard else "digest.empty"
        parts.append(Text(say(language, heard if digest.heard else "digest.nothing_heard")))
    parts += [
        Text(
            say(
                language,
                "digest.heard",
                room=room.room,
                hours=f"{room.heard_hours:.1f}",
                lost=f"{room.lost_hours + room.down_hours:.1f}",
                dropped=room.dropped,
            ),
            style="dim",
        )
        for room in digest.rooms
    ]
    parts.append(Text(say(language, "digest.reviews", **digest.reviews), style="dim"))
    if digest.held_back:
        parts.append(Text(say(language, "digest.held_back", count=digest.held_back), style="yellow"))
    title = f" {say(language, 'digest.title')} · {digest.community} "
    return Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(0, 1))


def _day(iso: str | None) -> str:
    return iso[:16].replace("T", " ") if iso else ""
