"""Recurrent language models: the next token of a running text from those before it.

    p(x_1 … x_T) = prod_t p(x_t | x_1 … x_{t-1})

with an RNN, GRU or LSTM that reads one token after the other. Sources: Mikolov et al. 2010
(Recurrent neural network based language model); Zaremba et al. 2014 (dropout between layers); Gal
and Ghahramani 2016 (variational dropout); Press and Wolf 2017 (one matrix for the tokens read and
those predicted).

Windows of running text begin at random places, each with the zero state: the state is not carried
from one window to the next.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.config import Base, Optimizer, TextData, fail
from genjax.core.family import DataSpec, State, compute_dtype, shared_fields
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
from genjax.families._recurrent import RecurrentFields, make_recurrent
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.recurrent import Recurrent


@dataclass(frozen=True)
class Model(RecurrentFields):
    """The section `model`."""

    layers: int = field(2, "of the recurrent network", ge=1)
    tie_embeddings: bool = field(False, "the vectors of the tokens are the output's weights too")


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small texts."""

    family: str = "recurrent_lm"
    data: TextData = subsection(TextData)
    optimizer: Optimizer = subsection(Optimizer, learning_rate=2e-3, clip_norm=1.0)
    model: Model = subsection(Model)
    loss: NextTokenLoss = subsection(NextTokenLoss)


default_config = Config.defaults


class Network(nn.Module):
    """Maps tokens to vectors that predict the next ones; `head` makes logits of these.

    Attributes:
      vocab_size: number of tokens.
      embed_dim: width of a token's vector.
      recurrent: the network.
      tie_embeddings: the vectors of the tokens are the output's weights too; where the network's
        width is another than `embed_dim`, a projection stands before them.
      dtype: of compute.
    """

    vocab_size: int
    embed_dim: int
    recurrent: Recurrent
    tie_embeddings: bool
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x_BxT: jax.Array, lengths_B: Any = None, carry: Any = None, *, train: bool = False
    ) -> tuple[jax.Array, Any]:
        """Computes (B, T, D) and the carry behind each row's last token; see `Recurrent`."""
        r = self.recurrent
        embed = Embedding(
            self.vocab_size, self.embed_dim, std=0.1, dtype=self.dtype, name="embedding"
        )
        h_BxTxH, carry = r(embed(x_BxT), lengths_B, carry, train=train)
        shared_axes = (1,) if r.variational else ()
        h_BxTxH = Dropout(r.dropout, shared_axes)(h_BxTxH, train=train)
        if self.tie_embeddings and r.hidden != self.embed_dim:
            h_BxTxH = nn.Dense(self.embed_dim, dtype=self.dtype, name="projection")(h_BxTxH)
        if not self.tie_embeddings:
            self.param("kernel", nn.initializers.lecun_normal(), (r.hidden, self.vocab_size))
        self.param("bias", nn.initializers.zeros, (self.vocab_size,))
        return h_BxTxH, carry

    def head(self, params: Any) -> tuple[jax.Array, jax.Array]:
        """Returns the output's weights (D, V) and biases (V,) among the module's parameters."""
        kernel_DxV = params["embedding"]["tokens"].T if self.tie_embeddings else params["kernel"]
        return kernel_DxV, params["bias"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecurrentLM(LanguageModel):
    """The family `recurrent_lm`; its cache is the network's carry."""

    layers_name = "recurrent"

    model: Model
    network: Network

    # The network.

    def hidden(
        self, params: Any, inputs: jax.Array, targets: jax.Array, **options: Any
    ) -> jax.Array:
        """See `LanguageModel`."""
        h_BxTxD: jax.Array = self._apply(params, inputs, **options)[0]
        return h_BxTxD

    def output(self, params: Any) -> tuple[jax.Array, Any]:
        """See `LanguageModel`."""
        return self.network.head(params)

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        params = self.network.init(init_key(key), jnp.zeros((1, 1), jnp.int32))["params"]
        return first_state(key, params, self.optimizer, self)

    # What it is used for.

    def prefill(self, state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """See `LanguageModel`."""
        params, x_BxS = state.eval_params, begun(x_BxS, self.running)
        lengths_B = tokens.lengths(x_BxS)
        h_BxSxD, carry = self._apply(params, x_BxS, lengths_B)
        return self._logits(params, last_vector(h_BxSxD, lengths_B)), carry

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """See `LanguageModel`."""
        params = state.eval_params
        h_Bx1xD, carry = self._apply(params, token_B[:, None], carry=cache)
        return self._logits(params, h_Bx1xD[:, 0]), carry

    # Behind them.

    def _apply(self, params: Any, *args: Any, **options: Any) -> Any:
        return self.network.apply({"params": params}, *args, **options)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> RecurrentLM:
    """Builds the family from a config like `configs/lstm_lm.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(NextTokenLoss, config, "loss")
    check_texts(config, spec)
    if config.data.packed:
        raise fail("data.packed", True, "must be False: one sentence would be read on after")
    dtype = compute_dtype(config.precision)
    recurrent = make_recurrent(model, dtype)
    return RecurrentLM(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        network=Network(spec.vocab_size, model.embed_dim, recurrent, model.tie_embeddings, dtype),
        optimizer=make_optimizer(config.optimizer, total_steps),
    )
