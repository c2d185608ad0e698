"""Pointers of decoders: what a step would copy from its source, and how much it would rather write.

Source: See et al. 2017 (Get to the point: summarization with pointer-generator networks), equations
7 and 8.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.ops.attention import attend, dot_scores
from genjax.ops.precision import matmul


class Prediction(NamedTuple):
    """What a decoder makes of each of its inputs.

    Attributes:
      vectors: (B, U, E), which predict the next token.
      weights: (B, U, S) of attention over the source, of which words are copied; None: none are.
      gate: (B, U), the logit of p_gen, the probability that the next token is not copied; or None.
    """

    vectors: Any
    weights: Any = None
    gate: Any = None

    def last(self) -> "Prediction":
        """Returns what is made of the last input, without its axis U."""
        return Prediction(*(None if x is None else x[:, -1] for x in self))


class Pointer(nn.Module):
    """Attention of one head behind a stack's last layer, and the gate.

        a_t = softmax_i((W d_t) . (U m_i) / sqrt(D)),   gate_t = w . [sum_i a_ti m_i; d_t; x_t] + b

    d_t is the decoder's output, m the source's memory and x_t the decoder's input.

    Attributes:
      width: D.
      dtype: of compute.
    """

    width: int
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Declares the kernels."""
        init = nn.initializers.xavier_uniform()
        self.query = self.param("kernel_query", init, (self.width, self.width))
        self.key = self.param("kernel_key", init, (self.width, self.width))
        self.gate = self.param("kernel_gate", init, (3 * self.width, 1))
        self.bias = self.param("bias_gate", nn.initializers.zeros, (1,))

    def remember(self, memory_BxSxD: jax.Array, mask_Bx1xS: Any) -> dict[str, Any]:
        """Computes what all steps have in common."""
        key = self._times(memory_BxSxD, self.key)
        return {"key": key, "value": memory_BxSxD, "mask": mask_Bx1xS}

    def __call__(
        self, vectors_BxUxD: jax.Array, inputs_BxUxD: jax.Array, memory: dict[str, jax.Array]
    ) -> Prediction:
        """Computes weights and gates of the decoder's outputs and its inputs."""
        query = self._times(vectors_BxUxD, self.query) * self.width**-0.5
        scores = dot_scores(query, memory["key"])
        context, weights = attend(scores, memory["value"], memory["mask"])
        gate = open_gate(self.gate, self.bias, context, vectors_BxUxD, inputs_BxUxD)
        return Prediction(vectors_BxUxD, weights, gate)

    def _times(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return matmul(x, kernel.astype(x.dtype)).astype(x.dtype)


def open_gate(kernel: jax.Array, bias: jax.Array, *parts_BxUxD: jax.Array) -> jax.Array:
    """Computes `w . [c_t; s_t; x_t] + b`, (B, U), of See et al.'s equation 8.

    Args:
      kernel: w, (sum of D, 1).
      bias: (1,).
      *parts_BxUxD: context, state and input of the decoder, each of a width of its own.
    """
    dtype = parts_BxUxD[0].dtype
    both = jnp.concatenate([part.astype(dtype) for part in parts_BxUxD], -1)
    return (matmul(both, kernel.astype(dtype)) + bias)[..., 0]
