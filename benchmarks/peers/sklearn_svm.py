"""scikit-learn's support vector machines: liblinear and LIBSVM, in one process or two."""

from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC

from benchmarks.harness import fashion
from benchmarks.harness.child import Timed

MODES = {"one_job": 1, "two_jobs": 2}


def linear(mode: str, num_examples: int, *, C: float) -> Timed:
    """Sets up the row `svm_linear`: the primal solver, which is the quicker one of many examples.

    Modes: all classes in liblinear, in turn, or classes in two processes.
    """
    x, y = fashion.pixels(num_examples)
    x = x.astype(np.float64)  # what liblinear computes in
    model: Any = LinearSVC(C=C, dual=False)
    if MODES[mode] > 1:
        model = OneVsRestClassifier(model, n_jobs=MODES[mode])

    def run() -> None:
        model.fit(x, y)

    return Timed(run, info={"settings": f"LinearSVC, dual=False, {mode}"})


def grid(
    mode: str, num_examples: int, *, C: list[float], gamma: list[float] | None = None
) -> Timed:
    """Sets up the grids: candidates fitted without every fifth example and scored on those."""
    x, y = fashion.pixels(num_examples)
    x = x.astype(np.float64)
    fold = np.where(np.arange(num_examples) % 5 == 0, 0, -1)  # -1 is never held out
    model: Any = LinearSVC(dual=False)
    candidates = {"C": C}
    if gamma is not None:
        model, candidates = SVC(cache_size=1000), {"C": C, "gamma": gamma}
    search = GridSearchCV(
        model, candidates, cv=PredefinedSplit(fold), refit=False, n_jobs=MODES[mode]
    )

    def run() -> float:
        search.fit(x, y)
        return float(search.cv_results_["mean_test_score"].max())

    return Timed(run, info={"settings": f"GridSearchCV of {type(model).__name__}, {mode}"})
