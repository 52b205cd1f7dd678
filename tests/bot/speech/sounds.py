"""Sound for tests: what was recorded for them, and what is computed."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE
from bot.speech.media import MediaReader, Sound

ROOT = Path(__file__).parents[3]
CLIPS = ROOT / "tests" / "data" / "speech"


def clips() -> list[dict[str, Any]]:
    """The recorded clips with their texts."""
    return [json.loads(line) for line in (CLIPS / "clips.jsonl").read_text(encoding="utf-8").splitlines()]


def load(path: Path) -> NDArray[np.float32]:
    """Decode a whole file."""
    return np.concatenate([piece.samples for piece in MediaReader(str(path)) if isinstance(piece, Sound)])


def write_wav(path: Path, samples: NDArray[np.float32], rate: int = RATE) -> Path:
    """Write mono sound as a WAV file."""
    return write_sound(path, samples, "pcm_s16le", rate)


def write_sound(path: Path, samples: NDArray[np.float32], codec: str, rate: int = RATE) -> Path:
    """Write mono sound with any codec that takes 16-bit or float frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((np.clip(samples, -1, 1) * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path


def silence(seconds: float) -> NDArray[np.float32]:
    """Nothing at all."""
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float, level: float = 0.05) -> NDArray[np.float32]:
    """White noise."""
    return (np.random.default_rng(7).normal(0.0, level, round(seconds * RATE))).astype(np.float32)


def music(seconds: float) -> NDArray[np.float32]:
    """Chords of four decaying tones with overtones, two a second, and a beat of noise."""
    dice = np.random.default_rng(3)
    out = silence(seconds)
    length = RATE // 2
    t = np.arange(length) / RATE
    for start in range(0, len(out) - length, length):
        root = 110.0 * 2 ** (dice.integers(0, 12) / 12)
        for step in (0, 4, 7, 12):
            tone = root * 2 ** (step / 12)
            for overtone, loud in ((1, 0.06), (2, 0.03), (3, 0.02)):
                out[start : start + length] += (loud * np.sin(2 * np.pi * tone * overtone * t) * np.exp(-3 * t)).astype(
                    np.float32
                )
        out[start : start + 400] += dice.normal(0, 0.1, 400).astype(np.float32)
    return out


def quicker(samples: NDArray[np.float32], times: float) -> NDArray[np.float32]:
    """Say the same so many times as fast, at the same pitch."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_abuffer(format="flt", sample_rate=RATE, layout="mono"),
        graph.add("atempo", str(times)),
        graph.add("abuffersink"),
    ).configure()
    frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
    frame.sample_rate, frame.pts = RATE, 0
    graph.push(frame)
    graph.push(None)
    pieces = []
    with suppress(EOFError):
        while True:
            pieces.append(graph.pull().to_ndarray()[0])
    return np.concatenate(pieces)


def words(text: str) -> list[str]:
    """The words of a text as they are compared: lower case, no marks."""
    return re.findall(r"[\w']+", text.lower().replace("’", "'"))


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Return word errors (substituted, missing, added) and the number of words said."""
    a, b = words(said), words(heard)
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1], len(a)
