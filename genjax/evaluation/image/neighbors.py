"""Nearest neighbors among rows that come in batches."""

import numpy as np


class Neighbors:
    """The k rows nearest to each of some questions, by the Euclidean distance of embeddings.

    What is found for a question does not depend on the others.

    Args:
      query_MxD: the questions.
      k: rows that are kept for each.

    Attributes:
      distance: float32 (M, k), nearest first; infinite while fewer rows were seen.
      rows: (M, k, …), those rows.
    """

    def __init__(self, query_MxD: np.ndarray, k: int):
        self._query, self._k = np.asarray(query_MxD, np.float32), k
        self._center: np.ndarray | None = None
        self.distance = np.full((len(query_MxD), 0), np.inf, np.float32)
        self.rows = np.zeros((0,))

    def add(self, rows: np.ndarray, embedded_BxD: np.ndarray) -> None:
        """Looks through further rows (B, …); of two that are as near the earlier one counts."""
        embedded_BxD = np.asarray(embedded_BxD, np.float32)
        if self._center is None:  # so that less cancels in the products below
            self._center = embedded_BxD.mean(0)
        x, query = embedded_BxD - self._center, self._query - self._center
        squared = np.square(x).sum(1) - 2 * query @ x.T  # but for what each question has
        k = min(self._k, len(x))
        place = np.sort(np.argpartition(squared, k - 1, axis=1)[:, :k])
        # Exactly: products of matrices round where rows are alike, as copies are.
        apart = (embedded_BxD[p] - q for p, q in zip(place, self._query))
        near = np.stack([np.linalg.norm(d, axis=-1) for d in apart])
        found = rows[place]
        if self.distance.shape[1]:
            near, found = np.hstack([self.distance, near]), np.concatenate([self.rows, found], 1)
        order = np.argsort(near, axis=1, kind="stable")[:, : self._k]
        self.distance = np.take_along_axis(near, order, 1)
        self.rows = found[np.arange(len(found))[:, None], order]
