"""Histograms of latents."""

import numpy as np
import pytest

from genjax.plots.histograms import plot_latents


def test_each_latent_has_a_panel():
    draws = np.random.default_rng(0).normal(size=(500, 5))
    assert plot_latents(draws).shape == (2 * 180, 4 * 240, 3)
    assert plot_latents(draws[:, :1]).shape == (180, 240, 3)
    assert plot_latents(draws, columns=2, titles=list("abcde")).shape == (3 * 180, 2 * 240, 3)


def test_a_latent_that_left_the_prior_looks_another():
    draws = np.random.default_rng(0).normal(size=(500, 1))
    assert (plot_latents(draws) != plot_latents(draws + 2)).any()
    assert plot_latents(draws * 1e6).dtype == np.uint8  # counts in the outermost bins


@pytest.mark.parametrize("shape", [(5,), (0, 3), (3, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(N, Z\)"):
        plot_latents(np.zeros(shape))
