"""The batch axis: what a family needs to know about being spread over devices, which is nothing.

Under jit, sharded or not, the batch a step sees is the global one and every method here is the
identity. Under `jax.pmap` a step sees its device's rows, and the same methods make means global
and give each device its own rows of the noise drawn for the global batch. A family calls them
unconditionally and so has one path for all executors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax


@dataclass(frozen=True)
class BatchAxis:
    """The axis that the batch is spread over: none, or a named pmap axis."""

    name: str | None = None

    def mean(self, tree: Any) -> Any:
        """Mean of every leaf over the devices."""
        return tree if self.name is None else jax.lax.pmean(tree, self.name)

    def sum(self, tree: Any) -> Any:
        """Sum of every leaf over the devices."""
        return tree if self.name is None else jax.lax.psum(tree, self.name)

    def max(self, tree: Any) -> Any:
        """Maximum of every leaf over the devices."""
        return tree if self.name is None else jax.lax.pmax(tree, self.name)

    def rows(
        self, draw: Callable[[tuple[int, ...]], jax.Array], shape: tuple[int, ...]
    ) -> jax.Array:
        """This device's rows of `draw(global shape)`, where `shape` is the local shape (B, …)."""
        if self.name is None:
            return draw(shape)
        size, index = jax.lax.axis_size(self.name), jax.lax.axis_index(self.name)
        return jax.lax.dynamic_slice_in_dim(
            draw((shape[0] * size, *shape[1:])), index * shape[0], shape[0]
        )

    def gather(self, x: jax.Array) -> jax.Array:
        """The rows of all devices, in order, of an array whose first axis is the batch's."""
        return x if self.name is None else jax.lax.all_gather(x, self.name, tiled=True)

    def normal(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Standard normal noise, float32, one row an example of the local batch."""
        return self.rows(lambda s: jax.random.normal(key, s), shape)

    def uniform(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Uniform [0, 1) noise, float32, one row an example of the local batch."""
        return self.rows(lambda s: jax.random.uniform(key, s), shape)
