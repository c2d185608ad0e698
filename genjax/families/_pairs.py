"""What families share that learn to turn one sentence into another.

    p(y | x) = prod_t p(y_t | y_1 … y_{t-1}, x)

A network reads the source x and the target as far as it is known, BOS in front; the loss is the
cross-entropy of the target's tokens. What differs between families is the network alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.buckets import by_length
from genjax.core.config import base, fail, text_data
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
from genjax.families._language_models import count_tokens, inputs_and_targets, summary
from genjax.losses.tokens import token_cross_entropy, token_logits

_DROPOUT = 0  # use of the step's key


class EncoderDecoder(Protocol):
    """A Flax module with these methods, beside its own `init` and `apply`."""

    init: Any
    apply: Any

    def __call__(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Vectors (B, U, E) that predict what follows each of the inputs."""

    def head(self) -> tuple[jax.Array, jax.Array | None]:
        """The output's weights (E, V) and, if any, biases (V,)."""

    def begin(self, x_BxS: jax.Array, length: int) -> Any:
        """The cache before the first of at most `length` tokens; each leaf (B, …)."""

    def extend(self, token_B: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
        """One token further: the vector (B, E) that predicts the next one, and the cache."""

    def weights(self, x_BxS: jax.Array, inputs_BxU: jax.Array) -> jax.Array:
        """(B, U, S): how the prediction behind each of the inputs attends to the source."""


def pair_config(family: str) -> ConfigDict:
    """The fields of such a family but for its `model`, with defaults for `reverse`."""
    c = base()
    c.family = family
    text_data(c, tokenizer="word", length=16)
    c.data.name = "reverse"
    # Lengths that a batch may be cut to, if it is no longer: a program for each. A population cuts
    # nothing: with dropout its members are those of single runs with buckets=().
    c.buckets = ()
    c.loss = ConfigDict()
    c.loss.label_smoothing = 0.0  # probability that is spread over all tokens alike
    return c


def build_pairs(
    config: ConfigDict, spec: DataSpec, total_steps: int, network: Any,
    *, attends: bool = True,
) -> OldFamily:  # fmt: skip
    """The family of a network.

    Evaluation reports nats a token (`loss`, without label smoothing) and `perplexity`, e to it.

    Args:
      config: the resolved config; `model` is the network's own.
      spec: of pairs, see `check_pairs`.
      total_steps: length of the run, for schedules.
      network: a module like `EncoderDecoder`.
      attends: whether its `weights` mean something.
    """
    tx, smoothing = make_optimizer(config.optimizer, total_steps), config.loss.label_smoothing
    # A population would compute all branches.
    edges = () if config.executor == "vmap" else config.buckets

    def apply(params: Any, *args: Any, **kwargs: Any) -> Any:
        return network.apply({"params": params["network"]}, *args, **kwargs)

    def logits(params: Any, vectors: jax.Array) -> jax.Array:
        return token_logits(vectors, *apply(params, method="head"))

    def nll(params: Any, x: jax.Array, y: jax.Array, smoothing: float = 0.0, **kwargs: Any) -> Any:
        inputs, targets = inputs_and_targets(y, running=False)
        vectors = apply(params, x, inputs, **kwargs)
        return token_cross_entropy(logits(params, vectors), targets, label_smoothing=smoothing)

    def init(key: jax.Array) -> State:
        one = jnp.full((1, 1), tokens.EOS)
        params = {"network": network.init(init_key(key), one, one)["params"]}
        return first_state(key, params, tx, config)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key = step_key(state, _DROPOUT)

        def update(x: jax.Array, y: jax.Array) -> tuple[State, Metrics]:
            mean_count = batch_mean(tokens.is_token(y).sum(-1).mean())

            def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
                rngs = {"dropout": jax.random.fold_in(key, part)}
                nll_BxU = nll(params, rows["x"], rows["y"], smoothing, train=True, rngs=rngs)
                mean = (nll_BxU.sum(-1) / jnp.maximum(mean_count, 1e-6)).mean()
                return mean, {"loss": mean}

            return minimise(objective, state, {"x": x, "y": y}, tx, config)

        return by_length(update, batch["x"], batch["y"], edges=edges)

    def score(state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """Nats of each token of the target, 0 of padding: (B, U)."""
        return nll(state.ema or state.params, x_BxS, y_BxU)

    def evaluate(state: State, batch: Batch) -> Metrics:
        """Nats and numbers of the targets' tokens."""
        x, y = batch["x"], batch["y"]
        return batch_sum(count_tokens(score(state, x, y), y, batch["mask"]))

    def start(state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Sources to the logits (B, V) of the target's first token, and the cache behind BOS."""
        params = state.ema or state.params
        cache = apply(params, x_BxS, spec.target_shape[0], method="begin")
        return decode(state, cache, jnp.full(len(x_BxS), tokens.BOS))

    def decode(state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """One token further: logits (B, V) of the next one, and the cache behind it."""
        params = state.ema or state.params
        vectors, cache = apply(params, token_B, cache, method="extend")
        return logits(params, vectors), cache

    def attention(state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """How each token of the target attends to the source, (B, U, S); rows add up to 1."""
        inputs, _ = inputs_and_targets(y_BxU, running=False)
        return apply(state.ema or state.params, x_BxS, inputs, method="weights")

    functions: dict[str, Callable[..., Any]] = {
        "start": start, "decode": decode, "score": score
    }  # fmt: skip
    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=None, batch_shape=(config.batch_size,),
        functions=functions | ({"attention": attention} if attends else {}),
        summary=summary, has_prior=False,
    )  # fmt: skip


def check_pairs(config: ConfigDict, spec: DataSpec) -> None:
    """Raises `ConfigError` for data that are no pairs, or a field of `pair_config` out of range."""
    if spec.kind != "pair":
        raise fail("data.name", config.data.name, "must be pairs: reverse, or pairs:SRC,TGT")
    smoothing, buckets = config.loss.label_smoothing, config.buckets
    if not 0 <= smoothing < 1:
        raise fail("loss.label_smoothing", smoothing, "must be at least 0 and below 1")
    if not _ascending(buckets):
        raise fail("buckets", buckets, "must be in ascending order and above 0")


def _ascending(numbers: Sequence[int]) -> bool:
    return list(numbers) == sorted({*numbers}) and min(numbers, default=1) > 0
