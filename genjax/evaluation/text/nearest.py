"""What is nearest to a text, by the cosine of vectors of any model that has some."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from genjax.core import capabilities as can
from genjax.core.config import ConfigError
from genjax.core.tokens import PAD

_BLOCK = 512  # queries at once


def text_vectors(model: Any, texts: Sequence[str]) -> np.ndarray:
    """Computes a vector for each text, float32 (N, D).

    Those of `encode` where the family has it; else the mean over a text's tokens of what its last
    layer computes, as of language models and translators.

    Raises:
      ConfigError: the family has neither.
    """
    of_texts = model.run.dataset.codec is not None
    if of_texts and isinstance(model.family, can.Encodes):
        return np.asarray(model.encode(list(texts)), np.float32)
    of_texts &= isinstance(model.family, can.HasFeatures)
    if not of_texts or isinstance(model.family, can.Tags):
        raise ConfigError(f"family {model.config.family} has no vectors of texts")
    ids_NxT = model.tokens(list(texts))
    last_NxTxD = list(model.features(ids_NxT).values())[-1]
    real_NxTx1 = (ids_NxT[:, : last_NxTxD.shape[1]] != PAD)[..., None]
    sum_NxD = np.where(real_NxTx1, last_NxTxD, 0).sum(1, dtype=np.float32)
    return np.asarray(sum_NxD / np.maximum(real_NxTx1.sum(1), 1), np.float32)


def nearest(query_QxD: np.ndarray, among_NxD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k of `among` nearest to each query: their indices and cosines, both (Q, k).

    The nearest comes first, of equally near ones the first; a vector of 0 is as far from all. There
    are N where k is larger.
    """
    among_NxD, query_QxD = _unit(among_NxD), _unit(query_QxD)
    k = min(k, len(among_NxD))
    found: list[np.ndarray] = []
    cosines: list[np.ndarray] = []
    for start in range(0, len(query_QxD), _BLOCK):
        cosine_QxN = query_QxD[start : start + _BLOCK] @ among_NxD.T
        index_QxK = np.argsort(-cosine_QxN, axis=1, kind="stable")[:, :k]
        found.append(index_QxK)
        cosines.append(np.take_along_axis(cosine_QxN, index_QxK, axis=1))
    return np.concatenate(found), np.concatenate(cosines)


def _unit(x_NxD: np.ndarray) -> np.ndarray:
    x_NxD = np.asarray(x_NxD, np.float32)
    norm_Nx1 = np.linalg.norm(x_NxD, axis=1, keepdims=True)
    return x_NxD / np.maximum(norm_Nx1, np.finfo(np.float32).tiny)
