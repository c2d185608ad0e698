"""The base class of families that learn to turn one sentence into another.

    p(y | x) = prod_t p(y_t | y_1 … y_{t-1}, x)

A network reads the source x and the known part of the target, with BOS in front; the loss is the
cross-entropy of the target's tokens. Such families differ in the network alone.

With a teacher (the section `teacher`), another run of such a family, the loss of a token is

    (1 - w) cross-entropy + w T^2 KL(teacher's p(y_t | …) || p(y_t | …)),

or targets are what the teacher writes (Kim and Rush 2016, Sequence-level knowledge distillation,
sections 3.1 and 3.2). Of the second a share can be drawn, each time that a source is seen: the
gradient is in the mean that of their sum weighted by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.buckets import by_length, edges_of
from genjax.core.config import Base, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.teaching import LOGITS, TargetTeacher
from genjax.core.update import apply_gradient, first_state, gradient_of
from genjax.families._language_models import count_tokens, inputs_and_targets, summary
from genjax.families._students import blended
from genjax.models.copying import Prediction
from genjax.models.features import watched
from genjax.ops.cross_entropy import token_logits

_DROPOUT = 0  # use of the step's key


class EncoderDecoder(Protocol):
    """A Flax module with these methods, beside its own `init` and `apply`."""

    @property
    def init(self) -> Any:
        """Makes the first parameters, as Flax's."""

    @property
    def apply(self) -> Any:
        """Calls a method with parameters, as Flax's."""

    def __call__(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Computes vectors (B, U, E) that predict what follows each of the inputs."""

    def head(self) -> tuple[jax.Array, jax.Array | None]:
        """Returns the output's weights (E, V) and, if any, biases (V,)."""

    def begin(self, x_BxS: jax.Array, length: int) -> Any:
        """Makes the cache before the first of at most `length` tokens; each leaf (B, …)."""

    def extend(self, token_B: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
        """Reads a token: the vector (B, E) that predicts the next one, and the cache."""

    def weights(self, x_BxS: jax.Array, inputs_BxU: jax.Array) -> jax.Array:
        """Computes how the prediction behind each input attends to the source, (B, U, S)."""


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    label_smoothing: float = field(
        0.0, "probability that is spread over all tokens alike", ge=0, lt=1
    )


@dataclass(frozen=True)
class PairConfig(Base):
    """The fields of such a family but for its `model`, with defaults for `reverse`.

    A population cuts no batch: with dropout its members are those of single runs with buckets=().
    """

    data: TextData = subsection(TextData, name="reverse", tokenizer="word", length=16)
    buckets: tuple[int, ...] = field(
        (), "lengths that a batch may be cut to, if it is no longer: a program for each"
    )
    loss: Loss = subsection(Loss)
    teacher: TargetTeacher = subsection(TargetTeacher)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs(Family):
    """A family of pairs of sentences.

    Evaluation reports nats a token (`loss`, without label smoothing) and `perplexity`, e to it.

    Attributes:
      loss, teacher: the sections.
      network: of source and target.
      buckets: lengths that a batch may be cut to, in ascending order; see `by_length`.
      optimizer: of the network.
    """

    has_prior = False
    continues_text = False

    loss: Loss
    teacher: TargetTeacher
    network: EncoderDecoder
    buckets: tuple[int, ...] = ()
    optimizer: optax.GradientTransformation

    # The network.

    def logits(self, params: Any, vectors: jax.Array) -> jax.Array:
        """Computes the logits (…, V) of the tokens that vectors (…, E) predict."""
        return token_logits(vectors, *self._apply(params, method="head"))

    def predicted(
        self, params: Any, x_BxS: jax.Array, y_BxU: jax.Array, **options: Any
    ) -> jax.Array:
        """Computes the logits (B, U, V) of p(y_t | y_1 … y_{t-1}, x)."""
        inputs, _ = inputs_and_targets(y_BxU, running=False)
        return self.logits(params, self._apply(params, x_BxS, inputs, **options))

    def nll(
        self,
        params: Any,
        x_BxS: jax.Array,
        y_BxU: jax.Array,
        label_smoothing: float = 0.0,
        **options: Any,
    ) -> jax.Array:
        """Computes -log p(y_t | y_1 … y_{t-1}, x), 0 of padding: (B, U)."""
        logits = self.predicted(params, x_BxS, y_BxU, **options)
        return losses.token_cross_entropy(logits, y_BxU, label_smoothing=label_smoothing)

    # The loss.

    def token_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the cross-entropy of the targets' tokens, in nats a token of the whole batch.

        sum_t -log p(y_t | y_1 … y_{t-1}, x), the mean over pairs, over the mean number of tokens.

        Args:
          params: of the network.
          rows: sources `x` and targets `y`; perhaps a teacher's logits (B, U, V).
          shared: `key` of dropout, and `mean_count` of a target's tokens.
          part: number of the part, folded into the key.
        """
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        x_BxS, y_BxU, smoothing = rows["x"], rows["y"], self.loss.label_smoothing

        def mean(nats_BxU: jax.Array) -> jax.Array:
            return (nats_BxU.sum(-1) / jnp.maximum(shared["mean_count"], 1e-6)).mean()

        if LOGITS not in rows:
            value = mean(self.nll(params, x_BxS, y_BxU, smoothing, train=True, rngs=rngs))
            return value, {"loss": value}
        logits = self.predicted(params, x_BxS, y_BxU, train=True, rngs=rngs)
        nll_BxU = losses.token_cross_entropy(logits, y_BxU, label_smoothing=smoothing)
        ours, theirs = (x.reshape(-1, x.shape[-1]) for x in (logits, rows[LOGITS]))
        far_N = losses.distillation_loss(ours, theirs, self.teacher.temperature)
        far_BxU = far_N.reshape(y_BxU.shape) * tokens.is_token(y_BxU)
        value, metrics = blended(self.teacher, mean(nll_BxU), mean(far_BxU))
        return value, {"loss": value} | metrics

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        mean_count = batch_mean(tokens.is_token(batch["y"]).sum(-1).mean())
        rows = {name: batch[name] for name in ("x", "y", LOGITS) if name in batch}
        return rows, {"key": step_key(state, _DROPOUT), "mean_count": mean_count}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        one = jnp.full((1, 1), tokens.EOS)
        params = {"network": self.network.init(init_key(key), one, one)["params"]}
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""

        def gradient_at(x: jax.Array, y: jax.Array) -> tuple[Any, Metrics]:
            said = {n: v[:, : y.shape[1]] for n, v in batch.items() if n == LOGITS}
            rows, shared = self.inputs(state, {"x": x, "y": y} | said)
            return gradient_of(self.token_loss, state, rows, shared, self)

        # A branch that returned the state would copy all of it.
        gradient, metrics = by_length(gradient_at, batch["x"], batch["y"], edges=self.buckets)
        return apply_gradient(gradient, state, self.optimizer, self), metrics

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums nats and numbers of the targets' tokens."""
        x, y = batch["x"], batch["y"]
        return batch_sum(count_tokens(self.score(state, x, y), y, batch["mask"]))

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Family`."""
        return summary(means)

    # What it is used for.

    def score(self, state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """Computes the nats of each token of the target, 0 of padding: (B, U)."""
        return self.nll(state.eval_params, x_BxS, y_BxU)

    def predict_targets(self, state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """Computes the logits (B, U, V) of each token of targets, given the tokens before."""
        return self.predicted(state.eval_params, x_BxS, y_BxU)

    def features(self, state: State, x_BxS: jax.Array) -> dict[str, jax.Array]:
        """Computes the vectors (B, S, D) of each layer of the encoder, of sources."""
        watching, layers = watched(self, network="encoder")
        watching.prefill(state, x_BxS)
        return layers

    def prefill(self, state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Reads sources: logits (B, V) of the target's first token, and the cache behind BOS."""
        return self.decode_step(state, self._begin(state, x_BxS), jnp.full(len(x_BxS), tokens.BOS))

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """Reads a token: logits (B, V) of the next one, and the cache behind it."""
        params = state.eval_params
        vectors, cache = self._apply(params, token_B, cache, method="extend")
        return self.logits(params, vectors), cache

    # Behind them.

    def _begin(self, state: State, x_BxS: jax.Array) -> Any:
        """Makes the cache in front of BOS."""
        return self._apply(state.eval_params, x_BxS, self.spec.target_shape[0], method="begin")

    def _apply(self, params: Any, *arguments: Any, **options: Any) -> Any:
        return self.network.apply({"params": params["network"]}, *arguments, **options)


@dataclass(frozen=True, kw_only=True, eq=False)
class AttendingPairs(Pairs):
    """A family of pairs whose network attends to the source."""

    def attention(self, state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """Computes how each token of the target attends to the source; rows (B, U, S) sum to 1."""
        inputs, _ = inputs_and_targets(y_BxU, running=False)
        found: jax.Array = self._apply(state.eval_params, x_BxS, inputs, method="weights")
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class CopyingPairs(AttendingPairs):
    """A family of pairs that copies words of the source where it does not write its own.

    The distribution of a token is that of `genjax.losses.copying`; source and target have one
    vocabulary. The logits of `prefill`, `decode_step` and `predict_targets` are its logarithms.
    """

    def predicted(
        self, params: Any, x_BxS: jax.Array, y_BxU: jax.Array, **options: Any
    ) -> jax.Array:
        """Computes log P(y_t | y_1 … y_{t-1}, x), (B, U, V)."""
        inputs, _ = inputs_and_targets(y_BxU, running=False)
        found: Prediction = self._apply(params, x_BxS, inputs, method="predict", **options)
        logits = self.logits(params, found.vectors)
        of_place = jax.vmap(losses.copying_log_probabilities, (1, 1, 1, None), 1)
        return of_place(logits, found.weights, found.gate, x_BxS)

    def nll(
        self,
        params: Any,
        x_BxS: jax.Array,
        y_BxU: jax.Array,
        label_smoothing: float = 0.0,
        **options: Any,
    ) -> jax.Array:
        """Computes -log P(y_t | y_1 … y_{t-1}, x), 0 of padding: (B, U); there is no smoothing."""
        inputs, targets = inputs_and_targets(y_BxU, running=False)
        found: Prediction = self._apply(params, x_BxS, inputs, method="predict", **options)
        logits = self.logits(params, found.vectors)
        return losses.copying_cross_entropy(logits, found.weights, found.gate, x_BxS, targets)

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """Reads a token: log-probabilities (B, V) of the next one, and the cache behind it."""
        params, x_BxS = state.eval_params, cache["source"]
        found, after = self._apply(params, token_B, cache["network"], method="predict_next")
        logits = self.logits(params, found.vectors)
        log_p = losses.copying_log_probabilities(logits, found.weights, found.gate, x_BxS)
        return log_p, {"network": after, "source": x_BxS}

    def _begin(self, state: State, x_BxS: jax.Array) -> Any:
        return {"network": super()._begin(state, x_BxS), "source": x_BxS}


def check_copying(config: ConfigDict, spec: DataSpec) -> None:
    """Raises `ConfigError` where `model.copy` does not go with the data or the loss."""
    if not config.model.copy:
        return
    if not spec.shared_vocabulary:
        message = "needs one vocabulary of source and target: data.shared_vocabulary=True"
        raise fail("model.copy", True, message)
    if config.loss.label_smoothing:
        message = "must be 0 with model.copy: copied words have no share of it"
        raise fail("loss.label_smoothing", config.loss.label_smoothing, message)


def pair_fields(config: ConfigDict, spec: DataSpec, total_steps: int) -> dict[str, Any]:
    """Returns the fields of `Pairs` but for its network, for the constructor.

    Raises:
      ConfigError: the data are no pairs, or a field of `PairConfig` is out of range.
    """
    if spec.kind != "pair":
        raise fail("data.name", config.data.name, "must be pairs: reverse, or pairs:SRC,TGT")
    loss, teacher = read(Loss, config, "loss"), read(TargetTeacher, config, "teacher")
    teacher.check()
    if not _ascending(config.buckets):
        raise fail("buckets", config.buckets, "must be in ascending order and above 0")
    return shared_fields(config, spec, total_steps) | {
        "loss": loss,
        "teacher": teacher,
        "buckets": edges_of(config),
        "optimizer": make_optimizer(config.optimizer, total_steps),
    }


def _ascending(numbers: Sequence[int]) -> bool:
    return list(numbers) == sorted({*numbers}) and min(numbers, default=1) > 0
