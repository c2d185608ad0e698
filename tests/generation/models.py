"""A decoder that a test can follow with pencil and paper: what it has read is one number."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.tokens import NUM_SPECIALS, PAD
from genjax.generation import Decoder, beam_search, generate

_STATES = 101


class Hashing:
    """Logits are a row of a random table, chosen by a hash of all tokens read, in their order.

    Args:
      vocab: number of tokens, the special ones included.
      window: of the decoder; its logits are not numbers where more was read.
      seed: of the table.
      never: tokens that do not come.
    """

    def __init__(self, vocab: int = NUM_SPECIALS + 4, window: int = 0, seed: int = 0, never=()):
        rng = np.random.default_rng(seed)
        self.table = rng.normal(size=(_STATES, vocab)).astype(np.float32) * 2
        self.table[:, list(never)] -= 50
        self.vocab, self.window = vocab, window

    def logits(self, ids) -> np.ndarray:
        """Of the token that follows `ids`."""
        state = 1
        for i in ids:
            state = (31 * state + int(i) + 7) % _STATES
        return self.table[state].astype(np.float64)


def decoder(table, window: int = 0) -> Decoder:
    """The decoder of a `Hashing` with this table."""
    table = jnp.asarray(table)

    def logits(cache):
        too_many = (cache["held"] > window) & (window > 0)
        return jnp.where(too_many[:, None], jnp.nan, table[cache["hash"]])

    def read(cache, token_B):
        new = {"hash": (31 * cache["hash"] + token_B + 7) % _STATES, "held": cache["held"] + 1}
        return jax.tree.map(lambda a, b: jnp.where(token_B == PAD, a, b), cache, new)

    def prefill(x_BxS):
        one = jnp.ones(len(x_BxS), jnp.int32)
        cache = {"hash": one, "held": one}  # a BOS is in front
        cache = jax.lax.scan(lambda c, x: (read(c, x), None), cache, x_BxS.T)[0]
        return logits(cache), cache

    def decode_step(cache, token_B):
        cache = read(cache, token_B)
        return logits(cache), cache

    return Decoder(prefill, decode_step, window)


# Compiled once for all tables.


@functools.partial(jax.jit, static_argnames=("window", "size"))
def _generate(table, x_BxS, key, options, limit, window, size):
    return generate(decoder(table, window), x_BxS, key, options, limit, size=size)


def write(model: Hashing, x_BxS, options, limit, *, size, key) -> np.ndarray:
    """`generate` with the model."""
    ids = _generate(model.table, x_BxS, key, options, limit, model.window, size)
    return np.asarray(ids)


@functools.partial(jax.jit, static_argnames=("size", "width", "n_best"))
def _search(table, x_BxS, limit, options, **static):
    return beam_search(decoder(table), x_BxS, limit, **options, **static)


def search(model: Hashing, x_BxS, limit, *, size=10, width, n_best, **options):
    """`beam_search` with the model: ids and scores."""
    options = {"alpha": 0.0, "repetition_penalty": 1.0, "no_repeat": 0} | options
    found = _search(model.table, x_BxS, limit, options, size=size, width=width, n_best=n_best)
    return tuple(map(np.asarray, found))


def padded(texts) -> np.ndarray:
    """Rows of tokens as one array, at least one place wide."""
    width = max([1, *map(len, texts)])
    return np.array([[*t, *[PAD] * (width - len(t))] for t in texts], np.int32)
