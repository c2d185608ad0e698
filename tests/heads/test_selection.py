"""What is chosen is chosen on held-out training examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.svm import SVC, LinearSVC

from genjax import heads
from tests.heads import oracles

X, Y = oracles.digits(300, 5)
x, y = jnp.asarray(X), jnp.asarray(Y)
KEY = jax.random.key(3)


def test_folds_are_stratified():
    fold = np.asarray(heads.folds(KEY, y, 5, 4))
    counts = np.array([[np.sum((fold == f) & (k == Y)) for f in range(4)] for k in range(5)])
    assert (np.ptp(counts, 1) <= 1).all() and np.ptp(counts.sum(0)) <= 1
    assert not np.array_equal(fold, heads.folds(jax.random.key(4), y, 5, 4))


def test_a_grid_is_that_of_scikit_learn():
    fold = np.asarray(heads.folds(KEY, y, 5, 3))
    C, gammas = [0.01, 1.0], [0.001, 0.05]
    split = PredefinedSplit(fold)
    linear = GridSearchCV(LinearSVC(dual=False, tol=1e-6), {"C": C}, cv=split).fit(X, Y)
    found = heads.grid(x, y, 5, jnp.array(C), jnp.asarray(fold), held_out=3)
    np.testing.assert_allclose(found.accuracy, linear.cv_results_["mean_test_score"], atol=0.004)
    assert found.converged.all() and (found.gap <= 1e-4).all()
    rbf = GridSearchCV(SVC(), {"gamma": gammas, "C": C}, cv=split).fit(X, Y)
    kernel = heads.RBF(jnp.array(gammas))
    found = heads.grid(x, y, 5, jnp.array(C), jnp.asarray(fold), kernel=kernel, held_out=3)
    wanted = rbf.cv_results_["mean_test_score"].reshape(2, 2).T  # (gamma, C)
    np.testing.assert_allclose(found.accuracy, wanted, atol=0.004)


def test_accuracies_of_half_precision_are_counted_in_full():
    """In bfloat16 what differs by a few pictures of 256 and more ties."""
    fold, C = heads.folds(KEY, y, 5, 3), jnp.array([1e-4, 1e-3, 0.1])
    half = x.astype(jnp.bfloat16)
    found, wanted = (heads.grid(a, y, 5, C, fold) for a in (half, half.astype(jnp.float32)))
    assert found.accuracy.dtype == jnp.float32
    np.testing.assert_array_equal(found.accuracy, wanted.accuracy)


def test_the_best_is_fitted_to_all():
    C = jnp.array([1e-6, 0.1, 1.0])
    chosen = heads.select(KEY, x, y, 5, C, fit=heads.logistic)
    assert chosen.grid.accuracy.shape == (3,) and chosen.kernel is None
    assert float(chosen.C) == float(C[int(chosen.grid.accuracy.argmax())]) > 1e-6
    alone = heads.logistic(x, y, 5, chosen.C)
    np.testing.assert_allclose(chosen.head.objective, alone.objective, rtol=1e-5)
    options = {"kernel": heads.RBF(jnp.array([1e-5, 0.05])), "scheme": "one_vs_rest"}
    chosen = jax.jit(lambda x, y: heads.select(KEY, x, y, 5, C, **options))(x, y)
    assert float(chosen.kernel.gamma) == pytest.approx(0.05)
    assert (np.asarray(chosen.head.predict(x)) == Y).mean() > 0.95


def test_held_out_labels_alone_decide():
    """Labels that are not held out do not count as right ones, nor do held-out ones train."""
    fold = heads.folds(KEY, y, 5, 5)
    spoiled = jnp.where(fold == 0, (y + 1) % 5, y)
    found = heads.grid(x, spoiled, 5, jnp.array([0.1]), fold)
    assert float(found.accuracy[0]) < 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": 1}, "number=1: must be at least 2"),
        ({"held_out": 6}, "held_out=6: must be at least 1 and at most 5"),
        ({"C": jnp.ones(())}, r"C: must have shape \(M,\)"),
        ({"weight": jnp.ones(3)}, "weight: must have shape"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(changes, message):
    right = {"key": KEY, "x": x, "labels": y, "num_classes": 5, "C": jnp.ones(1)}
    with pytest.raises(ValueError, match=message):
        heads.select(**right | changes)


def test_a_fold_that_no_row_is_in_is_refused():
    fold = heads.folds(KEY, y, 5, 5)
    for given, held_out, empty in ((fold, 10, 5), (fold + 1, 1, 0)):
        with pytest.raises(ValueError, match=f"held_out={held_out}: no row .* in fold {empty}"):
            heads.grid(x, y, 5, jnp.ones(1), given, held_out=held_out)
