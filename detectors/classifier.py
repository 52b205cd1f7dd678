"""`classifier`: reads lines with the shipped transformer and says what each does, offers and hints at.

Whether a line is a pitch is settled by three signs together, mixed as calibrated on validation shows: the network's
log-odds, and those of a linear model over the words of the line, alone and with the line before it. The linear model
knows turns of phrase that the network has not met; together they are better than either.

The network stands in two files: its lower layers, after which the gate may still pass chat of the audience by, and its
upper ones. The model folder holds config.json (labels, calibration), tokenizer.json, lower.onnx and upper.onnx (8-bit
matrices), gate.npz, words.npz, and manifest.json with the sha256 of each.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from detectors.encoding import encode
from detectors.gate import Gate, passed_reading
from detectors.language import LANGUAGES, detect_language, load_identifier
from detectors.ngrams import NgramModel
from detectors.processor import has_vnni
from detectors.records import Kind, Reading
from detectors.taxonomy import ACTS, CUES, LABELS, OFFERS

SHIPPED_MODEL: Final = Path(__file__).parent / "model"
_PITCH: Final = ACTS.index("pitch")
#: What a model folder must hold.
GATE: Final = "gate.npz"
LOWER: Final = "lower.onnx"
UPPER: Final = "upper.onnx"
FILES: Final = ("config.json", "tokenizer.json", LOWER, UPPER, GATE, "words.npz")
#: Has onnxruntime multiply 8-bit numbers exactly on x86 processors without VNNI.
EXACT: Final = "session.x64quantprecision"


class ModelError(Exception):
    """The model folder cannot be used; the text says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """A line to read. `gated` lets the gate pass it by; `lang` is a hint."""

    text: str
    kind: Kind
    context: tuple[str, ...] = ()
    lang: str | None = None
    gated: bool = False


@dataclass(frozen=True)
class Calibration:
    """What `calibrate` fitted: per kind a temperature and the band [low, high) of pitch probabilities in which nothing
    is sure; per kind and language the bias and the weights of the three signs of a pitch."""

    temperature: dict[str, float]
    mix: dict[tuple[str, str], tuple[float, float, float, float]]
    abstain: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Calibration":
        """Read what config.json holds. Raises KeyError, TypeError, ValueError or AttributeError where it is none."""
        mix: dict[tuple[str, str], tuple[float, float, float, float]] = {}
        for kind, languages in stored.get("mix", {}).items():
            for lang in LANGUAGES:
                bias, network, line, before = map(float, languages[lang])
                mix[kind, lang] = (bias, network, line, before)
        bands = {kind: (float(low), float(high)) for kind, (low, high) in stored.get("abstain", {}).items()}
        return cls({kind: float(value) for kind, value in stored.get("temperature", {}).items()}, mix, bands)


