"""A studio without people: a synthetic voice says a line in a room, and the recogniser of the bot writes what it hears.

Used by `detectors.training.read_aloud`. What is needed stands in README.md beside this file.
"""

import hashlib
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE
from bot.speech.media import MediaReader, Sound
from bot.speech.model_files import shipped_model
from bot.speech.transcriber import Transcriber
from samples.sound.voice import RATE as VOICE_RATE
from samples.sound.voice import Kokoro, Voice, amplitude, in_room, write_opus

CAST = Path(__file__).with_name("voices.toml")
#: Noise of a speaker's room in dB below full scale; the voice is at -22.
ROOMS = (-60.0, -48.0, -38.0)
BIT_RATE = 20_000
#: Room around a line in seconds.
AROUND = 0.3
#: More than the recogniser takes at once, in seconds.
LONGEST = 29.0


def pick(options: Sequence[Any], *key: object) -> Any:
    """Return one of `options`, the same for the same key."""
    return options[int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4]) % len(options)]


class Studio:
    """Voices, rooms, and the ear."""

    def __init__(self, voices: Path, seed: int) -> None:
        """Load synthesiser and recogniser, one core each."""
        cast = tomllib.loads(CAST.read_text(encoding="utf-8"))
        self._readers: dict[str, list[dict[str, Any]]] = cast["readers"]
        self._kokoro = Kokoro(voices, cast.get("say", {}))
        model = shipped_model()
        self.recogniser = f"{model.name} as faster-whisper runs it"
        self._transcriber = Transcriber(model, threads=1)
        self._seed = seed
        self._folder = tempfile.TemporaryDirectory()

    def hear(self, row: dict[str, Any]) -> tuple[str, str, str]:
        """Return the text as heard, by what sign it is doubted (or nothing), and who said it where."""
        reader = pick(self._readers[row["lang"]], self._seed, row["passage"], row["who"])
        room = pick(ROOMS, self._seed, row["who"], row["passage"])
        voice = f"{reader['voice']} {reader['accent']} x{reader['speed']:g}, room {room:g} dB"
        if not any(sign.isalpha() for sign in row["text"]):
            return "", "no words", voice
        sound = np.pad(self._kokoro.speak(row["text"], row["lang"], Voice(**reader)), round(AROUND * VOICE_RATE))
        path = Path(self._folder.name) / "line.opus"
        write_opus(path, in_room(sound, pick(range(1 << 16), row["id"]), amplitude(room)), BIT_RATE)
        samples = _load(path)
        if len(samples) > LONGEST * RATE:
            return "", "too long", voice
        heard = self._transcriber.transcribe(samples)
        return heard.text, heard.why, voice


def _load(path: Path) -> NDArray[np.float32]:
    return np.concatenate([piece.samples for piece in MediaReader(str(path)) if isinstance(piece, Sound)])
