"""Linear heads: liblinear's and scikit-learn's objectives and predictions, and true gaps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from genjax import heads
from genjax.heads import preconditioners
from tests.heads import oracles

X, Y = oracles.digits(400)
POWERS = {"squared_hinge": 2, "hinge": 1}


def fitted(fit, C, **options):
    head = fit(jnp.asarray(X), jnp.asarray(Y), 10, C, **options)
    return heads.require_converged(head)


def check(head, objective, peer, predicted):
    """The head's objective is what it says, and its peer's to 1e-4, within its gap."""
    np.testing.assert_allclose(head.objective, objective, rtol=2e-5)
    np.testing.assert_allclose(objective, peer, rtol=1.1e-4)
    assert (objective - np.asarray(head.gap) * 1.01 <= peer * (1 + 1e-6)).all()  # a true bound
    assert (np.asarray(head.gap) <= 1e-4 * np.asarray(head.objective)).all()
    margin = np.sort(np.asarray(head.scores(jnp.asarray(X))), 1)
    clear = margin[:, -1] - margin[:, -2] > 0.02 * np.abs(margin).max()
    assert clear.mean() > 0.7
    np.testing.assert_array_equal(np.asarray(head.predict(jnp.asarray(X)))[clear], predicted[clear])


@pytest.mark.parametrize("loss", POWERS)
@pytest.mark.parametrize("C", [1e-3, 1.0])
def test_one_against_the_rest_is_that_of_liblinear(loss, C):
    head = fitted(heads.linear_svm, C, loss=loss)
    dual = loss == "hinge"
    peer = LinearSVC(C=C, loss=loss, dual=dual, tol=1e-7, max_iter=100_000).fit(X, Y)
    objective = oracles.against_rest(oracles.stacked(head), X, Y, C, POWERS[loss])
    w = np.c_[peer.coef_, peer.intercept_]
    check(head, objective, oracles.against_rest(w, X, Y, C, POWERS[loss]), peer.predict(X))


def test_crammer_singer_is_that_of_liblinear():
    head = fitted(heads.crammer_singer, 0.3)
    peer = LinearSVC(C=0.3, multi_class="crammer_singer", tol=1e-6, max_iter=50_000).fit(X, Y)
    w = np.c_[peer.coef_, peer.intercept_]
    objectives = [oracles.crammer_singer(v, X, Y, 0.3) for v in (oracles.stacked(head), w)]
    check(head, *objectives, peer.predict(X))


@pytest.mark.parametrize("C", [1e-2, 10.0])
def test_logistic_regression_is_that_of_scikit_learn(C):
    head = fitted(heads.logistic, C)
    peer = LogisticRegression(C=C, tol=1e-8, max_iter=5000).fit(X, Y)
    w = np.c_[peer.coef_, peer.intercept_]
    check(
        head, *[oracles.logistic(v, X, Y, C) for v in (oracles.stacked(head), w)], peer.predict(X)
    )
    np.testing.assert_allclose(head.probabilities(jnp.asarray(X)), peer.predict_proba(X), atol=2e-2)


@pytest.mark.parametrize("bias", [True, False])
def test_ridge_regression_is_that_of_scikit_learn(bias):
    targets = np.eye(10, dtype=np.float32)[Y] * 2 - 1
    weight = np.linspace(0, 2, len(X), dtype=np.float32)
    alphas = jnp.array([0.01, 1.0, 1e4])
    found = heads.ridge(
        jnp.asarray(X), jnp.asarray(targets), alphas, weight=jnp.asarray(weight), bias=bias
    )
    heads.require_converged(found)
    for m, alpha in enumerate(alphas):
        peer = Ridge(alpha=float(alpha), fit_intercept=bias).fit(
            X.astype(float), targets.astype(float), sample_weight=weight
        )
        np.testing.assert_allclose(found.predict(jnp.asarray(X))[m], peer.predict(X), atol=3e-3)


def test_gaps_bound_the_objective_at_every_iteration():
    """Stopped early as well: what is said to be far at most is at least as far as it is."""
    x, y = jnp.asarray(X), jnp.asarray(Y)
    fits = {
        "squared_hinge": lambda n: heads.linear_svm(x, y, 10, 1.0, max_iterations=n),
        "hinge": lambda n: heads.linear_svm(x, y, 10, 1.0, loss="hinge", max_iterations=n),
        "crammer_singer": lambda n: heads.crammer_singer(x, y, 10, 1.0, max_iterations=n),
        "logistic": lambda n: heads.logistic(x, y, 10, 1.0, max_iterations=n),
    }
    for name, fit in fits.items():
        best = np.asarray(fit(200).objective)
        for number in (1, 2, 4, 8):
            head = fit(number)
            assert (np.asarray(head.objective - head.gap) <= best * (1 + 1e-5)).all(), name


def test_many_values_of_C_are_single_fits_and_so_are_vmapped_ones():
    C = jnp.array([1e-2, 1.0])
    x, y = jnp.asarray(X), jnp.asarray(Y)
    for fit in (heads.linear_svm, heads.logistic):
        together = jax.jit(lambda x, y, C, fit=fit: fit(x, y, 10, C, tolerance=1e-6))(x, y, C)
        mapped = jax.vmap(lambda C, fit=fit: fit(x, y, 10, C, tolerance=1e-6))(C)
        for m in range(2):
            alone = fit(x, y, 10, C[m], tolerance=1e-6)
            for one in (together, mapped):
                np.testing.assert_allclose(one.objective[m], alone.objective, rtol=2e-5)
                np.testing.assert_allclose(one.weights[m], alone.weights, atol=5e-3)


def test_weights_are_repetitions_and_0_leaves_out():
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    kept = np.repeat(np.arange(len(X)), weight)
    for fit in (heads.linear_svm, heads.crammer_singer, heads.logistic):
        weighted = fitted(fit, 0.5, weight=jnp.asarray(weight))
        repeated = fit(jnp.asarray(X[kept]), jnp.asarray(Y[kept]), 10, 0.5)
        np.testing.assert_allclose(weighted.objective, repeated.objective, rtol=2e-4)


def test_a_missing_class_constant_features_and_zero_rows():
    x = np.concatenate([X, np.ones((len(X), 1)), np.zeros((len(X), 1))], 1).astype(np.float32)
    x[:20] = 0
    x, labels = jnp.asarray(x), jnp.asarray(np.where(Y == 3, 4, Y))
    for fit in (heads.linear_svm, heads.crammer_singer, heads.logistic):
        head = heads.require_converged(fit(x, labels, 11, 1.0))
        assert not np.isin(np.asarray(head.predict(x)), (3, 10)).any()
        assert (np.asarray(head.weights)[[3, 10]] == 0).all()
        others = [k for k in range(11) if k not in (3, 10)]
        ranks = np.searchsorted(others, labels)
        alone = fit(x, jnp.asarray(ranks), len(others), 1.0)
        total = np.sum(head.objective), np.sum(alone.objective)
        np.testing.assert_allclose(*total, rtol=2e-4)


@pytest.mark.parametrize("C", [1e-9, 1e4])
def test_extreme_C_ends_finite_and_says_how_far_it_is(C):
    x, y = jnp.asarray(X), jnp.asarray(Y)
    for fit in (heads.linear_svm, heads.crammer_singer, heads.logistic):
        head = fit(x, y, 10, C, max_iterations=60)
        assert all(np.isfinite(leaf).all() for leaf in head)
        reached = np.asarray(head.gap) <= 1e-4 * np.asarray(head.objective)
        np.testing.assert_array_equal(head.converged, reached)
        assert C > 1 or reached.all()


@pytest.mark.parametrize("limit", [{"_MAX_FEATURES": 16}, {"_EXACT": 0}], ids=str)  # of 65
def test_more_features_or_rows_than_the_exact_preconditioner_takes(monkeypatch, limit):
    for name, value in limit.items():
        monkeypatch.setattr(preconditioners, name, value)
    head = fitted(heads.linear_svm, 0.7)
    monkeypatch.undo()
    np.testing.assert_allclose(head.objective, fitted(heads.linear_svm, 0.7).objective, rtol=2e-4)


def test_the_exact_preconditioner_keeps_the_sum_of_the_rows_that_bend():
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(300, 7)), rng.normal(size=(7, 2, 1))
    made = preconditioners.Exact(jnp.asarray(x, jnp.float32), jnp.ones(7))
    unit = np.array([0.5, 40.0])
    bends = [rng.random((300, 2, 1)) < share for share in (0.9, 0.4, 0.5)]
    curvatures = [jnp.asarray(b * unit[:, None], jnp.float32) for b in bends]
    state = made.start(curvatures[0], jnp.asarray(unit))
    for h, b in zip(curvatures, bends, strict=True):
        state = made.renew(state, h, jnp.asarray(unit), jnp.array([True, True]))
        for p in range(2):
            hessian = np.eye(7) + unit[p] * (x * b[:, p]).T @ x
            solved = np.linalg.solve(hessian, v[:, p, 0])
            np.testing.assert_allclose(made.apply(state, v)[:, p, 0], solved, rtol=1e-3, atol=1e-6)
    kept = made.renew(state, curvatures[0], jnp.asarray(unit), jnp.array([True, False]))
    np.testing.assert_array_equal(kept.gram[1], state.gram[1])
    assert (np.asarray(kept.bends[0]) == bends[0][:, 0, 0]).all()


def test_values_of_C_in_any_order_are_the_same_path():
    C = np.array([0.3, 1e-3, 3.0, 1e-3])
    order = np.argsort(C, stable=True)
    x, y = jnp.asarray(X), jnp.asarray(Y)
    mixed, rising = (heads.linear_svm(x, y, 10, jnp.asarray(c)) for c in (C, C[order]))
    for one, other in zip(mixed, rising, strict=True):
        np.testing.assert_array_equal(one[order] if one.ndim else one, other)


def test_what_did_not_converge_is_refused():
    head = heads.linear_svm(jnp.asarray(X), jnp.asarray(Y), 10, max_iterations=1)
    with pytest.raises(RuntimeError, match="of the objective after 1 iterations, above the tol"):
        heads.require_converged(head)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": jnp.zeros((3, 2, 1))}, r"x: must have shape \(N, D\), not"),
        ({"x": jnp.zeros((3, 2), int)}, "x: must hold floats"),
        ({"x": jnp.full((3, 2), jnp.nan)}, "x: has nan; must be at least"),
        ({"labels": jnp.array([0, 1])}, r"labels: must have shape \(N,\) with N=3 of x"),
        ({"labels": jnp.array([0, 1, 2])}, r"labels: has 2; must be in 0 … 1"),
        ({"labels": jnp.array([0, 1.0, 1])}, "labels: must hold integers"),
        ({"num_classes": 1}, "num_classes"),
        ({"C": 0.0}, "C: has 0.0; must be above 0|C=0.0: must be above 0"),
        ({"C": jnp.ones((2, 2))}, r"C: must be a number or have shape \(M,\), not \(2, 2\)"),
        ({"weight": -jnp.ones(3)}, "weight: has -1.0; must be at least 0"),
        ({"weight": jnp.ones(2)}, "weight: must have shape"),
        ({"tolerance": 0.0}, "tolerance=0.0: must be above 0 and below 1"),
        ({"max_iterations": 0}, "max_iterations=0"),
        ({"loss": "log"}, "loss='log': must be one of squared_hinge, hinge"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(changes, message):
    right = {"x": jnp.ones((3, 2)), "labels": jnp.array([0, 1, 1]), "num_classes": 2}
    with pytest.raises(ValueError, match=message) as error:
        heads.linear_svm(**right | changes)
    assert "\n" not in str(error.value)
