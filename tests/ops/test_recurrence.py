"""Recurrent cells against their equations in NumPy, and gradients against those of a plain scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops.recurrence import CELLS, recurrence
from tests.ops.agree import assert_agree

STEPS, BATCH, HIDDEN = 5, 3, 4
LENGTHS = np.array([5, 2, 0])


def logistic(x):
    return 1 / (1 + np.exp(-x))


def one_step(cell, x, h, states):
    """The equations as the papers have them, on one row's x W + b and h U."""
    if cell == "rnn":
        return (np.tanh(x + h),)
    if cell == "gru":
        (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(x, 3), np.split(h, 3)
        r, z = logistic(x_r + h_r), logistic(x_z + h_z)
        return (z * states[0] + (1 - z) * np.tanh(x_n + r * h_n),)
    i, f, g, o = np.split(x + h, 4)
    c = logistic(f) * states[1] + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def by_hand(cell, x_TxBxG, kernel, carry, lengths, mask, reverse):
    """h after each step, 0 beyond a row's length, and the last states; row by row."""
    h = np.zeros((*x_TxBxG.shape[:2], len(kernel)))
    last = [np.array(s) for s in carry]
    for b, length in enumerate(lengths):
        states = [s[b] for s in carry]
        order = range(length)
        for t in reversed(order) if reverse else order:
            states = one_step(cell, x_TxBxG[t, b], (states[0] * mask[b]) @ kernel, states)
            h[t, b] = states[0]
        for s, value in zip(last, states):
            s[b] = value
    return h, last


def draw(cell, seed=0):
    rng = np.random.default_rng(seed)
    gates, states = CELLS[cell].gates * HIDDEN, CELLS[cell].states
    x = rng.normal(size=(STEPS, BATCH, gates))
    kernel = rng.normal(size=(HIDDEN, gates))
    carry = tuple(rng.normal(size=(BATCH, HIDDEN)) for _ in range(states))
    mask = rng.integers(0, 2, (BATCH, HIDDEN)) * 2.0
    return x, kernel, carry, mask


def keep(lengths=LENGTHS):
    return np.arange(STEPS)[:, None] < lengths


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_cells_equal_their_equations(cell, reverse):
    x, kernel, carry, mask = draw(cell)
    h, last = recurrence(
        cell, x, kernel, carry, keep_TxB=keep(), state_mask_BxH=mask, reverse=reverse
    )
    assert h.dtype == jnp.float64
    expected, states = by_hand(cell, x, kernel, carry, LENGTHS, mask, reverse)
    np.testing.assert_allclose(np.where(keep()[..., None], h, 0), expected, rtol=1e-12)
    for s, e in zip(last, states):
        np.testing.assert_allclose(s, e, rtol=1e-12)


def plain(cell, x, kernel, carry, keep, mask, reverse):
    """The same by an ordinary scan, for its automatic gradient."""

    def step(carry, inputs):
        x, keep = inputs
        new = CELLS[cell].update(x, (carry[0] * mask) @ kernel, carry)
        new = jax.tree.map(lambda a, b: jnp.where(keep[:, None], a, b), new, carry)
        return new, new[0]

    last, h = jax.lax.scan(step, carry, (x, keep), reverse=reverse)
    return h, last


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_a_plain_scan(cell, reverse):
    x, kernel, carry, mask = draw(cell)
    kept = jnp.asarray(keep())

    def ours(x, kernel, carry):
        return recurrence(
            cell, x, kernel, carry, keep_TxB=kept, state_mask_BxH=mask, reverse=reverse
        )

    def unmasked(x, kernel, carry):
        return recurrence(cell, x, kernel, carry, reverse=reverse)

    arguments = x, kernel, carry
    assert_agree(ours, lambda *a: plain(cell, *a, kept, mask, reverse), *arguments, order=1)
    assert_agree(
        unmasked,
        lambda *a: plain(cell, *a, jnp.ones_like(kept), 1.0, reverse),
        *arguments,
        order=1,
    )
