"""A hearing for tests of rooms: what each file \"says\" is told beforehand; no decoder, no recogniser."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.speech import SpeechError
from bot.speech.ear import EarSettings, LanguageMemory, Said
from bot.speech.media import Away, Back, MediaReader, is_remote
from bot.speech.transcriber import Heard

Coming = Said | Away | Back


def said(number: int, at: float, until: float, text: str | None, lang: str = "en", weight: float = 1.0) -> Said:
    """Something said; no text: it was not heard."""
    heard = None if text is None else Heard(text, lang, weight, "", {"en": 0.5, "fr": 0.5})
    return Said(number, at, until, heard, "" if heard else "too much was said at once")


class ToldEar:
    """Says what it was told to."""

    def __init__(self, coming: Sequence[Coming | float | Exception], settings: EarSettings, finite: bool) -> None:
        self._coming = coming
        self.settings = settings
        self.reader = MediaReader("nothing")
        self.reader.finite = finite
        self.at = max((c.until for c in coming if isinstance(c, Said)), default=0.0) + 1.0

    async def listen(self) -> AsyncGenerator[Coming, None]:
        """Yield what comes; a number is a wait in seconds."""
        for coming in self._coming:
            if isinstance(coming, Exception):
                raise coming
            if isinstance(coming, float):
                await asyncio.sleep(coming)
                continue
            yield coming


class ToldHearing:
    """Gives ears by the name of the file."""

    def __init__(self, told: Mapping[str, Sequence[Coming | float | Exception]]) -> None:
        self._told = told
        #: Whether its streams stay away in the end.
        self.given_up = False
        self.ears: list[ToldEar] = []
        self.speakers: dict[str, Callable[[float], str]] = {}

    async def start(self) -> None:
        """Nothing to load."""

    async def ear(
        self,
        address: str,
        settings: EarSettings,
        speaker: Callable[[float], str] = lambda at: "",
        memory: LanguageMemory | None = None,
    ) -> Any:
        """Return the ear for a file. Raises SpeechError when nothing was told about it."""
        name = Path(address).name
        if name not in self._told:
            raise SpeechError(f"{address}: cannot be heard")
        self.speakers[name] = speaker
        self.ears.append(ToldEar(self._told[name], settings, not is_remote(address)))
        self.ears[-1].reader.given_up = self.given_up
        return self.ears[-1]
