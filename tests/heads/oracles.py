"""Objectives in float64, as liblinear, LIBSVM and scikit-learn state them, and small problems."""

import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_digits


def digits(number, classes=10):
    """Scikit-learn's digits (N, 64) in 0 … 1, float32, and their labels."""
    loaded = load_digits()
    kept = loaded.target < classes
    x = (loaded.data[kept][:number] / 16).astype(np.float32)
    return x, loaded.target[kept][:number].astype(np.int32)


def with_one(x):
    return np.concatenate([np.asarray(x, float), np.ones((len(x), 1))], 1)


def stacked(head):
    """Weights and bias of a head, (K, D + 1)."""
    return np.concatenate(
        [np.asarray(head.weights, float), np.asarray(head.bias, float)[:, None]], 1
    )


def against_rest(w, x, y, C, power, weight=1.0):
    """liblinear's primal objective of each class, for w (K, D + 1); power 2: squared hinge."""
    t = 2 * np.eye(len(w))[y] - 1
    loss = np.maximum(0, 1 - t * (with_one(x) @ w.T)) ** power
    return (w**2).sum(1) / 2 + C * (np.reshape(weight, (-1, 1)) * loss).sum(0)


def crammer_singer(w, x, y, C):
    z = with_one(x) @ w.T
    margins = z - z[np.arange(len(y)), y][:, None] + 1 - np.eye(len(w))[y]
    return (w**2).sum() / 2 + C * margins.max(1).sum()


def logistic(w, x, y, C):
    z = with_one(x) @ w.T
    return (w[:, :-1] ** 2).sum() / 2 + C * (logsumexp(z, 1) - z[np.arange(len(y)), y]).sum()


def c_svc_dual(coefficients, matrix):
    """LIBSVM's dual objective (to be maximized) of each problem, coefficients (B, N)."""
    square = np.einsum("bi,ij,bj->b", coefficients, matrix, coefficients)
    return np.abs(coefficients).sum(1) - square / 2


def c_svc_primal(coefficients, bias, matrix, rows, t, C):
    """The primal objective of one problem on some rows."""
    f = matrix[rows] @ coefficients + bias
    square = coefficients @ matrix @ coefficients
    return square / 2 + (C * np.maximum(0, 1 - t * f)).sum()


def libsvm_coefficients(model, number):
    """The dual coefficients (B, N) of scikit-learn's SVC, pairs in order."""
    ends = np.cumsum([0, *model.n_support_])
    k = len(model.n_support_)
    rows = []
    for i in range(k):
        for j in range(i + 1, k):
            row = np.zeros(number)
            for mine, other in ((i, j - 1), (j, i)):
                part = slice(ends[mine], ends[mine + 1])
                row[model.support_[part]] = model.dual_coef_[other, part]
            rows.append(row)
    return np.array(rows)
