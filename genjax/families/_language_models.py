"""What families share that predict the next token of a text from those before it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import tokens
from genjax.core.batch import batch_uniform
from genjax.core.family import Metrics


def inputs_and_targets(x: jax.Array, running: bool) -> tuple[jax.Array, jax.Array]:
    """What is read and what is predicted of it, int32 (B, T) each.

    Of a window of running text all tokens but the last, and all but the first; of a sentence BOS
    and all tokens but the last, and all of them.
    """
    if running:
        return x[:, :-1], x[:, 1:]
    return jnp.pad(x[:, :-1], ((0, 0), (1, 0)), constant_values=tokens.BOS), x


def hide_first(inputs: jax.Array, rate: float, key: jax.Array) -> jax.Array:
    """Windows of which that share begins with BOS: what a text without a prompt begins with."""
    hidden_B = batch_uniform(key, inputs.shape[:1]) < rate
    return inputs.at[:, 0].set(jnp.where(hidden_B, tokens.BOS, inputs[:, 0]))


def begun(x_BxS: jax.Array, running: bool) -> jax.Array:
    """Prompts as the model reads them, (B, S + 1): behind BOS, in running text only empty ones."""
    begun_BxS = jnp.pad(x_BxS, ((0, 0), (1, 0)), constant_values=tokens.BOS)
    if not running:
        return begun_BxS
    as_it_is = jnp.pad(x_BxS, ((0, 0), (0, 1)), constant_values=tokens.PAD)
    return jnp.where(tokens.lengths(x_BxS)[:, None] > 0, as_it_is, begun_BxS)


def count_tokens(nll_BxT: jax.Array, targets: jax.Array, mask_B: jax.Array) -> Metrics:
    """The sums of an evaluation: nats and number of the tokens that are predicted."""
    return {
        "count": mask_B.sum(),
        "nll": (mask_B * nll_BxT.sum(-1)).sum(),
        "tokens": (mask_B * tokens.is_token(targets).sum(-1)).sum(),
    }


def summary(means: Any) -> Any:
    """Nats a token, and the perplexity, e to it."""
    nats = means["nll"] / means["tokens"]
    return {"loss": nats, "perplexity": np.exp(nats)}
