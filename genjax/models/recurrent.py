"""Recurrent networks over padded sequences; the cells are those of `genjax.ops.recurrence`."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.dense import Dropout
from genjax.models.features import offer
from genjax.ops.lapack import one_by_one
from genjax.ops.precision import matmul
from genjax.ops.recurrence import CELLS, Carry, recurrence, zero_carry


def first_bias(cell: str) -> Callable[..., jax.Array]:
    """Returns the initializer of b: 0, but 1 for the forget gate: at first an LSTM remembers.

    Source: Jozefowicz et al. 2015 (An empirical exploration of recurrent network architectures).
    """

    def init(key: jax.Array, shape: Sequence[int]) -> jax.Array:
        i, f, g, o = jnp.split(jnp.zeros(shape), CELLS["lstm"].gates)
        return jnp.concatenate([i, f + 1.0, g, o])

    return init if cell == "lstm" else nn.initializers.zeros


def orthogonal() -> Callable[..., jax.Array]:
    """Returns the initializer of U: matrices with orthonormal rows or columns.

    Source: Saxe et al. 2014 (Exact solutions to the nonlinear dynamics of learning).
    """
    draw = nn.initializers.orthogonal()

    def init(key: jax.Array, shape: Sequence[int]) -> jax.Array:
        matrix: jax.Array = one_by_one(lambda key: draw(key, shape))(key)
        return matrix

    return init


class Direction(nn.Module):
    """One cell over time in one direction, with its parameters: W, U and b.

    Attributes:
      cell: a key of `CELLS`.
      hidden: H.
      reverse: from the last step to the first.
      dtype: of compute; states are float32.
    """

    cell: str
    hidden: int
    reverse: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x_TxBxD: jax.Array, carry: Carry, keep_TxB: Any = None, state_mask_BxH: Any = None
    ) -> tuple[jax.Array, Carry]:
        """Runs `recurrence` on inputs (T, B, D)."""
        features = CELLS[self.cell].gates * self.hidden
        kernel_x = self.param(
            "kernel_x", nn.initializers.lecun_normal(), (x_TxBxD.shape[-1], features)
        )
        kernel_h = self.param("kernel_h", orthogonal(), (self.hidden, features))
        bias = self.param("bias", first_bias(self.cell), (features,))
        x_TxBxG = matmul(x_TxBxD, kernel_x.astype(self.dtype)).astype(self.dtype)
        return recurrence(
            self.cell,
            x_TxBxG + bias.astype(self.dtype),
            kernel_h.astype(self.dtype),
            carry,
            keep_TxB=keep_TxB,
            state_mask_BxH=state_mask_BxH,
            reverse=self.reverse,
        )


class Recurrent(nn.Module):
    """Layers of a recurrent cell over padded sequences, in one or both directions.

    A single step is a sequence of length 1: `network(x_Bx1xD, carry=carry)`.

    Attributes:
      hidden: H, units of each direction of each layer.
      cell: a key of `CELLS`.
      layers: number of layers.
      bidirectional: each layer also runs from the end; the outputs of both are joined.
      dropout: rate, of every layer's inputs in training (Zaremba et al. 2014).
      recurrent_dropout: rate, of h in front of U; one mask for all steps of a sequence.
      variational: one mask for all steps of a sequence in `dropout` too (Gal and Ghahramani 2016).
      dtype: of compute; parameters and states are float32.
    """

    hidden: int
    cell: str = "lstm"
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    variational: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x_BxTxD: jax.Array,
        lengths_B: jax.Array | None = None,
        carry: Sequence[Carry] | None = None,
        *,
        train: bool = False,
    ) -> tuple[jax.Array, tuple[Carry, ...]]:
        """Computes outputs of the last layer (B, T, H), 2H of both directions; and the last carry.

        Beyond a row's length outputs are 0 and inputs have no effect: the forward carry is the one
        after the row's last step, and backward runs begin there.

        Args:
          x_BxTxD: inputs.
          lengths_B: steps of each row, int32; None: all T.
          carry: before the first step; None: `initial_carry`.
          train: with dropout; needs a `dropout` PRNG key where a rate is above 0.
        """
        batch_size, steps = x_BxTxD.shape[:2]
        carry = self.initial_carry(batch_size) if carry is None else carry
        reverses = (False, True)[: 1 + self.bidirectional]
        sizes = checks.floats("B T D", x_BxTxD=x_BxTxD)
        if lengths_B is not None:
            checks.integers("B", sizes, lengths_B=lengths_B)
            checks.within("lengths_B", lengths_B, 0, steps)
        keep_TxB = None if lengths_B is None else jnp.arange(steps)[:, None] < lengths_B
        shared_axes = (1,) if self.variational else ()
        last: list[Carry] = []
        y_BxTxH = x_BxTxD
        for _ in range(self.layers):
            y_BxTxH = Dropout(self.dropout, shared_axes)(y_BxTxH, train=train)
            x_TxBxD, outputs = jnp.swapaxes(y_BxTxH, 0, 1), []
            for reverse in reverses:
                mask_BxH = None
                if self.recurrent_dropout and train:
                    ones = jnp.ones((batch_size, self.hidden))
                    mask_BxH = Dropout(self.recurrent_dropout)(ones, train=True)
                h_TxBxH, after = Direction(self.cell, self.hidden, reverse, self.dtype)(
                    x_TxBxD, carry[len(last)], keep_TxB, mask_BxH
                )
                outputs.append(h_TxBxH)
                last.append(after)
            y_TxBxH = jnp.concatenate(outputs, axis=-1).astype(self.dtype)
            if keep_TxB is not None:
                y_TxBxH = jnp.where(keep_TxB[..., None], y_TxBxH, 0)
            y_BxTxH = jnp.swapaxes(y_TxBxH, 0, 1)
            offer(self, y_BxTxH)
        return y_BxTxH, tuple(last)

    def initial_carry(self, batch_size: int) -> tuple[Carry, ...]:
        """Makes zeros, a carry for each layer and, within it, each direction (forward first)."""
        zero = zero_carry(self.cell, batch_size, self.hidden)
        return (zero,) * (self.layers * (1 + self.bidirectional))
