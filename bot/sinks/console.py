"""Sink `console`: warnings on standard output, as cards for people or as JSON Lines."""

import json
from typing import Any, TextIO

from rich.console import Console

from bot.cards import alert_card
from bot.outbox import Reconciled
from bot.parcels import Parcel, QuoteRow
from config.wording import say


class ConsoleSink:
    """Prints cards. `dry_run` marks each as something that would have been sent."""

    def __init__(self, console: Console, language: str, name: str = "console") -> None:
        self.name = name
        self._console = console
        self._language = language

    async def deliver(self, parcel: Parcel) -> str | None:
        """Print the card. Nothing on a terminal can be found again, so there is no reference."""
        self._console.print(alert_card(parcel, self._language, dry_run=self.name != "console"))
        return None

    async def reconcile(self, parcel: Parcel) -> Reconciled:
        """A line printed twice harms nobody; one never printed does."""
        return Reconciled("not_sent")

    async def blocked(self, parcel: Parcel, reason: str) -> None:
        """Standard output is never blocked; what goes wrong there ends the process."""


class JsonSink:
    """Writes `alert` and `update` lines."""

    def __init__(self, out: TextIO, language: str, name: str = "console") -> None:
        self.name = name
        self._out = out
        self._language = language

    async def deliver(self, parcel: Parcel) -> str | None:
        """Write one line."""
        line = alert_line(parcel, self._language) if parcel.first else update_line(parcel)
        if self.name != "console":
            line["dry_run"] = True
        write_line(self._out, line)
        return None

    async def reconcile(self, parcel: Parcel) -> Reconciled:
        """A reader of JSON Lines knows a repeated alert by its id."""
        return Reconciled("not_sent")

    async def blocked(self, parcel: Parcel, reason: str) -> None:
        """Standard output is never blocked; what goes wrong there ends the process."""


def alert_line(parcel: Parcel, language: str) -> dict[str, Any]:
    """Return a new alert in its stable format."""
    return {
        "type": "alert",
        "id": parcel.alert,
        "show": parcel.show,
        "host": parcel.name,
        "at": parcel.at,
        "since": parcel.since,
        "score": parcel.score,
        "offers": list(parcel.offers),
        "cues": list(parcel.cues),
        "evidence": [_evidence(quote) for quote in parcel.evidence],
        "why": [say(language, reason.key, **reason.params) for reason in parcel.reasons],
    }


def update_line(parcel: Parcel) -> dict[str, Any]:
    """Return an update in its stable format, with the quotes not shown before."""
    return {
        "type": "update",
        "id": parcel.alert,
        "show": parcel.show,
        "host": parcel.name,
        "at": parcel.last_at,
        "score": parcel.score,
        "offers": list(parcel.offers),
        "cues": list(parcel.cues),
        "evidence": [_evidence(quote) for quote in parcel.fresh],
    }


def _evidence(quote: QuoteRow) -> dict[str, Any]:
    return {"at": quote.at, "until": quote.until, "who": quote.who, "kind": quote.kind, "text": quote.text}


def write_line(out: TextIO, line: dict[str, Any]) -> None:
    """Write one JSON line and let it go at once, so that a reader in a pipe sees it."""
    out.write(json.dumps(line, ensure_ascii=False) + "\n")
    out.flush()
