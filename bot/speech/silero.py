"""The voice detector: Silero VAD (MIT, ships inside faster-whisper), window by window on running sound."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bot.speech.voice import WINDOW

#: Samples of the window before that the network looks back on, and the width of its memory.
_CONTEXT: Final = 64
_MEMORY: Final = (1, 1, 128)


def load_session() -> Any:
    """Load the network once; detectors of all rooms share it."""
    import faster_whisper

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    path = Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class VoiceDetector:
    """Remembers one source's recent sound; not to be shared between sources."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._left: NDArray[np.float32] = np.empty(0, np.float32)
        self.forget()

    def forget(self) -> None:
        """Start anew, after a break in the sound."""
        self._h = np.zeros(_MEMORY, np.float32)
        self._c = np.zeros(_MEMORY, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._left = np.empty(0, np.float32)

    def probabilities(self, samples: NDArray[np.float32]) -> list[float]:
        """Return the probability of a voice for each whole window that is complete with `samples`."""
        sound = np.concatenate((self._left, samples))
        whole = len(sound) // WINDOW * WINDOW
        self._left = sound[whole:]
        if not whole:
            return []
        padded = np.concatenate((self._context, sound[:whole]))
        rows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW + _CONTEXT)[::WINDOW]
        feed = {"input": np.ascontiguousarray(rows), "h": self._h, "c": self._c}
        voices, self._h, self._c = self._session.run(None, feed)
        self._context = padded[-_CONTEXT:]
        return [float(value) for value in voices.ravel()]
