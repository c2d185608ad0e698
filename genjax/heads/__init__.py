"""Heads on features in memory: support vector machines, logistic and ridge regression.

Pure functions that can be jitted: features (N, D) and labels in, a fitted head out, which states
its objective and how far above the minimum that is at most.
"""

from genjax.heads.fit import LinearHead, require_converged
from genjax.heads.kernel import KernelHead, kernel_svm
from genjax.heads.kernels import (
    RBF,
    FourierFeatures,
    Kernel,
    Linear,
    Nystroem,
    Polynomial,
    fourier_features,
    nystroem,
    scale,
)
from genjax.heads.least_squares import RidgeHead, ridge
from genjax.heads.linear import crammer_singer, linear_svm, logistic
from genjax.heads.selection import Grid, Selection, folds, grid, select

__all__ = [
    "RBF",
    "FourierFeatures",
    "Grid",
    "Kernel",
    "KernelHead",
    "Linear",
    "LinearHead",
    "Nystroem",
    "Polynomial",
    "RidgeHead",
    "Selection",
    "crammer_singer",
    "folds",
    "fourier_features",
    "grid",
    "kernel_svm",
    "linear_svm",
    "logistic",
    "nystroem",
    "require_converged",
    "ridge",
    "scale",
    "select",
]
