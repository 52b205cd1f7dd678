"""The transcriber: one segment of sound becomes text, in English or French, within bounded work.

Runs inside a worker process. Works on faster-whisper's parts, one encoder pass a segment: the same pass says which
language it is and what was said. No context from before, temperature 0, no repeated runs of words, no more tokens per
second than anybody speaks: silence and noise otherwise cost up to a hundred times a clip's length.
"""

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE, SpeechError

LANGUAGES: Final = ("en", "fr")
#: Sound that the encoder is given at least, in seconds. Whisper was trained on 30; segments are 12 at most, and the
#: rest would be silence: less of it is twice as fast, and hardly worse down to 16 s (docs/speech.md).
_WINDOW: Final = 16.0
#: Most tokens for a segment: a base, and so many a second. Quick French is about ten a second; with 9 its end was lost.
_TOKENS: Final = 12
_TOKENS_PER_SECOND: Final = 14.0
#: Text that packs better than this is the same words over and over (the measure and its bound are Whisper's own).
_MOST_COMPRESSED: Final = 2.4
#: Mean log-probability of a token below which a text is a guess.
_LEAST_SURE: Final = -1.1
#: Probability of "no speech" from which a text that is not sure either is taken for invented.
_NO_SPEECH: Final = 0.6
_UNSURE: Final = -0.6

#: What Whisper writes on silence, music and noise, since its training subtitles ended that way.
_INVENTED: Final = re.compile(
    r"(?:thank(?:s| you)(?: so much| very much)?(?: for watching| for listening)?(?: (?:the|this|my) video)?"
    r"|(?:please |and )*(?:don't forget to )?(?:like(?:,| and)? )?subscribe(?: to (?:the|my|our) channel)?"
    r"|(?:i'll |i will )?see you (?:in the )?next (?:time|video|one)|bye(?:[ -]bye)*|you"
    r"|(?:english )?subtitles? (?:by|edited by) .{0,40}|transcri(?:bed|ption) by .{0,40}|copyright .{0,40}|www\.\S+"
    r"|sous[- ]titr(?:es|age)\b.{0,60}|merci d'avoir regardé.{0,30}|merci(?: à tous)?(?: et)?(?: à bientôt)?"
    r"|abonnez[- ]vous(?: à (?:la|ma) chaîne)?|à (?:bientôt|la prochaine)(?: pour une nouvelle vidéo)?"
    r"|❤️?|♪.*|\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[.… ]+)",
    re.IGNORECASE,
)
_ENDS: Final = re.compile(r"[.!?…]+")


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a segment. `weight` is 0 when it is probably invented; `why` then says by what sign.

    `languages` holds the probability of each language that is listened for; they sum to 1.
    """

    text: str
    lang: str
    weight: float
    why: str
    languages: Mapping[str, float]


def is_invented(text: str) -> bool:
    """Whether a text is nothing but phrases that a recogniser invents."""
    parts = [part.strip(" ,-–") for part in _ENDS.split(text)]
    return all(not part or _INVENTED.fullmatch(part) for part in parts) or bool(_INVENTED.fullmatch(text.strip()))


def choose_language(found: Mapping[str, float], prior: Mapping[str, float]) -> str:
    """Return the language of a segment from what it sounds like and what its speaker spoke before.

    `prior` adds in log-odds; a guest's switch to French is followed when it is clear to the ear.
    """
    return max(found, key=lambda lang: math.log(max(found[lang], 1e-6)) + prior.get(lang, 0.0))


class Transcriber:
    """The loaded recogniser. One segment at a time."""

    def __init__(self, model: str | Path, threads: int, languages: Sequence[str] = LANGUAGES, beam: int = 1) -> None:
        """Load `model`: a folder, or a name that faster-whisper knows. Raises SpeechError."""
        from faster_whisper import WhisperModel

        if str(model).startswith(("/", "./", "../", "~")) and not Path(model).is_dir():
            raise SpeechError(f"speech model {model}: there is no such folder")
        try:
            self._whisper: Any = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
        except Exception as error:  # CTranslate2 and the hub raise types of their own
            raise SpeechError(f"speech model {model}: cannot be loaded: {' '.join(str(error).split())}") from error
        self._languages = tuple(languages)
        self._beam = beam

    def transcribe(
        self, samples: NDArray[np.float32], prior: Mapping[str, float] | None = None, lang: str | None = None
    ) -> Heard:
        """Return what was said in `samples` (mono, 16 kHz, at most 30 s). `lang` settles the language beforehand."""
        seconds = len(samples) / RATE
        encoded = self._whisper.encode(self._features(samples, seconds))
        languages = self._hear_language(encoded)
        chosen = lang or choose_language(languages, prior or {})
        text, sure, why = self._decode(encoded, chosen, seconds)
        if why == "guess" and lang is None:
            # A French accent in English, say: what makes no sense in one language may in another.
            for other in self._languages:
                if other != chosen and (tried := self._decode(encoded, other, seconds))[1] > sure and not tried[2]:
                    chosen, (text, sure, why) = other, tried
        return Heard(text, chosen, 0.0 if why else 1.0, why, languages)

    def _features(self, samples: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
        extractor = self._whisper.feature_extractor
        frames = min(extractor.nb_max_frames, round(max(_WINDOW, seconds + 1.0) / extractor.time_per_frame))
        features: NDArray[np.float32] = extractor(samples)[:, :frames]
        return np.pad(features, ((0, 0), (0, frames - features.shape[-1])))

    def _decode(self, encoded: Any, lang: str, seconds: float) -> tuple[str, float, str]:
        """Return the text in a language, the mean log-probability of its tokens, and by what sign it is doubted."""
        tokenizer = self._whisper.hf_tokenizer
        prompt = [
            tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftranscript", lang, "transcribe", "notimestamps")
        ]
        (result,) = self._whisper.model.generate(
            encoded,
            [prompt],
            beam_size=self._beam,
            max_length=len(prompt) + _TOKENS + int(_TOKENS_PER_SECOND * seconds),
            no_repeat_ngram_size=4,
            suppress_blank=True,
            return_scores=True,
            return_no_speech_prob=True,
        )
        ids = result.sequences_ids[0]
        text = " ".join(tokenizer.decode(ids, skip_special_tokens=True).split())
        return text, result.scores[0], _doubt(text, result.scores[0], result.no_speech_prob)

    def _hear_language(self, encoded: Any) -> dict[str, float]:
        (ranked,) = self._whisper.model.detect_language(encoded)
        found = {name.strip("<|>"): probability for name, probability in ranked}
        wanted = {lang: max(1e-6, found.get(lang, 0.0)) for lang in self._languages}
        total = sum(wanted.values())
        return {lang: probability / total for lang, probability in wanted.items()}


def _doubt(text: str, mean_log_probability: float, no_speech: float) -> str:
    """Return by what sign a text is probably invented, or nothing."""
    if not text or is_invented(text):
        return "phrase"
    if len(text.encode()) / len(zlib.compress(text.encode())) > _MOST_COMPRESSED:
        return "repeats"
    if mean_log_probability < _LEAST_SURE:
        return "guess"
    if no_speech > _NO_SPEECH and mean_log_probability < _UNSURE:
        return "no speech"
    return ""
