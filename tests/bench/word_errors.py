"""Measure word errors of the recogniser: `python -m tests.bench.word_errors [--json]`.

Two sets with known texts: the test clips, and every spoken line of the sample shows. Words are compared without case or
marks; figures written as digits count as errors where the text spells them out.
"""

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.speech import RATE
from bot.speech.model_files import shipped_model
from bot.speech.transcriber import Transcriber
from tests.bot.speech.sounds import CLIPS, ROOT, clips, load, word_errors

SOUND = ROOT / "samples" / "sound"
_FRENCH = re.compile(r"\b(?:le|la|les|je|est|une|vous|des|pas|dans|et)\b")
#: Sound before and after a line that is heard with it, in seconds.
_AROUND = 0.2


def clip_lines() -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield language, text and sound of each clip of one voice."""
    for clip in clips():
        if "seat" not in clip:
            yield clip["lang"], clip["text"], load(CLIPS / clip["file"])


def show_lines(folder: Path) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield language, text and sound of each spoken line of a sample show."""
    seats = {seat: load(folder / f"seat{seat}.opus") for seat in range(1, 5)}
    for raw in (folder / "spoken.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(raw)
        if row["type"] == "speech":
            first, last = (round(max(0.0, at) * RATE) for at in (row["at"] - _AROUND, row["until"] + _AROUND))
            lang = "fr" if len(_FRENCH.findall(row["text"].lower())) >= 2 else "en"
            yield lang, row["text"], seats[row["seat"]][first:last]


def measure() -> list[dict[str, Any]]:
    """Return word errors by set and language, and how much faster than life it went."""
    transcriber = Transcriber(shipped_model(), threads=2)
    sets = {"clips": clip_lines(), **{name: show_lines(SOUND / name) for name in ("evening", "clean")}}
    results = []
    for name, lines in sets.items():
        counts: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0])
        for lang, text, sound in lines:
            began = time.perf_counter()
            heard = transcriber.transcribe(sound)
            wrong, said = word_errors(text, heard.text)
            for place, value in enumerate((wrong, said, time.perf_counter() - began, len(sound) / RATE)):
                counts[lang][place] += value
        for lang, (wrong, said, spent, seconds) in sorted(counts.items()):
            results.append({"set": name, "lang": lang, "words": said, "wer": round(wrong / said, 4)})
            results[-1]["times_faster_than_life"] = round(seconds / spent, 1)
    return results


def main() -> None:
    """Print a line per set and language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for row in measure():
        print(json.dumps(row) if given.json else "  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
