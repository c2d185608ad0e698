"""GPT: a decoder-only transformer, the next token of a text from all those before it.

    p(x_1 … x_T) = prod_t p(x_t | x_1 … x_{t-1})

Source: Radford et al. 2019 (Language models are unsupervised multitask learners). The defaults are
its layers without biases; norms, activations, positions and groups of heads that came later are
fields of the config.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import base, fail, optimizer, text_data
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.decoding import decoder_of, draw
from genjax.families import _language_models
from genjax.families._language_models import begun, count_tokens, hide_first, summary
from genjax.families._transformers import check_layers, layer_fields, make_layers
from genjax.losses.tokens import chunked_cross_entropy, token_cross_entropy, token_logits
from genjax.models.attention import causal_mask, segment_mask
from genjax.models.embedding import Embedding
from genjax.models.transformer import Cache, Layers, Stack

_DROPOUT, _BOS = range(2)  # uses of the step's key


class Network(nn.Module):
    """Tokens to what is said of those that follow them, which `kernel` makes logits of.

    Attributes:
      vocab_size: number of tokens.
      length: the most places of a text.
      layers: of the stack.
      positions: see `Embedding`; rotary ones are the layers' own.
      tied: the vectors of the tokens are the output's weights too.
    """

    vocab_size: int
    length: int
    layers: Layers
    positions: str
    tied: bool

    def setup(self) -> None:
        """Declares the parts."""
        of = self.layers
        self.embedding = Embedding(
            self.vocab_size, of.width, self.positions, self.length,
            std=of.init_std or of.width**-0.5, dropout=of.dropout, dtype=of.dtype,
        )  # fmt: skip
        self.stack = Stack(of)
        if not self.tied:
            init = nn.initializers.normal(of.init_std or of.width**-0.5)
            self.head = self.param("head", init, (of.width, self.vocab_size))

    def __call__(
        self, ids_BxT: jax.Array, mask: jax.Array, positions_BxT: Any = None, *, train: bool = False
    ) -> jax.Array:
        """(B, T, D) of whole texts."""
        x = self.embedding(ids_BxT, positions_BxT, train=train)
        return self.stack(x, mask, positions_BxT=positions_BxT, train=train)

    def extend(
        self, ids_BxQ: jax.Array, cache: Cache, past_B: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """(B, Q, D) of the next Q tokens of texts whose `past` first ones are in `cache`."""
        places_BxQ = past_B[:, None] + jnp.arange(ids_BxQ.shape[1])
        return self.stack.extend(self.embedding(ids_BxQ, places_BxQ), cache, past_B)

    def new_cache(self, batch_size: int) -> Cache:
        """Empty, for `length` places."""
        return self.stack.new_cache(batch_size, self.length)

    def kernel(self) -> jax.Array:
        """(D, V), of the logits."""
        return self.embedding.tokens.T if self.tied else self.head


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small texts; recipes change what they need."""
    c = base()
    c.family = "gpt"
    text_data(c, kind="text", tokenizer="char", length=64)
    c.model = layer_fields(bias=False)
    c.model.tied = True  # the vectors of the tokens are the output's weights too
    c.model.unpredicted = ()  # special tokens with probability 0, by id: the weights know none
    c.loss = ConfigDict()
    c.loss.unprompted = 0.05  # share of windows of running text whose first token is hidden by BOS
    c.loss.chunk = 0  # places of a row whose logits are held at once, made twice; 0: all, made once
    c.loss.z_loss = 0.0  # weight of (log Z)^2 of the softmax over the vocabulary
    c.optimizer = optimizer(learning_rate=1e-3, b2=0.99, weight_decay=0.1, clip_norm=1.0)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `gpt` for a config like `configs/gpt.py`.

    It learns windows of running text, or sentences, alone or packed: several in a row, of which
    none sees another. A sentence begins behind BOS; in a window BOS stands for the unseen, so that
    a text without a prompt begins anywhere. Evaluation reports nats a token (`loss`) and
    `perplexity`, e to it, both by the recipe's tokens.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss = config.model, config.loss
    running = spec.kind == "text"
    length = spec.shape[0] - 1 if running else spec.shape[0]
    layers = make_layers(config)
    network = Network(spec.vocab_size, length, layers, m.positions, m.tied)
    tx = make_optimizer(config.optimizer, total_steps)
    bias_V: Any = None
    if m.unpredicted:
        ids = np.arange(spec.vocab_size)
        bias_V = np.where(np.isin(ids, m.unpredicted), -np.inf, 0.0).astype(np.float32)

    def apply(params: Any, *args: Any, **kwargs: Any) -> Any:
        return network.apply({"params": params["network"]}, *args, **kwargs)

    def logits(params: Any, hidden: jax.Array) -> jax.Array:
        return token_logits(hidden, apply(params, method="kernel"), bias_V)

    def inputs_and_targets(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        inputs, targets = _language_models.inputs_and_targets(x, running)
        if running:
            return inputs, targets
        return jnp.where(inputs == tokens.EOS, tokens.BOS, inputs), targets

    def read(params: Any, inputs: jax.Array, targets: jax.Array, **kwargs: Any) -> jax.Array:
        """Hidden vectors (B, T, D); the sentences of a row do not see each other."""
        mask, positions = causal_mask(inputs.shape[1]), None
        if config.data.packed:
            segments, positions = tokens.segments(targets)
            mask = mask & segment_mask(segments)
        return apply(params, inputs, mask, positions, **kwargs)

    def nll(
        params: Any, inputs: jax.Array, targets: jax.Array, z_loss: float = 0.0, **kwargs: Any
    ) -> jax.Array:
        hidden = read(params, inputs, targets, **kwargs)
        if not loss.chunk:
            return token_cross_entropy(logits(params, hidden), targets, z_loss=z_loss)
        kernel = apply(params, method="kernel")
        return chunked_cross_entropy(
            hidden, kernel, targets, chunk=loss.chunk, bias_V=bias_V, z_loss=z_loss
        )

    def init(key: jax.Array) -> State:
        one, seen = jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1, 1), bool)
        params = {"network": network.init(init_key(key), one, seen)["params"]}
        return first_state(key, params, tx, config)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        inputs, targets = inputs_and_targets(batch["x"])
        if running and loss.unprompted:
            inputs = hide_first(inputs, loss.unprompted, step_key(state, _BOS))
        mean_count = batch_mean(tokens.is_token(targets).sum(-1).mean())
        key = step_key(state, _DROPOUT)

        def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
            nll_BxT = nll(
                params, rows["inputs"], rows["targets"], loss.z_loss, train=True,
                rngs={"dropout": jax.random.fold_in(key, part)},
            )  # fmt: skip
            mean = (nll_BxT.sum(-1) / jnp.where(mean_count > 0, mean_count, 1.0)).mean()
            return mean, {"loss": mean}

        rows = {"inputs": inputs, "targets": targets}
        return minimise(objective, state, rows, tx, config)

    def score(state: State, x: jax.Array) -> jax.Array:
        """Nats of each token that is predicted, 0 of padding: (B, T - 1) of windows (B, T)."""
        return nll(state.ema or state.params, *inputs_and_targets(x))

    def evaluate(state: State, batch: Batch) -> Metrics:
        """Nats and numbers of the tokens that are predicted."""
        _, targets = inputs_and_targets(batch["x"])
        return batch_sum(count_tokens(score(state, batch["x"]), targets, batch["mask"]))

    def start(state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Prompts to the logits (B, V) of what follows them, and the cache behind them.

        Places beyond the model's longest text, `context`, are not read.
        """
        x_BxS = begun(x_BxS, running)[:, :length]
        length_B = tokens.lengths(x_BxS)
        cache = apply(state.ema or state.params, len(x_BxS), method="new_cache")
        return further(state, {"layers": cache, "past": jnp.zeros_like(length_B)}, x_BxS, length_B)

    def decode(state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """One token further: logits (B, V) of the next one, and the cache behind it."""
        return further(state, cache, token_B[:, None], jnp.ones_like(token_B))

    def further(state: State, cache: Any, x: jax.Array, length_B: jax.Array) -> Any:
        """The first `length` tokens of each row of x (B, Q), written behind the cache's past."""
        params, past_B = state.ema or state.params, cache["past"]
        hidden, kept = apply(params, x, cache["layers"], past_B, method="extend")
        last = jnp.take_along_axis(hidden, length_B[:, None, None] - 1, axis=1)[:, 0]
        return logits(params, last), {"layers": kept, "past": past_B + length_B}

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return draw(decoder_of(state, start, decode, length), key, n, size=spec.shape[0])

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions={
            "start": start, "decode": decode, "score": score, "context": lambda state: length,
        },
        summary=summary,
    )  # fmt: skip


def _check(config: ConfigDict, spec: DataSpec) -> None:
    loss = config.loss
    if spec.kind not in ("text", "sentence"):
        raise fail("data.name", config.data.name, "must be running text or sentences")
    check_layers(config.model)
    may_be = (tokens.PAD, tokens.UNK, tokens.BOS, tokens.MASK)
    if not set(config.model.unpredicted) <= set(may_be):
        raise fail("model.unpredicted", config.model.unpredicted, f"must be of {may_be}")
    if not 0 <= loss.unprompted < 1:
        raise fail("loss.unprompted", loss.unprompted, "must be at least 0 and below 1")
    for field in ("chunk", "z_loss"):
        if loss[field] < 0:
            raise fail(f"loss.{field}", loss[field], "must be at least 0")
