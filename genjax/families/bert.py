"""BERT: a transformer that guesses hidden tokens from what stands on both sides of them.

    loss = - sum over guessed places of log p(x_t | the text with these places hidden)
           - log p(the second text follows the first or not)         (loss.next_sentence)

Source: Devlin et al. 2019 (BERT: Pre-training of deep bidirectional transformers), sections 3 and
A.1. Which tokens are hidden is drawn anew in each step (as Liu et al. 2019, RoBERTa, advise), and
only what stands at these places is projected to the vocabulary. BOS and EOS are what the paper
calls [CLS] and [SEP].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_gather, batch_mean, batch_rows, batch_sum
from genjax.core.config import Base, Optimizer, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import batch_uniform, example_uniform, init_key, step_key
from genjax.core.update import first_state, minimize
from genjax.data.text.masking import mask_tokens
from genjax.families._encoders import DEFAULTS, NUM_TYPES, places
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.bert import Encoder, Heads, one_text, two_texts
from genjax.models.features import watched
from genjax.models.layers import Layers
from genjax.models.sentence import pool

_MASK, _PAIR, _DROPOUT = range(3)  # uses of the step's key, and of an example's own noise


@dataclass(frozen=True)
class Model(LayerFields):
    """The section `model`."""


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    mask_rate: float = field(0.15, "share of a text's tokens that are guessed", gt=0, lt=1)
    whole_word: bool = field(False, "tokens of a word are guessed together")
    next_sentence: bool = field(
        False, "running text: its halves, of which half the second are another's"
    )


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small texts."""

    family: str = "bert"
    data: TextData = subsection(TextData, tokenizer="word", min_count=2)
    optimizer: Optimizer = subsection(Optimizer, b2=0.98, weight_decay=0.01, clip_norm=1.0)
    model: Model = subsection(Model, **DEFAULTS)
    loss: Loss = subsection(Loss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class BERT(Family):
    """The family `bert`.

    It learns windows of running text, or sentences. Evaluation hides a fixed choice of tokens of
    each text, and reports the nats of a hidden token (`loss`), `perplexity`, e to it, and
    `accuracy`; with `loss.next_sentence` also `next_sentence_accuracy`, for which a text is paired
    with one half a batch away.
    """

    has_prior = False

    model: Model
    loss: Loss
    encoder: Encoder
    heads: Heads
    optimizer: optax.GradientTransformation

    # The networks.

    def encoded(
        self, params: Any, ids_BxT: jax.Array, types_BxT: Any = None, **options: Any
    ) -> jax.Array:
        """Computes the vectors (B, T, D) of tokens in their text; `types` are of segments."""
        return applied(self.encoder, params["encoder"], ids_BxT, types_BxT, **options)

    def logits(self, params: Any, h_BxMxD: jax.Array) -> jax.Array:
        """Computes the logits (B, M, V) of the tokens at places from the vectors there."""
        table_VxD = params["encoder"]["embedding"]["tokens"]
        return applied(self.heads, params["heads"], h_BxMxD, table_VxD)

    def pair_logits(self, params: Any, h_BxTxD: jax.Array) -> jax.Array:
        """Computes the logits (B,) that the second text follows the first."""
        return applied(self.heads, params["heads"], h_BxTxD, method="next_sentence")

    def guesses(self, params: Any, rows: Batch, **options: Any) -> tuple[jax.Array, jax.Array]:
        """Computes logits (B, M, V) at the places to guess, and vectors (B, T, D) at all places."""
        h_BxTxD = self.encoded(params, rows["inputs"], rows.get("types"), **options)
        at_BxMxD = jnp.take_along_axis(h_BxTxD, rows["positions"][..., None], axis=1)
        return self.logits(params, at_BxMxD), h_BxTxD

    # The loss.

    def pretraining_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the nats of a hidden token, and of whether the second text follows.

        -1/N sum over N guessed places of log p(x_t | the text with these places hidden), and of
        pairs -log p(follows) (Devlin et al. 2019, sections 3.1 and A.2).

        Args:
          params: of encoder and heads.
          rows: `inputs` (B, T), the text with places hidden, `positions` and `targets` (B, M), and,
            of pairs, `types` (B, T) and `follows` (B,).
          shared: `key` of dropout, and `mean_count` of guessed places over the batch.
          part: number of the part, folded into the key.
        """
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        logits_BxMxV, h_BxTxD = self.guesses(params, rows, train=True, rngs=rngs)
        nll_BxM = losses.token_cross_entropy(logits_BxMxV, rows["targets"])
        # A batch without a token to guess has the loss 0.
        masked = (nll_BxM.sum(-1) / jnp.maximum(shared["mean_count"], 1e-6)).mean()
        if not self.loss.next_sentence:
            return masked, {"loss": masked}
        says_B = self.pair_logits(params, h_BxTxD)
        wrong = losses.bernoulli_cross_entropy(says_B, rows["follows"]).mean()
        total = masked + wrong
        return total, {"loss": total, "masked": masked, "next_sentence": wrong}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        x_BxT = batch["x"]
        uniform_B = batch_uniform(step_key(state, _PAIR), x_BxT.shape[:1])
        rows = self._texts(x_BxT, uniform_B, jnp.ones(len(x_BxT)))
        rows = self._hide(rows, batch_uniform(step_key(state, _MASK), (*rows["ids"].shape, 3)))
        mean_count = batch_mean(tokens.is_token(rows["targets"]).sum(-1).mean())
        return rows, {"key": step_key(state, _DROPOUT), "mean_count": mean_count}

    @property
    def stacks(self) -> tuple[Layers, ...]:
        """See `Family`."""
        return (self.encoder.layers,)

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, heads_key = jax.random.split(init_key(key))
        length, width = self.encoder.length, self.model.width
        ids, h = jnp.full((1, length), tokens.BOS), jnp.zeros((1, length, width))
        table_VxD = jnp.zeros((self.spec.vocab_size, width))

        def both(heads: Heads) -> None:
            heads(h, table_VxD)
            if self.loss.next_sentence:
                heads.next_sentence(h)

        params = {
            "encoder": self.encoder.init(encoder_key, ids)["params"],
            "heads": self.heads.init(heads_key, method=both)["params"],
        }
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        rows, shared = self.inputs(state, batch)
        return minimize(self.pretraining_loss, state, rows, shared, self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`; what is hidden in a row is a function of the row's own tokens."""
        params, x_BxT, mask_B = state.eval_params, batch["x"], batch["mask"]
        own_B = example_uniform(_PAIR, x_BxT, jnp.arange(1), 1).reshape(-1)
        rows = self._texts(x_BxT, own_B, mask_B)
        rows = self._hide(rows, _noise(x_BxT, rows["ids"].shape[1]))
        logits_BxMxV, h_BxTxD = self.guesses(params, rows)
        target_BxM = rows["targets"]
        nll_BxM = losses.token_cross_entropy(logits_BxMxV, target_BxM)
        real_BxM = tokens.is_token(target_BxM)
        right_BxM = real_BxM * (logits_BxMxV.argmax(-1) == target_BxM)
        each = {"nll": nll_BxM.sum(-1), "guessed": real_BxM.sum(-1), "right": right_BxM.sum(-1)}
        if self.loss.next_sentence:
            says_B = self.pair_logits(params, h_BxTxD) > 0
            each["next_sentence_accuracy"] = says_B == (rows["follows"] > 0)
        sums = {name: (mask_B * value).sum() for name, value in each.items()}
        return batch_sum({"count": mask_B.sum()} | sums)

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns sums over guessed tokens into means over them."""
        guessed = np.maximum(means["guessed"], 1e-9)
        nats = means["nll"] / guessed
        shown = {"loss": nats, "perplexity": np.exp(nats), "accuracy": means["right"] / guessed}
        name = "next_sentence_accuracy"
        return shown | ({name: means[name]} if name in means else {})

    # What it is used for.

    def embed(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the vectors (B, T, D) of tokens in their text."""
        return self.encoded(state.eval_params, one_text(x_BxT))[:, 1:]

    def features(self, state: State, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes the vectors (B, T, D) of each layer; those of the last one are `embed`'s."""
        watching, layers = watched(self, encoder="encoder")
        watching.embed(state, x_BxT)
        return {name: h_BxTxD[:, 1:] for name, h_BxTxD in layers.items()}

    def encode(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the mean (B, D) of the vectors of a text's tokens."""
        return pool(self.embed(state, x_BxT), tokens.is_token(x_BxT), "mean")

    def predict_masked(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Puts the likeliest token in place of each MASK of texts (B, T)."""
        logits_BxTxV = self.logits(state.eval_params, self.embed(state, x_BxT))
        best_BxT = logits_BxTxV[..., tokens.NUM_SPECIALS :].argmax(-1) + tokens.NUM_SPECIALS
        return jnp.where(x_BxT == tokens.MASK, best_BxT.astype(jnp.int32), x_BxT)

    def reconstruct(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Puts guesses in place of what is hidden of texts (B, T), as evaluation hides it."""
        hidden = self._hide({"ids": x_BxT}, _noise(x_BxT, x_BxT.shape[1]))
        return self.predict_masked(state, hidden["inputs"])

    # Behind them.

    def _texts(self, x_BxT: jax.Array, uniform_B: jax.Array, keep_B: jax.Array) -> Batch:
        """Rows as the encoder reads them: `ids`, and of pairs `types` and `follows`."""
        if not self.loss.next_sentence:
            return {"ids": one_text(x_BxT)}
        other_BxT, is_other_B = _others(x_BxT, keep_B)
        follows_B = (uniform_B < 0.5) | ~is_other_B
        half = x_BxT.shape[1] // 2
        second = jnp.where(follows_B[:, None], x_BxT[:, half:], other_BxT[:, half:])
        ids, types = two_texts(x_BxT[:, :half], second)
        return {"ids": ids, "types": types, "follows": follows_B.astype(jnp.float32)}

    def _hide(self, rows: Batch, uniform_BxTx3: jax.Array) -> Batch:
        """Adds `inputs`, which are `ids` with places hidden, their `positions` and `targets`."""
        masked = mask_tokens(
            rows["ids"],
            uniform_BxTx3,
            vocab_size=self.spec.vocab_size,
            rate=self.loss.mask_rate,
            word_parts=self.spec.word_parts if self.loss.whole_word else b"",
        )
        return rows | masked._asdict()


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> BERT:
    """Builds the family from a config like `configs/bert.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    _check(model, loss, config, spec)
    layers, length = make_layers(model, config.precision), places(config, spec.shape[0])
    return BERT(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        encoder=Encoder(spec.vocab_size, length, layers, model.positions, NUM_TYPES),
        heads=Heads(spec.vocab_size, layers, loss.next_sentence),
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _noise(x_BxT: jax.Array, length: int) -> jax.Array:
    """Draws the noise of hiding, (B, length, 3), from each row's own tokens: all become MASK."""
    noise = example_uniform(_MASK, x_BxT, jnp.arange(length), 3)
    return noise.at[..., 1].set(0.0)


def _others(x_BxT: jax.Array, keep_B: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Finds another row for each of the global batch, and whether there is one.

    The one half a batch away, among the rows where `keep` is above 0: the others have no effect.
    """
    all_BxT, kept_B = batch_gather(x_BxT), batch_gather(keep_B) > 0
    order_B, rank_B = jnp.argsort(~kept_B, stable=True), jnp.cumsum(kept_B) - 1
    number = jnp.maximum(kept_B.sum(), 1)
    other_B = order_B[(rank_B + (number + 1) // 2) % number]
    own_B = batch_rows(lambda shape: jnp.arange(shape[0]), (len(x_BxT),))
    return all_BxT[other_B[own_B]], other_B[own_B] != own_B


def _check(model: Model, loss: Loss, config: ConfigDict, spec: DataSpec) -> None:
    if spec.kind not in ("text", "sentence"):
        raise fail("data.name", config.data.name, "must be running text or sentences")
    model.check()
    if config.data.packed:
        raise fail("data.packed", True, "each text is read by itself; must be False")
    if loss.next_sentence and spec.kind != "text":
        raise fail("loss.next_sentence", True, "halves windows of running text; data.kind=text")
    if loss.next_sentence and config.data.length < 2:
        raise fail("data.length", config.data.length, "must be at least 2 with loss.next_sentence")
