"""Examples of warnings as Discord shows them: `python -m samples.discord.examples FOLDER` draws them."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bot.charts import timeline_picture
from bot.messages import TIMELINE, alert_layout, why_text
from bot.parcels import DecisionRow, NoteRow, Parcel, QuoteRow
from detectors.records import Message, PhaseSpan
from samples.discord.draw import THEMES, draw


def main() -> None:
    """Write examples in both languages and both themes into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime(2026, 10, 3, 19, 27, tzinfo=UTC)
    called = {"42": "mod_ana", "7": "moderators"}
    for language in ("en", "fr"):
        shown = {
            "open": alert_layout(_example(), language, ping_role="7", ping_from=0.85),
            "dry-run": alert_layout(_example(), language, dry_run=True),
            "confirmed": alert_layout(_decided("confirmed"), language),
            "dismissed": alert_layout(_decided("dismissed"), language),
            "why": why_text(_example(), language, 0.8, [Message("answer.needed", {"own": 73, "usual": 80})]),
        }
        pictures = {TIMELINE: timeline_picture(_example(), language)}
        for name, layout in shown.items():
            for theme in THEMES:
                picture = draw(layout, pictures, theme, now=now, called=called, language=language)
                (folder / f"{name}-{language}-{theme}.png").write_bytes(picture)


def _example() -> Parcel:
    said = (
        (1502.0, "speech", 0.97, "the whole system is in my ebook, the link is in my bio: https://reels.example/ebook"),
        (1530.0, "speech", 0.94, "it's nineteen euros until *midnight* and then it goes back up, I'm not kidding"),
        (1611.0, "speech", 0.91, "there are maybe five places left in the coaching group and they go fast"),
        (1795.0, "chat", 0.88, "DM me the word REELS and I'll send it over @everyone"),
    )
    return Parcel(
        alert="0123456789abcdef",
        version=1,
        first=True,
        channel="discord:1",
        reference=None,
        show="en-01",
        show_title="Reels that sell: an evening on stage",
        room="media:https://www.youtube.com/watch?v=abcdefghijk",
        account="media:stream:@kingofreels",
        name="@kingofreels",
        at=1530.0,
        since=1502.0,
        last_at=1800.0,
        score=0.87,
        offers=("ebook", "coaching"),
        cues=("scarcity", "link", "urgency"),
        reasons=(
            Message("why.after_teaching", {"minutes": 20}),
            Message("why.passages", {"count": 2}),
            *(Message(f"why.cue.{cue}") for cue in ("scarcity", "link", "urgency")),
            Message("why.earlier_confirmed", {"count": 1}),
        ),
        fresh=(),
        evidence=tuple(
            QuoteRow(at, at + 8.0, "@kingofreels", kind, text, f"en-01/{number}", 2, pitch)
            for number, (at, kind, pitch, text) in enumerate(said)
        ),
        raised="2026-10-03T19:25:30+00:00",
        phases=(
            PhaseSpan(0.0, 300.0, "talk"),
            PhaseSpan(300.0, 1490.0, "teach"),
            PhaseSpan(1490.0, 1640.0, "pitch"),
            PhaseSpan(1640.0, 1760.0, "talk"),
            PhaseSpan(1760.0, 1830.0, "pitch"),
        ),
        show_seconds=1860.0,
    )


def _decided(decision: str) -> Parcel:
    noted = (NoteRow("discord:discord:42", "We asked her to keep it off the stage.", "2026-10-03T19:26:40+00:00"),)
    made = DecisionRow(decision, "discord:discord:42", "2026-10-03T19:26:00+00:00")
    return replace(_example(), status=decision, decision=made, notes=noted, ended=True, more=2)


if __name__ == "__main__":
    main()
