"""The PacGAN scores of 2-D mixtures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.evaluation.modes import mode_scores, stacked_mode_scores

ANGLES = 2 * np.pi * np.arange(8) / 8
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
GRID = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 2.0)] * 2), axis=-1).reshape(-1, 2)


def draw(centers, sigma, n, seed=0):
    """True samples of the mixture, float64."""
    rng = np.random.RandomState(seed)
    return centers[rng.randint(len(centers), size=n)] + sigma * rng.randn(n, 2)


def oracle(samples, centers, sigma, num_stds=3.0):
    """The definition, one sample at a time in float64."""
    counts, good = np.zeros(len(centers)), np.zeros(len(centers))
    for sample in np.asarray(samples, np.float64):
        distances = np.sqrt(((sample - np.asarray(centers, np.float64)) ** 2).sum(axis=1))
        nearest = distances.argmin()
        counts[nearest] += 1
        good[nearest] += distances[nearest] <= num_stds * sigma

    def kl(counts):
        p = counts[counts > 0] / counts.sum()
        return float((p * np.log(p * len(centers))).sum())

    return {
        "modes": (good > 0).sum(),
        "high_quality": good.sum() / len(samples),
        "reverse_kl": kl(counts),
        "reverse_kl_high_quality": kl(good),
        "counts": counts,
        "counts_high_quality": good,
    }


@pytest.mark.parametrize(("centers", "sigma"), [(RING, 0.01), (GRID, 0.05)], ids=["ring", "grid"])
def test_true_samples_cover_every_mode_at_the_known_quality(centers, sigma):
    scores = mode_scores(draw(centers, sigma, 200_000), centers, sigma)
    assert scores["modes"] == len(centers)
    # 1 - exp(-9/2): the mass of a 2-D normal within three standard deviations.
    np.testing.assert_allclose(scores["high_quality"], 1 - np.exp(-4.5), atol=1e-3)
    assert scores["reverse_kl"] < 1e-3


@pytest.mark.parametrize(("centers", "sigma"), [(RING, 0.01), (GRID, 0.05)], ids=["ring", "grid"])
@pytest.mark.parametrize("spread", [1.0, 3.0, 30.0])
def test_scores_equal_a_float64_oracle(centers, sigma, spread):
    samples = draw(centers[: len(centers) // 2], spread * sigma, 2500, seed=1).astype(np.float32)
    scores, expected = mode_scores(samples, centers, sigma), oracle(samples, centers, sigma)
    assert scores.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name], value, atol=5e-4, err_msg=name)


def test_collapsed_samples_find_one_mode_and_the_largest_divergence():
    scores = mode_scores(draw(GRID[3:4], 0.05, 2500), GRID, 0.05)
    assert scores["modes"] == 1
    assert scores["high_quality"] > 0.98
    np.testing.assert_allclose(scores["reverse_kl"], np.log(25), rtol=1e-6)


def test_samples_between_modes_are_counted_by_both_definitions_of_the_divergence():
    good, bad = np.repeat(GRID[:1], 100, axis=0), np.repeat(GRID[1:2] + 0.5, 100, axis=0)
    scores = mode_scores(np.concatenate([good, bad]), GRID, 0.05)
    assert (scores["modes"], scores["high_quality"]) == (1, 0.5)
    np.testing.assert_allclose(scores["reverse_kl"], np.log(25 / 2), rtol=1e-6)
    np.testing.assert_allclose(scores["reverse_kl_high_quality"], np.log(25), rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_diverged_samples_score_nothing(value):
    scores = mode_scores(np.full((10, 2), value, np.float32), GRID, 0.05)
    assert (scores["modes"], scores["high_quality"]) == (0, 0)
    assert all(np.isfinite(v).all() for v in scores.values())


def test_scores_of_a_population_equal_single_ones():
    samples = jnp.stack([draw(RING[: 1 + seed], 0.01, 500, seed) for seed in range(4)])
    population = jax.jit(jax.vmap(lambda x: mode_scores(x, RING, 0.01)))(samples)
    for seed in range(4):
        single = mode_scores(samples[seed], RING, 0.01)
        for name, value in single.items():
            np.testing.assert_array_equal(population[name][seed], value)
    np.testing.assert_array_equal(population["modes"], [1, 2, 3, 4])


def test_a_ring_whose_last_center_is_its_first_is_refused():
    angles = np.linspace(0, 2 * np.pi, 8)
    seven = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    with pytest.raises(ConfigError, match="number 0 and number 7 coincide"):
        mode_scores(draw(RING, 0.01, 10), seven, 0.01)


def test_samples_of_another_dimension_are_refused():
    with pytest.raises(ConfigError, match="must be"):
        mode_scores(np.zeros((5, 3)), RING, 0.01)


def test_stacked_modes_are_the_classes_of_the_channels_in_order():
    rng = np.random.RandomState(0)
    classes = rng.randint(4, size=(300, 3))
    probabilities = np.full((300, 3, 4), 0.01) + 0.96 * np.eye(4)[classes]
    probabilities[:30, 1] = [0.7, 0.1, 0.1, 0.1]  # unsure of one channel
    classes[:30, 1] = 0
    counts = np.zeros((4, 4, 4))
    for first, second, third in classes:
        counts[first, second, third] += 1
    p = counts[counts > 0] / 300
    scores = stacked_mode_scores(jnp.asarray(probabilities))
    assert scores["modes"] == (counts > 0).sum()
    np.testing.assert_allclose(scores["high_quality"], 0.9, rtol=1e-6)
    np.testing.assert_allclose(scores["reverse_kl"], (p * np.log(p * 64)).sum(), rtol=1e-5)


def test_stacked_digits_of_one_mode_have_the_largest_divergence():
    scores = stacked_mode_scores(jnp.broadcast_to(jnp.eye(10)[jnp.array([3, 1, 4])], (50, 3, 10)))
    assert (scores["modes"], scores["high_quality"]) == (1, 1)
    np.testing.assert_allclose(scores["reverse_kl"], np.log(1000), rtol=1e-6)
