"""Which token comes next: greedy or drawn, among the most likely, without repetitions.

All options are numbers that a compiled program takes as arguments: it serves every setting, and
what a setting does not use costs it nothing.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import checks
from genjax.core.tokens import BOS, MASK, PAD

_MOST = 2**31 - 1  # int32, as which programs take whole numbers
_NEVER = (PAD, BOS, MASK)  # they stand in no text


class Sampling(NamedTuple):
    """How tokens are drawn: from `softmax(logits / temperature)`, cut off as asked.

    Attributes:
      temperature: 0 takes the most likely token.
      top_k: the most likely k tokens alone; 0: all (Fan et al. 2018).
      top_p: of these, the fewest that hold this probability; 1: all (Holtzman et al. 2020).
      min_p: of these, those at least so many times as probable as the likeliest; 0: all
        (Nguyen et al. 2024).
      repetition_penalty: divides the positive logits of tokens that are written already and
        multiplies the negative ones; 1: none (Keskar et al. 2019, equation 1).
      no_repeat: no sequence of so many tokens is written twice; 0: any may be.
    """

    temperature: Any = 1.0
    top_k: Any = 0
    top_p: Any = 1.0
    min_p: Any = 0.0
    repetition_penalty: Any = 1.0
    no_repeat: Any = 0

    def check(self, prefix: str = "") -> None:
        """Raises `ValueError` for an option out of range, where its value is known.

        Args:
          prefix: what stands before the names of options in errors.
        """
        checks.number(f"{prefix}temperature", self.temperature, 0)
        checks.whole(f"{prefix}top_k", self.top_k, most=_MOST)
        checks.number(f"{prefix}top_p", self.top_p, 0, 1)
        checks.number(f"{prefix}min_p", self.min_p, 0, 1)
        checks.number(f"{prefix}repetition_penalty", self.repetition_penalty, above=0)
        checks.whole(f"{prefix}no_repeat", self.no_repeat, most=_MOST)


PLAIN = Sampling()  # the model's own distribution
GREEDY = Sampling(temperature=0.0)


def sample(key_B: jax.Array, logits_BxV: jax.Array, options: Sampling) -> jax.Array:
    """Draws one token a row, int32 (B,).

    Args:
      key_B: a typed key for each row.
      logits_BxV: float32, -inf where a token must not come.
      options: its repetition control is left to `restrain`.

    Raises:
      ValueError: another shape or dtype, or an option out of range.
    """
    sizes = checks.floats("B V", logits_BxV=logits_BxV)
    checks.key("key_B", key_B, (1,))
    checks.keys("B", sizes, key_B=key_B)
    options.check()

    def draw(logits_BxV: jax.Array) -> jax.Array:
        x = most_likely(
            logits_BxV / options.temperature, options.top_k, options.top_p, options.min_p
        )
        return jax.vmap(jax.random.categorical)(key_B, x).astype(jnp.int32)

    def greedy(logits_BxV: jax.Array) -> jax.Array:
        return logits_BxV.argmax(-1).astype(jnp.int32)

    return jax.lax.cond(jnp.asarray(options.temperature) > 0, draw, greedy, logits_BxV)


def most_likely(logits_BxV: jax.Array, top_k: Any, top_p: Any, min_p: Any) -> jax.Array:
    """Sets all logits but the likeliest ones to -inf; see `Sampling`."""
    checks.floats("B V", logits_BxV=logits_BxV)
    Sampling(1.0, top_k, top_p, min_p).check()

    def cut(logits_BxV: jax.Array) -> jax.Array:
        x = -jnp.sort(-logits_BxV, -1)
        rank = jnp.arange(x.shape[-1])
        kept = (rank < top_k) | (jnp.asarray(top_k) == 0)
        p = jax.nn.softmax(jnp.where(kept, x, -jnp.inf))
        kept &= (p.cumsum(-1) - p < top_p) | (jnp.asarray(top_p) >= 1)
        kept &= x >= x[:, :1] + jnp.log(min_p)
        least_Bx1 = jnp.where(kept | (rank == 0), x, jnp.inf).min(-1, keepdims=True)
        return jnp.where(logits_BxV >= least_Bx1, logits_BxV, -jnp.inf)

    asked = (jnp.asarray(top_k) > 0) | (jnp.asarray(top_p) < 1) | (jnp.asarray(min_p) > 0)
    return jax.lax.cond(asked, cut, lambda x: x, logits_BxV)


def restrain(
    logits_BxV: jax.Array, written_BxL: jax.Array, count: Any, penalty: Any, no_repeat: Any
) -> jax.Array:
    """Controls repetition in the logits of what follows `written_BxL[:, :count]`.

    -inf for what would repeat a sequence of `no_repeat` tokens, unless nothing is left then; and
    always for PAD, BOS and MASK.

    Args:
      logits_BxV: float32.
      written_BxL: the tokens so far, PAD from `count` on.
      count: how many they are, the same for all rows.
      penalty: `Sampling.repetition_penalty`.
      no_repeat: `Sampling.no_repeat`.
    """
    sizes = checks.floats("B V", logits_BxV=logits_BxV)
    checks.integers("B L", sizes, written_BxL=written_BxL)
    Sampling(repetition_penalty=penalty, no_repeat=no_repeat).check()
    rows_Bx1 = jnp.arange(len(logits_BxV))[:, None]

    def marked(ids_BxL: jax.Array) -> jax.Array:
        """Marks the tokens (B, V) that stand in a row; ids beyond V mark none."""
        return jnp.zeros(logits_BxV.shape, bool).at[rows_Bx1, ids_BxL].set(True, mode="drop")

    def penalized(x: jax.Array) -> jax.Array:
        return jnp.where(marked(written_BxL), jnp.where(x > 0, x / penalty, x * penalty), x)

    def without_repeats(x: jax.Array) -> jax.Array:
        place_L = jnp.arange(written_BxL.shape[1])

        def as_now(back: Any, same_BxL: jax.Array) -> jax.Array:
            """And the token `back` places before is the one `back` places before the next."""
            last_Bx1 = jax.lax.dynamic_slice_in_dim(written_BxL, count - back, 1, axis=1)
            return same_BxL & (jnp.roll(written_BxL, back, axis=1) == last_Bx1)

        places_BxL = jnp.broadcast_to(
            (place_L >= no_repeat - 1) & (place_L < count), written_BxL.shape
        )
        follows_BxL = jax.lax.fori_loop(1, no_repeat, as_now, places_BxL)
        banned = marked(jnp.where(follows_BxL, written_BxL, x.shape[-1]))
        allowed = jnp.where(banned, -jnp.inf, x)
        return jnp.where(jnp.isneginf(allowed).all(-1, keepdims=True), x, allowed)

    never_V = np.isin(np.arange(logits_BxV.shape[-1]), _NEVER)
    x = jax.lax.cond(jnp.asarray(penalty) != 1, penalized, lambda x: x, logits_BxV)
    x = jnp.where(never_V, -jnp.inf, x)
    return jax.lax.cond(jnp.asarray(no_repeat) > 0, without_repeats, lambda x: x, x)
