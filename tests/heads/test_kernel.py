"""Kernel machines are LIBSVM's; random features and Nyström's are about the kernel."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.svm import SVC

from genjax import heads
from genjax.heads import kernel as kernel_module
from genjax.heads import smo
from tests.heads import oracles

X, Y = oracles.digits(300, 5)
GAMMA = float(heads.scale(jnp.asarray(X)))
KERNELS = {
    "rbf": (heads.RBF(GAMMA), {"gamma": GAMMA}),
    "linear": (heads.Linear(), {}),
    "poly": (heads.Polynomial(GAMMA, 2, 1.0), {"gamma": GAMMA, "degree": 2, "coef0": 1.0}),
}


def fitted(kernel, C, **options):
    head = heads.kernel_svm(jnp.asarray(X), jnp.asarray(Y), 5, kernel, C, **options)
    return heads.require_converged(head)


def test_kernels_are_those_of_float64():
    x = X.astype(float)
    square = ((x[:, None] - x[:20]) ** 2).sum(-1)
    wanted = [np.exp(-GAMMA * square), x @ x[:20].T, (GAMMA * x @ x[:20].T + 1) ** 2]
    for (kernel, _), value in zip(KERNELS.values(), wanted):
        np.testing.assert_allclose(kernel(jnp.asarray(X), jnp.asarray(X[:20])), value, rtol=2e-5)
    assert pytest.approx(1 / (64 * X.astype(float).var()), rel=1e-5) == GAMMA
    assert heads.scale(jnp.ones((3, 2))) == 1


@pytest.mark.parametrize("C", [0.01, 10.0])
@pytest.mark.parametrize("name", KERNELS)
def test_one_against_one_is_libsvm(name, C):
    kernel, options = KERNELS[name]
    head = fitted(kernel, C)
    peer = SVC(C=C, kernel=name, tol=1e-6, **options).fit(X.astype(float), Y)
    matrix = np.asarray(kernel(jnp.asarray(X), jnp.asarray(X)), float)
    dual = oracles.c_svc_dual(oracles.libsvm_coefficients(peer, len(X)), matrix)
    primal = []
    for (i, j), a, b in zip(
        np.asarray(head.pairs), np.asarray(head.coefficients, float), head.bias
    ):
        rows = np.flatnonzero((i == Y) | (j == Y))
        t = np.where(Y[rows] == i, 1, -1)
        primal.append(oracles.c_svc_primal(a, float(b), matrix, rows, t, C))
    primal = np.array(primal)
    np.testing.assert_allclose(head.objective, primal, rtol=2e-5)
    np.testing.assert_allclose(primal, dual, rtol=1.1e-4)
    assert (primal >= dual * (1 - 1e-6)).all()
    assert (primal - np.asarray(head.gap) <= dual * (1 + 1e-5)).all()  # a true bound
    np.testing.assert_array_equal(head.predict(jnp.asarray(X)), peer.predict(X))


@pytest.mark.parametrize("bias", [True, False])
def test_one_against_the_rest(bias):
    """With a bias it is SVC of two classes; without, the hinge of a linear head without one."""
    head = fitted(heads.Linear(), 1.0, scheme="one_vs_rest", bias=bias)
    for k in range(5):
        if bias:
            peer = SVC(C=1.0, kernel="linear", tol=1e-6).fit(X.astype(float), k == Y)
            matrix = X.astype(float) @ X.T
            dual = oracles.c_svc_dual(oracles.libsvm_coefficients(peer, len(X)), matrix)
            np.testing.assert_allclose(head.objective[k], dual[0], rtol=1.1e-4)
    if not bias:
        options = {"loss": "hinge", "bias": False}
        linear = heads.linear_svm(jnp.asarray(X), jnp.asarray(Y), 5, 1.0, **options)
        np.testing.assert_allclose(head.objective, linear.objective, rtol=2e-4)
        assert not np.any(head.bias)
    assert (np.asarray(head.predict(jnp.asarray(X))) == Y).mean() > 0.98
    np.testing.assert_allclose(head.fitted.T, head.scores(jnp.asarray(X)), atol=1e-3)


def test_many_values_of_C_and_gamma_are_single_fits():
    x, y = jnp.asarray(X), jnp.asarray(Y)
    C, gamma = jnp.array([0.1, 5.0]), jnp.array([GAMMA / 3, GAMMA])

    def fit(gamma, C):
        return heads.kernel_svm(x, y, 5, heads.RBF(gamma), C, tolerance=1e-5)

    together = jax.jit(jax.vmap(fit, (0, None)))(gamma, C)
    for g in range(2):
        for m in range(2):
            alone = fit(gamma[g], C[m])
            np.testing.assert_allclose(together.objective[g, m], alone.objective, rtol=3e-5)


def test_problems_in_blocks_of_rows_are_those_in_one(monkeypatch):
    for bias in (True, False):
        options = {"scheme": "one_vs_rest", "bias": bias}
        alone = fitted(heads.RBF(GAMMA), 3.0, **options)
        with monkeypatch.context() as changed:
            changed.setattr(smo, "solve", functools.partial(smo.solve, block=32))
            changed.setattr(
                kernel_module, "_path", kernel_module._path.__wrapped__
            )  # compiled for others
            np.testing.assert_allclose(
                fitted(heads.RBF(GAMMA), 3.0, **options).objective, alone.objective, rtol=2e-4
            )


def test_inside_of_jit_pairs_take_all_rows_or_as_many_as_said():
    x, y = jnp.asarray(X), jnp.asarray(Y)
    size = int(np.bincount(Y).max())
    alone = fitted(heads.RBF(GAMMA), 1.0)
    for class_size in (None, size):
        options = {"class_size": class_size}
        fit = jax.jit(lambda x, y, o=options: heads.kernel_svm(x, y, 5, heads.RBF(GAMMA), 1.0, **o))
        np.testing.assert_allclose(fit(x, y).objective, alone.objective, rtol=2e-4)


def test_weights_are_repetitions_and_0_leaves_out():
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    kept = np.repeat(np.arange(len(X)), weight)
    head = fitted(heads.RBF(GAMMA), 1.0, weight=jnp.asarray(weight))
    again = heads.kernel_svm(jnp.asarray(X[kept]), jnp.asarray(Y[kept]), 5, heads.RBF(GAMMA), 1.0)
    np.testing.assert_allclose(head.objective, again.objective, rtol=2e-4)


def test_missing_classes_equal_rows_and_extreme_C():
    x = X.copy()
    x[:10] = 0
    labels = jnp.asarray(np.where(Y == 3, 2, Y))
    for scheme in ("one_vs_one", "one_vs_rest"):
        for C in (1e-9, 1e5):
            head = heads.kernel_svm(
                jnp.asarray(x), labels, 6, heads.RBF(GAMMA), C, scheme=scheme, max_iterations=100
            )
            numbers = jax.tree.leaves(head)
            assert all(np.isfinite(leaf).all() for leaf in numbers)
            assert not np.isin(np.asarray(head.predict(jnp.asarray(x))), (3, 5)).any()
    one = heads.kernel_svm(jnp.asarray(x), jnp.full(len(x), 2), 4, heads.RBF(GAMMA))
    assert (np.asarray(one.predict(jnp.asarray(x))) == 2).all()


def test_random_fourier_features_are_about_the_kernel():
    x = jnp.asarray(X[:50])
    features = heads.fourier_features(jax.random.key(0), 64, 20_000, GAMMA)
    np.testing.assert_allclose(features(x) @ features(x).T, heads.RBF(GAMMA)(x, x), atol=0.05)


def test_nystroem_is_exact_at_its_centers_and_near_elsewhere():
    x = jnp.asarray(X)
    kernel = heads.RBF(GAMMA)
    made = heads.nystroem(jax.random.key(0), x, 100, kernel)
    near = np.asarray(made(made.centers) @ made(made.centers).T)
    np.testing.assert_allclose(near, kernel(made.centers, made.centers), atol=2e-3)
    error = np.abs(np.asarray(made(x) @ made(x).T) - np.asarray(kernel(x, x))).mean()
    assert error < 0.05
    twice = heads.nystroem(jax.random.key(0), jnp.concatenate([x[:40], x[:40]]), 80, kernel)
    assert np.isfinite(twice(x)).all()  # centers that are equal


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fitted(heads.RBF(1.0), 1.0, scheme="all"), "scheme='all': must be one of one_vs"),
        (lambda: fitted(heads.RBF(1.0), 1.0, class_size=0), "class_size=0"),
        (lambda: fitted(heads.RBF(1.0), 1.0, class_size=2), "class_size=2: must be at least"),
        (
            lambda: heads.nystroem(jax.random.key(0), jnp.ones((3, 2)), 4, heads.Linear()),
            "number=4",
        ),
        (lambda: heads.fourier_features(jax.random.key(0), 2, 4, 0.0), "gamma=0.0: must be above"),
        (lambda: heads.fourier_features(0, 2, 4, 1.0), "key=0: must be a PRNG key"),
        (lambda: fitted(heads.RBF(1.0), 1.0).predict(jnp.ones((2, 3))), "x: must have shape"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
