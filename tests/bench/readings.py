"""Readings of whole shows, kept between benches: reading takes minutes, judging seconds."""

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path

from detectors.classifier import Classifier
from tests.bench.shows import TruthShow, read_shows

_ROOT = Path(__file__).parents[2]
#: What a reading, and the form in which it is kept, depend on besides model and shows.
CODE = (
    *(_ROOT / "detectors" / f"{name}.py" for name in ("classifier", "context", "encoding", "gate", "language")),
    *(_ROOT / "detectors" / f"{name}.py" for name in ("ngrams", "normalise", "records", "second_look")),
    *(_ROOT / "detectors" / f"{name}.py" for name in ("show", "word_vectors")),
    *(_ROOT / "bot" / name for name in ("reading.py", "rooms/replay.py")),
    *(_ROOT / "tests" / "bench" / name for name in ("readings.py", "shows.py")),
)


def shows_of(folders: Sequence[Path], model: Path, cache: Path | None = None) -> list[TruthShow]:
    """Return the shows of all folders as the model reads them; with a `cache` folder, read only what is new to it.

    A cache is pickled by this program for itself: use none that somebody else made.
    """
    shows: list[TruthShow] = []
    reader: Classifier | None = None
    for folder in folders:
        kept = cache / f"{_key(folder, model)}.pickle" if cache else None
        if kept is not None and kept.exists():
            shows += pickle.loads(kept.read_bytes())
            continue
        reader = reader or Classifier(model)
        read = read_shows(folder, reader)
        shows += read
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(".fresh")
            fresh.write_bytes(pickle.dumps(read))
            fresh.replace(kept)
    return shows


def _key(folder: Path, model: Path) -> str:
    """Return what the readings depend on: the model's files, the code that reads, and the shows with their truth."""
    whole = hashlib.sha256((model / "manifest.json").read_bytes())
    for path in [*sorted(folder.glob("*.json*")), *CODE]:
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:24]
