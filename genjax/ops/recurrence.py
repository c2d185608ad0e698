"""Recurrent cells over time: the vanilla RNN, the GRU and the LSTM.

With x the input, h the state, c the LSTM's cell, σ the logistic function and ∘ the product by
element, one step is

- `rnn` (Elman 1990, Finding structure in time):
      h' = tanh(x W + h U + b)
- `gru` (Cho et al. 2014 in its first version, arXiv:1406.1078v1, as in cuDNN and PyTorch: the reset
  gate acts on the product with U, so that one product serves all gates):
      r, z = σ(x W + h U + b),  n = tanh(x W_n + b_n + r ∘ h U_n),  h' = z ∘ h + (1 - z) ∘ n
- `lstm` (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
      i, f, o = σ(x W + h U + b),  g = tanh(x W_g + h U_g + b_g),
      c' = f ∘ c + i ∘ g,  h' = o ∘ tanh(c')

Three things make it quick. x W + b of all steps is one product in front of the scan. The gates of a
step are one product. And U's gradient is one product behind the backward scan, where automatic
differentiation would add up a small one in every step, reading and writing all of U each time.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from genjax.ops.precision import at_least_float32_dtype, kernel_gradient, matmul
from genjax.ops.scanned import scan

Carry = tuple[jax.Array, ...]  # what a cell hands on: h, and c of an lstm; each (B, H), float32


class Cell(NamedTuple):
    """The equations of a cell, without its parameters.

    Attributes:
      gates: G, how many blocks of H its products have.
      states: how many arrays its carry has, h first.
      added: x W + b and h U are only ever added, so that their sum is all that is kept of them.
      update: `update(x_BxGH, h_BxGH, carry) -> carry`; x W + b and h U to the next step.
    """

    gates: int
    states: int
    added: bool
    update: Callable[[jax.Array, jax.Array, Carry], Carry]


def _rnn(x: jax.Array, h: jax.Array, carry: Carry) -> Carry:
    return (jnp.tanh(x + h),)


def _gru(x: jax.Array, h: jax.Array, carry: Carry) -> Carry:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = jnp.split(x, 3, axis=-1), jnp.split(h, 3, axis=-1)
    r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * h_n)
    return (n + z * (carry[0] - n),)


def _lstm(x: jax.Array, h: jax.Array, carry: Carry) -> Carry:
    i, f, g, o = jnp.split(x + h, 4, axis=-1)
    c = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


CELLS = {
    "rnn": Cell(1, 1, True, _rnn),
    "gru": Cell(3, 1, False, _gru),
    "lstm": Cell(4, 2, True, _lstm),
}


def zero_carry(cell: str, batch_size: int, hidden: int) -> Carry:
    """Makes the usual state before the first step."""
    return (jnp.zeros((batch_size, hidden)),) * CELLS[cell].states


def recurrence(
    cell: str,
    x_TxBxG: jax.Array,
    kernel_HxG: jax.Array,
    carry: Carry,
    *,
    keep_TxB: jax.Array | None = None,
    state_mask_BxH: jax.Array | None = None,
    reverse: bool = False,
) -> tuple[jax.Array, Carry]:
    """Runs a cell over time: h after each step (T, B, H), and the carry after the last, float32.

    Differentiable in `x_TxBxG`, `kernel_HxG` and `carry`, once, in reverse mode.

    Args:
      cell: a key of `CELLS`.
      x_TxBxG: x W + b of all steps; G is H times the cell's gates.
      kernel_HxG: U; the product with it is made in its dtype.
      carry: before the first step, each (B, H).
      keep_TxB: bool; where False, a step leaves the carry as it is. None: all steps count.
      state_mask_BxH: multiplies h in front of U in all steps (variational dropout). None: 1.
      reverse: from the last step to the first.
    """
    carry = tuple(s.astype(at_least_float32_dtype(x_TxBxG.dtype)) for s in carry)
    return _recurrence(cell, reverse, x_TxBxG, kernel_HxG, carry, keep_TxB, state_mask_BxH)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _recurrence(
    cell: str, reverse: bool, x: jax.Array, kernel: jax.Array, carry: Carry, keep: Any, mask: Any
) -> tuple[jax.Array, Carry]:
    (h, last), _ = _forward(cell, reverse, x, kernel, carry, keep, mask)
    return h, last


def _forward(
    cell: str, reverse: bool, x: jax.Array, kernel: jax.Array, first: Carry, keep: Any, mask: Any
) -> Any:
    _, _, added, update = CELLS[cell]

    def step(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
        x_BxG, keep_B = inputs
        h_BxG = matmul(_masked(carry[0], mask), kernel)
        x_BxG = x_BxG.astype(h_BxG.dtype)
        new = _where(keep_B, update(x_BxG, h_BxG, carry), carry)
        return new, (new, (x_BxG + h_BxG,) if added else (x_BxG, h_BxG))

    last, (carries, gates) = scan(step, first, (x, keep), reverse=reverse)
    return (carries[0], last), (gates, jnp.zeros((), x.dtype), kernel, first, keep, mask, carries)


def _backward(cell: str, reverse: bool, residuals: Any, cotangents: Any) -> Any:
    gates, no_x, kernel, first, keep, mask, carries = residuals
    d_outputs, d_last = cotangents
    _, _, added, update = CELLS[cell]
    before = tuple(_shifted(s, s_0, reverse) for s, s_0 in zip(carries, first))
    kernel_GxH = kernel.T  # once, not in every step

    def step(d_carry: Carry, inputs: Any) -> tuple[Carry, Any]:
        gates, before, keep_B, d_output = inputs
        d_carry = (d_carry[0] + d_output, *d_carry[1:])
        zero = jax.tree.map(jnp.zeros_like, d_carry)

        def after(gates: Any, before: Carry) -> Carry:
            return update(gates[0], jnp.zeros_like(gates[0]) if added else gates[1], before)

        pull = jax.vjp(after, gates, before)[1]
        d_gates, d_before = pull(_where(keep_B, d_carry, zero))
        through_h = _masked(matmul(d_gates[-1], kernel_GxH), mask)
        d_before = (d_before[0] + through_h, *d_before[1:])
        if keep_B is not None:
            d_before = jax.tree.map(jnp.add, d_before, _where(keep_B, zero, d_carry))
        return d_before, tuple(d.astype(kernel.dtype) for d in d_gates)

    inputs = (gates, before, keep, d_outputs)
    d_first, d_gates = scan(step, d_last, inputs, reverse=not reverse)
    d_kernel = kernel_gradient(_masked(before[0], mask), d_gates[-1], kernel)
    return d_gates[0].astype(no_x.dtype), d_kernel, d_first, None, None


_recurrence.defvjp(_forward, _backward)


def _shifted(after: jax.Array, first: jax.Array, reverse: bool) -> jax.Array:
    """Turns the states after each step, (T, B, H), into those before it."""
    if reverse:
        return jnp.concatenate([after[1:], first[None]])
    return jnp.concatenate([first[None], after[:-1]])


def _masked(h: jax.Array, mask: jax.Array | None) -> jax.Array:
    return h if mask is None else h * mask


def _where(keep_B: jax.Array | None, a: Carry, b: Carry) -> Carry:
    if keep_B is None:
        return a
    return tuple(jnp.where(keep_B[:, None], *states) for states in zip(a, b))
