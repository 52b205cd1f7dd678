"""`pitchwatch transcribe`: a file or stream becomes lines, as they become final."""

import sys
from contextlib import aclosing

from rich.console import Console
from rich.text import Text

from bot.cards import clock
from bot.sinks.console import write_line
from bot.speech.ear import EarSettings, Said
from bot.speech.hearing import Hearing
from bot.speech.media import Away


async def transcribe(hearing: Hearing, media: str, lang: str | None, as_json: bool) -> int:
    """Print what is said; return 1 if something could not be heard. Raises SpeechError when nothing can."""
    console = Console(highlight=False, markup=False, emoji=False)
    lost = 0
    try:
        ear = await hearing.ear(media, EarSettings(lang=lang))
        async with aclosing(ear.listen()) as listening:
            async for said in listening:
                if not isinstance(said, Said):
                    told = f"lost: {said.why}" if isinstance(said, Away) else "back"
                    print(f"pitchwatch: {clock(said.at)} {told}", file=sys.stderr)
                    lost += isinstance(said, Away)
                    continue
                lost += said.heard is None
                if as_json:
                    write_line(sys.stdout, _line(said))
                else:
                    console.print(_text(said))
    finally:
        await hearing.close()
    return 1 if lost or ear.reader.broken or ear.reader.given_up else 0


def _line(said: Said) -> dict[str, object]:
    line: dict[str, object] = {"at": said.at, "until": said.until}
    if said.heard is None:
        return line | {"text": None, "lang": None, "why": said.why}
    line |= {"text": said.heard.text, "lang": said.heard.lang, "weight": said.heard.weight}
    return line | ({"why": said.heard.why} if said.heard.why else {})


def _text(said: Said) -> Text:
    head = Text(f"{clock(said.at)}  ", style="bold")
    if said.heard is None:
        return head.append(f"… ({said.why})", style="red")
    return head.append(said.heard.text, style="dim strike" if said.heard.weight == 0.0 else "")
