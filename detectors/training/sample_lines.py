"""Draw training lines by chance, to be read by somebody: `python -m detectors.training.sample_lines 100 [--seed 4]`.

Each with the line before it in its passage. Lines as a recogniser heard them are left out; they repeat written ones.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from detectors.training.passages import LabelledLine, read_lines, training_files


def draw(lines: Sequence[LabelledLine], count: int, seed: int) -> list[tuple[LabelledLine | None, LabelledLine]]:
    """Return lines by chance in their order, each with the one before it in its passage."""
    written = [line for line in lines if not line.spoken]
    places = sorted(random.Random(seed).sample(range(len(written)), min(count, len(written))))
    return [(written[place - 1] if _goes_on(written, place) else None, written[place]) for place in places]


def _goes_on(lines: Sequence[LabelledLine], place: int) -> bool:
    return place > 0 and lines[place - 1].passage == lines[place].passage


def main() -> int:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=4)
    given = parser.parse_args()
    for number, (before, line) in enumerate(draw(read_lines(training_files()), given.count, given.seed), 1):
        if before:
            print(f"     {before.who}: {before.text}")
        marks = " ".join([line.act, *line.offers, *line.cues])
        print(f"{number:3}  {line.who}: {line.text}\n     [{line.id}, {line.lang}, {line.style}, {line.kind}: {marks}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
