"""GPT: a decoder-only transformer, the next token of a text from all those before it.

    p(x_1 … x_T) = prod_t p(x_t | x_1 … x_{t-1})

Source: Radford et al. 2019 (Language models are unsupervised multitask learners). The defaults are
its layers without biases; norms, activations, positions and groups of heads that came later are
fields of the config.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.config import Base, Optimizer, TextData, fail
from genjax.core.family import DataSpec, State, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key
from genjax.core.update import first_state
from genjax.families._language_models import (
    LanguageModel,
    NextTokenLoss,
    begun,
    check_texts,
    last_vector,
)
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.gpt import Network
from genjax.models.layers import Layers
from genjax.ops.masks import causal_mask, segment_mask


@dataclass(frozen=True)
class Model(LayerFields):
    """The section `model`."""

    tie_embeddings: bool = field(True, "the vectors of the tokens are the output's weights too")
    banned_tokens: tuple[int, ...] = field(
        (), "special tokens with probability 0, by id: the weights know none"
    )


@dataclass(frozen=True)
class Loss(NextTokenLoss):
    """The section `loss`."""

    z_loss: float = field(0.0, "weight of (log Z)^2 of the softmax over the vocabulary", ge=0)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small texts."""

    family: str = "gpt"
    data: TextData = subsection(TextData)
    optimizer: Optimizer = subsection(Optimizer, b2=0.99, weight_decay=0.1, clip_norm=1.0)
    model: Model = subsection(Model, bias=False)
    loss: Loss = subsection(Loss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class GPT(LanguageModel):
    """The family `gpt`.

    Sentences stand alone or packed: several in a row, of which none sees another.
    """

    layers_name = "stack"

    model: Model
    loss: Loss
    network: Network
    packed: bool

    # The network.

    def hidden(
        self, params: Any, inputs: jax.Array, targets: jax.Array, **options: Any
    ) -> jax.Array:
        """See `LanguageModel`; the sentences of a row do not see each other."""
        mask: Any = causal_mask(inputs.shape[1])
        positions = None
        if self.packed:
            segments, positions = tokens.segments(targets)
            mask = mask & segment_mask(segments)
        h_BxTxD: jax.Array = self._apply(params, inputs, mask, positions, **options)
        return h_BxTxD

    def output(self, params: Any) -> tuple[jax.Array, Any]:
        """See `LanguageModel`; the bias of tokens that are never predicted is minus infinity."""
        kernel_DxV = self._apply(params, method="kernel")
        if not self.model.banned_tokens:
            return kernel_DxV, None
        banned_V = np.isin(np.arange(self.spec.vocab_size), self.model.banned_tokens)
        return kernel_DxV, np.where(banned_V, -np.inf, 0.0).astype(np.float32)

    def inputs_and_targets(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """See `LanguageModel`; each of several sentences in a row begins behind BOS."""
        inputs, targets = super().inputs_and_targets(x)
        if self.running:
            return inputs, targets
        return jnp.where(inputs == tokens.EOS, tokens.BOS, inputs), targets

    @property
    def stacks(self) -> tuple[Layers, ...]:
        """See `Family`."""
        return (self.network.layers,)

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        one, seen = jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1, 1), bool)
        params = {"network": self.network.init(init_key(key), one, seen)["params"]}
        return first_state(key, params, self.optimizer, self)

    # What it is used for.

    def prefill(self, state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """See `LanguageModel`; places beyond the model's longest text, `context`, are not read."""
        x_BxS = begun(x_BxS, self.running)[:, : self.network.length]
        length_B = tokens.lengths(x_BxS)
        layers = self._apply(state.eval_params, len(x_BxS), method="new_cache")
        cache = {"layers": layers, "past": jnp.zeros_like(length_B)}
        return self._further(state, cache, x_BxS, length_B)

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """See `LanguageModel`."""
        return self._further(state, cache, token_B[:, None], jnp.ones_like(token_B))

    def context(self, state: State) -> int:
        """Returns the most tokens that the model reads at once."""
        return self.network.length

    # Behind them.

    @property
    def _z_loss(self) -> float:
        return self.loss.z_loss

    def _apply(self, params: Any, *args: Any, **options: Any) -> Any:
        return self.network.apply({"params": params["network"]}, *args, **options)

    def _further(
        self, state: State, cache: Any, x_BxQ: jax.Array, length_B: jax.Array
    ) -> tuple[jax.Array, Any]:
        """Reads the first `length` tokens of each row, and writes them behind the cache's past."""
        params, past_B = state.eval_params, cache["past"]
        hidden, layers = self._apply(params, x_BxQ, cache["layers"], past_B, method="extend")
        logits = self._logits(params, last_vector(hidden, length_B))
        return logits, {"layers": layers, "past": past_B + length_B}


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> GPT:
    """Builds the family from a config like `configs/gpt.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    _check(model, config, spec)
    length = spec.shape[0] - 1 if spec.kind == "text" else spec.shape[0]
    layers = make_layers(model, config.precision)
    return GPT(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        network=Network(spec.vocab_size, length, layers, model.positions, model.tie_embeddings),
        packed=config.data.packed,
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _check(model: Model, config: ConfigDict, spec: DataSpec) -> None:
    check_texts(config, spec)
    model.check()
    may_be = (tokens.PAD, tokens.UNK, tokens.BOS, tokens.MASK)
    if not set(model.banned_tokens) <= set(may_be):
        raise fail("model.banned_tokens", model.banned_tokens, f"must be of {may_be}")
