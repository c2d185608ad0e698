"""Attention maps: a panel an answer, white where the weight is."""

import numpy as np
import pytest

from genjax.plots.attention import plot_attention


def test_a_diagonal_is_as_white_as_its_share_of_the_squares():
    words = [f"w{i}" for i in range(4)]
    nothing = plot_attention([(np.zeros((4, 4)), words, words)])
    diagonal = plot_attention([(np.eye(4), words, words)])
    full = plot_attention([(np.ones((4, 4)), words, words)])
    assert diagonal.dtype == np.uint8 and diagonal.shape[-1] == 3

    def white(image):
        return int((image.min(-1) > 250).sum()) - int((nothing.min(-1) > 250).sum())

    assert white(diagonal) == pytest.approx(white(full) / 4, rel=0.1)


def test_maps_of_any_sizes_and_words_stand_side_by_side():
    maps = [
        (np.full((2, 3), 1 / 3), ["$a", "b"], ["x^2", "_", "<eos>"]),
        (np.ones((1, 1)), ["größer"], [""]),
    ]
    one, two = plot_attention(maps[:1]), plot_attention(maps)
    assert two.shape[1] == 2 * one.shape[1]


def test_what_is_no_map_is_refused():
    with pytest.raises(ValueError, match=r"weights \(2, 2\): must be \(1, 2\)"):
        plot_attention([(np.eye(2), ["a"], ["b", "c"])])
    with pytest.raises(ValueError, match="no maps"):
        plot_attention([])
