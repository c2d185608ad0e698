"""What an accuracy matrix says of continual learning.

Element (i, j) of it is the accuracy on task j behind training on task i, (T, T, …).
"""

import numpy as np


def average_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Computes the mean accuracy on all tasks behind the last, (…).

    Source: Lopez-Paz and Ranzato 2017 (Gradient episodic memory), equation 2.

    Examples:
      >>> float(average_accuracy(np.array([[0.9, 0.1], [0.5, 0.7]])))
      0.6
    """
    mean: np.ndarray = np.asarray(matrix, np.float64)[-1].mean(0)
    return mean


def backward_transfer(matrix: np.ndarray) -> np.ndarray:
    """Computes how much accuracy earlier tasks have gained since they were learned, (…).

    The mean of a_Tj - a_jj over the tasks j before the last; below 0 is forgetting. Source:
    Lopez-Paz and Ranzato 2017, equation 3.

    Examples:
      >>> round(float(backward_transfer(np.array([[0.9, 0.1], [0.5, 0.7]]))), 9)
      -0.4
    """
    a = _several(matrix)
    gain: np.ndarray = np.mean([a[-1, j] - a[j, j] for j in range(len(a) - 1)], axis=0)
    return gain


def forgetting(matrix: np.ndarray) -> np.ndarray:
    """Computes how much accuracy earlier tasks have lost since they were known best, (…).

    The mean of max_i a_ij - a_Tj over the tasks j before the last, i from j to T - 1. Source:
    Chaudhry et al. 2018 (Riemannian walk for incremental learning), section 3, of a task seen.

    Examples:
      >>> round(float(forgetting(np.array([[0.9, 0.1], [0.5, 0.7]]))), 9)
      0.4
    """
    a = _several(matrix)
    loss: np.ndarray = np.mean([a[j:-1, j].max(0) - a[-1, j] for j in range(len(a) - 1)], axis=0)
    return loss


def _several(matrix: np.ndarray) -> np.ndarray:
    a = np.asarray(matrix, np.float64)
    if a.ndim < 2 or len(a) != a.shape[1] or len(a) < 2:
        raise ValueError(f"matrix: must be (T, T, …) of at least two tasks, not {a.shape}")
    return a
