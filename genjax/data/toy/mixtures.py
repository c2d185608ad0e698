"""Two-dimensional Gaussian mixtures, drawn on the device: the usual tests for mode collapse.

`ring`: 8 modes on the unit circle, sigma 0.01. `grid`: 25 modes at {-4, -2, 0, 2, 4}^2, sigma 0.05.
Both as in Lin et al., "PacGAN" (2018), section 4.1, whose eight ring centers are eight distinct
points (a `linspace` that includes its end point makes seven of eight).
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.config import ConfigError, fail
from genjax.core.family import Batch, DataSpec
from genjax.data import order
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset, Source

SIGMA = {"ring": 0.01, "grid": 0.05}
_TEST_EXAMPLES = 10_000


def centers(name: str) -> np.ndarray:
    """Returns the modes of `ring`, float32 (8, 2), or of `grid`, float32 (25, 2)."""
    if name == "ring":
        angle = 2 * np.pi * np.arange(8) / 8
        c = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    elif name == "grid":
        c = np.array(list(itertools.product((-4.0, -2.0, 0.0, 2.0, 4.0), repeat=2)))
    else:
        raise fail("data.name", name, "must be ring or grid")
    assert len({tuple(p) for p in c.round(6)}) == len(c), "centers must be distinct"
    return c.astype(np.float32)


def load(name: str) -> Dataset:
    """Makes the mixture `name`: an endless train split and 10,000 fixed draws as the test split.

    Examples are float32 (2,), unlabeled, in R^2; the spec's scale is the true standard deviation of
    a coordinate, sqrt(mean of its squared centers + sigma^2).
    """
    c, sigma = centers(name), SIGMA[name]

    def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        # One flat draw, three words a point: XLA on CPU compiles each call of the generator for a
        # second, under vmap for three unless it is flat, and is slow where the last axis is 3.

        words = jax.random.bits(key, (3 * order.size(shape),)).reshape(3, *shape)
        # The remainder favors a mode by at most 25 / 2**32.
        mode = words[2] % np.uint32(len(c))
        # 23 bits as the centers of equal intervals of (-1, 1), all exact in float32.
        uniform = ((words[:2] >> 9).astype(jnp.float32) + 0.5) * np.float32(2**-22) - 1
        noise = np.float32(np.sqrt(2) * sigma) * jax.lax.erf_inv(uniform)
        return jnp.asarray(c)[mode] + jnp.moveaxis(noise, 0, -1)

    rng = np.random.RandomState(0)  # its stream is frozen by NumPy's compatibility policy
    test = c[rng.randint(len(c), size=_TEST_EXAMPLES)] + sigma * rng.randn(_TEST_EXAMPLES, 2)
    scale = float(np.sqrt(np.mean(c[:, 0] ** 2) + sigma**2))
    return Dataset(
        DataSpec("point", (2,), center=0.0, scale=scale),
        Generated(draw),
        Resident({"x": test.astype(np.float32)}),
    )


class Generated(Source):
    """Draws a split without end on the device.

    Step i draws from `fold_in(key, i)`. `plan` makes the draws of a chunk together, before its
    scan: one large operation, where in the scan each step would pay for many small ones.

    Args:
      draw: `draw(key, shape) -> x`, (*shape, …), or a batch of such arrays by name.
    """

    def __init__(self, draw: Callable[[jax.Array, tuple[int, ...]], Any]):
        self.draw = draw
        self.arrays: Any = {}

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> np.uint32:
        """Returns the step itself (modulo 2**32)."""
        return np.uint32(int(first_step) % 2**32)

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> dict[str, jax.Array]:
        """Draws for `num_steps` steps: `x` (num_steps, *batch_shape, …), or more by name."""
        steps = jnp.asarray(cursor, jnp.uint32) + jnp.arange(num_steps, dtype=jnp.uint32)
        drawn = jax.vmap(lambda i: self.draw(jax.random.fold_in(key, i), batch_shape))(steps)
        return drawn if isinstance(drawn, dict) else {"x": drawn}

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Returns the batch as planned."""
        return dict(x)

    def evaluation(self, batch_size: int) -> Any:
        """Raises `ConfigError`: only the test split can be evaluated on."""
        raise ConfigError("the train split of this data is drawn without end; use its test split")
