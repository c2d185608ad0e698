"""ELMo: vectors of words in their context, from language models that read from both sides.

    loss = - 1/2 mean_t [log p(w_t | w_1 … w_{t-1}) + log p(w_t | w_{t+1} … w_T)]

Source: Peters et al. 2018 (Deep contextualized word representations). Words are read as characters,
through a CNN that both directions share with the softmax layer; each direction has LSTMs of its
own. The layers are mixed by learned scalars (equation 1), and it is the mix that the softmax reads,
so that the scalars are learned without a further task; in the paper it reads the last layer, and
scalars are a task's. LSTMs are projected behind the recurrence, not within it.

The vocabulary bounds what is predicted and, as texts are tokens before they get here, what is read
in training: words without a token are the token UNK. The network itself reads any characters, see
`ELMo.embed_words`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_sum
from genjax.core.config import Base, Optimizer, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, shared_fields
from genjax.core.fields import read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.update import first_state, minimize
from genjax.families._bilm import BiLMFields, make_bilm
from genjax.families._language_models import TokenLoss, check_texts, mean_count, token_nll
from genjax.models.elmo import BiLM, Mix, spell_vocabulary
from genjax.models.sentence import pool

_DROPOUT = 0  # use of the step's key


@dataclass(frozen=True)
class Model(BiLMFields):
    """The section `model`."""


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small texts."""

    family: str = "elmo"
    data: TextData = subsection(TextData, tokenizer="word", min_count=2, length=32)
    optimizer: Optimizer = subsection(Optimizer, learning_rate=2e-3, clip_norm=1.0)
    model: Model = subsection(Model)
    loss: TokenLoss = subsection(TokenLoss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class ELMo(Family):
    """The family `elmo`.

    It learns windows of running text, or sentences, which begin with BOS. Evaluation reports nats a
    word (`loss`), the mean of those of both directions (`forward_loss`, `backward_loss`), and
    `perplexity`, e to the first.

    Attributes:
      chars_VxC: characters of each token; see `spell_vocabulary`.
    """

    has_prior = False

    model: Model
    loss: TokenLoss
    network: BiLM
    mix: Mix
    chars_VxC: np.ndarray
    optimizer: optax.GradientTransformation

    # The networks.

    def hidden(self, params: Any, chars_BxTxC: jax.Array, **options: Any) -> jax.Array:
        """Computes the layers (2, L + 1, B, T, D) of words, from the left and from the right."""
        real_BxT = (chars_BxTxC > 0).any(-1)
        return applied(self.network, params["network"], chars_BxTxC, real_BxT, **options)

    def mixed(self, params: Any, layers_2xLxBxTxD: jax.Array) -> jax.Array:
        """Computes the mix (2, B, T, D) of layers (Peters et al. 2018, equation 1)."""
        return applied(self.mix, params["mix"], layers_2xLxBxTxD)

    def nll(self, params: Any, ids_BxT: jax.Array, **options: Any) -> jax.Array:
        """Computes nats of each word but the first from the left, but the last from the right.

        Entry t of both, in (B, T - 1, 2), has the words t and t + 1, of which one is read and the
        other predicted.
        """
        layers = self.hidden(params, self._chars(ids_BxT), **options)
        left, right = self.mixed(params, layers)
        hidden = jnp.concatenate([left[:, :-1], right[:, 1:]], axis=1)
        before, after = ids_BxT[:, :-1], ids_BxT[:, 1:]
        before = jnp.where(after == tokens.PAD, tokens.PAD, before)
        targets = jnp.concatenate([after, before], axis=1)
        output = params["output"]["kernel"], params["output"]["bias"]
        nll = token_nll(hidden, output, targets, self.loss.logits_chunk)
        return jnp.stack(jnp.split(nll, 2, axis=1), axis=-1)

    # The loss.

    def bidirectional_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the mean over the words of the batch and over both directions, in nats.

        -1/(2N) sum_t [log p(w_t | w_1 … w_{t-1}) + log p(w_t | w_{t+1} … w_T)] (section 3.1).

        Args:
          params: of the network, the mix and the output.
          rows: `ids`, int32 (B, T).
          shared: `mean_count`, words that an average row predicts, and `key` of dropout.
          part: number of the part, folded into the key.
        """
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        nll_BxTx2 = self.nll(params, rows["ids"], train=True, rngs=rngs)
        left, right = (nll_BxTx2.sum(1) / shared["mean_count"]).mean(0)
        mean = (left + right) / 2
        return mean, {"loss": mean, "forward_loss": left, "backward_loss": right}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Prepares what the loss of the update that follows `state` needs."""
        ids_BxT = self._begun(batch["x"])
        shared = {"mean_count": mean_count(ids_BxT[:, 1:]), "key": step_key(state, _DROPOUT)}
        return {"ids": ids_BxT}, shared

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        network_key, output_key = jax.random.split(init_key(key))
        chars, real = jnp.ones((1, 1, self.chars_VxC.shape[1]), jnp.int32), jnp.ones((1, 1))
        layers, variables = self.network.init_with_output(network_key, chars, real)
        shape = (self.model.width, self.spec.vocab_size)
        kernel = nn.initializers.lecun_normal()(output_key, shape)
        params = {
            "network": variables["params"],
            "mix": self.mix.init(output_key, layers)["params"],
            "output": {"kernel": kernel, "bias": jnp.zeros(self.spec.vocab_size)},
        }
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        rows, shared = self.inputs(state, batch)
        return minimize(self.bidirectional_loss, state, rows, shared, self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums the nats of both directions, and the numbers of words that each predicts."""
        ids_BxT, mask_B = self._begun(batch["x"]), batch["mask"]
        nll_BxTx2 = self.nll(state.eval_params, ids_BxT)
        left, right = jnp.moveaxis(nll_BxTx2.sum(1), -1, 0)
        words_B = tokens.is_token(ids_BxT[:, 1:]).sum(-1)
        sums = {"forward": left, "backward": right, "words": words_B}
        sums = {name: (mask_B * value).sum() for name, value in sums.items()}
        return batch_sum({"count": mask_B.sum()} | sums)

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Family`."""
        left, right = (means[side] / means["words"] for side in ("forward", "backward"))
        nats = (left + right) / 2
        return {
            "loss": nats,
            "perplexity": np.exp(nats),
            "forward_loss": left,
            "backward_loss": right,
        }

    # What it is used for.

    def embed(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the vectors (B, T, 2 width) of words in their text."""
        return self._embedded(state, self._chars(self._begun(x_BxT)))

    def embed_words(self, state: State, chars_BxTxC: jax.Array) -> jax.Array:
        """Computes the vectors of any words, from characters as `models.elmo.spell` has them."""
        if not self._running:
            begin_Bx1 = jnp.full((len(chars_BxTxC), 1), tokens.BOS)
            chars_BxTxC = jnp.concatenate([self._chars(begin_Bx1), chars_BxTxC], axis=1)
        return self._embedded(state, chars_BxTxC)

    def features(self, state: State, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes what is mixed, (B, T, 2 width) each, words alone first, and `embed`'s mix."""
        params, chars = state.eval_params, self._chars(self._begun(x_BxT))
        layers = self.hidden(params, chars)
        found = {f"bilm.{i}": self._joined(layers[:, i]) for i in range(layers.shape[1])}
        return found | {"bilm.mix": self._joined(self.mixed(params, layers))}

    def encode(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the mean (B, 2 width) of the vectors of a text."""
        return pool(self.embed(state, x_BxT), tokens.is_token(x_BxT), "mean")

    # Behind them.

    @property
    def _running(self) -> bool:
        return self.spec.kind == "text"

    def _chars(self, ids_BxT: jax.Array) -> jax.Array:
        return jnp.asarray(self.chars_VxC)[ids_BxT]

    def _begun(self, x_BxT: jax.Array) -> jax.Array:
        """Puts BOS before sentences."""
        if self._running:
            return x_BxT
        return jnp.pad(x_BxT, ((0, 0), (1, 0)), constant_values=tokens.BOS)

    def _embedded(self, state: State, chars_BxTxC: jax.Array) -> jax.Array:
        params = state.eval_params
        return self._joined(self.mixed(params, self.hidden(params, chars_BxTxC)))

    def _joined(self, sides_2xBxTxD: jax.Array) -> jax.Array:
        """Puts both directions side by side, and leaves out the BOS that `_begun` adds."""
        first = 0 if self._running else 1
        return jnp.concatenate(list(sides_2xBxTxD), axis=-1)[:, first:]


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> ELMo:
    """Builds the family from a config like `configs/elmo.py`; raises `ConfigError`."""
    m, loss = read(Model, config, "model"), read(TokenLoss, config, "loss")
    _check(m, config, spec)
    return ELMo(
        **shared_fields(config, spec, total_steps),
        model=m,
        loss=loss,
        network=make_bilm(m, config.precision),
        mix=Mix(),
        chars_VxC=spell_vocabulary(spec.spellings, config.data.word_length),
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _check(model: Model, config: ConfigDict, spec: DataSpec) -> None:
    data = config.data
    check_texts(config, spec)
    if not spec.spellings:
        raise fail("data.tokenizer", data.tokenizer, "words are read as characters; must be word")
    if data.packed:
        raise fail("data.packed", True, "each text is read by itself; must be False")
    if data.word_length < 3:
        raise fail("data.word_length", data.word_length, "must be at least 3: two are marks")
    model.check()
