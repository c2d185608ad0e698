"""Texts token by token, greedy or sampled: one loop on the device over buffers of fixed size."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.capabilities import HasWindow, Writes
from genjax.core.family import State
from genjax.core.tokens import EOS, PAD, lengths
from genjax.generation.sampling import Sampling, restrain, sample


class Decoder(NamedTuple):
    """A model that tells the next token, its parameters bound.

    Attributes:
      prefill: `prefill(x_BxS) -> (logits_BxV, cache)`, of the token that follows the prompts (or
        the first one that answers the sources) x: int32, rows of any lengths, PAD behind their end.
        An empty row is no prompt. Every leaf of the cache has the batch as its first axis; with a
        window, S does not change its shape.
      decode_step: `decode_step(cache, token_B) -> (logits_BxV, cache)`, one token further.
      window: how many tokens the cache holds, of prompt and continuation, a BOS in front included;
        0: any number; at least 3.
    """

    prefill: Callable[[jax.Array], tuple[jax.Array, Any]]
    decode_step: Callable[[Any, jax.Array], tuple[jax.Array, Any]]
    window: int = 0


def decoder_of(family: Writes, state: State) -> Decoder:
    """Returns the decoder of a family that writes texts."""
    window = int(family.context(state)) if isinstance(family, HasWindow) else 0
    prefill, step = (functools.partial(f, state) for f in (family.prefill, family.decode_step))
    return Decoder(prefill, step, window)


class Text(NamedTuple):
    """Texts that are being written.

    Attributes:
      prompt_BxS, length_B: what was given, and its lengths.
      ids_BxL: the tokens written so far, EOS included; PAD behind them.
      num_tokens: how many places of `ids_BxL` are written; int32.
      finished_B: where EOS is.
      logits_BxV: of the next token.
      cache, held_B: the decoder's, and how many tokens of a row are in it at most.
      key_B: from which each row draws.
    """

    prompt_BxS: jax.Array
    length_B: jax.Array
    ids_BxL: jax.Array
    num_tokens: jax.Array
    finished_B: jax.Array
    logits_BxV: jax.Array
    cache: Any
    held_B: jax.Array
    key_B: jax.Array


def draw(decoder: Decoder, key: jax.Array, n: int, *, size: int) -> jax.Array:
    """Texts without a prompt, drawn from the model's own distribution; int32 (n, size)."""
    checks.whole("n", n, 1)
    checks.whole("size", size, 1)
    return generate(decoder, jnp.full((n, 1), PAD, jnp.int32), key, Sampling(), size, size=size)


def generate(
    decoder: Decoder, x_BxS: jax.Array, key: jax.Array, options: Sampling, limit: Any, *, size: int
) -> jax.Array:
    """Texts that continue prompts or answer sources, until their EOS; int32 (B, size).

    A row depends on nothing but its own x and key. Where a text has filled the decoder's
    window it goes on from its last half, read afresh.

    Args:
      decoder: see `Decoder`.
      x_BxS: prompts or sources; with a window, S below it.
      key: one, from which row i gets its own by i; or one for each row, (B,).
      options: how to draw.
      limit: the most tokens of a text, at least 1 and at most `size`.
      size: of the buffer.

    Raises:
      ValueError: an argument of another shape or dtype, or an option out of range.
    """
    checks.whole("limit", limit, 1, size)
    text = begin(decoder, x_BxS, key, size=size)
    return advance(decoder, text, options, limit).ids_BxL


def begin(decoder: Decoder, x_BxS: jax.Array, key: jax.Array, *, size: int) -> Text:
    """Begins the texts of `generate` before their first token."""
    sizes = checks.integers("B S", x_BxS=x_BxS)
    checks.key("key", key, (0, 1))
    if key.ndim:
        checks.keys("B", sizes, key=key)
    checks.whole("size", size, 1)
    rows, longest = x_BxS.shape
    if decoder.window and not longest < decoder.window > 2:
        limit = f"must be below the window, {decoder.window}, and that above 2"
        raise ValueError(f"prompts of {longest} tokens: {limit}")
    logits_BxV, cache = decoder.prefill(x_BxS)
    checks.floats("B V", sizes, **{"decoder.prefill(x)": logits_BxV})
    if not key.ndim:
        key = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(rows))
    length_B = lengths(x_BxS)
    return Text(
        x_BxS,
        length_B,
        jnp.full((rows, size), PAD, jnp.int32),
        jnp.zeros((), jnp.int32),
        jnp.zeros(rows, bool),
        logits_BxV,
        cache,
        length_B + 1,
        key,
    )


