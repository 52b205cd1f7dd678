"""Round matrices and tables to 8 bits: symmetrically, to the nearest of 255 steps, with a step's size per slice."""

import numpy as np
from numpy.typing import NDArray

_LIMIT = 127.0


def round_to_8_bits(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return 8-bit steps and their size per slice along `axis`: weights ≈ steps × size."""
    size = np.abs(weights).max(axis=1 - axis) / _LIMIT
    size[size == 0.0] = 1.0
    shape = (-1, 1) if axis == 0 else (1, -1)
    steps = np.clip(np.rint(weights / size.reshape(shape)), -_LIMIT, _LIMIT).astype(np.int8)
    return steps, size.astype(np.float32)
