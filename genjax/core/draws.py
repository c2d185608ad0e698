"""Any number of samples in memory that is bounded: noise is drawn at once, examples in passes."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core.capabilities import DrawsLatents, SamplesClasses, as_sampler
from genjax.core.family import DataSpec, Family, State

_ELEMENTS = 2**21  # of the examples of a pass; networks for images hold some 64 times as many
_MOST = 1024  # images of a pass


def pass_size(spec: DataSpec, members: int) -> int:
    """Returns the examples of a pass, of each member: a multiple of the classes, drawn in turn."""
    size = _ELEMENTS // max(1, math.prod(spec.shape))
    if spec.kind == "image":
        size = min(size, _MOST)
    return round_up(max(1, size // max(1, members)), spec.num_classes)


def round_up(size: int, classes: int) -> int:
    """Returns the next multiple of the number of classes, so that each has its turn."""
    return size + -size % max(1, classes)


def draw(
    family: Family, state: State, key: jax.Array, n: int, most: int, label_N: Any = None
) -> jax.Array:
    """Draws `n` examples (n, …) in the range of the data.

    Of a family that decodes latents those of one draw are decoded in passes, which changes nothing
    but the memory, and rounding where XLA compiles a pass in another way. Others draw all at once.

    Args:
      family: draws samples; with labels, of classes.
      state: of one member.
      key: of the draw.
      n: how many.
      most: examples of a pass, see `pass_size`.
      label_N: the class of each; None: as the family draws, classes in turn.

    Raises:
      ConfigError: the family draws none.
    """
    if n <= most or not isinstance(family, DrawsLatents):
        if label_N is None:
            return as_sampler(family).sample(state, key, n)
        assert isinstance(family, SamplesClasses)
        return family.sample_at(state, key, label_N)
    passes = -(-n // most)
    size = round_up(-(-n // passes), family.spec.num_classes)
    passes = -(-n // size)

    def cut(rows: jax.Array) -> jax.Array:
        missing = [(0, passes * size - n)] + [(0, 0)] * (rows.ndim - 1)
        return jnp.pad(rows, missing).reshape(passes, size, *rows.shape[1:])

    rows = [family.latents(state, key, n)] + ([] if label_N is None else [jnp.asarray(label_N)])
    x: jax.Array = jax.lax.map(lambda part: family.decode(state, *part), [cut(a) for a in rows])
    return x.reshape(-1, *x.shape[2:])[:n]
