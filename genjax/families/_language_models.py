"""The base class of language models, and functions of all that predict tokens of a text.

    p(x_1 … x_T) = prod_t p(x_t | x_1 … x_{t-1})

A `LanguageModel` reads from left to right and writes; language models differ in their network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State
from genjax.core.fields import field
from genjax.core.random import batch_uniform, step_key
from genjax.core.update import minimize
from genjax.generation import decoder_of, draw
from genjax.models.features import watched
from genjax.ops.cross_entropy import token_logits

_DROPOUT, _BOS = range(2)  # uses of the step's key


@dataclass(frozen=True)
class TokenLoss:
    """The section `loss` of a family that predicts tokens."""

    logits_chunk: int = field(
        0, "places of a row whose logits are held at once, made twice; 0: all, made once", ge=0
    )


@dataclass(frozen=True)
class NextTokenLoss(TokenLoss):
    """The section `loss` of a `LanguageModel`, to which it adds its own fields."""

    bos_rate: float = field(
        0.05, "share of windows of running text whose first token is hidden by BOS", ge=0, lt=1
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageModel(Family):
    """A family that predicts each token of a text from those before it.

    It learns windows of running text, or sentences. A sentence begins behind BOS; in a window BOS
    stands for the unseen, so that a text without a prompt begins anywhere. Evaluation reports nats
    a token (`loss`) and `perplexity`, e to it, both by the recipe's tokens.
    """

    continues_text = True
    layers_name: ClassVar[str]  # of the network's layers among `features`

    loss: NextTokenLoss
    optimizer: optax.GradientTransformation

    # The network, which a family gives.

    def hidden(
        self, params: Any, inputs: jax.Array, targets: jax.Array, **options: Any
    ) -> jax.Array:
        """Computes the vectors (B, T, D) that predict `targets` (B, T) behind `inputs` (B, T)."""
        raise NotImplementedError

    def output(self, params: Any) -> tuple[jax.Array, Any]:
        """Returns the output's weights (D, V) and, unless it is None, biases (V,)."""
        raise NotImplementedError

    # The loss.

    def nll(
        self,
        params: Any,
        inputs: jax.Array,
        targets: jax.Array,
        z_loss: float = 0.0,
        **options: Any,
    ) -> jax.Array:
        """Computes -log p of each target in nats, 0 of padding, (B, T)."""
        hidden = self.hidden(params, inputs, targets, **options)
        return token_nll(hidden, self.output(params), targets, self.loss.logits_chunk, z_loss)

    def next_token_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the mean over the tokens of the batch, in nats.

        -1/N sum_t log p(x_t | x_1 … x_{t-1}), plus z_loss (log Z_t)^2 where a family has it.

        Args:
          params: of the network.
          rows: `inputs` and `targets`, int32 (B, T).
          shared: `mean_count`, tokens of an average row, and `key` of dropout.
          part: number of the part, folded into the key.
        """
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        nll_BxT = self.nll(
            params, rows["inputs"], rows["targets"], self._z_loss, train=True, rngs=rngs
        )
        mean = (nll_BxT.sum(-1) / shared["mean_count"]).mean()
        return mean, {"loss": mean}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        inputs, targets = self.inputs_and_targets(batch["x"])
        if self.running and self.loss.bos_rate:
            inputs = hide_first(inputs, self.loss.bos_rate, step_key(state, _BOS))
        shared = {"mean_count": mean_count(targets), "key": step_key(state, _DROPOUT)}
        return {"inputs": inputs, "targets": targets}, shared

    def inputs_and_targets(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns what is read of texts and what is predicted, (B, T) each."""
        return inputs_and_targets(x, self.running)

    # The contract.

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        rows, shared = self.inputs(state, batch)
        return minimize(self.next_token_loss, state, rows, shared, self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums the nats and the numbers of the tokens that are predicted."""
        _, targets = self.inputs_and_targets(batch["x"])
        return batch_sum(count_tokens(self.score(state, batch["x"]), targets, batch["mask"]))

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Family`."""
        return summary(means)

    # What it is used for.

    def score(self, state: State, x: jax.Array) -> jax.Array:
        """Computes nats of each token that is predicted, 0 of padding: (B, T - 1) of windows."""
        return self.nll(state.eval_params, *self.inputs_and_targets(x))

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the vectors (B, T, D) of each layer that predict what `score` scores."""
        watching, layers = watched(self, network=self.layers_name)
        watching.hidden(state.eval_params, *self.inputs_and_targets(x))
        return layers

    def prefill(self, state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Reads prompts: the logits (B, V) of what follows them, and the cache behind them."""
        raise NotImplementedError

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """Reads a token: logits (B, V) of the next one, and the cache behind it."""
        raise NotImplementedError

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` texts without a prompt."""
        decoder = decoder_of(self, state)
        return draw(decoder, key, n, size=self.spec.shape[0])

    # Behind them.

    @property
    def running(self) -> bool:
        """Says whether texts are windows of running text."""
        return self.spec.kind == "text"

    @property
    def _z_loss(self) -> float:
        return 0.0

    def _logits(self, params: Any, hidden: jax.Array) -> jax.Array:
        return token_logits(hidden, *self.output(params))


def check_texts(config: ConfigDict, spec: DataSpec) -> None:
    """Raises `ConfigError` for data that are neither running text nor sentences."""
    if spec.kind not in ("text", "sentence"):
        raise fail("data.name", config.data.name, "must be running text or sentences")


def token_nll(
    hidden_BxTxD: jax.Array,
    output: tuple[jax.Array, Any],
    targets: jax.Array,
    chunk: int,
    z_loss: float = 0.0,
) -> jax.Array:
    """Computes -log p of each target in nats, 0 of padding, (B, T).

    Args:
      hidden_BxTxD: vectors that predict.
      output: weights (D, V), and biases (V,) or None.
      targets: int32 (B, T).
      chunk: see `TokenLoss`.
      z_loss: weight of (log Z)^2, see `token_cross_entropy`.
    """
    kernel_DxV, bias_V = output
    if not chunk:
        logits = token_logits(hidden_BxTxD, kernel_DxV, bias_V)
        return losses.token_cross_entropy(logits, targets, z_loss=z_loss)
    return losses.chunked_cross_entropy(
        hidden_BxTxD, kernel_DxV, targets, chunk=chunk, bias_V=bias_V, z_loss=z_loss
    )


def mean_count(targets: jax.Array) -> jax.Array:
    """Counts the tokens of an average row of the global batch, above 0."""
    return jnp.maximum(batch_mean(tokens.is_token(targets).sum(-1).mean()), 1e-6)


def last_vector(hidden_BxTxD: jax.Array, lengths_B: jax.Array) -> jax.Array:
    """Picks the vector (B, D) of the last token of each row, which has at least one."""
    return jnp.take_along_axis(hidden_BxTxD, lengths_B[:, None, None] - 1, axis=1)[:, 0]


def inputs_and_targets(x: jax.Array, running: bool) -> tuple[jax.Array, jax.Array]:
    """Returns what is read and what is predicted of texts, int32 (B, T) each.

    Of a window of running text all tokens but the last, and all but the first; of a sentence BOS
    and all tokens but the last, and all of them.
    """
    if running:
        return x[:, :-1], x[:, 1:]
    return jnp.pad(x[:, :-1], ((0, 0), (1, 0)), constant_values=tokens.BOS), x


def hide_first(inputs: jax.Array, rate: float, key: jax.Array) -> jax.Array:
    """Hides the first token of that share of windows by BOS, as texts without a prompt begin."""
    hidden_B = batch_uniform(key, inputs.shape[:1]) < rate
    return inputs.at[:, 0].set(jnp.where(hidden_B, tokens.BOS, inputs[:, 0]))


def begun(x_BxS: jax.Array, running: bool) -> jax.Array:
    """Puts BOS before prompts, in running text only before empty ones; (B, S + 1)."""
    begun_BxS = jnp.pad(x_BxS, ((0, 0), (1, 0)), constant_values=tokens.BOS)
    if not running:
        return begun_BxS
    as_it_is = jnp.pad(x_BxS, ((0, 0), (0, 1)), constant_values=tokens.PAD)
    return jnp.where(tokens.lengths(x_BxS)[:, None] > 0, as_it_is, begun_BxS)


def count_tokens(nll_BxT: jax.Array, targets: jax.Array, mask_B: jax.Array) -> Metrics:
    """Sums an evaluation: nats and numbers of the tokens that are predicted."""
    return {
        "count": mask_B.sum(),
        "nll": (mask_B * nll_BxT.sum(-1)).sum(),
        "tokens": (mask_B * tokens.is_token(targets).sum(-1)).sum(),
    }


def summary(means: Mapping[str, Any]) -> Mapping[str, Any]:
    """Computes nats a token, and the perplexity, e to it."""
    nats = means["nll"] / means["tokens"]
    return {"loss": nats, "perplexity": np.exp(nats)}
