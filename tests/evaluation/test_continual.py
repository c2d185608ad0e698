"""What an accuracy matrix says, against sums by hand."""

import doctest

import numpy as np
import pytest

from genjax.evaluation import continual


def test_examples_in_docstrings_hold():
    assert doctest.testmod(continual).failed == 0


def test_numbers_are_those_by_hand_for_each_member():
    a = np.random.default_rng(0).uniform(size=(4, 4, 3))
    for member in range(3):
        m = a[..., member]
        lost = [max(m[i, j] for i in range(j, 3)) - m[3, j] for j in range(3)]
        gained = [m[3, j] - m[j, j] for j in range(3)]
        np.testing.assert_allclose(continual.average_accuracy(a)[member], m[3].mean())
        np.testing.assert_allclose(continual.forgetting(a)[member], np.mean(lost))
        np.testing.assert_allclose(continual.backward_transfer(a)[member], np.mean(gained))


def test_one_task_is_refused():
    with pytest.raises(ValueError, match="at least two tasks"):
        continual.forgetting(np.ones((1, 1)))
