"""Masks say who sees whom, and say it densely where that is wanted."""

import jax
import numpy as np
import pytest

from genjax.ops.masks import Mask, causal_mask, padding_mask, segment_mask

TOKENS = np.array([[7, 9, 8, 0], [7, 0, 0, 0]])
SEGMENTS = np.array([[1, 1, 2, 0], [1, 2, 2, 2]])
ARRAY = np.random.default_rng(0).random((2, 4, 4)) < 0.6


def test_masks_say_who_sees_whom():
    np.testing.assert_array_equal(causal_mask(3).dense()[0], np.tri(3, dtype=bool))
    np.testing.assert_array_equal(causal_mask(2, 5).dense()[0], [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    np.testing.assert_array_equal(padding_mask(TOKENS).dense()[0], [[True, True, True, False]])
    np.testing.assert_array_equal(
        segment_mask(SEGMENTS).dense()[0],
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]],
    )
    np.testing.assert_array_equal(
        segment_mask(SEGMENTS[:1], np.array([[2, 1]])).dense()[0],
        [[0, 1], [0, 1], [1, 0], [0, 0]],
    )


@pytest.mark.parametrize("left", ["causal", "padding", "segments", "array", "shifted"])
@pytest.mark.parametrize("right", ["causal", "padding", "segments", "array"])
def test_both_of_two_masks_are_what_both_say(left, right):
    masks = {
        "causal": causal_mask(4),
        "padding": padding_mask(TOKENS),
        "segments": segment_mask(SEGMENTS),
        "array": ARRAY,
        "shifted": causal_mask(1, 4),
    }
    a, b = masks[left], masks[right]
    both = jax.jit(lambda a, b: a & b)(a, b) if "array" not in (left, right) else a & b
    wide = [x.dense() if isinstance(x, Mask) else x for x in (a, b, both)]
    found, expected = (np.broadcast_to(x, (2, 4, 4)) for x in (wide[2], wide[0] & wide[1]))
    np.testing.assert_array_equal(found, expected)
    as_arrays = {left, right} in ({"segments"}, {"causal", "shifted"})
    assert isinstance(both, Mask) != (as_arrays or "array" in (left, right))