def advance(decoder: Decoder, text: Text, options: Sampling, until: Any) -> Text:
    """Writes texts of `until` tokens each, unless they end before."""
    options.check()

    def going(text: Text) -> jax.Array:
        return (text.num_tokens < until) & ~text.finished_B.all()

    def step(text: Text) -> Text:
        text, token_B = _write(text, options)
        logits_BxV, cache = decoder.decode_step(text.cache, token_B)
        return text._replace(logits_BxV=logits_BxV, cache=cache, held_B=text.held_B + 1)

    def full_B(text: Text) -> jax.Array:
        return (text.held_B >= decoder.window) & ~text.finished_B

    def refresh(text: Text) -> Text:
        """Restarts the rows whose window is full, as if their last half were their prompt."""
        tail_BxH = _tail(text, decoder.window // 2)
        logits_BxV, cache = decoder.prefill(tail_BxH)
        held_B, full = lengths(tail_BxH) + 1, full_B(text)

        def choose(a: jax.Array, b: jax.Array) -> jax.Array:
            return jnp.where(full.reshape(-1, *[1] * (a.ndim - 1)), a, b)

        new, old = (logits_BxV, cache, held_B), (text.logits_BxV, text.cache, text.held_B)
        logits_BxV, cache, held_B = jax.tree.map(choose, new, old)
        return text._replace(logits_BxV=logits_BxV, cache=cache, held_B=held_B)

    def on(text: Text) -> Text:
        """Steps until a window is full, in a loop of their own: there the cache stays in place."""
        text = jax.lax.cond(full_B(text).any(), refresh, lambda t: t, text)
        return jax.lax.while_loop(lambda t: going(t) & ~full_B(t).any(), step, text)

    most = text.prompt_BxS.shape[1] + text.ids_BxL.shape[1] + 1
    fits = not decoder.window or most <= decoder.window
    return jax.lax.while_loop(going, step if fits else on, text)


def _write(text: Text, options: Sampling) -> tuple[Text, jax.Array]:
    """Makes the texts one token longer, and returns that token."""
    logits_BxV = restrain(
        jnp.asarray(text.logits_BxV, jnp.float32),
        text.ids_BxL,
        text.num_tokens,
        options.repetition_penalty,
        options.no_repeat,
    )
    key_B = jax.vmap(jax.random.fold_in, (0, None))(text.key_B, text.num_tokens)
    token_B = jnp.where(text.finished_B, PAD, sample(key_B, logits_BxV, options))
    ids_BxL = jax.lax.dynamic_update_slice_in_dim(
        text.ids_BxL, token_B[:, None], text.num_tokens, axis=1
    )
    finished_B = text.finished_B | (token_B == EOS)
    return text._replace(
        ids_BxL=ids_BxL, num_tokens=text.num_tokens + 1, finished_B=finished_B
    ), token_B


def _tail(text: Text, size: int) -> jax.Array:
    """Takes the last tokens of prompt and continuation, at most `size`, (B, size)."""
    given, length_Bx1 = text.prompt_BxS.shape[1], text.length_B[:, None]
    total_Bx1 = length_Bx1 + text.num_tokens
    index_BxH = jnp.maximum(total_Bx1 - size, 0) + jnp.arange(size)
    # Behind a row's prompt comes its padding, and only then what was written.
    place_BxH = jnp.where(index_BxH < length_Bx1, index_BxH, index_BxH - length_Bx1 + given)
    both = jnp.concatenate([text.prompt_BxS, text.ids_BxL], axis=1)
    ids_BxH = jnp.take_along_axis(both, jnp.minimum(place_BxH, both.shape[1] - 1), axis=1)
    return jnp.where(index_BxH < total_Bx1, ids_BxH, PAD)
