"""Hashed n-grams of many texts as one sparse matrix, for fitting linear models over them."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from detectors.ngrams import BUCKETS, features


def matrix(texts: Sequence[str]) -> csr_matrix:
    """Return hashed features, each row scaled by one over the root of its number of features."""
    rows = [features(text) for text in texts]
    values = [np.full(len(row), 1.0 / np.sqrt(max(1, len(row))), dtype=np.float32) for row in rows]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((np.concatenate(values), np.concatenate(rows), ends), shape=(len(texts), BUCKETS))
