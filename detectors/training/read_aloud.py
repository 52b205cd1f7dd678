"""Read training passages aloud with synthetic voices, and keep what the shipped recogniser hears.

`python -m detectors.training.read_aloud --voices VOICES [--passages 20] [--minutes 15]`

Speech of passages in style `clean`, chosen by seed, goes through a voice, a room with noise and Opus at 20 kbit/s as
in the sample shows, then through the recogniser of the bot. Each line that was heard becomes a row of `train/r01.jsonl`
with its words as heard (`text`), as written (`spoken`), the id of the written line (`of`), and its labels. Left out are
chat, lines that the recogniser itself doubts, and lines of which most words are wrong. The sound is not kept. VOICES,
and the packages that are needed, stand in samples/sound/README.md. `--again` reads the passages that the file holds.
"""

import argparse
import hashlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detectors.training.data_check import words
from detectors.training.passages import DATA
from samples.sound.studio import Studio

SOURCE = "a line of this project, read aloud by a synthetic voice and heard by the recogniser"
#: Languages in the order in which passages are taken: about 60:40, wherever it ends.
TURNS = ("en", "fr", "en", "fr", "en")
#: Word errors, as a share of the words written, beyond which nobody could tell what a line does: its labels are void.
MOST_WRONG = 0.5

Row = dict[str, Any]


def read_written(paths: Sequence[Path]) -> dict[str, list[Row]]:
    """Return the rows of each passage in style `clean`."""
    passages: dict[str, list[Row]] = {}
    for path in paths:
        for raw in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(raw)
            if row["style"] == "clean":
                passages.setdefault(row["passage"], []).append(row)
    return passages


def choose(passages: dict[str, list[Row]], count: int, seed: int) -> list[str]:
    """Return names of passages by chance, in turn from both languages.

    Chance is a hash of seed and name, so that a file more changes little of the choice.
    """
    order = sorted(passages, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    left = {lang: [name for name in order if passages[name][0]["lang"] == lang] for lang in TURNS}
    chosen: list[str] = []
    for lang in itertools.islice(itertools.cycle(TURNS), count):
        if not left[lang]:
            break
        chosen.append(left[lang].pop(0))
    return chosen


def heard_row(row: Row, text: str, voice: str, recogniser: str) -> Row:
    """Return the row of a line that was heard."""
    return {
        **row,
        "id": f"r01-{row['id']}",
        "passage": f"r01-{row['passage']}",
        "style": "asr",
        "text": text,
        "spoken": row["text"],
        "of": row["id"],
        "source": SOURCE,
        "voice": voice,
        "recogniser": recogniser,
    }


def word_errors(spoken: str, heard: str) -> float:
    """Return the words that were exchanged, lost or added, as a share of those spoken."""
    said, got = words(spoken), words(heard)
    costs = list(range(len(got) + 1))
    for row, word in enumerate(said, 1):
        before, costs[0] = costs[0], row
        for column, other in enumerate(got, 1):
            change = before + (word != other)
            before, costs[column] = costs[column], min(change, costs[column] + 1, costs[column - 1] + 1)
    return costs[-1] / max(1, len(said))


def read_aloud(
    passages: dict[str, list[Row]], names: Sequence[str], studio: Studio, minutes: float, left_out: Counter[str]
) -> Iterator[Row]:
    """Yield the heard rows of the named passages until so many minutes of processor time are spent."""
    for number, name in enumerate(names, 1):
        if time.process_time() > 60 * minutes:
            print(f"{minutes:g} minutes are spent: {number - 1} of {len(names)} passages", file=sys.stderr)
            return
        for row in passages[name]:
            if row["kind"] != "speech":
                continue
            text, why, voice = studio.hear(row)
            if not why and word_errors(row["text"], text) > MOST_WRONG:
                why = "most words wrong"
            left_out[why] += 1
            if not why:
                yield heard_row(row, text, voice, studio.recogniser)
        print(f"{number}/{len(names)} {name}: {time.process_time() / 60:.1f} min", file=sys.stderr, flush=True)


def main() -> int:
    """Write the data file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", required=True, type=Path, help="folder with Kokoro's voices (*.bin)")
    parser.add_argument("--passages", type=int, default=20, help="how many, at most")
    parser.add_argument("--minutes", type=float, default=15.0, help="processor time after which no passage begins")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--again", action="store_true", help="read the passages that the file holds already")
    parser.add_argument("--out", type=Path, default=DATA / "train" / "r01.jsonl")
    given = parser.parse_args()
    passages = read_written(sorted((DATA / "train").glob("w*.jsonl")))
    if given.again:
        held = [json.loads(raw) for raw in given.out.read_text(encoding="utf-8").splitlines()]
        names = list(dict.fromkeys(row["passage"].removeprefix("r01-") for row in held))
    else:
        names = choose(passages, given.passages, given.seed)
    left_out: Counter[str] = Counter()
    rows = list(read_aloud(passages, names, Studio(given.voices, given.seed), given.minutes, left_out))
    given.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} lines of {len({row['passage'] for row in rows})} passages → {given.out}", file=sys.stderr)
    print(f"left out: {', '.join(f'{n} ({why})' for why, n in left_out.items() if why) or 'none'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