class Classifier:
    """The loaded model.

    Each line goes through the network alone, `threads` lines at once: that is a little faster than padded batches,
    and a line's reading cannot depend on which lines happen to stand beside it.
    """

    def __init__(self, folder: Path = SHIPPED_MODEL, threads: int = 2, with_gate: bool = True) -> None:
        """Load and check the model. Raises ModelError when a file is missing, damaged or does not fit.

        `with_gate=False` reads every line, and is for fitting a gate.
        """
        check_files(folder, FILES if with_gate else tuple(name for name in FILES if name != GATE))
        try:
            load_identifier()
        except OSError as error:
            raise ModelError(f"the language identifier cannot be unpacked: {error.strerror}; make room") from error
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            labels = tuple(config["id2label"][str(i)] for i in range(len(config["id2label"])))
            if labels != LABELS:
                raise ModelError(f"{folder / 'config.json'}: labels are not those of this version; use its own model")
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._gate = Gate.load(folder / GATE, self._tokenizer) if with_gate else None
            self._words = NgramModel.load(folder / "words.npz")
            self.calibration = Calibration.of(config.get("calibration", {}))
        except ModelError:
            raise
        except Exception as error:  # tokenizers raises bare Exceptions
            raise ModelError(f"{folder}: cannot be read: {error}") from error
        if self._gate is not None and self._gate.width != config["hidden_size"]:
            raise ModelError(f"{folder / GATE}: belongs to another network; fit it anew")
        self._lower, self._upper = load_network(folder / LOWER), load_network(folder / UPPER)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="classifier")

    def read(self, requests: Sequence[Request]) -> list[Reading]:
        """Return one reading per request, in order."""
        langs = [detect_language(request.text, request.lang) for request in requests]
        looked = self._threads.map(self._look, requests)
        return [
            passed_reading(lang) if row is None else self._reading(row, request, lang)
            for request, lang, row in zip(requests, langs, looked, strict=True)
        ]

    def logits(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Return the network's logits over `LABELS`, shape (requests, labels), before any calibration."""
        return np.array(list(self._threads.map(self._through, requests)))

    def early(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Return what the lower layers make of the lines, shape (requests, width)."""
        return np.array([early for _, early, _ in self._threads.map(self._begin, requests)])

    def _look(self, request: Request) -> NDArray[np.float32] | None:
        """Return the logits of a line, or None when the gate passes it by, before or after the lower layers."""
        gate = self._gate if request.gated else None
        said = 0.0
        if gate is not None:
            said = gate.logit(request.text)
            if gate.passes_by(said):
                return None
        hidden, early, types = self._begin(request)
        if gate is not None and gate.passes_early(said, early):
            return None
        return self._end(hidden, types)

    def _through(self, request: Request) -> NDArray[np.float32]:
        hidden, _, types = self._begin(request)
        return self._end(hidden, types)

    def _begin(self, request: Request) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
        """Return the lower layers' vectors, their mean over the line's own tokens, and what the upper ones need."""
        line = encode(self._tokenizer, request.text, request.kind, request.context)
        types = {"token_type_ids": np.array([line.types], dtype=np.int64)}
        ids = {"input_ids": np.array([line.ids], dtype=np.int64)}
        hidden, early = self._lower.run(["hidden", "early"], ids | types)
        return hidden, early[0], types

    def _end(self, hidden: NDArray[np.float32], types: dict[str, Any]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._upper.run(["logits"], {"hidden": hidden, **types})[0][0]
        return logits

    def _reading(self, logits: NDArray[np.float32], request: Request, lang: str) -> Reading:
        known = self.calibration
        scaled = logits.astype(np.float64) / known.temperature.get(request.kind, 1.0)
        acts = np.exp(scaled[: len(ACTS)] - scaled[: len(ACTS)].max())
        acts /= acts.sum()
        mix = known.mix.get((request.kind, lang))
        if mix is not None:
            bias, *weights = mix
            signs = (pitch_log_odds(logits), *word_signs(self._words, request.text, request.context))
            pitch = 1.0 / (1.0 + math.exp(-bias - sum(w * sign for w, sign in zip(weights, signs, strict=True))))
            rest = 1.0 - acts[_PITCH]
            acts *= (1.0 - pitch) / max(rest, 1e-9)
            acts[_PITCH] = pitch
            acts /= acts.sum()
        flags = 1.0 / (1.0 + np.exp(-logits[len(ACTS) :].astype(np.float64)))
        low, high = known.abstain.get(request.kind, (1.0, 1.0))
        return Reading(
            dict(zip(ACTS, acts.tolist(), strict=True)),
            dict(zip(OFFERS, flags[: len(OFFERS)].tolist(), strict=True)),
            dict(zip(CUES, flags[len(OFFERS) :].tolist(), strict=True)),
            lang,
            unsure=bool(low <= acts[_PITCH] < high),
        )


def load_network(path: Path) -> Any:
    """Load a part of the network, computing on one thread. Raises ModelError."""
    try:
        return onnxruntime.InferenceSession(
            str(path),
            session_options(),
            providers=["CPUExecutionProvider"],
            # Kept apart, what it joins takes a tenth less time (onnxruntime 1.32, AVX-512).
            disabled_optimizers=["SkipLayerNormFusion"],
        )
    except Exception as error:  # onnxruntime raises its own unrelated types
        raise ModelError(f"{path}: {error}") from error


def session_options() -> Any:
    """Return how onnxruntime is to compute: on one thread, and 8-bit products without overflow."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not has_vnni():  # with VNNI the exact way is the usual one, and this would only be slower
        options.add_session_config_entry(EXACT, "1")
    return options


def pitch_log_odds(logits: NDArray[np.float32]) -> float:
    """Return the network's own log-odds of a pitch against all other acts."""
    acts = logits[: len(ACTS)].astype(np.float64)
    others = np.delete(acts, _PITCH)
    highest = others.max()
    return float(acts[_PITCH] - highest - math.log(np.exp(others - highest).sum()))


def word_signs(words: NgramModel, text: str, context: Sequence[str]) -> tuple[float, float]:
    """Return what the words alone say, in log-odds of a pitch: those of the line, and with the line before it."""
    before = context[-1] if context else ""
    return words.logit(text), words.logit(f"{before} {text}")


def check_files(folder: Path, needed: Sequence[str] = FILES) -> None:
    """Compare the `needed` files of the model folder with its manifest. Raises ModelError on the first that differs."""
    manifest = folder / "manifest.json"
    try:
        sums = dict(json.loads(manifest.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{manifest}: cannot be read ({error}); install Pitchwatch again") from error
    if missing := set(needed) - sums.keys():
        raise ModelError(f"{manifest}: says nothing of {', '.join(sorted(missing))}; install Pitchwatch again")
    for name, expected in ((name, sums[name]) for name in needed):
        path = folder / name
        try:
            actual = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror}); install Pitchwatch again") from error
        if actual != expected:
            raise ModelError(
                f"{path}: is damaged (its sha256 is not the one in the manifest); install Pitchwatch again"
            )
