"""Recurrent language models: the next token of a running text from those before it.

    p(x_1 … x_T) = prod_t p(x_t | x_1 … x_{t-1})

with an RNN, GRU or LSTM that reads one token after the other. Sources: Mikolov et al. 2010
(Recurrent neural network based language model); Zaremba et al. 2014 (dropout between layers); Gal
and Ghahramani 2016 (variational dropout); Press and Wolf 2017 (one matrix for the tokens read and
those predicted).

Windows of running text begin at random places, each with the zero state: the state is not carried
from one window to the next.
"""

from typing import Any

import jax
import jax.numpy as jnp
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
    compute_dtype,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.decoding import decoder_of, draw
from genjax.families._language_models import (
    begun,
    count_tokens,
    hide_first,
    inputs_and_targets,
    summary,
)
from genjax.families._recurrent import check_recurrent, make_recurrent, recurrent_fields
from genjax.losses.tokens import chunked_cross_entropy, token_cross_entropy, token_logits
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.recurrent import Recurrent

_DROPOUT, _BOS = range(2)  # uses of the step's key


class LanguageModel(nn.Module):
    """Tokens to what is said of those that follow them, which `head` makes logits of.

    Attributes:
      vocab_size: number of tokens.
      embed_dim: width of a token's vector.
      recurrent: the network.
      tied: the vectors of the tokens are the output's weights too; a projection to `embed_dim`
        stands before them where the network's width differs from it.
      dtype: of compute.
    """

    vocab_size: int
    embed_dim: int
    recurrent: Recurrent
    tied: bool
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x_BxT: jax.Array, lengths_B: Any = None, carry: Any = None, *, train: bool = False
    ) -> tuple[jax.Array, Any]:
        """Vectors (B, T, D) and the carry behind each row's last token; see `Recurrent`."""
        r = self.recurrent
        embed = Embedding(
            self.vocab_size, self.embed_dim, std=0.1, dtype=self.dtype, name="embedding"
        )
        h_BxTxH, carry = r(embed(x_BxT), lengths_B, carry, train=train)
        shared_axes = (1,) if r.variational else ()
        h_BxTxH = Dropout(r.dropout, shared_axes)(h_BxTxH, train=train)
        if self.tied and r.hidden != self.embed_dim:
            h_BxTxH = nn.Dense(self.embed_dim, dtype=self.dtype, name="projection")(h_BxTxH)
        if not self.tied:
            self.param("kernel", nn.initializers.lecun_normal(), (r.hidden, self.vocab_size))
        self.param("bias", nn.initializers.zeros, (self.vocab_size,))
        return h_BxTxH, carry

    def head(self, params: Any) -> tuple[jax.Array, jax.Array]:
        """The output's weights (D, V) and biases (V,) among the module's parameters."""
        kernel_DxV = params["embedding"]["tokens"].T if self.tied else params["kernel"]
        return kernel_DxV, params["bias"]


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small texts; recipes change what they need."""
    c = base()
    c.family = "recurrent_lm"
    text_data(c, kind="text", tokenizer="char", length=64)
    c.model = recurrent_fields(hidden=256, layers=2)
    c.model.tied = False  # the vectors of the tokens are the output's weights too
    c.loss = ConfigDict()
    c.loss.unprompted = 0.05  # share of windows of running text whose first token is hidden by BOS
    c.loss.chunk = 0  # places of a row whose logits are held at once, made twice; 0: all, made once
    c.optimizer = optimizer(learning_rate=2e-3, clip_norm=1.0)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `recurrent_lm` for a config like `configs/lstm_lm.py`.

    It learns windows of running text, or sentences. A sentence begins behind BOS; in a window BOS
    stands for the unseen, so that a text without a prompt begins anywhere. Evaluation reports nats
    a token (`loss`) and `perplexity`, e to it, both by the recipe's tokens.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss, dtype = config.model, config.loss, compute_dtype(config.precision)
    recurrent = make_recurrent(m, dtype)
    network = LanguageModel(spec.vocab_size, m.embed_dim, recurrent, m.tied, dtype)
    tx = make_optimizer(config.optimizer, total_steps)
    running = spec.kind == "text"

    def init(key: jax.Array) -> State:
        params = network.init(init_key(key), jnp.zeros((1, 1), jnp.int32))["params"]
        return first_state(key, params, tx, config)

    def apply(params: Any, *args: Any, **kwargs: Any) -> tuple[jax.Array, Any]:
        return network.apply({"params": params}, *args, **kwargs)

    def logits(params: Any, h: jax.Array) -> jax.Array:
        return token_logits(h, *network.head(params))

    def nll(params: Any, inputs: jax.Array, targets: jax.Array, **kwargs: Any) -> jax.Array:
        h_BxTxD, _ = apply(params, inputs, **kwargs)
        if not loss.chunk:
            return token_cross_entropy(logits(params, h_BxTxD), targets)
        kernel_DxV, bias_V = network.head(params)
        return chunked_cross_entropy(h_BxTxD, kernel_DxV, targets, chunk=loss.chunk, bias_V=bias_V)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        inputs, targets = inputs_and_targets(batch["x"], running)
        if running and loss.unprompted:
            inputs = hide_first(inputs, loss.unprompted, step_key(state, _BOS))
        mean_count = batch_mean(tokens.is_token(targets).sum(-1).mean())
        key = step_key(state, _DROPOUT)

        def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
            rngs = {"dropout": jax.random.fold_in(key, part)}
            nll_BxT = nll(params, rows["inputs"], rows["targets"], train=True, rngs=rngs)
            mean = (nll_BxT.sum(-1) / jnp.maximum(mean_count, 1e-6)).mean()
            return mean, {"loss": mean}

        rows = {"inputs": inputs, "targets": targets}
        return minimise(objective, state, rows, tx, config)

    def score(state: State, x: jax.Array) -> jax.Array:
        """Nats of each token that is predicted, 0 of padding: (B, T - 1) of windows (B, T)."""
        return nll(state.ema or state.params, *inputs_and_targets(x, running))

    def evaluate(state: State, batch: Batch) -> Metrics:
        """Nats and numbers of the tokens that are predicted."""
        _, targets = inputs_and_targets(batch["x"], running)
        return batch_sum(count_tokens(score(state, batch["x"]), targets, batch["mask"]))

    def start(state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Prompts to the logits (B, V) of what follows them, and the carry behind them."""
        params, x_BxS = state.ema or state.params, begun(x_BxS, running)
        lengths_B = tokens.lengths(x_BxS)
        h_BxSxD, carry = apply(params, x_BxS, lengths_B)
        h_BxD = jnp.take_along_axis(h_BxSxD, lengths_B[:, None, None] - 1, axis=1)[:, 0]
        return logits(params, h_BxD), carry

    def decode(state: State, carry: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """One token further: logits (B, V) of the next one, and the carry behind it."""
        params = state.ema or state.params
        h_Bx1xD, carry = apply(params, token_B[:, None], carry=carry)
        return logits(params, h_Bx1xD[:, 0]), carry

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return draw(decoder_of(state, start, decode), key, n, size=spec.shape[0])

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions={"start": start, "decode": decode, "score": score}, summary=summary,
    )  # fmt: skip


def _check(config: ConfigDict, spec: DataSpec) -> None:
    data, loss = config.data, config.loss
    if spec.kind not in ("text", "sentence"):
        raise fail("data.name", data.name, "must be running text or sentences")
    if data.packed:
        raise fail("data.packed", data.packed, "must be False: one sentence would be read on after")
    check_recurrent(config.model)
    if loss.chunk < 0:
        raise fail("loss.chunk", loss.chunk, "must be at least 0")
    if not 0 <= loss.unprompted < 1:
        raise fail("loss.unprompted", loss.unprompted, "must be at least 0 and below 1")
