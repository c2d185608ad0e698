"""How the weight of the KL rises: where it begins, what it passes, where it ends."""

import jax
import numpy as np
import pytest

from genjax.losses import ANNEALINGS, annealed

N = 100


def weights(kind, last, **options):
    f = jax.jit(jax.vmap(lambda step: annealed(step, kind, N, **options)))
    return np.asarray(f(np.arange(1, last + 1)))


def test_constant_is_one():
    assert (weights("constant", 5) == 1).all()


def test_linear_rises_by_the_same_in_each_step():
    w = weights("linear", 3 * N)
    np.testing.assert_allclose(w[:N], np.arange(1, N + 1) / N, rtol=1e-6)
    assert (w[N:] == 1).all()


def test_sigmoid_is_half_in_the_middle_and_almost_there_at_the_end():
    w = weights("sigmoid", 2 * N)
    np.testing.assert_allclose(w[[N // 2 - 1, N - 1]], [0.5, 0.9975], atol=1e-4)
    t = np.arange(1, N + 1) / N
    np.testing.assert_allclose(w[:N], 1 / (1 + np.exp(-12 * (t - 0.5))), rtol=1e-5)


def test_cycles_begin_anew_and_the_last_one_stays():
    """Fu et al. 2019, equation 6: beta = min(1, tau / R), tau the share of the cycle, R = 1/2."""
    w = weights("cyclical", 8 * N, cycles=3)
    tau = np.arange(1, 6 * N) % (2 * N) / (2 * N)
    np.testing.assert_allclose(w[: 6 * N - 1], np.minimum(1, tau / 0.5), rtol=1e-5)
    assert (w[6 * N - 1 :] == 1).all()


@pytest.mark.parametrize("kind", ANNEALINGS)
def test_weights_are_float32_and_never_above_one(kind):
    w = weights(kind, 10 * N)
    assert w.dtype == np.float32 and (w >= 0).all() and (w <= 1).all() and w[-1] > 0.9999
