"""The weight of a term rises as its schedule's formula says."""

import jax
import numpy as np
import pytest

from genjax.losses import ANNEALINGS, annealed

N = 100
STEP = np.arange(1, 10 * N + 1)
CYCLE = STEP % (2 * N) / (2 * N)  # tau of Fu et al. 2019, equation 6; R = 1/2
EXPECTED = {
    "constant": np.ones(10 * N),
    "linear": np.minimum(1, STEP / N),
    "sigmoid": np.minimum(1, 1 / (1 + np.exp(-12 * (STEP / N - 0.5)))),
    "cyclical": np.where(STEP < 6 * N, np.minimum(1, CYCLE / 0.5), 1),
}


@pytest.mark.parametrize("kind", ANNEALINGS)
def test_weights_are_those_of_the_formula(kind):
    w = jax.jit(jax.vmap(lambda step: annealed(step, kind, N, cycles=3)))(STEP)
    assert w.dtype == np.float32 or kind == "constant"
    np.testing.assert_allclose(w, EXPECTED[kind], rtol=2e-5)
    assert (w >= 0).all() and (w <= 1).all()
