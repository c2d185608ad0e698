"""The Dirac-GAN circles, or converges, exactly as Mescheder et al. 2018 compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.dirac import METHODS, Method, eigenvalues, play, spectral_radius

H = 0.1  # step size


def pair(a, b):
    """The roots of x^2 - a x + b: eigenvalues by trace and determinant."""
    return np.sort_complex(np.roots([1, -a, b]).astype(complex))


@pytest.mark.parametrize(
    "method, trace, determinant",
    [  # f(t) = -log(1 + exp(-t)) has f'(0) = 1/2 and f''(0) = -1/4
        (Method("minimax"), 0, 1 / 4),  # lemma 2.1: ±f'(0) i
        (Method("non_saturating"), 0, 1 / 4),
        (Method("wasserstein"), 0, 1),
        (Method("non_saturating", critic_rate=4.0), 0, 1),
        (Method("minimax", r1=0.3), -0.3, 1 / 4),  # lemma 3.3
        (Method("minimax", r1=2.0), -2.0, 1 / 4),  # strong: no circling at all
        (Method("minimax", instance_noise=0.7), -0.5 * 0.7**2, 1 / 4),  # lemma 3.2
    ],
)
def test_eigenvalues_of_the_flow_are_those_of_the_paper(method, trace, determinant):
    found = np.sort_complex(eigenvalues(method))
    np.testing.assert_allclose(found, pair(trace, determinant), atol=1e-5)


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "two_timescale", "wgan"])
def test_unregularized_steps_diverge_at_once_and_circle_in_turn(name):
    frequency = np.abs(eigenvalues(METHODS[name])).max()
    at_once = spectral_radius(METHODS[name], H, alternating=False)
    np.testing.assert_allclose(at_once, np.sqrt(1 + (H * frequency) ** 2), rtol=1e-6)
    np.testing.assert_allclose(spectral_radius(METHODS[name], H), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["r1", "instance_noise"])
def test_r1_and_instance_noise_converge(name):
    assert spectral_radius(METHODS[name], H) < 1
    starts = jnp.array([[1.0, 0.0], [0.0, 1.0], [-0.7, 0.7]])
    paths = jax.vmap(lambda start: play(METHODS[name], start, H, 3000))(starts)
    assert paths.shape == (3, 3001, 2) and (paths[:, 0] == starts).all()
    assert jnp.linalg.norm(paths[:, -1], axis=-1).max() < 1e-3


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "wgan", "wgan_gp"])
def test_without_them_the_end_is_far_from_the_equilibrium(name):
    path = play(METHODS[name], jnp.array([1.0, 0.0]), H, 3000)
    assert jnp.linalg.norm(path[-1000:], axis=-1).min() > 0.1
